#!/usr/bin/env bash
# Sets the machine up and builds.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/build.sh [--optimized] [TARGET...]      (default: everything; the result is in build/release/bin)

A new build folder compiles its sources in batches, all but the hottest without optimisation: a first build takes a quarter of the time.
The folder stays as it is.

  --optimized   one source at a time, -O2: programs to install, and the shortest builds after small edits
TEXT
}

batches=()
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  --optimized) batches=(-DFPO_UNITY=OFF); shift ;;
  -*) echo "build: unknown option '$1'" >&2; usage >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."
export CCACHE_SLOPPINESS=pch_defines,time_macros
export CCACHE_BASEDIR=$PWD  # several clones of this tree share what ccache holds

start=$SECONDS
scripts/setup.sh
setup=$((SECONDS - start))

start=$SECONDS
log=$(mktemp)
trap 'rm -f "$log"' EXIT
[ -e build/release/CMakeCache.txt ] || [ ${#batches[@]} -gt 0 ] || batches=(-DFPO_UNITY=ON)
cmake --preset release "${batches[@]}" >"$log" 2>&1 || { cat "$log" >&2; echo "build: configuring failed (see above)" >&2; exit 1; }
if [ -t 1 ]; then
  cmake --build --preset release -j "$(nproc)" ${1:+--target "$@"}
else
  cmake --build --preset release -j "$(nproc)" ${1:+--target "$@"} >"$log" 2>&1 || {
    grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | tail -60 >&2; echo "build: failed (see above)" >&2; exit 1; }
fi
echo "build: set-up ${setup} s, build $((SECONDS - start)) s, programs in build/release/bin"
if grep -q '^FPO_UNITY:BOOL=ON' build/release/CMakeCache.txt; then
  echo "build: made for a first look; for real work: scripts/build.sh --optimized"
fi
