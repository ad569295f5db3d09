#!/bin/sh
# All tests, and a plain summary of what passed, what failed and what could not be run here.
#
#   run-tests.sh SWIFT LBD [BUILD FLAG...]
#
# One debug build serves the unit tests, the examples and the lab. What needs root is reported as skipped without it.
# LAB_FLAGS: more options for the lab.
set -u
cd "$(dirname "$0")/.." || exit 1

swift=$1
lbd=$2
shift 2
summary=
failed=0

# note NAME VERDICT: a line of the summary.
note() {
  summary="$summary$(printf '  %-12s %s' "$1" "$2")
"
}

finish() {
  echo
  echo "summary"
  printf '%s' "$summary"
  [ "$failed" = 0 ] || echo "FAILED"
  exit "$failed"
}

if ! "$swift" build --build-tests "$@"; then
  note build "FAILED"
  failed=1
  finish
fi
note build "ok, layers checked"

# ---- Unit tests ----
log=$(mktemp) || exit 1
result=$(mktemp) || exit 1
trap 'rm -f "$log" "$result"' EXIT
{
  # The same flags again, or the package would count as changed.
  "$swift" test --skip-build "$@" 2>&1
  echo $? >"$result"
} | tee "$log"
code=$(cat "$result")
ran=$(sed -n 's/.*Test run with \([0-9]*\) test.*/\1/p' "$log" | tail -n 1)
skipped=$(grep -cE '^[^[:alnum:]]* *Test .* skipped(\.|: ".*")$' "$log")
skipped_suites=$(grep -cE '^[^[:alnum:]]* *Suite .* skipped(\.|: ".*")$' "$log")
words="${ran:-no} tests, $skipped skipped"
[ "$skipped_suites" = 0 ] || words="$words, $skipped_suites suites skipped"
if [ "$code" != 0 ]; then
  failed=1
  words="FAILED: $words"
elif [ -z "$ran" ] || [ "$ran" = 0 ]; then
  failed=1
  words="FAILED: no test was run"
fi
note tests "$words"

# ---- Examples: each must be accepted, without a warning ----
count=0
bad=
for example in examples/*.conf; do
  count=$((count + 1))
  if ! text=$("$lbd" check --config "$example" 2>&1) || echo "$text" | grep -qE ': (error|warning): '; then
    bad="$bad ${example##*/}"
    echo "$text"
  fi
done
if [ -n "$bad" ]; then
  failed=1
  note examples "FAILED:$bad"
else
  note examples "$count accepted"
fi

# ---- Benchmarks: they build, agree with the reference byte by byte, and execute what is on record ----
check_benchmarks() {
  "$swift" build -c release --package-path Benchmarks || return 1
  Benchmarks/.build/release/lbd-bench compare --frames 100000 || return 1
  Benchmarks/count-instructions.sh --check || return 1
}
if check_benchmarks; then
  note benchmarks "equal to the reference, instructions as recorded"
else
  failed=1
  note benchmarks "FAILED"
fi

# ---- Lab ----
if [ "$(id -u)" != 0 ]; then
  note lab "skipped, needs root"
else
  {
    # shellcheck disable=SC2086
    "$lbd" lab test --quick ${LAB_FLAGS:-} 2>&1
    echo $? >"$result"
  } | tee "$log"
  words=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  if [ "$(cat "$result")" = 0 ]; then
    note lab "${words:-ok}"
  else
    failed=1
    note lab "FAILED: ${words:-it ended early}"
  fi
fi

# ---- Scripts that bring a network, or a browser, of their own: 0 is passed, 77 skipped ----
script() {
  name=$1
  shift
  {
    "$@" 2>&1
    echo $? >"$result"
  } | tee "$log"
  words=$(grep "^$name: skipped" "$log" | sed "s/^$name: //" | paste -sd ';' -)
  case $(cat "$result") in
  0) note "$name" "passed${words:+, $words}" ;;
  77) note "$name" "$words" ;;
  *)
    failed=1
    note "$name" "FAILED"
    ;;
  esac
}
# Checks, sorry server and mails as the tutorial's file has them.
script tutorial Tests/Tutorial/tutorial.sh "$lbd" "${lbd%/*}/ipvsadm"
# Every kind of check against real servers.
script checks Tests/Checks/checks.sh "$lbd" "${lbd%/*}/ipvsadm"
# Checks that go the way of clients' packets.
script through-vip Tests/Checks/through-vip.sh "$lbd" "${lbd%/*}/ipvsadm"
# Servers are restarted under load.
script rolling-restart Tests/Checks/rolling-restart.sh "$lbd" "${lbd%/*}/ipvsadm"
# The status page, as a browser has it.
script page Tests/Web/page.sh "$lbd"
finish
