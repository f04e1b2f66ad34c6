#!/usr/bin/env bash
# usage: install.sh BUILD [TORCH_LIB]: an installation that was moved runs from where it is, and its manual and completions are readable.
# Without TORCH_LIB there is no fpo-train. LibTorch, which takes long to copy, is linked into its place.
set -euo pipefail
build=$1
torch=${2:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake --install "$build" --component fpo --prefix "$folder/made" >"$folder/log" || { cat "$folder/log"; exit 1; }
mv "$folder/made" "$folder/moved"
prefix=$folder/moved
programs=(fpoctl fpo-coordinator fpo-cache fpo-worker)
if [ -n "$torch" ]; then
  mkdir -p "$prefix/lib/fpo/torch"
  ln -s "$torch" "$prefix/lib/fpo/torch/lib"
  programs+=(fpo-train)
fi
fail() { echo "install: $1" >&2; exit 1; }

for program in "${programs[@]}"; do
  version=$("$prefix/bin/$program" --version)
  [[ $version == "$program "* ]] || fail "$program --version prints '$version'"
done
for file in "$prefix"/lib/fpo/bin/*; do
  path=$(readelf -d "$file" | sed -n 's/.*R\(UN\)\?PATH.*\[\(.*\)\]/\2/p')
  [[ :$path != *:/* && $path != *::* ]] || fail "${file##*/} looks for libraries in folders of the build machine: $path"
done
if [ -n "$torch" ]; then
  ldd "$prefix/lib/fpo/bin/fpo-train" | grep -q "libtorch_cpu.so => $prefix/" || fail "fpo-train takes LibTorch from elsewhere: $(ldd "$prefix/lib/fpo/bin/fpo-train" | grep torch)"
fi

"$(dirname "$0")/../../deploy/package/generate.sh" "$build/bin" "$prefix/share" fpoctl
bash -n "$prefix/share/bash-completion/completions/fpoctl"
command -v man >/dev/null || { echo "skipped: no man to read the manual with"; exit 77; }
LC_ALL=C.UTF-8 MANWIDTH=100 man --warnings=w -l "$prefix/share/man/man1/fpoctl.1.gz" >"$folder/page" 2>"$folder/warnings"
[ ! -s "$folder/warnings" ] || fail "the manual has mistakes: $(head -3 "$folder/warnings")"
grep -q -- '--dry-run' "$folder/page" || fail "the manual lacks fpoctl submit --dry-run"
