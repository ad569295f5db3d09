#!/usr/bin/env bash
# Every kind of check against real servers (nginx, OpenSMTPD, dnsmasq, openssl s_server, the kernel's echo) that come up and go
# down, and against servers that are slow, silent, wrong, endless or talk garbage: each has to be in or out, and out for the
# right reason.
#
#   Tests/Checks/checks.sh LBD IPVSADM     as root; about a minute
set -euo pipefail

[[ $# == 2 ]] || { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lbd=$(realpath "$1") ipvsadm=$(realpath "$2")
[[ $(id -u) == 0 ]] || { echo "checks: skipped: needs root"; exit 77; }
for need in ip ethtool nginx openssl python3; do
  command -v "$need" >/dev/null || { echo "checks: skipped: there is no $need"; exit 77; }
done

prefix=lbd-chk-$$
folder=$(mktemp -d)
chmod 755 "$folder"
declare -A running=()
director=

cleanup() {
  local status=$? pid
  for pid in $director "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in $director "${running[@]}"; do wait "$pid" 2>/dev/null || true; done
  for name in director servers; do ip netns del "$prefix-$name" 2>/dev/null || true; done
  if ((status != 0 && status != 77)); then
    echo "--- log of the director" >&2
    grep -v 'Activating' "$folder/director.log" | tail -n 60 >&2 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "checks: $*" >&2; exit 1; }
inside() { local name=$1; shift; ip netns exec "$prefix-$name" "$@"; }

# await SECONDS WHAT COMMAND...: until it succeeds.
await() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@"; do
    ((SECONDS < end)) || fail "not within $seconds s: $what; $(health "$last" || true)"
    sleep 0.1
  done
}
logged() { grep -qF "$1" "$folder/director.log"; }
isIn() { inside director "$ipvsadm" -Ln | grep -qE -- "-> 10\.7\.0\.$1:"; }
isOut() { ! isIn "$1"; }
# health LAST-OCTET: its lines in the listing; because LAST-OCTET PATTERN: the words there for a server that is down.
health() { inside director "$ipvsadm" -L --health | grep -E "10\.7\.0\.${1}[^0-9]"; }
because() { health "$1" | grep -qiE -- "$2"; }

# ---- The network: a director, and a host with an address for every server ----
for name in director servers; do
  ip netns add "$prefix-$name"
  inside "$name" ip link set lo up
done
ip -n "$prefix-director" link add eth0 type veth peer name eth0 netns "$prefix-servers"
for name in director servers; do
  # A checksum that is left to a network card is never made on this wire: lbd would pass it on as it is.
  inside "$name" ethtool -K eth0 tx off >/dev/null
  inside "$name" ip link set eth0 up
done
inside director ip address add 10.7.0.254/24 dev eth0
for last in $(seq 10 60); do inside servers ip address add "10.7.0.$last/24" dev eth0; done

# ---- The servers that are well, by name: start NAME, stop NAME ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=checks \
  -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>/dev/null
chmod 644 "$folder"/*.pem
mkdir "$folder/www" "$folder/mail"
echo "this is a page" >"$folder/www/index.html"
cat >"$folder/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $folder/nginx.pid;
error_log $folder/nginx.err;
events { worker_connections 256; }
http {
  access_log off;
  server {
    listen 80;
    listen 443 ssl;
    ssl_certificate $folder/cert.pem;
    ssl_certificate_key $folder/key.pem;
    root $folder/www;
  }
}
CONF
cat >"$folder/smtpd.conf" <<CONF
listen on 10.7.0.14 port 25
action "local" mbox
match for local action "local"
CONF
digest=$(md5sum <"$folder/www/index.html" | cut -d ' ' -f 1)
echo 0 >"$folder/number"
printf '#!/bin/sh\ntest -e %s/ill && exit 3\nexit 0\n' "$folder" >"$folder/script"
chmod 755 "$folder/script"

# Not by functions: their processes would be shells'.
start() {
  case $1 in
  nginx) ip netns exec "$prefix-servers" nginx -c "$folder/nginx.conf" -e "$folder/nginx.err" & ;;
  s_server)
    ip netns exec "$prefix-servers" openssl s_server -accept 10.7.0.13:4433 -www -quiet -key "$folder/key.pem" \
      -cert "$folder/cert.pem" >/dev/null 2>&1 &
    ;;
  smtpd) ip netns exec "$prefix-servers" smtpd -d -f "$folder/smtpd.conf" >"$folder/smtpd.log" 2>&1 & ;;
  dnsmasq)
    ip netns exec "$prefix-servers" dnsmasq --keep-in-foreground --no-resolv --no-hosts --conf-file=/dev/null \
      --bind-interfaces --listen-address=10.7.0.15 --host-record=www.example,192.0.2.1 --pid-file="$folder/dnsmasq.pid" \
      --log-facility=/dev/null &
    ;;
  echo) ip netns exec "$prefix-servers" python3 "$here/misbehave.py" 10.7.0.17:7000/udp-well & ;;
  address) inside servers ip address add 10.7.0.16/24 dev eth0 ; return ;;
  script) rm -f "$folder/ill" ; return ;;
  file) echo 0 >"$folder/number" ; return ;;
  esac
  running[$1]=$!
}
stop() {
  case $1 in
  address) inside servers ip address del 10.7.0.16/24 dev eth0 ; return ;;
  script) touch "$folder/ill" ; return ;;
  file) echo 1 >"$folder/number" ; return ;;
  esac
  kill "${running[$1]}"
  wait "${running[$1]}" 2>/dev/null || true
  unset "running[$1]"
}

# ---- The rows: server's last octet; check and its own lines; its server; why it is out without it ----
well=(
  "10|TCP_CHECK|nginx|ECONNREFUSED"
  "11|HTTP_GET url { path / digest $digest status_code 200 }|nginx|ECONNREFUSED"
  "12|SSL_GET connect_port 443 url { path / digest $digest status_code 200 }|nginx|ECONNREFUSED"
  "13|SSL_GET connect_port 4433 url { path / status_code 200 }|s_server|ECONNREFUSED"
  "14|SMTP_CHECK connect_port 25|smtpd|ECONNREFUSED"
  "15|DNS_CHECK connect_port 53 type A name www.example|dnsmasq|ECONNREFUSED"
  "16|PING_CHECK|address|no answer|EHOSTUNREACH"
  "17|UDP_CHECK connect_port 7000 payload 6162 require_reply 6162|echo|ECONNREFUSED"
  "18|MISC_CHECK misc_path $folder/script|script|status 3"
  "19|FILE_CHECK track_file number|file|number is 1"
)
ill=(
  "30|HTTP_GET connect_port 8080 url { path / status_code 200 }|http-slow|no answer in time"
  "31|HTTP_GET connect_port 8080 url { path / status_code 200 }|http-silent|no answer in time"
  "32|HTTP_GET connect_port 8080 url { path / status_code 200 }|http-wrong|status 500"
  "33|HTTP_GET connect_port 8080 url { path / status_code 200 digest $digest }|http-endless|end in time|too long"
  "34|HTTP_GET connect_port 8080 url { path / status_code 200 }|http-garbage|none of this protocol|status|complete|time"
  "35|SMTP_CHECK connect_port 8080|smtp-silent|no answer in time"
  "36|SMTP_CHECK connect_port 8080|smtp-wrong|greeting has code 554"
  "37|SMTP_CHECK connect_port 8080|smtp-endless|greeting has no code|too long|time"
  "38|SMTP_CHECK connect_port 8080|smtp-garbage|greeting has no code|too long|time|none of this"
  "39|SSL_GET connect_port 8080 url { path / status_code 200 }|tcp-silent|handshake|time"
  "40|SSL_GET connect_port 8080 url { path / status_code 200 }|tcp-garbage|handshake"
  "41|DNS_CHECK connect_port 8080 type A name www.example|dns-silent|no answer in time"
  "42|DNS_CHECK connect_port 8080 type A name www.example|dns-wrong|RCODE 3"
  "43|DNS_CHECK connect_port 8080 type A name www.example|dns-garbage|no answer in time|none of this"
  "44|UDP_CHECK connect_port 8080 payload 6162 require_reply 6162|udp-silent|no answer in time"
  "45|UDP_CHECK connect_port 8080 payload 6162 require_reply 6162|udp-garbage|the reply is another one"
  "46|HTTP_GET url { path / digest 00000000000000000000000000000000 status_code 200 }||the body has digest"
  "47|HTTP_GET url { path /none status_code 200 }||status 404"
  "48|HTTP_GET url { path / regex another status_code 200 }||does not match"
  "49|TCP_CHECK connect_ip 10.7.1.1||time|EHOSTUNREACH|ENETUNREACH"
)
if ! command -v smtpd >/dev/null; then
  well=("${well[@]/14|*/}")
  echo "checks: skipped: SMTP_CHECK of a real server, there is no smtpd"
