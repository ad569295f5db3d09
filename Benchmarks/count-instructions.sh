#!/bin/sh
# Counts what a turn of the pipeline executes per packet, for lbd and for the reference in C, and shows that it allocates
# nothing, counts no references and takes no lock.
#
#   Benchmarks/count-instructions.sh             counts, shows, writes Benchmarks/results/instructions.json
#   Benchmarks/count-instructions.sh --check     ... and compares with Benchmarks/instructions.tsv: 3 % at most
#   Benchmarks/count-instructions.sh --record    ... and rewrites Benchmarks/instructions.tsv
#
# Callgrind collects only inside the turns that are to be counted: neither opening connections nor filling frames counts.
# The clock is driven, so the numbers are the same on every run and every machine. BENCH names another lbd-bench.
set -eu

usage() { echo "count-instructions.sh: $1; usage: count-instructions.sh [--check | --record]" >&2; exit 64; }

[ $# -le 1 ] || usage "too many arguments"
case ${1:-} in
'') action=show ;;
--check) action=check ;;
--record) action=record ;;
*) usage "what is '$1'?" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
bench=${BENCH:-$here/.build/release/lbd-bench}
record=$here/instructions.tsv
rounds=16
tolerance=3
command -v valgrind >/dev/null || { echo "count-instructions.sh: needs valgrind (make deps-bench)" >&2; exit 1; }
[ -x "$bench" ] || { echo "count-instructions.sh: no $bench (make bench-build)" >&2; exit 1; }
[ "$action" != check ] || [ -f "$record" ] || {
  echo "count-instructions.sh: no $record to compare with (--record makes one)" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# valgrind 3.19 cannot read the compiler's debug information; the symbols are enough.
strip --strip-debug -o "$work/lbd-bench" "$bench"

# count SIDE CELL: leaves $work/SIDE.callgrind.
count() {
  valgrind --tool=callgrind --toggle-collect='*countedTurns*' --callgrind-out-file="$work/$1.callgrind" \
    "$work/lbd-bench" count --side "$1" --rounds "$rounds" "$2" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
  }
}

# per_packet SIDE: instructions per packet of the run counted last, with one decimal.
per_packet() {
  awk -v packets=$((rounds * 4096)) '/^(summary|totals):/ { total = $2 }
    END { if (total == 0) exit 1; printf "%.1f\n", total / packets }' "$work/$1.callgrind"
}

# Calls from within a turn that a hot path must not need: NAME COUNT.
runtime_calls() {
  awk '
    /^c?fn=/ {
      id = $0; sub(/^c?fn=/, "", id)
      rest = id; sub(/^\([0-9]+\) ?/, "", rest); sub(/ .*/, "", id)
      if (rest != "") name[id] = rest
      if ($0 ~ /^cfn=/) callee = id
    }
    /^calls=/ { split($0, part, "[= ]"); calls[callee] += part[2] }
    END {
      for (id in calls)
        if (name[id] ~ /^(swift_(retain|release|alloc|dealloc|beginAccess|bridgeObject|slow|unknownObject|isUniquely|once).*|malloc|calloc|realloc|free|aligned_alloc|posix_memalign|pthread_mutex_.*)(\.|@|'"'"'|$)/)
          printf "%s %d\n", name[id], calls[id]
    }' "$work/lbd.callgrind"
}

: >"$work/table"
: >"$work/calls"
cells=$("$work/lbd-bench" count)
for cell in $cells; do
  [ ! -t 2 ] || printf '\r\033[Kcount: %s' "$cell" >&2
  count reference "$cell"
  count lbd "$cell"
  runtime_calls | sed "s/^/  $cell: /" >>"$work/calls"
  printf '%s\t%s\t%s\n' "$cell" "$(per_packet lbd)" "$(per_packet reference)" >>"$work/table"
done
[ ! -t 2 ] || printf '\r\033[K' >&2

awk -F'\t' 'BEGIN { printf "%-24s %8s %10s %6s\n", "instructions per packet", "lbd", "reference", "ratio" }
  { printf "%-24s %8.1f %10.1f %6.3f\n", $1, $2, $3, $2 / $3 }' "$work/table"
mkdir -p "$here/results"
awk -F'\t' 'BEGIN { printf "[" }
  { printf "%s\n  {\"part\": \"count\", \"cell\": \"%s\", \"instructionsPerPacket\": %s, \"referenceInstructionsPerPacket\": %s, \"ratio\": %.3f}", (NR > 1 ? "," : ""), $1, $2, $3, $2 / $3 }
  END { printf "\n]\n" }' "$work/table" >"$here/results/instructions.json"

status=0
if [ -s "$work/calls" ]; then
  echo "runtime calls from a turn (there must be none):"
  cat "$work/calls"
  status=1
else
  echo "calls of malloc, free, swift_retain, swift_release, swift_beginAccess, pthread_mutex_lock from a turn: 0"
fi

case $action in
record)
  { printf 'cell\tlbd\treference\n'; cat "$work/table"; } >"$record"
  echo "recorded in $record"
  ;;
check)
  awk -F'\t' -v tolerance="$tolerance" '
    FNR == 1 { file++ }
    file == 1 { if (FNR > 1) { lbd[$1] = $2; reference[$1] = $3 }; next }
    function compare(side, now, then) {
      change = (now / then - 1) * 100
      if (change >= -tolerance && change <= tolerance) return
      bad = 1
      printf "%s, %s: %.1f instead of %.1f instructions per packet, %+.1f %%: %s\n", $1, side, now, then, change,
        change < 0 ? "better; record anew with --record" : "worse by more than " tolerance " %"
    }
    { seen[$1] = 1
      if (!($1 in lbd)) { bad = 1; printf "%s: not on record; record anew with --record\n", $1; next }
      compare("lbd", $2, lbd[$1]); compare("reference", $3, reference[$1]) }
    END {
      for (cell in lbd) if (!(cell in seen)) { bad = 1; printf "%s: on record, but not counted\n", cell }
      if (!bad) printf "all within %s %% of the record\n", tolerance
      exit bad
    }' "$record" "$work/table" || status=1
  ;;
esac
exit "$status"
