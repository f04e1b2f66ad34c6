#!/usr/bin/env bash
# usage: fresh_pch.sh LAUNCHER: a precompiled header made through LAUNCHER and ccache holds the headers as they are, also where one of
# older headers is in its place that ccache has seen before (a folder that went back and forth between two commits).
set -euo pipefail
launcher=$1
command -v ccache >/dev/null && command -v g++ >/dev/null || { echo "skipped: no ccache or no g++"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export CCACHE_DIR=$folder/cache CCACHE_SLOPPINESS=pch_defines,time_macros
unset CCACHE_DISABLE CCACHE_BASEDIR
echo '/* only its headers */' >all.hxx.cxx

make_header() { # make_header NAME: of a header that declares NAME
  echo "int $1;" >all.hxx
  touch -d '1 hour ago' all.hxx all.hxx.cxx  # ccache leaves headers alone that are as young as the compilation
  "$launcher" ccache g++ -fpch-preprocess -x c++-header -include "$folder/all.hxx" -o all.hxx.gch -c all.hxx.cxx
}
make_header first
cp all.hxx.gch first.gch
make_header second
cp first.gch all.hxx.gch
make_header third
echo 'int* use = &third;' >use.cc
g++ -include "$folder/all.hxx" -Winvalid-pch -c use.cc -o use.o || { echo "the precompiled header is one of other headers"; exit 1; }
