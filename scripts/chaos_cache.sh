#!/usr/bin/env bash
# The long tier of the cache's fault tests: kills, bit flips, garbage collection, a full disk.
#   scripts/chaos_cache.sh [BUILD_FOLDER]
# RUNS (500): kills at each of 12 places. FLIPS (10000): flipped bits. OPERATIONS (1000000): of the
# garbage collector's property test. CUTS (500): of the power of a machine with a simulated file system. FPO_TEST_SEED repeats a failed run. Needs the test binaries of
# scripts/build.sh; the full-disk test needs root and says so without it.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-build/release}/bin"
export FPO_TEST_SEED="${FPO_TEST_SEED:-$RANDOM}"
export FPO_SOURCE_DIR="$PWD" FPO_BIN_DIR="$PWD/$bin"
echo "FPO_TEST_SEED=$FPO_TEST_SEED"
FPO_CHAOS_RUNS="${RUNS:-500}" "$bin/fpo_cache_chaos_test" --gtest_filter='*CacheKillTest*' --gtest_brief=1
FPO_BIT_FLIPS="${FLIPS:-10000}" "$bin/fpo_cache_chaos_test" --gtest_filter='*FlipTest*' --gtest_brief=1
FPO_GC_OPERATIONS="${OPERATIONS:-1000000}" "$bin/fpo_cache_store_test" --gtest_filter='GcModel.*' --gtest_brief=1
FPO_POWER_CUTS="${CUTS:-500}" "$bin/fpo_rocksdb_test" --gtest_filter='PowerCut*' --gtest_brief=1
"$bin/fpo_cache_chaos_test" --gtest_filter='CacheDiskFullTest*' --gtest_brief=1