fi
if ! command -v dnsmasq >/dev/null; then
  well=("${well[@]/15|*/}")
  echo "checks: skipped: DNS_CHECK of a real server, there is no dnsmasq"
fi

# block WORDS: a checker, a line each.
block() {
  local kind=$1
  shift
  printf '%s {\n' "$kind"
  [[ $kind == FILE_CHECK ]] || printf 'retry 1\ndelay_before_retry 1\nwarmup 0\n'
  [[ $kind =~ ^(MISC|FILE)_CHECK$ ]] || printf 'connect_timeout 1\n'
  while (($#)); do
    case $1 in
    '{') printf 'url {\n' ;;
    '}') printf '}\n' ;;
    url) ;;
    *) printf '%s %s\n' "$1" "$2"; shift ;;
    esac
    shift
  done
  printf '}\n'
}
{
  printf 'global_defs {\nenable_script_security\nscript_user root\n}\n'
  printf 'track_file number {\nfile "%s"\nweight 0\n}\n' "$folder/number"
  for row in "${well[@]}" "${ill[@]}"; do
    [[ -n $row ]] || continue
    IFS='|' read -r last check _ <<<"$row"
    printf 'virtual_server 10.7.0.254 %s {\ndelay_loop 1\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 10.7.0.%s 80 {\n' \
      "10$last" "$last"
    # shellcheck disable=SC2086
    block $check
    printf '}\n}\n'
  done
} >"$folder/lbd.conf"
"$lbd" check --config "$folder/lbd.conf" >"$folder/check.txt" 2>&1 || { cat "$folder/check.txt"; fail "the file is not good"; }

