#!/usr/bin/env bash
# The tutorial's director with its two web servers, in namespaces with the addresses of its file: both answer in turn; one
# is stopped, and within the time that the file says no request fails any more; it comes back; with both down the
# sorry server answers. Log, listing and mail must tell of each step.
#
#   Tests/Tutorial/tutorial.sh LBD IPVSADM     as root; about a minute and a half
set -euo pipefail

[[ $# == 2 ]] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lbd=$(realpath "$1") ipvsadm=$(realpath "$2")
[[ $(id -u) == 0 ]] || { echo "tutorial: skipped: needs root"; exit 77; }
for need in ip nginx curl; do
  command -v "$need" >/dev/null || { echo "tutorial: skipped: there is no $need"; exit 77; }
done

prefix=lbd-tut-$$
folder=$(mktemp -d)
vip=192.168.200.88
pids=()

cleanup() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  for file in "$folder"/*.pid; do if [[ -s $file ]]; then kill "$(<"$file")" 2>/dev/null || true; fi; done
  for name in switch client director rs1 rs2 sorry; do ip netns del "$prefix-$name" 2>/dev/null || true; done
  if ((status != 0 && status != 77)); then
    echo "--- log of the director" >&2
    tail -n 40 "$folder/director.log" >&2 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "tutorial: $*" >&2; exit 1; }
inside() { local name=$1; shift; ip netns exec "$prefix-$name" "$@"; }

# host NAME LAST-OCTET: a namespace on the wire.
host() {
  ip netns add "$prefix-$1"
  inside "$1" ip link set lo up
  ip -n "$prefix-switch" link add "$1" type veth peer name eth0 netns "$prefix-$1"
  ip -n "$prefix-switch" link set "$1" master br0 up
  inside "$1" ip address add "192.168.200.$2/24" dev eth0
  inside "$1" ip link set eth0 up
}

# web NAME TEXT: a server with a page of one line, which holds the VIP and says nothing of it.
web() {
  inside "$1" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
  inside "$1" ip address add "$vip/32" dev lo
  mkdir -p "$folder/$1"
  echo "$2" >"$folder/$1/index.html"
  chmod -R a+rX "$folder"
  cat >"$folder/$1.conf" <<CONF
worker_processes 1;
pid $folder/$1.pid;
error_log $folder/$1.err;
events { worker_connections 64; }
http { access_log off; server { listen 80; root $folder/$1; } }
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

ask() { inside client curl -s --max-time 2 "http://$vip/" || echo "no answer"; }

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
answers() { [[ $(ask) == "$1" ]]; }
logged() { grep -qF "$1" "$folder/director.log"; }
listed() { inside director "$ipvsadm" -Ln | grep -qF "$1"; }
unlisted() { ! listed "$1"; }
mailed() { grep -qF "$1" "$folder/mail"; }

ip netns add "$prefix-switch"
ip -n "$prefix-switch" link add br0 type bridge
ip -n "$prefix-switch" link set br0 up
host client 1
host director 101
host rs1 102
host rs2 103
host sorry 104
inside director ip address add "$vip/32" dev eth0
web rs1 "this is RS01"
web rs2 "this is RS02"
web sorry "we are sorry"

hasMail=
if command -v python3 >/dev/null; then
  hasMail=yes
  : >"$folder/mail"
  inside client python3 "$here/mailbox.py" "$folder/mail" &
  pids+=($!)
fi

export LBD_SOCKET=$folder/lbd.sock
inside director "$lbd" run --config "$here/lvs-dr.conf" --interface eth0 --socket "$LBD_SOCKET" \
  >"$folder/director.log" 2>&1 &
pids+=($!)
await 20 "the director is ready" logged "ready:"

await 5 "RS01 answers" answers "this is RS01"
counts=$(for _ in 1 2 3 4 5 6 7 8 9 10; do ask; done | sort | uniq -c | tr -s ' ' | tr '\n' ';')
[[ $counts == " 5 this is RS01; 5 this is RS02;" ]] || fail "no turns: $counts"
echo "tutorial: both answer in turn"

# Up to 6 s to the next check, three retries after 3 s each; the next checks look at the first failure of their lives as
# keepalived does, so it may be sooner.
stop rs1
await 20 "RS01 is taken out" logged "Removing service [192.168.200.102]:tcp:80 from VS [$vip]:tcp:80"
await 2 "RS01 is not listed" unlisted "192.168.200.102:80"
for _ in 1 2 3 4 5 6 7 8 9 10; do answers "this is RS02" || fail "a request failed though RS01 was out"; done
inside director "$ipvsadm" -L --health | grep -E '192\.168\.200\.102.* down .*ECONNREFUSED' >/dev/null ||
  fail "no word of RS01 in ipvsadm -L --health"
echo "tutorial: RS01 is out, every request is answered"

start rs1
await 12 "RS01 is back" logged "Adding service [192.168.200.102]:tcp:80 to VS [$vip]:tcp:80"
await 2 "RS01 answers" answers "this is RS01"
echo "tutorial: RS01 is back"

stop rs1
stop rs2
await 25 "the quorum is lost" logged "Lost quorum 1-0=1 > 0 for VS [$vip]:tcp:80"
logged "Adding sorry server [192.168.200.104]:tcp:80 to VS [$vip]:tcp:80" || fail "no word of the sorry server"
await 2 "the sorry server answers" answers "we are sorry"
echo "tutorial: the sorry server answers"

start rs2
await 12 "RS02 is back" logged "Gained quorum 1+0=1 <= 1 for VS [$vip]:tcp:80"
await 2 "RS02 answers" answers "this is RS02"
echo "tutorial: RS02 is back"

if [[ $hasMail ]]; then
  for subject in "Realserver [192.168.200.102]:tcp:80 of virtual server [$vip]:tcp:80 - DOWN" \
    "Realserver [192.168.200.102]:tcp:80 of virtual server [$vip]:tcp:80 - UP" "Virtualserver [$vip]:tcp:80 - DOWN"; do
    await 10 "mail: $subject" mailed "Subject: [LVS_DEVEL] $subject"
  done
  echo "tutorial: mails came"
else
  echo "tutorial: skipped: mails, there is no python3"
fi
echo "tutorial: passed"
