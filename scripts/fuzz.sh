#!/usr/bin/env bash
# Searches for inputs that break the readers of files (tests/fuzz/), with clang's libFuzzer and the address and undefined-behaviour sanitizers.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/fuzz.sh [TARGET] [SECONDS]

Runs one target of tests/fuzz/, or each in turn, for SECONDS each (default: 600), in one process. Starts from tests/fuzz/corpus/TARGET and from
what earlier runs found interesting (build/fuzz/corpus/TARGET). An input that breaks the target stays in build/fuzz/findings/: mend the
cause, and put the input, small, into tests/fuzz/corpus/TARGET.

  scripts/fuzz.sh --list    names the targets
TEXT
}

cd "$(dirname "$0")/.."
mapfile -t targets < <(sed -nE 's/^ *fpo_fuzz\(([a-z0-9_]+) .*/\1/p' tests/fuzz/CMakeLists.txt)
case ${1:-} in
  -h | --help) usage; exit 0 ;;
  --list) printf '%s\n' "${targets[@]}"; exit 0 ;;
esac
seconds=${2:-600}
if [ $# -gt 0 ]; then
  case " ${targets[*]} " in
    *" $1 "*) targets=("$1") ;;
    *) echo "fuzz: there is no target '$1'; there are: ${targets[*]}" >&2; exit 2 ;;
  esac
fi
command -v clang++ >/dev/null || { echo "fuzz: clang++ is missing; run scripts/setup.sh --checks" >&2; exit 1; }

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -j "${FPO_BUILD_JOBS:-$(nproc)}" --target "${targets[@]/#/fpo_fuzz_}"
mkdir -p build/fuzz/findings
failed=()
for target in "${targets[@]}"; do
  mkdir -p "build/fuzz/corpus/$target"
  dictionary=()
  [ ! -e "tests/fuzz/$target.dict" ] || dictionary=("-dict=tests/fuzz/$target.dict")
  echo "fuzz: $target, $seconds s"
  "build/fuzz/bin/fpo_fuzz_$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 "${dictionary[@]}" \
    "-artifact_prefix=build/fuzz/findings/$target-" "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" || failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || { echo "fuzz: findings in build/fuzz/findings: ${failed[*]}" >&2; exit 1; }
