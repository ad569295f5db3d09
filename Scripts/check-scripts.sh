#!/bin/sh
# Shell scripts parse, and have no findings where shellcheck is installed. Manual pages render without a warning.
set -eu
cd "$(dirname "$0")/.."

for script in Scripts/*.sh Benchmarks/*.sh packaging/ipvsadm-* .ci/run; do
  [ -e "$script" ] || continue
  [ -x "$script" ] || {
    echo "scripts: $script is not executable" >&2
    exit 1
  }
  case $(head -n 1 "$script") in
  *bash*) bash -n "$script" ;;
  *) sh -n "$script" ;;
  esac
  if command -v shellcheck >/dev/null 2>&1; then shellcheck "$script"; fi
done
command -v shellcheck >/dev/null 2>&1 || echo "scripts: shellcheck skipped, it is not installed"

if command -v groff >/dev/null 2>&1; then
  for page in packaging/man/*.[1-9]; do
    warnings=$(groff -mandoc -Tutf8 -ww "$page" 2>&1 >/dev/null)
    [ -z "$warnings" ] || {
      echo "$warnings" >&2
      exit 1
    }
  done
else
  echo "scripts: manual pages skipped, groff is not installed"
fi
