#!/bin/sh
# Installs the Debian packages named, those that are missing, and starts nothing. `a|b` is satisfied by either.
#
# Quick when nothing is missing: dpkg is asked first, apt only if it has to be.
#
# Debian starts a service as soon as its package is installed and enables it for the next boot. The lab runs nginx and
# vsftpd (and the benchmarks haproxy) by itself inside namespaces and wants no server on the host, so for the time of the
# installation policy-rc.d forbids starting anything (exit code 101), and a service that came with this installation is
# disabled afterwards. A policy-rc.d that was there before is put back.
set -eu

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# What has to be installed for the arguments; of alternatives, the first.
missing_of() {
  for package in "$@"; do
    is_installed "${package%%|*}" || is_installed "${package##*|}" || printf ' %s' "${package%%|*}"
  done
}

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "packages: not a Debian system; install the equivalents of: $*" >&2
  exit 0
fi
missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0
echo "packages: installing$missing"

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 || {
    echo "packages: needs root: apt-get install$missing" >&2
    exit 1
  }
  exec sudo "$0" "$@"
fi

# A web server that was there before is someone's; its modules do not change whether it starts.
had_nginx=
if [ -e /usr/sbin/nginx ]; then had_nginx=yes; fi

policy=/usr/sbin/policy-rc.d
saved=
made=
restore() {
  if [ -n "$saved" ]; then
    mv -f "$saved" "$policy"
    saved=
  elif [ -n "$made" ]; then
    rm -f "$policy"
    made=
  fi
}
trap restore EXIT
trap 'exit 1' HUP INT TERM

if [ -e "$policy" ] || [ -L "$policy" ]; then
  mv "$policy" "$policy.lbd-saved"
  saved=$policy.lbd-saved
fi
made=yes
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
# The lists of a new machine are empty, those of an old one out of date.
apt-get update -q </dev/null
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $missing </dev/null

for package in $missing; do
  case "$package" in
  nginx-light | libnginx-mod-stream) [ -n "$had_nginx" ] || update-rc.d nginx disable >/dev/null 2>&1 || true ;;
  haproxy | iperf3 | vsftpd) update-rc.d "$package" disable >/dev/null 2>&1 || true ;;
  esac
done

left=$(missing_of "$@")
[ -z "$left" ] || {
  echo "packages: still missing:$left" >&2
  exit 1
}
