#!/usr/bin/env bash
# The long tier of the fault tests of coordinator, agents and trainer.
#   scripts/chaos.sh [BUILD_FOLDER [PART...]]
# Parts (default all): submit zombie run grid dead_worker cancel drain checkpoint output network
# restore leader wrong_store store_disk stalled_disk clock_jump flood idle_peers log_readers
# twin_agents frozen_rank busy_host soak.
# Counts: KILLS (500) of the coordinator under submits, SUBMITS (10000) with short deadlines, PAUSES (1000) longer than the lease,
# AGENT_KILLS (200), RANK_KILLS (50), OUTAGE (60) seconds, LOG_KILLS (30), GRID_STEPS (8) of each of two ranks, CANCEL_GRACE (30) seconds,
# DRAINS (200) of each program, CHECKPOINTS (1000) killed and damaged,
# RACES (1000) for an output folder, DRILLS (200) of backup and restore, LEADERS (200) changes of leader (needs Debian's postgresql),
# WRONG_STORES (30), STALLS (3) of STALL (20) seconds of the coordinator's disk, CHATTY (60) seconds of a job that fills it (a small disk
# needs root), JUMPS (24) of wall clocks, FLOOD (20; of calls 1 without Envoy, 5 with it), at most FLOOD_CALLS (20000) without it, and IDLE (20) seconds, LOG_LINES (1000000) of a log with eight readers,
# TWINS (10), FREEZES (10), BUSY (30) and SOAK (30) minutes.
# FPO_ENVOY=/path/to/envoy also floods through the configuration of deploy/envoy/.
# FPO_TEST_SEED repeats a failed run. Each test prints one line with its figures.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${1:-build/release}/bin"
parts=("${@:2}")
[ ${#parts[@]} -gt 0 ] || parts=(submit zombie run grid dead_worker cancel drain checkpoint output network restore leader
  wrong_store store_disk stalled_disk clock_jump flood idle_peers log_readers twin_agents frozen_rank busy_host soak)
export FPO_TEST_SEED="${FPO_TEST_SEED:-$RANDOM}"
export FPO_SOURCE_DIR="$PWD" FPO_BIN_DIR="$PWD/$bin"
echo "FPO_TEST_SEED=$FPO_TEST_SEED"
export FPO_CHAOS_KILLS="${KILLS:-500}" FPO_CHAOS_SUBMITS="${SUBMITS:-10000}"
export FPO_CHAOS_PAUSES="${PAUSES:-1000}" FPO_CHAOS_AGENT_KILLS="${AGENT_KILLS:-200}"
export FPO_CHAOS_RANK_KILLS="${RANK_KILLS:-50}" FPO_CHAOS_OUTAGE_SECONDS="${OUTAGE:-60}"
export FPO_CHAOS_LOG_KILLS="${LOG_KILLS:-30}" FPO_CHAOS_GRID_STEPS="${GRID_STEPS:-8}"
export FPO_CHAOS_DEFAULT_LEASE=1 FPO_CHAOS_CANCEL_GRACE="${CANCEL_GRACE:-30}" FPO_CHAOS_UNCONFIRMED=1
export FPO_CHAOS_DRAINS="${DRAINS:-200}" FPO_CHAOS_CHECKPOINTS="${CHECKPOINTS:-1000}" FPO_CHAOS_RACES="${RACES:-1000}"
export FPO_CHAOS_BUSY_MINUTES="${BUSY:-30}" FPO_CHAOS_SOAK_MINUTES="${SOAK:-30}"
export FPO_CHAOS_DRILLS="${DRILLS:-200}" FPO_CHAOS_LEADERS="${LEADERS:-200}" FPO_CHAOS_WRONG_STORES="${WRONG_STORES:-30}"
export FPO_CHAOS_STALLS="${STALLS:-3}" FPO_CHAOS_STALL_SECONDS="${STALL:-20}" FPO_CHAOS_CHATTY_SECONDS="${CHATTY:-60}"
export FPO_CHAOS_JUMPS="${JUMPS:-24}" FPO_CHAOS_FLOOD_SECONDS="${FLOOD:-20}" FPO_CHAOS_FLOOD_CALLS="${FLOOD_CALLS:-20000}" FPO_CHAOS_IDLE_SECONDS="${IDLE:-20}"
export FPO_CHAOS_LOG_LINES="${LOG_LINES:-1000000}" FPO_CHAOS_LOG_SECONDS=60
export FPO_CHAOS_TWINS="${TWINS:-10}" FPO_CHAOS_FREEZES="${FREEZES:-10}"
declare -A suites=([submit]=SubmitChaos [zombie]=ZombieChaos [run]=RunChaos [grid]=GridChaos [dead_worker]=DeadWorker [cancel]=CancelChaos
  [drain]=DrainChaos [checkpoint]=CheckpointChaos [output]=OutputRaceChaos [network]=NetworkChaos
  [restore]=RestoreChaos [leader]=LeaderChaos [wrong_store]=WrongStoreChaos [store_disk]=StoreDiskChaos
  [stalled_disk]=StalledDiskChaos [clock_jump]=ClockJumpChaos [flood]=Of/FloodChaos [idle_peers]=IdlePeersChaos
  [log_readers]=LogReadersChaos [twin_agents]=TwinAgentsChaos [frozen_rank]=FrozenRankChaos [busy_host]=BusyHost [soak]=Soak)
for part in "${parts[@]}"; do
  [ -n "${suites[$part]:-}" ] || { echo "chaos: unknown part '$part'; parts: ${!suites[*]}" >&2; exit 2; }
done
failed=()
for part in "${parts[@]}"; do
  program=fpo_service_chaos_test
  [[ "$part" != checkpoint && "$part" != output ]] || program=fpo_checkpoint_chaos_test
  "$bin/$program" "--gtest_filter=*${suites[$part]}.*" --gtest_brief=1 || failed+=("$part")
done
[ ${#failed[@]} -eq 0 ] || { echo "chaos: failed: ${failed[*]}" >&2; exit 1; }
