#!/bin/sh
# Launcher for the compiler: removes a precompiled header before it is rebuilt. g++ substitutes an existing one for the headers when
# ccache asks for the preprocessed source, so ccache would not see that they changed and could return one made from other headers.
before=
for argument in "$@"; do
  case "$before $argument" in "-o "*.gch) rm -f "$argument" ;; esac
  before=$argument
done
exec "$@"
