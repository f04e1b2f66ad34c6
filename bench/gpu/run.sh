#!/usr/bin/env bash
# Checks and measures fpo-train on this machine, with what scripts/gpu_check.sh packed. Needs Python 3.10 or newer with the torch that
# pack.json names; writes only to --out and a temporary folder. `run.sh --help` lists the options. PYTHON: another Python.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "run.sh: there is no $python" >&2; exit 2; }
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$here/checks/run_checks.py" "$@"
