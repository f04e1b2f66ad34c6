#!/usr/bin/env bash
# Runs this version's programs beside an earlier version's.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/upgrade_check.sh COMMIT      an earlier version, which is built in build/upgrade (minutes, once)
       scripts/upgrade_check.sh --bin DIR   an earlier version's programs, e.g. /usr/lib/fpo/bin of its package

Jobs go through services of both versions: an old fpoctl, an old worker, an old coordinator and cache, and mixes of them. Then a
service is upgraded program by program while a job trains: it must end with the weights that it has without an upgrade.
TEXT
}

root=$(cd "$(dirname "$0")/.." && pwd)
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '') usage >&2; exit 2 ;;
  --bin) old=${2:?--bin needs a folder}; [ $# -eq 2 ] || { usage >&2; exit 2; } ;;
  -*) echo "upgrade_check: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  *)
    [ $# -eq 1 ] || { usage >&2; exit 2; }
    commit=$(git -C "$root" rev-parse --verify --quiet "$1^{commit}") || {
      echo "upgrade_check: this repository has no commit '$1'" >&2; exit 2; }
    tree=$root/build/upgrade/$commit
    [ -d "$tree" ] || git -C "$root" worktree add --detach "$tree" "$commit" >/dev/null
    "$tree/scripts/build.sh" fpo-coordinator fpo-cache fpo-worker fpo-train fpoctl
    old=$tree/build/release/bin ;;
esac
[ -d "$old" ] || { echo "upgrade_check: there is no folder '$old'" >&2; exit 2; }
old=$(cd "$old" && pwd)
for program in fpo-coordinator fpo-cache fpo-worker fpo-train fpoctl; do
  [ -x "$old/$program" ] || { echo "upgrade_check: $old has no $program" >&2; exit 2; }
done

"$root/scripts/build.sh" fpo-coordinator fpo-cache fpo-worker fpo-train fpoctl fpo_integration_test
bin=$root/build/release/bin
echo "old: $("$old/fpoctl" --version), new: $("$bin/fpoctl" --version)"
FPO_SOURCE_DIR=$root FPO_BIN_DIR=$bin FPO_OLD_BIN_DIR=$old "$bin/fpo_integration_test" --gtest_filter='*/VersionsTest.*:RollingTest.*'
