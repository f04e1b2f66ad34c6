#!/usr/bin/env bash
# Figures of the reference cache on this machine, next to the machine's ceilings.
#   bench/cache_bench.sh [PAIRS 61000] [FEATURES 1500] [BUILD_FOLDER build/release]
set -euo pipefail
cd "$(dirname "$0")/.."
build="${3:-build/release}"
ninja -C "$build" fpo-cache fpo-cache-bench >/dev/null
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$build/bin/fpo-cache-bench" "$build/bin/fpo-cache" "$folder" "${1:-61000}" "${2:-1500}" 2>/dev/null
