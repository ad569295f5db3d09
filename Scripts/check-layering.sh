#!/bin/sh
# The rules of the house that neither the compiler nor swift-format knows (docs/architecture.md):
#   - what each layer may import, where that is less than what Package.swift lets it
#   - no async code in the dataplane
#   - main.swift holds no logic
#   - no file over 400 lines, nothing left "to do"
set -eu
cd "$(dirname "$0")/.."

failures=0
fail() {
  echo "layering: $*" >&2
  failures=$((failures + 1))
}

# Every import of a folder as FILE:MODULE, whatever stands before the word.
imports_of() {
  kinds='struct|class|enum|protocol|func|var|let|typealias'
  grep -rnE '^ *(@[A-Za-z_()]+ +)*((public|package|internal|private|fileprivate) +)?import ' --include='*.swift' "$1" |
    sed -E "s/^([^:]*):[0-9]+:.*import +(($kinds) +)?([A-Za-z0-9_]+).*/\1:\4/"
}

# only FOLDER MODULE...: nothing else may be imported there.
only() {
  folder=$1
  shift
  for line in $(imports_of "Sources/$folder"); do
    module=${line##*:}
    case " $* " in
    *" $module "*) ;;
    *) fail "${line%:*} imports $module; $folder may import: $*" ;;
    esac
  done
}

# never FOLDER PATTERN: no module that matches may be imported there.
never() {
  for line in $(imports_of "Sources/$1"); do
    if echo "${line##*:}" | grep -qE "$2"; then fail "${line%:*} imports ${line##*:}, which $1 must not"; fi
  done
}

only Wire Swift Synchronization
only Scheduler Swift Synchronization
only Kernel Swift Synchronization Glibc CShims Wire
only Config Swift Wire Scheduler
only VRRP Swift Wire Crypto
only Failover Swift Synchronization Glibc CShims Wire Kernel VRRP Logging
never Dataplane '^(Foundation|NIO|Dispatch|Config|Control|Lab|ArgumentParser|Logging)'
never Control '^(Lab|ArgumentParser|NIOSSL|NIOHTTP1)$'
never HealthCheck '^(Control|Config|Dataplane|Lab|ArgumentParser|Foundation)$'
never Scripts '^(NIO|Control|Config|Kernel|Lab|ArgumentParser|Foundation)'
never Notify '^(Control|Config|Dataplane|Lab|ArgumentParser|Foundation)$'
never Web '^(Control|Config|Dataplane|HealthCheck|Lab|ArgumentParser|Foundation)$'
never Lab '^(Control|Config|Dataplane|ArgumentParser)$'

if grep -rnE '\b(async|await|actor)\b' --include='*.swift' Sources/Dataplane |
  grep -vE ':[0-9]+:[[:space:]]*//' >&2; then
  fail "the dataplane is not asynchronous"
fi

programs() { find Sources Plugins -name main.swift; }
for file in $(programs); do
  if grep -nE '^[[:space:]]*(func|struct|class|enum|extension|actor|protocol|if|for|while|switch|guard|repeat)\b' \
    "$file" >&2; then
    fail "$file holds logic; it belongs in a file named after it"
  fi
done

sources() {
  find Sources Tests Plugins bpf Benchmarks Package.swift -path '*/.build' -prune -o -type f \
    \( -name '*.swift' -o -name '*.c' -o -name '*.h' \) -print 2>/dev/null
}
for file in $(sources); do
  lines=$(wc -l <"$file")
  [ "$lines" -le 400 ] || fail "$file has $lines lines; 400 at most"
done

# In two pieces, so that this file does not find itself.
unfinished="TO""DO|FIX""ME|XX""X"
if grep -rnwE "$unfinished" Sources Tests Plugins bpf Scripts Makefile Package.swift >&2; then
  fail "unfinished work belongs in the tracker"
fi

[ "$failures" = 0 ] || {
  echo "layering: $failures findings" >&2
  exit 1
}
