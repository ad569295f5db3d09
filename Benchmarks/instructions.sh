#!/bin/sh
# Counts what the pipeline executes per packet, over `lbd replay` of a million packets, and shows that it allocates
# nothing and counts no references.
#
#   Benchmarks/instructions.sh [PACKETS] [FLOWS]          default 1000000 10000
#
# Callgrind collects only inside a turn of the forwarder (parse, classify, schedule, rewrite, transmit, counters,
# expiry), so reading the capture and writing the result do not count. Two runs, one with the SYNs only, are
# subtracted: what is left is the established traffic.
set -eu

packets=${1:-1000000}
flows=${2:-10000}
here=$(cd "$(dirname "$0")" && pwd)
lbd=${LBD:-$here/../.build/release/lbd}
command -v valgrind >/dev/null || { echo "instructions.sh: needs valgrind (make deps)" >&2; exit 1; }
[ -x "$lbd" ] || { echo "instructions.sh: no $lbd (make build)" >&2; exit 1; }
work=$(mktemp -d)
trap '[ -n "${KEEP:-}" ] && cp "$work/all.callgrind" "$KEEP"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# valgrind 3.19 cannot read the compiler's debug information; the symbols are enough.
strip --strip-debug -o "$work/lbd" "$lbd"
perl "$here/make-capture.pl" "$packets" "$flows" >"$work/all.pcap"
perl "$here/make-capture.pl" "$flows" "$flows" >"$work/syn.pcap"

count() {
  valgrind --tool=callgrind --toggle-collect='*MemoryPipelineC4turn*' --callgrind-out-file="$work/$1.callgrind" \
    "$work/lbd" replay --config "$here/instructions.conf" --topology "$here/instructions.net" \
    --in "$work/$1.pcap" --output "$work/$1" >"$work/$1.report" 2>"$work/$1.log" || {
    cat "$work/$1.log" >&2
    exit 1
  }
  callgrind_annotate --threshold=100 "$work/$1.callgrind" >"$work/$1.functions" 2>/dev/null
}

total() { sed -n 's/^summary: *//p;s/^totals: *//p' "$work/$1.callgrind" | tail -n 1 | cut -d' ' -f1; }

# Calls of runtime functions that a hot path must not need, from inside a turn.
runtime_calls() {
  awk '
    /^fn=/ { line = $0 }
    /^cfn=/ { callee = $0; if (match(callee, /\([0-9]+\)/)) {
        id = substr(callee, RSTART, RLENGTH); rest = substr(callee, RSTART + RLENGTH + 1)
        if (rest != "") name[id] = rest } }
    /^fn=/ { if (match(line, /\([0-9]+\)/)) { id2 = substr(line, RSTART, RLENGTH)
        rest = substr(line, RSTART + RLENGTH + 1); if (rest != "") name[id2] = rest } }
    /^calls=/ { split($0, part, "[= ]"); calls[id] += part[2] }
    END { for (id in calls) if (name[id] ~ /^(swift_(retain|release|allocObject|beginAccess|bridgeObject|slowAlloc|unknownObject|isUniquely).*|malloc|calloc|realloc|free)$/)
        printf "%s %d\n", name[id], calls[id] }' "$work/$1.callgrind"
}

count syn
count all
established=$((packets - flows))
spent=$(($(total all) - $(total syn)))
echo "packets: $packets, of them $flows SYNs, over five services (DR, NAT both ways, TUN, FULLNAT, NAT by IPv6)"
grep '^received .* = ' "$work/all.report" | tail -n 1
echo "instructions per established packet: $((spent / established)).$((spent * 10 / established % 10))"
echo "instructions per new connection:     $(($(total syn) / flows))"
calls=$(runtime_calls all)
if [ -n "$calls" ]; then
  echo "runtime calls from the pipeline (there should be none):"
  echo "$calls" | sed 's/^/  /'
  exit 1
fi
echo "calls of malloc, free, swift_retain, swift_release, swift_beginAccess from the pipeline: 0"
[ -n "${VERBOSE:-}" ] && sed -n '/Ir/,$p' "$work/all.functions" | head -n 40
exit 0
