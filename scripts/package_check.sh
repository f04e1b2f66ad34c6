#!/usr/bin/env bash
# Installs packages as a user would, in a clean Debian 12, and runs the demo there.
# shellcheck disable=SC2016  # what is in single quotes is expanded in the clean system
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/package_check.sh PACKAGE...      (what scripts/package.sh made: .tar.gz, .deb, .whl)

Needs root and debootstrap. Each package gets a root folder of its own with Debian's smallest system ("minbase") and nothing of the
machine's: no source tree, no compiler, no LibTorch. There it is installed and the demo runs as a plain user in a network namespace that
reaches nothing but itself. Prints what was run, sizes and times.

FPO_CLEAN_ROOT   where the clean system is kept between runs (default: $XDG_CACHE_HOME/fpo/clean-root or ~/.cache/fpo/clean-root)
TEXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  -*) echo "package_check: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  '') usage >&2; exit 2 ;;
esac
fail() { echo "package_check: $1" >&2; exit 1; }
for file; do
  case $file in *.tar.gz | *.deb | *.whl) ;; *) echo "package_check: '$file' is no package" >&2; usage >&2; exit 2 ;; esac
  [ -f "$file" ] || fail "$file is not there; scripts/package.sh makes it"
done
[ "$(id -u)" -eq 0 ] || fail "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap"
clean=${FPO_CLEAN_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/fpo/clean-root}

make_clean_root() {
  [ ! -e "$clean/complete" ] || return 0
  local mirror
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -1)
  rm -rf "$clean"
  mkdir -p "$clean"
  debootstrap --variant=minbase bookworm "$clean" ${mirror:+"$mirror"} >"$clean.log" 2>&1 ||
    { tail -5 "$clean.log" >&2; fail "debootstrap failed (log: $clean.log)"; }
  chroot "$clean" useradd --create-home user
  touch "$clean/complete"
}

root=$(mktemp -d /tmp/fpo-clean-root.XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT

inside() { # inside online|offline USER COMMAND: in the clean root, with processes of its own
  local network=()
  [ "$1" = online ] || network=(--net)
  unshare --mount --pid --fork --kill-child "${network[@]}" sh -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    [ "$2" = online ] || ip link set lo up
    home=/home/$3
    [ "$3" != root ] || home=/root
    exec chroot --userspec="$3:$3" "$1" env -i HOME="$home" PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive bash -euc "cd; $4"' sh "$root" "$1" "$2" "$3"
}

step() { # step online|offline USER COMMAND: shown, run and timed
  local start=$SECONDS
  echo "+ ($2, $1) $3"
  inside "$@"
  echo "  $((SECONDS - start)) s"
}

check() { # check FILE
  local name=${1##*/}
  rm -rf --one-file-system "$root"
  cp -a "$clean" "$root"
  # How this machine reaches its package registries.
  cp -L /etc/resolv.conf "$root/etc/"
  if [ -e /etc/pip.conf ]; then cp /etc/pip.conf "$root/etc/"; fi
  cp "$1" "$root/home/user/"
  inside offline root 'for tool in cc c++ gcc g++ clang cmake ninja; do ! command -v $tool || exit 1; done' || fail "the clean system has a compiler"
  echo
  echo "== $name, $(stat -c %s "$1") bytes"
  case $name in
    *.tar.gz)
      local folder=${name%.tar.gz}
      step offline user "tar xf $name; du -sm $folder"
      demo "\$HOME/$folder"
      step offline user "rm -r $folder" ;;
    *.deb)
      step online root "apt-get update -qq; apt-get install -y -qq man-db bash-completion /home/user/$name >/dev/null 2>&1; du -sm /usr/lib/fpo"
      step offline user 'man fpoctl | head -20; man -w fpo-train fpo-train-run fpo-worker fpo-coordinator fpo-cache'
      step offline user '. /usr/share/bash-completion/bash_completion; _completion_loader fpoctl || [ $? = 124 ]; complete -p fpoctl'
      demo /usr
      step offline root 'apt-get purge -y -qq fpo >/dev/null 2>&1; ! ls -d /usr/lib/fpo /usr/share/fpo /usr/bin/fpo* 2>/dev/null' ;;
    *.whl)
      step online root 'apt-get update -qq; apt-get install -y -qq python3-venv ca-certificates man-db >/dev/null 2>&1'
      cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
      # Without torch, and with a stand-in for another torch, it must say so.
      step offline user "python3 -m venv bare; bare/bin/pip install -q --no-index --no-deps $name; ! bare/bin/fpo-train --version"
      step offline user 'cd bare/lib/python3*/site-packages; mkdir torch torch-2.10.0.dist-info; touch torch/__init__.py
        printf "Metadata-Version: 2.1\nName: torch\nVersion: 2.10.0\n" >torch-2.10.0.dist-info/METADATA; ! ~/bare/bin/fpo-worker --version'
      step online user "python3 -m venv env; env/bin/pip install -q $name; du -sm env env/lib/python3*/site-packages/fpo"
      step offline user 'PATH=$HOME/env/bin:$PATH man -w fpoctl fpo-train-run'
      step offline user 'env/bin/python -c "import fpo; print(fpo.Client(), fpo.Client().validate({}).problems[0])"'
      demo '$HOME/env'
      step offline user 'env/bin/pip uninstall -q -y fpo; ! ls env/bin/fpo* 2>/dev/null' ;;
  esac
}

demo() { # demo PREFIX
  step offline user "! ldd \$(find $1/lib/ -name libfpo_arrow.so) | grep 'not found'"  # opened when Parquet is read, which the demo does not
  step offline user "$1/bin/fpoctl --version; $1/bin/fpo-train --version; $1/share/fpo/scripts/demo.sh --out demo"
}

make_clean_root
for file; do check "$file"; done
