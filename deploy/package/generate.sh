#!/usr/bin/env bash
# The parts of an installation that programs write: manual pages, shell completions, the packed list of changes, and the inputs of the demo,
# for machines without Python and a tokenizer's trainer. Run by `cmake --install`.
# usage: generate.sh BIN SHARE PROGRAM...     (BIN: the folder of the built programs; SHARE: PREFIX/share of the installation)
set -euo pipefail
bin=${1:?usage: generate.sh BIN SHARE PROGRAM...}
share=${2:?usage: generate.sh BIN SHARE PROGRAM...}
shift 2
source=$(cd "$(dirname "$0")/../.." && pwd)
man=$share/man/man1
mkdir -p "$man"
export LC_ALL=C.UTF-8
# The date of a page is that of the sources, so that the same sources make the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

page() { # page NAME SUMMARY COMMAND: from `COMMAND --help`
  help2man --no-info --section=1 --manual='FPO training service' --name="$2" --version-string="$version" "$3" |
    sed "s/^\.TH [^ ]*/.TH ${1^^}/; /^\.SH NAME/{n; s/^[^ ]*/${1//-/\\-}/}" | gzip -9n >"$man/$1.1.gz"
}

subcommand_pages() { # subcommand_pages PROGRAM: one page for each, as `man fpo-train-run`
  local name summary
  while read -r name summary; do
    page "$1-$name" "$summary" "$bin/$1 $name"
  done < <("$bin/$1" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\)  */\1 /p')
}

for program; do
  version=$("$bin/$program" --version)
  if [ "$program" = fpoctl ]; then
    "$bin/fpoctl" help --man | gzip -9n >"$man/fpoctl.1.gz"
    mkdir -p "$share/bash-completion/completions" "$share/fish/vendor_completions.d"
    "$bin/fpoctl" completion bash >"$share/bash-completion/completions/fpoctl"
    "$bin/fpoctl" completion fish >"$share/fish/vendor_completions.d/fpoctl.fish"
  elif command -v help2man >/dev/null; then
    page "$program" "$("$bin/$program" --help | sed -n "1{s/^$program: //; s/\.\$//; p}")" "$bin/$program"
    [ "$program" != fpo-train ] || subcommand_pages fpo-train
  else
    echo "install: without the manual page of $program, since help2man is missing (apt-get install help2man)" >&2
  fi
done
mkdir -p "$share/doc/fpo"
gzip -9nc "$source/CHANGELOG.md" >"$share/doc/fpo/changelog.gz"
case " $* " in *" fpo-train "*)
  if command -v spm_train >/dev/null && command -v python3 >/dev/null; then
    "$source/examples/tiny/make_inputs.sh" "$share/fpo/examples/tiny"
  else
    echo "install: the demo will need python3 and sentencepiece, since they are missing here" >&2
  fi ;;
esac
