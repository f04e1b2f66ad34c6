#!/usr/bin/env bash
# Builds the programs and makes a package of them that installs where there is no source tree and no compiler.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/package.sh [--optimized] tarball|deb|wheel [OUT_DIR]      (default: build/packages)

  tarball   for any Linux with glibc 2.35 and GCC 12's libstdc++: unpack it anywhere, as any user; has all its libraries, LibTorch for CPUs among them
  deb       for Debian 12: takes Debian's libraries from Debian; has LibTorch for CPUs
  wheel     for a Python environment: takes LibTorch, and CUDA on GPUs, from the torch package

  --optimized   scripts/build.sh --optimized first: -O2 in every file, which a release should have

Prints the path and the size of the package. scripts/package_check.sh installs it in a clean system and runs the demo there.
TEXT
}

optimized=()
[ "${1:-}" != --optimized ] || { optimized=(--optimized); shift; }
case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  tarball | deb | wheel) kind=$1 ;;
  '') usage >&2; exit 2 ;;
  *) echo "package: unknown argument '$1'" >&2; usage >&2; exit 2 ;;
esac
[ $# -le 2 ] || { echo "package: unknown argument '$3'" >&2; usage >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
out=${2:-$root/build/packages}
case $out in -*) echo "package: unknown option '$out'" >&2; usage >&2; exit 2 ;; esac
mkdir -p "$out"
out=$(cd "$out" && pwd)
build=$root/build/release

fail() { echo "package: $1" >&2; exit 1; }
for tool in help2man dpkg-shlibdeps strip; do
  command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install help2man dpkg-dev binutils"
done
"$root/scripts/build.sh" "${optimized[@]}" fpo-coordinator fpo-cache fpo-worker fpo-train fpoctl

version=$("$build/bin/fpoctl" --version)
version=${version#fpoctl }
torch_version=$(sed -n 's/^TORCH_VERSION=//p' "$root/scripts/setup.sh")
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
stage=$(mktemp -d "$out/stage.XXXXXX")
log=$stage.log
trap 'rm -rf "$stage" "$log"' EXIT

install_component() { # install_component NAME PREFIX
  cmake --install "$build" --component "$1" --prefix "$2" --strip >"$log" 2>&1 || { tail -20 "$log" >&2; fail "installing $1 failed"; }
  grep '^install: ' "$log" >&2 || true
}

# What every Linux system has, newer where the system is newer. An own libstdc++ would break libraries of the system, such as the driver's.
system='^(ld-linux-x86-64|libc|libm|libdl|libpthread|librt|libutil|libresolv|libstdc\+\+|libgcc_s)\.so'

# The libraries of Debian that the programs need, with their licences. The programs' RPATH finds them, and theirs.
bundle_libraries() { # bundle_libraries PREFIX
  local lib=$1/lib/fpo/lib licences=$1/share/doc/fpo/licences name file package
  mkdir -p "$lib" "$licences"
  while read -r name file; do
    [[ ! $name =~ $system ]] || continue
    file=$(readlink -f "$file")
    install -m 644 "$file" "$lib/$name"
    # dpkg knows a file of /usr/lib by the name /lib where its package calls it that.
    package=$({ dpkg-query -S "$file" || dpkg-query -S "${file#/usr}"; } 2>/dev/null | sed -n '1s/:.*//p')
    [ -n "$package" ] || fail "$file is of no Debian package, so its licence is not known"
    install -m 644 "/usr/share/doc/$package/copyright" "$licences/$package"
  done < <(for file in "$1"/lib/fpo/bin/*; do ldd "$file"; done | awk '$3 ~ /^\/(usr\/)?lib\// { print $1, $3 }' | sort -u)
}

make_tarball() {
  local name=fpo-$version-linux-x86_64
  install_component fpo "$stage/$name"
  install_component generated "$stage/$name"
  install_component arrow "$stage/$name"
  install_component libtorch "$stage/$name"
  bundle_libraries "$stage/$name"
  package=$out/$name.tar.gz
  tar -C "$stage" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -cf - "$name" | gzip -n >"$package"
}

make_deb() {
  cpack -G DEB --config "$build/CPackConfig.cmake" -B "$stage" >"$log" 2>&1 || { tail -20 "$log" >&2; fail "cpack failed"; }
  package=$out/$(basename "$stage"/*.deb)
  mv "$stage"/*.deb "$package"
}

make_wheel() {
  local newest python=python3 tree=$stage/tree info=$stage/tree/fpo-$version.dist-info
  "$python" -m wheel version >/dev/null 2>&1 || python=/usr/bin/python3
  "$python" -m wheel version >/dev/null 2>&1 || fail "Python's wheel is missing: apt-get install python3-wheel"
  install_component fpo "$stage/prefix"
  install_component generated "$stage/prefix"
  install_component arrow "$stage/prefix"
  bundle_libraries "$stage/prefix"
  mkdir -p "$tree/fpo-$version.data/data" "$info"
  mv "$stage/prefix/lib/fpo" "$tree/fpo"
  mv "$stage/prefix/share" "$tree/fpo-$version.data/data/share"
  "$root/scripts/python_package.sh" "$stage/python"
  cp -r "$stage/python/fpo/." "$tree/fpo/"
  sed "s/@TORCH_VERSION@/$torch_version/" "$root/deploy/package/launch.py" >"$tree/fpo/launch.py"
  sed "s/@TORCH_VERSION@/$torch_version/; s/@VERSION@/$version/" "$root/deploy/package/METADATA" >"$info/METADATA"
  cp "$root/deploy/package/entry_points.txt" "$root/LICENSE" "$info/"
  # By its symbols: none is newer than glibc 2.35 and the libstdc++ of GCC 12. auditwheel finds the same, but calls the wheel linux_x86_64,
  # since it does not follow the RPATH of programs to the bundled libraries and to torch's.
  newest=$(objdump -T "$tree"/fpo/bin/* "$tree"/fpo/lib/* 2>/dev/null | grep -oE '\bGLIBC_2\.[0-9]+' | sort -uV | tail -1)
  [ "${newest#GLIBC_2.}" -le 35 ] || fail "the programs need $newest; their wheel must not be called manylinux_2_35"
  printf 'Wheel-Version: 1.0\nGenerator: scripts/package.sh\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_35_x86_64\n' >"$info/WHEEL"
  "$python" -m wheel pack -d "$out" "$tree" >/dev/null
  package=$out/fpo-$version-py3-none-manylinux_2_35_x86_64.whl
}

"make_$kind"
echo "package: $package, $(($(stat -c %s "$package") / 1000000)) MB"
