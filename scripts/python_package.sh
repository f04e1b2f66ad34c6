#!/usr/bin/env bash
# Assembles the Python package `fpo`: the modules of python/fpo and the message code that protoc makes from proto/.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/python_package.sh [--link] [OUT_DIR]      (default: build/python)

Makes OUT_DIR/fpo, so that PYTHONPATH=OUT_DIR python3 -c 'import fpo' works where grpcio and protobuf are installed.

  --link   links to the modules of this checkout instead of copying them: edits show at once
TEXT
}

link=0
[ "${1:-}" != --link ] || { link=1; shift; }
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  -*) echo "python_package: unknown option '$1'" >&2; usage >&2; exit 2 ;;
esac
[ $# -le 1 ] || { echo "python_package: unknown argument '$2'" >&2; usage >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/build/python}
fail() { echo "python_package: $1" >&2; exit 1; }
for tool in protoc grpc_python_plugin; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install protobuf-compiler protobuf-compiler-grpc"
done

rm -rf "$out/fpo"
mkdir -p "$out/fpo/_proto"
if [ $link -eq 1 ]; then
  ln -s "$root"/python/fpo/* "$out/fpo/"
else
  cp -r "$root"/python/fpo/. "$out/fpo/"
  find "$out/fpo" -name __pycache__ -prune -exec rm -r {} +
fi

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
(cd "$root" && protoc --plugin="protoc-gen-grpc=$(command -v grpc_python_plugin)" --python_out="$made" --pyi_out="$made" --grpc_out="$made" \
  -I. proto/fpo/v1/{error,job,coordinator,cache}.proto)
# As proto.fpo.v1 it would lie in a package `proto`, which is another one's on PyPI.
sed -i 's/^from proto\.fpo\.v1 import/from fpo._proto import/' "$made"/proto/fpo/v1/*.py*
cp "$made"/proto/fpo/v1/*_pb2.py "$made"/proto/fpo/v1/*_pb2.pyi "$made"/proto/fpo/v1/{coordinator,cache}_pb2_grpc.py "$out/fpo/_proto/"
echo '"""The messages of proto/fpo/v1, made by protoc; not part of the interface."""' >"$out/fpo/_proto/__init__.py"
