#!/usr/bin/env bash
# Packs fpo-train, its tests and measurements for a GPU host that has Python with PyTorch and no network. See docs/performance.md.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/gpu_check.sh --pack DIR [--no-build]

Builds what is needed, and fills DIR (new or empty, at most 60 MiB) with programs, their libraries, golden vectors, small inputs and
run.sh. Copy DIR to the GPU host and start it there, in any folder:

  DIR/run.sh --out results                               # under six minutes on one H200; results/results.md is the table
  DIR/run.sh --device cpu --shapes small --out results   # the same parts on a CPU, in small: a test of the checks themselves

The host needs a driver for CUDA 13 (580 or newer) and Python 3.10 or newer with torch 2.11.0.

  --no-build   pack what build/release holds
TEXT
}

pack=
build=1
while [ $# -gt 0 ]; do
  case $1 in
    --pack) pack=${2:?--pack needs a folder}; shift ;;
    --no-build) build=0 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "gpu_check: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$pack" ] || { usage >&2; exit 2; }

root=$(cd "$(dirname "$0")/.." && pwd)
bin=${FPO_BIN_DIR:-$root/build/release/bin}
programs=(fpo-train fpo_golden_test fpo_gpu_probe)
limit_mib=60
fail() { echo "gpu_check: $1" >&2; exit 1; }

mkdir -p "$pack"
[ -z "$(ls -A "$pack")" ] || fail "$pack is not empty"
pack=$(cd "$pack" && pwd)
[ $build -eq 0 ] || "$root/scripts/build.sh" "${programs[@]}"

copy_programs() {
  local name
  for name in "${programs[@]}"; do
    [ -x "$bin/$name" ] || fail "$bin/$name is not built"
    strip -o "$pack/bin/$name" "$bin/$name"
  done
  if [ -e "$bin/libfpo_cuda.so" ]; then
    strip -o "$pack/bin/libfpo_cuda.so" "$bin/libfpo_cuda.so"
  else
    echo "gpu_check: without libfpo_cuda.so (no nvcc here): the part 'kernels' will fail on a GPU" >&2
  fi
  if [ -e "$bin/libfpo_nccl.so" ]; then
    strip -o "$pack/bin/libfpo_nccl.so" "$bin/libfpo_nccl.so"
  else
    echo "gpu_check: without libfpo_nccl.so (no nccl.h or CUDA toolkit here): the part 'group' will fail on a GPU" >&2
  fi
}

copy_libraries() { # the distribution's own; the C and C++ runtimes are the host's, LibTorch is its torch package
  local runtime='/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s|libgomp|ld-linux[^/]*)\.so'
  for name in "${programs[@]}"; do ldd "$bin/$name"; done | awk '$3 ~ "^/(usr/)?lib/" {print $3}' | sort -u |
    grep -vE "$runtime" | xargs cp -L -t "$pack/lib"
}

copy_inputs() {
  cp "$root"/tests/golden/{gemma2,gemma3,llama,qwen3}.safetensors "$pack/tests/golden/"
  cp "$root/bench/gpu/run.sh" "$pack/"
  cp "$root"/bench/gpu/{*.py,real_lengths.csv} "$pack/checks/"
  cp "$root/bench/gpu/gemma2_2b.json" "$pack/inputs/"
  cp "$root/examples/tiny/config.json" "$pack/inputs/tiny.json"
  python3 "$pack/checks/make_inputs.py" "$pack/inputs"
  "$root/examples/tiny/prepare.sh" "$pack/inputs/tiny" "$bin/fpo-train" >/dev/null
  rm -f "$pack"/inputs/tiny/{*.yaml,tokenizer.*,data/corpus.txt}
}

needed_version() { # needed_version PREFIX: the newest symbol version with that prefix that a packed file needs
  objdump -T "$pack"/bin/* "$pack"/lib/* 2>/dev/null | grep -oE "$1_[0-9.]+" | sort -uV | tail -1 | cut -d_ -f2
}

mkdir "$pack"/{bin,lib,checks,inputs} "$pack/tests" "$pack/tests/golden"
copy_programs
copy_libraries
copy_inputs
commit=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
cat >"$pack/pack.json" <<JSON
{"commit": "$commit", "torch": "2.11.0", "glibc": "$(needed_version GLIBC)", "libstdcxx": "$(needed_version GLIBCXX)"}
JSON
mib=$(($(du -s --apparent-size -B 1048576 "$pack" | cut -f1)))
[ "$mib" -le $limit_mib ] || fail "$pack has $mib MiB, the limit is $limit_mib"
echo "gpu_check: $pack, $mib MiB of $limit_mib, for glibc $(needed_version GLIBC) and torch 2.11.0; run $pack/run.sh on the GPU host"
