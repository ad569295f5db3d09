#!/usr/bin/env bash
# Checks that go the way of clients' packets (through_vip), with DR and TUN, IPv4 and IPv6: a server that is well by itself but
# does not take packets for the VIP has to be taken out, and to come back when it does; a check at the server's own address
# sees nothing of that.
#
#   Tests/Checks/through-vip.sh LBD IPVSADM     as root; about a minute
set -euo pipefail

[[ $# == 2 ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
lbd=$(realpath "$1") ipvsadm=$(realpath "$2")
[[ $(id -u) == 0 ]] || { echo "through-vip: skipped: needs root"; exit 77; }
for need in ip ethtool nginx curl; do
  command -v "$need" >/dev/null || { echo "through-vip: skipped: there is no $need"; exit 77; }
done

prefix=lbd-way-$$
folder=$(mktemp -d)
pids=()

cleanup() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  for file in "$folder"/*.pid; do if [[ -s $file ]]; then kill "$(<"$file")" 2>/dev/null || true; fi; done
  for name in switch client director rs1 rs2; do ip netns del "$prefix-$name" 2>/dev/null || true; done
  if ((status != 0 && status != 77)); then
    echo "--- log of the director" >&2
    tail -n 40 "$folder/director.log" >&2 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "through-vip: $*" >&2; exit 1; }
inside() { local name=$1; shift; ip netns exec "$prefix-$name" "$@"; }

# host NAME LAST-OCTET: a namespace on the wire.
host() {
  ip netns add "$prefix-$1"
  inside "$1" ip link set lo up
  ip -n "$prefix-switch" link add "$1" type veth peer name eth0 netns "$prefix-$1"
  ip -n "$prefix-switch" link set "$1" master br0 up
  inside "$1" ip address add "10.9.0.$2/24" dev eth0
  inside "$1" ip address add "fd09::$2/64" dev eth0 nodad
  # A checksum that is left to a network card is never made on this wire: lbd would pass it on as it is.
  inside "$1" ethtool -K eth0 tx off >/dev/null
  inside "$1" ip link set eth0 up
}

# server NAME TEXT: a page of one line for every address that the host has.
server() {
  mkdir -p "$folder/$1"
  echo "$2" >"$folder/$1/index.html"
  chmod -R a+rX "$folder"
  cat >"$folder/$1.conf" <<CONF
worker_processes 1;
pid $folder/$1.pid;
error_log $folder/$1.err;
events { worker_connections 64; }
http { access_log off; server { listen 80; listen [::]:80; root $folder/$1; } }
CONF
  inside "$1" nginx -c "$folder/$1.conf" -e "$folder/$1.err"
}

# await SECONDS WHAT COMMAND...: until it succeeds.
await() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@"; do
    ((SECONDS < end)) || fail "not within $seconds s: $what"
    sleep 0.2
  done
}
logged() { grep -qF "$1" "$folder/director.log"; }
# isIn HOW SERVER: listed under the VIP of that way.
listing() { inside director "$ipvsadm" -Ln | awk -v vip="$1" '/^(TCP|UDP)/ { on = index($0, vip) > 0 } on'; }
isIn() { listing "$1" | grep -qF "$2"; }
isOut() { ! isIn "$1" "$2"; }

ip netns add "$prefix-switch"
ip -n "$prefix-switch" link add br0 type bridge
ip -n "$prefix-switch" link set br0 up
host client 1
host director 101
host rs1 102
host rs2 103
inside director ip address add 10.9.0.88/32 dev eth0
inside director ip address add 10.9.0.99/32 dev eth0
inside director ip address add fd09::88/128 dev eth0 nodad
inside director ip address add fd09::99/128 dev eth0 nodad
for name in rs1 rs2; do
  server "$name" "$name"
  inside "$name" "$lbd" realserver setup --state "$folder/$name-dr" --mode dr --vip 10.9.0.88 --vip fd09::88 >/dev/null
  inside "$name" "$lbd" realserver setup --state "$folder/$name-tun" --mode tun --interface eth0 \
    --vip 10.9.0.99 --vip fd09::99 >/dev/null
done

# service VIP KIND FAMILY-OF-SERVERS CHECK...
service() {
  local vip=$1 kind=$2 servers=$3
  shift 3
  echo "virtual_server $vip 80 { delay_loop 1 lb_algo rr lb_kind $kind protocol TCP" | sed 's/ \(delay\|lb_\|proto\)/\n\1/g'
  for last in 102 103; do
    printf 'real_server %s%s 80 {\n weight 1\n %s {\n connect_timeout 1\n retry 1\n delay_before_retry 1\n warmup 0\n' \
      "$servers" "$last" "$1"
    printf '%s\n' "${@:2}" '}' '}'
  done
  echo '}'
}
{
  echo 'lbd {'
  echo '}'
  service 10.9.0.88 DR 10.9.0. TCP_CHECK through_vip
  service fd09::88 DR fd09:: HTTP_GET through_vip 'url {' 'path /' 'status_code 200' '}'
  service 10.9.0.99 TUN 10.9.0. HTTP_GET through_vip 'url {' 'path /' 'status_code 200' '}'
  service fd09::99 TUN fd09:: TCP_CHECK through_vip
} >"$folder/lbd.conf"

export LBD_SOCKET=$folder/lbd.sock
# shellcheck disable=SC2086
ip netns exec "$prefix-director" "$lbd" run --config "$folder/lbd.conf" --interface eth0 --socket "$LBD_SOCKET" \
  ${PORT_FLAGS:-} >"$folder/director.log" 2>&1 &
pids+=($!)
await 20 "the director is ready" logged "ready:"

# Long enough for what does not work to show.
sleep 5
for vip in 10.9.0.88 10.9.0.99; do
  for last in 102 103; do isIn "$vip:80" "10.9.0.$last:80" || fail "10.9.0.$last is not in $vip"; done
done
for vip in fd09::88 fd09::99; do
  for last in 102 103; do isIn "[$vip]:80" "[fd09::$last]:80" || fail "fd09::$last is not in $vip"; done
done
for url in http://10.9.0.88/ http://10.9.0.99/ 'http://[fd09::88]/' 'http://[fd09::99]/'; do
  [[ $(for _ in 1 2 3 4; do inside client curl -gs --max-time 3 "$url"; done | sort | uniq | paste -sd ' ') == "rs1 rs2" ]] ||
    fail "a client does not get both servers from $url"
done
echo "through-vip: all servers are in"

# rs2 is well but does not have the VIPs any more, or does not open tunnels.
inside rs2 "$lbd" realserver undo --state "$folder/rs2-dr" >/dev/null
inside rs2 "$lbd" realserver undo --state "$folder/rs2-tun" >/dev/null
inside director curl -gs --max-time 2 -o /dev/null http://10.9.0.103/ || fail "rs2 is not well"
await 15 "rs2 is out of DR" isOut 10.9.0.88:80 10.9.0.103:80
await 15 "rs2 is out of DR, IPv6" isOut "[fd09::88]:80" "[fd09::103]:80"
await 15 "rs2 is out of TUN" isOut 10.9.0.99:80 10.9.0.103:80
await 15 "rs2 is out of TUN, IPv6" isOut "[fd09::99]:80" "[fd09::103]:80"
for vip in 10.9.0.88 10.9.0.99; do isIn "$vip:80" 10.9.0.102:80 || fail "rs1 has gone, too"; done
echo "through-vip: what takes no packets for the VIP is out"

inside rs2 "$lbd" realserver setup --state "$folder/rs2-dr" --mode dr --vip 10.9.0.88 --vip fd09::88 >/dev/null
inside rs2 "$lbd" realserver setup --state "$folder/rs2-tun" --mode tun --interface eth0 \
  --vip 10.9.0.99 --vip fd09::99 >/dev/null
await 15 "rs2 is back in DR" isIn 10.9.0.88:80 10.9.0.103:80
await 15 "rs2 is back in DR, IPv6" isIn "[fd09::88]:80" "[fd09::103]:80"
await 15 "rs2 is back in TUN" isIn 10.9.0.99:80 10.9.0.103:80
await 15 "rs2 is back in TUN, IPv6" isIn "[fd09::99]:80" "[fd09::103]:80"
echo "through-vip: it comes back"

# A check leaves nothing behind: no connection of ours, and no rule once lbd has ended.
if inside director "$ipvsadm" -Lnc | grep -qF '10.9.0.101:'; then fail "checks have made connections"; fi
kill "${pids[0]}"
wait "${pids[0]}" || fail "lbd ended with $?"
pids=()
for family in -4 -6; do
  if inside director ip "$family" rule show | grep -qF lbd0; then fail "a rule is left"; fi
done
echo "through-vip: passed"
