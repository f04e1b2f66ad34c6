#!/usr/bin/env bash
# Checks the source with a compiler and five tools, without running anything. scripts/test.sh runs it; it takes seconds after an edit.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/check.sh [--accept-protos] [CHECK...]

  format    clang-format of every C++ file (repair: clang-format -i FILE)
  proto     buf lint and buf breaking of proto/; exceptions stand in buf.yaml
  pages     the status page and the report's style: tidy for HTML, Biome for CSS and JavaScript (biome.json)
  compile   every source by itself through clang, warnings and lock annotations (-Wthread-safety) as errors; cores and edges without
            precompiled headers, so that each file includes what it uses
  tidy      .clang-tidy over the programs, in batches: three minutes on two cores the first time

Default: all; those whose tools are missing are left out loudly (scripts/setup.sh --checks installs the tools). With
FPO_CHECKS=required, as in continuous integration, a missing tool is a failure. Results stay in build/check and build/tidy.

  --accept-protos   makes proto/ as it is now the form that later changes must stay compatible with: at a release
TEXT
}

cd "$(dirname "$0")/.."
tool() { # tool NAME: the newest one that scripts/setup.sh fetched, or the system's; nothing if there is none
  local found newest=
  for found in "${FPO_DEPS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fpo}/$1"-*; do [ ! -x "$found" ] || newest=$found; done
  echo "${newest:-$(command -v "$1" || true)}"
}
buf=$(tool buf)
biome=$(tool biome)
checks=()
accept=0
for argument in "$@"; do
  case $argument in
    format | proto | pages | compile | tidy) checks+=("$argument") ;;
    --accept-protos) accept=1 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "check: unknown argument '$argument'" >&2; usage >&2; exit 2 ;;
  esac
done
if [ $accept -eq 1 ]; then
  [ -n "$buf" ] || { echo "check: buf is missing; run scripts/setup.sh --checks" >&2; exit 1; }
  "$buf" build --exclude-source-info -o proto/baseline.binpb
  echo "check: proto/baseline.binpb now matches proto/; commit it"
  exit 0
fi
[ ${#checks[@]} -gt 0 ] || checks=(format proto pages compile tidy)

log=$(mktemp)
trap 'rm -f "$log"' EXIT

format() { git ls-files -z '*.cc' '*.h' | xargs -0 -n 50 -P "$(nproc)" clang-format --dry-run -Werror; }
proto() { "$buf" lint && "$buf" breaking --against proto/baseline.binpb; }
pages() {
  git ls-files -z '*.html' | xargs -0 -r -n 1 tidy -q -e &&
    git ls-files -z '*.css' '*.js' | xargs -0 -r "$biome" lint --error-on-warnings --log-level=warn
}
through_clang() { # through_clang PRESET: shows the compiler's messages, not Ninja's steps
  cmake --preset "$1" >"$log" 2>&1 && cmake --build --preset "$1" -j "$(nproc)" -- -k 20 >"$log" 2>&1 && return
  grep -vE '^(\[[0-9]+/[0-9]+\]|FAILED: |ninja: |[0-9]+ warnings? generated)|syntax_only.sh|__run_co_compile' "$log" | tail -120 >&2
  return 1
}
compile() { through_clang check; }
tidy() { through_clang tidy; }
have() { # have CHECK
  case $1 in
    format) command -v clang-format ;;
    proto) [ -n "$buf" ] ;;
    pages) [ -n "$biome" ] && command -v tidy ;;
    compile) command -v clang++ ;;
    tidy) command -v clang++ && command -v clang-tidy ;;
  esac >/dev/null
}

failed=()
for check in "${checks[@]}"; do
  if ! have "$check"; then
    if [ "${FPO_CHECKS:-}" = required ]; then
      echo "check: $check: its tool is missing; run scripts/setup.sh --checks" >&2
      failed+=("$check")
    else
      echo "check: *** $check IS SKIPPED: its tool is missing; run scripts/setup.sh --checks ***" >&2
    fi
    continue
  fi
  start=$SECONDS
  if "$check"; then
    echo "check: $check, $((SECONDS - start)) s"
  else
    echo "check: $check failed (see above)" >&2
    failed+=("$check")
  fi
done
[ ${#failed[@]} -eq 0 ] || { echo "check: failed: ${failed[*]}" >&2; exit 1; }
