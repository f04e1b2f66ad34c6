#!/bin/sh
# A compiler launcher that checks a source without generating code: syntax_only.sh CLANG ARGUMENT... Ninja gets an empty object and the list of
# headers, so that only what changed is checked again. Precompiled headers are made as usual.
case " $* " in
  *" -emit-pch "* | *" -Xclang -emit-pch "*) exec "$@" ;;
esac
"$@" -fsyntax-only || exit
while [ $# -gt 1 ]; do
  if [ "$1" = -o ]; then
    : >"$2"
    exit
  fi
  shift
done
