#!/usr/bin/env bash
# How long a first build takes: without ccache, in a new folder.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bench/build_time.sh [--tests] [--per-file] [--preset NAME] [--against COMMIT] [-j N]

Builds the five programs in a new folder without ccache and prints the sum of the compile steps (CPU seconds, which a busy machine
hardly changes, and .ninja_log's), the wall time, the largest step's memory and the ten dearest files.

  --tests           also the tests, counted apart
  --per-file        one source at a time (default: in batches, as scripts/build.sh does in a new clone)
  --preset NAME     configure preset (default release)
  --against COMMIT  the same for another commit, and the ratio of the two
  -j N              steps at a time (default: number of cores)
TEXT
}

root=$(cd "$(dirname "$0")/.." && pwd)
tests=0 unity=ON preset=release against='' jobs=$(nproc)
while [ $# -gt 0 ]; do
  case $1 in
    --tests) tests=1 ;;
    --per-file) unity=OFF ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --against) against=${2:?--against needs a commit}; shift ;;
    -j) jobs=${2:?-j needs a number}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "build_time: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

work=$(mktemp -d)
trap 'rm -rf "$work"; git -C "$root" worktree prune' EXIT
export CCACHE_DISABLE=1

build() { # build FOLDER PART TARGET...: appends to FOLDER/times "PART seconds" and keeps the logs of the part
  local folder=$1 part=$2 start=$SECONDS
  shift 2
  FPO_STEP_LOG=$folder/$part.steps cmake --build "$folder/build" -j "$jobs" ${1:+--target "$@"} >"$folder/log" 2>&1 || {
    tail -40 "$folder/log" >&2; echo "build_time: the build failed (see above)" >&2; exit 1; }
  echo "$part $((SECONDS - start))" >>"$folder/times"
  cp "$folder/build/.ninja_log" "$folder/$part.ninja_log"
}

measure() { # measure TREE FOLDER
  mkdir -p "$2"
  (cd "$1" && cmake --preset "$preset" -B "$2/build" -DFPO_UNITY=$unity "-DCMAKE_CXX_COMPILER_LAUNCHER=$root/bench/step_time.py" \
    >"$2/log" 2>&1) || { cat "$2/log" >&2; exit 1; }
  build "$2" programs fpo-coordinator fpo-cache fpo-worker fpo-train fpoctl
  [ $tests -eq 0 ] || build "$2" tests
  rm -rf "$2/build"
}

measure "$root" "$work/now"
folders=("now=$work/now")
if [ -n "$against" ]; then
  git -C "$root" worktree add -q --detach "$work/tree" "$against"
  measure "$work/tree" "$work/against"
  folders+=("$against=$work/against")
fi
python3 - "${folders[@]}" <<'PY'
import os, sys

def steps(folder, part):
    with open(f"{folder}/{part}.steps") as log:
        rows = [line.rstrip("\n").split("\t") for line in log]
    return [(float(cpu), int(megabytes), output) for cpu, megabytes, output in rows]

def ninja(folder, part, earlier):
    last = {}
    with open(f"{folder}/{part}.ninja_log") as log:
        for line in log:
            if not line.startswith("#"):
                start, end, _, output, _ = line.split("\t")
                last[output] = (int(end) - int(start)) / 1000
    mine = {o: s for o, s in last.items() if o not in earlier and o.endswith((".o", ".gch", ".pch"))}
    earlier.update(last)
    return sum(mine.values())

sums = {}
for argument in sys.argv[1:]:
    name, folder = argument.split("=", 1)
    earlier = {}
    for line in open(f"{folder}/times"):
        part, wall = line.split()
        rows = sorted(steps(folder, part), reverse=True)
        cpu = sums[name, part] = sum(row[0] for row in rows)
        print(f"{name}, {part}: {len(rows)} compile steps, {cpu:.0f} s of CPU, {ninja(folder, part, earlier):.0f} s in .ninja_log; "
              f"wall {wall} s; largest step {max(row[1] for row in rows)} MB")
        for seconds, megabytes, output in rows[:10]:
            print(f"  {seconds:7.1f} s {megabytes:6d} MB  {output}")
names = [argument.split("=", 1)[0] for argument in sys.argv[1:]]
if len(names) == 2:
    for (name, part), cpu in sums.items():
        if name == names[0]:
            print(f"{part}: {cpu:.0f} s of CPU, {names[1]} {sums[names[1], part]:.0f} s: {cpu / sums[names[1], part]:.2f}")
PY
