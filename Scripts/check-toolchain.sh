#!/bin/sh
# Is there a Swift toolchain, and is it new enough? Argument: the path of `swift`.
set -eu

swift=$1
wanted=6.2
where="get one for this system at https://www.swift.org/install/linux/ and put it on the PATH or at /opt/swift"

if [ ! -x "$swift" ]; then
  echo "toolchain: lbd needs Swift $wanted or later, which Debian does not have: $where" >&2
  exit 1
fi
if ! text=$("$swift" --version 2>&1); then
  echo "toolchain: $swift does not run: $(echo "$text" | head -n 1)" >&2
  exit 1
fi
version=$(echo "$text" | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
oldest=$(printf '%s\n%s\n' "$wanted" "${version:-0.0}" | sort -V | head -n 1)
if [ "$oldest" != "$wanted" ]; then
  echo "toolchain: lbd needs Swift $wanted or later, $swift is ${version:-unknown}: $where" >&2
  exit 1
fi
