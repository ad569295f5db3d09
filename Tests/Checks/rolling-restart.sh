#!/usr/bin/env bash
# Four web servers are restarted one after the other under load, and not one request may fail: a server's health page is taken
# away, its check takes it out of the turn, its last connections end, it is stopped, started, and gets its page back.
#
#   Tests/Checks/rolling-restart.sh LBD IPVSADM     as root; about a minute
set -euo pipefail

[[ $# == 2 ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
lbd=$(realpath "$1") ipvsadm=$(realpath "$2")
[[ $(id -u) == 0 ]] || { echo "rolling-restart: skipped: needs root"; exit 77; }
for need in ip ethtool nginx wrk; do
  command -v "$need" >/dev/null || { echo "rolling-restart: skipped: there is no $need"; exit 77; }
done

prefix=lbd-roll-$$
folder=$(mktemp -d)
vip=10.8.0.80
pids=()

cleanup() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  for file in "$folder"/*.pid; do if [[ -s $file ]]; then kill "$(<"$file")" 2>/dev/null || true; fi; done
  for name in switch client director rs1 rs2 rs3 rs4; do ip netns del "$prefix-$name" 2>/dev/null || true; done
  if ((status != 0 && status != 77)); then
    echo "--- log of the director" >&2
    tail -n 40 "$folder/director.log" >&2 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "rolling-restart: $*" >&2; exit 1; }
inside() { local name=$1; shift; ip netns exec "$prefix-$name" "$@"; }

# host NAME LAST-OCTET: a namespace on the wire.
host() {
  ip netns add "$prefix-$1"
  inside "$1" ip link set lo up
  ip -n "$prefix-switch" link add "$1" type veth peer name eth0 netns "$prefix-$1"
  ip -n "$prefix-switch" link set "$1" master br0 up
  inside "$1" ip address add "10.8.0.$2/24" dev eth0
  # A checksum that is left to a network card is never made on this wire: lbd would pass it on as it is.
  inside "$1" ethtool -K eth0 tx off >/dev/null
  inside "$1" ip link set eth0 up
}

web() {
  inside "$1" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  inside "$1" ip address add "$vip/32" dev lo
  mkdir -p "$folder/$1"
  echo "$1" >"$folder/$1/index.html"
  echo well >"$folder/$1/health"
  chmod -R a+rX "$folder"
  cat >"$folder/$1.conf" <<CONF
worker_processes 1;
pid $folder/$1.pid;
error_log $folder/$1.err;
events { worker_connections 1024; }
http { access_log off; server { listen 80 backlog=1024; root $folder/$1; } }
CONF
  start "$1"
}

start() { inside "$1" nginx -c "$folder/$1.conf" -e "$folder/$1.err"; }
stop() {
  local pid
  pid=$(<"$folder/$1.pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

# await SECONDS WHAT COMMAND...: until it succeeds.
await() {
  local seconds=$1 what=$2 end
  shift 2
  end=$((SECONDS + seconds))
  until "$@"; do
    ((SECONDS < end)) || fail "not within $seconds s: $what"
    sleep 0.1
  done
}
logged() { grep -qF "$1" "$folder/director.log"; }
# weighs SERVER WEIGHT, and hasNoActive SERVER: fields of `ipvsadm -Ln`.
field() { inside director "$ipvsadm" -Ln | awk -v server="$1:80" -v field="$2" '$2 == server { print $field }'; }
weighs() { [[ $(field "$1" 4) == "$2" ]]; }
hasNoActive() { [[ $(field "$1" 5) == 0 ]]; }
isBusy() { (($(field "$1" 5) + $(field "$1" 6) > ${2:-0})); }

ip netns add "$prefix-switch"
ip -n "$prefix-switch" link add br0 type bridge
ip -n "$prefix-switch" link set br0 up
host client 1
host director 2
inside director ip address add "$vip/32" dev eth0
for number in 1 2 3 4; do
  host "rs$number" "1$number"
  web "rs$number"
done

{
  # A client's port may come round again while ip_vs, and so lbd, still holds its last connection for the old server.
  printf 'lbd {\nsysctl net.ipv4.vs.expire_nodest_conn 1\n}\n'
  printf 'virtual_server %s 80 {\ndelay_loop 1\nlb_algo rr\nlb_kind DR\nprotocol TCP\ninhibit_on_failure\n' "$vip"
  for number in 1 2 3 4; do
    printf 'real_server 10.8.0.1%s 80 {\nweight 1\nHTTP_GET {\nurl {\npath /health\nstatus_code 200\n}\n' "$number"
    printf 'connect_timeout 3\nretry 1\ndelay_before_retry 1\nwarmup 0\n}\n}\n'
  done
  printf '}\n'
} >"$folder/lbd.conf"

export LBD_SOCKET=$folder/lbd.sock
ip netns exec "$prefix-director" "$lbd" run --config "$folder/lbd.conf" --interface eth0 --socket "$LBD_SOCKET" \
  >"$folder/director.log" 2>&1 &
pids+=($!)
await 20 "the director is ready" logged "ready:"

# Each request has a connection of its own, so that servers can come to their end.
ip netns exec "$prefix-client" wrk -t 1 -c 8 -d 60 --timeout 20 -H 'Connection: close' "http://$vip/" \
  >"$folder/wrk.txt" 2>&1 &
load=$!
pids+=("$load")
sleep 1

for number in 1 2 3 4; do
  server=10.8.0.1$number
  isBusy "$server" || fail "rs$number gets no requests"
  mv "$folder/rs$number/health" "$folder/rs$number/ill"
  await 15 "rs$number is out of the turn" weighs "$server" 0
  await 15 "rs$number has no connections" hasNoActive "$server"
  stop "rs$number"
  sleep 0.5
  start "rs$number"
  mv "$folder/rs$number/ill" "$folder/rs$number/health"
  await 15 "rs$number is back" weighs "$server" 1
  kill -0 "$load" 2>/dev/null || fail "the load has ended too early: the machine is too slow for this test"
done
# Whatever comes after the last restart counts, too.
sleep 1
kill -INT "$load"
wait "$load" || true
pids=("${pids[0]}")
grep -qE '^ +[0-9]+ requests in' "$folder/wrk.txt" || { cat "$folder/wrk.txt" >&2; fail "no report of the load"; }
if grep -E 'Socket errors|Non-2xx' "$folder/wrk.txt" >&2; then fail "requests have failed"; fi
echo "rolling-restart: $(grep -oE '[0-9]+ requests in [0-9.a-z]+' "$folder/wrk.txt"), none has failed"
