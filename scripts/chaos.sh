#!/usr/bin/env bash
# The long tier of the coordinator's and agents' fault tests.
#   scripts/chaos.sh [BUILD_FOLDER]
# Counts: KILLS (500) of the coordinator under submits, SUBMITS (10000) with short deadlines, PAUSES
# (1000) longer than the lease, AGENT_KILLS (200), RANK_KILLS (50), OUTAGE (60) seconds, LOG_KILLS
# (30). FPO_TEST_SEED repeats a failed run. Needs the test binaries of a build with services.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-build/release}/bin"
export FPO_TEST_SEED="${FPO_TEST_SEED:-$RANDOM}"
export FPO_SOURCE_DIR="$PWD" FPO_BIN_DIR="$PWD/$bin"
echo "FPO_TEST_SEED=$FPO_TEST_SEED"
export FPO_CHAOS_KILLS="${KILLS:-500}" FPO_CHAOS_SUBMITS="${SUBMITS:-10000}"
export FPO_CHAOS_PAUSES="${PAUSES:-1000}" FPO_CHAOS_AGENT_KILLS="${AGENT_KILLS:-200}"
export FPO_CHAOS_RANK_KILLS="${RANK_KILLS:-50}" FPO_CHAOS_OUTAGE_SECONDS="${OUTAGE:-60}"
export FPO_CHAOS_LOG_KILLS="${LOG_KILLS:-30}"
for part in submit zombie run network; do
  "$bin/fpo_${part}_chaos_test" --gtest_brief=1
done
