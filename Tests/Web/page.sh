#!/usr/bin/env bash
# The status page in a browser: a director with three services in a namespace, whose page a headless Chromium opens; what the
# director knows must be in the document that the browser has made of it.
#
#   Tests/Web/page.sh LBD [PICTURE.png]     as root; a picture is taken where a file is named
set -euo pipefail

(($# >= 1)) || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
lbd=$(realpath "$1") picture=${2:-}
[[ $(id -u) == 0 ]] || { echo "page: skipped: needs root"; exit 77; }
browser=$(command -v chromium || command -v chromium-browser || true)
[[ -n $browser ]] || { echo "page: skipped: there is no chromium"; exit 77; }

name=lbd-page-$$
folder=$(mktemp -d)
pid=

cleanup() {
  local status=$?
  if [[ -n $pid ]]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
  ip netns del "$name" 2>/dev/null || true
  if ((status != 0 && status != 77)); then tail -n 20 "$folder/log" >&2 2>/dev/null || true; fi
  rm -rf "$folder"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

fail() { echo "page: $*" >&2; exit 1; }

cat >"$folder/lbd.conf" <<'CONF'
lbd {
  web 9641
}
virtual_server 192.0.2.80 80 {
  lb_algo wrr
  lb_kind NAT
  protocol TCP
  delay_loop 1
  real_server 192.0.2.11 80 {
    weight 3
  }
  real_server 192.0.2.1 81 {
    TCP_CHECK {
      connect_timeout 1
    }
  }
}
virtual_server 192.0.2.80 53 {
  lb_algo rr
  lb_kind NAT
  protocol UDP
  real_server 192.0.2.12 53 {
  }
}
virtual_server 192.0.2.80 443 {
  lb_algo mh
  lb_kind NAT
  protocol TCP
  delay_loop 1
  sorry_server 192.0.2.99 443
  real_server 192.0.2.1 444 {
    TCP_CHECK {
      connect_timeout 1
    }
  }
}
CONF

ip netns add "$name"
ip -n "$name" link set lo up
ip -n "$name" link add v0 type veth peer name v1
ip -n "$name" link set v0 up
ip -n "$name" link set v1 up
ip -n "$name" address add 192.0.2.1/24 dev v0
ip -n "$name" address add 192.0.2.80/32 dev v0
ip netns exec "$name" "$lbd" run --config "$folder/lbd.conf" --interface v0 --socket "$folder/sock" \
  >"$folder/log" 2>&1 &
pid=$!

# Both checks have failed, so that the page has something to say.
for ((i = 0; i < 150; i++)); do
  if [[ $(grep -c 'Removing service' "$folder/log") == 2 ]]; then break; fi
  sleep 0.2
done
((i < 150)) || fail "the checks found nothing"

# look ARGUMENT...: the browser with a profile of its own. Its time is virtual: it ends when the page has come to rest.
look() {
  ip netns exec "$name" "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
    --user-data-dir="$folder/profile" --window-size=1000,900 --virtual-time-budget=4000 "$@" http://127.0.0.1:9641/ \
    2>"$folder/browser"
}

look --dump-dom >"$folder/dom" || { cat "$folder/browser" >&2; fail "the browser has failed"; }
for text in "tcp 192.0.2.80:80, wrr" "tcp 192.0.2.80:443, mh: the sorry server serves" "udp 192.0.2.80:53, rr" \
  "192.0.2.11:80 masq" ">192.0.2.1:81<" ": cannot connect: ECONNREFUSED" "3 services" "<polyline points="; do
  grep -qF "$text" "$folder/dom" || { cat "$folder/dom" >&2; fail "not on the page: $text"; }
done
echo "page: every service and server is on it"
if [[ -n $picture ]]; then look --screenshot="$(realpath -m "$picture")" && echo "page: $picture"; fi
echo "page: passed"