bad=()
for row in "${ill[@]}"; do
  IFS='|' read -r last _ how _ <<<"$row"
  [[ -z $how ]] || bad+=("10.7.0.$last:8080/$how")
done
ip netns exec "$prefix-servers" python3 "$here/misbehave.py" "${bad[@]}" &
running[bad]=$!
servers=()
for row in "${well[@]}"; do
  [[ -n $row ]] || continue
  IFS='|' read -r _ _ name _ <<<"$row"
  case " ${servers[*]-} address script file " in
  *" $name "*) ;;
  *) servers+=("$name"); start "$name" ;;
  esac
done
sleep 2

export LBD_SOCKET=$folder/lbd.sock
ip netns exec "$prefix-director" "$lbd" run --config "$folder/lbd.conf" --interface eth0 --socket "$LBD_SOCKET" \
  >"$folder/director.log" 2>&1 &
director=$!
await 20 "the director is ready" logged "ready:"

for row in "${ill[@]}"; do
  IFS='|' read -r last check how reason <<<"$row"
  await 15 "${check%% *} of ${how:-nginx} is out ($reason)" isOut "$last"
  await 3 "the listing says why ${check%% *} of ${how:-nginx} is out: $reason" because "$last" "$reason"
done
echo "checks: ${#ill[@]} servers that misbehave are out, each for its reason"

count=0
for row in "${well[@]}"; do
  [[ -n $row ]] || continue
  IFS='|' read -r last check _ _ <<<"$row"
  isIn "$last" || fail "${check%% *} of a good server: it is out: $(health "$last")"
  count=$((count + 1))
done
echo "checks: $count servers that are well are in"

for name in "${servers[@]}" address script file; do stop "$name"; done
for row in "${well[@]}"; do
  [[ -n $row ]] || continue
  IFS='|' read -r last check name reason <<<"$row"
  await 12 "${check%% *} is out without $name" isOut "$last"
  await 3 "the listing says why ${check%% *} is out: $reason" because "$last" "$reason"
done
echo "checks: they are out when their servers have gone"

for name in "${servers[@]}" address script file; do start "$name"; done
for row in "${well[@]}"; do
  [[ -n $row ]] || continue
  IFS='|' read -r last check name _ <<<"$row"
  await 15 "${check%% *} is back with $name" isIn "$last"
done
echo "checks: they are back, passed"
