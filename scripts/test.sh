#!/usr/bin/env bash
# Builds everything and runs the tests.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/test.sh [CTEST_OPTION...]

Sets the machine up, builds the programs and tests with all cores (ccache makes the second time short), checks the source
(scripts/check.sh), runs ctest. With CTEST_OPTIONs only the build and the tests they choose.

  scripts/test.sh                    everything
  scripts/test.sh -L unit            the tests that need seconds
  scripts/test.sh -L integration     real programs on free ports, killed and restarted
  scripts/test.sh -L avx2            the numeric tests as a processor without AVX-512 runs them (skipped without AVX2)
  scripts/test.sh -L baseline        the same with SSE only, as any x86-64 processor can
  scripts/test.sh -R record          tests whose name has "record"
TEXT
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
cd "$(dirname "$0")/.."
scripts/setup.sh --browser --checks  # a test opens the status page in a browser
scripts/build.sh
status=0
[ $# -gt 0 ] || scripts/check.sh || status=$?
start=$SECONDS
ctest --test-dir build/release --output-on-failure --no-tests=error "$@" || status=$?
echo "test: $((SECONDS - start)) s"
exit $status
