#!/bin/sh
# Launcher for the compiler: removes a precompiled header before it is made anew. g++ puts an existing one in place of the headers when
# ccache asks for the preprocessed source, so ccache would not see that they changed and could give back one made of other headers.
before=
for argument in "$@"; do
  case "$before $argument" in "-o "*.gch) rm -f "$argument" ;; esac
  before=$argument
done
exec "$@"
