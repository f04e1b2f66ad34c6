#!/usr/bin/env bash
# Runs a program as a lesser x86-64 processor would run it. LibTorch, and MKL and oneDNN inside it, choose their kernels by what the
# processor has; other kernels add in another order, and so round otherwise.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: on_processor.sh avx2|baseline PROGRAM [ARGUMENT...]

  avx2      a processor with AVX2 and without AVX-512; exit code 77 on one that has no AVX2
  baseline  every x86-64 processor: SSE only
TEXT
}

case "${1:-}" in
  avx2)
    for flag in avx2 fma; do grep -qw "$flag" /proc/cpuinfo || { echo "this processor has no $flag" >&2; exit 77; }; done
    export ATEN_CPU_CAPABILITY=avx2
    export ONEDNN_MAX_CPU_ISA=AVX2
    # MKL obeys this on Intel's processors; on AMD's it has kernels of its own, and none with AVX-512.
    export MKL_ENABLE_INSTRUCTIONS=AVX2 ;;
  baseline)
    export ATEN_CPU_CAPABILITY=default
    export ONEDNN_MAX_CPU_ISA=SSE41
    export MKL_CBWR=COMPATIBLE ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
export FPO_TEST_PROCESSOR=$1
shift
exec "$@"
