#!/usr/bin/env bash
# The whole pipeline on a tiny model: services, SFT, an SAE, FPO, FPO again, DPO, and a table. Everything runs on this machine.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: demo.sh [--keep] [--out DIR]

Starts coordinator, cache and one worker on free local ports, and sends seven jobs through them: SFT of a small Gemma-2, its accuracy
before preference training, an SAE trained on it, FPO (computes the reference once), FPO with another alpha and k, DPO, and FPO of a LoRA
adapter (all three find every reference record in the cache). Ends with a table. In the source tree it sets the machine up and builds first; in an
installed package it runs the installed programs.

  --keep      leave the services and the metrics up until Ctrl-C
  --out DIR   where models, reports and logs go (default: demo-run, in the source tree or, from a package, in the current folder;
              must be empty or an earlier demo's)
TEXT
}

keep=0
root=$(cd "$(dirname "$0")/.." && pwd)
out=demo-run
[ ! -e "$root/scripts/build.sh" ] || out=$root/demo-run
while [ $# -gt 0 ]; do
  case $1 in
    --keep) keep=1 ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "demo: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ -d "$out" ] && [ -n "$(ls -A "$out")" ] && [ ! -e "$out/.fpo-demo" ]; then
  echo "demo: $out contains other files; give an empty folder with --out" >&2
  exit 2
fi

if [ -e "$root/scripts/build.sh" ]; then
  "$root/scripts/build.sh" fpo-coordinator fpo-cache fpo-worker fpo-train fpoctl
  bin=$root/build/release/bin
else
  bin=$(cd "$root/../../bin" && pwd)  # this script is PREFIX/share/fpo/scripts/demo.sh
fi
demo_start=$SECONDS

rm -rf "$out"
mkdir -p "$out/logs"
touch "$out/.fpo-demo"
out=$(cd "$out" && pwd)
. "$root/scripts/local_services.sh"
stop_all() {
  trap - EXIT INT TERM
  stop_services
}
trap stop_all EXIT
trap 'echo; echo "demo: stopped, nothing is left running"; exit 130' INT TERM

start_prometheus() {
  command -v prometheus >/dev/null || { echo "  metrics: install Debian's prometheus to see them collected"; return 0; }
  local config=$out/prometheus.yml port
  sed -e "s/127.0.0.1:7071/$(field "$out/ports/coordinator.json" http)/" \
    -e "s/127.0.0.1:7081/$(field "$out/ports/cache.json" http)/" \
    -e "s/127.0.0.1:7091/$(field "$out/ports/worker.json" http)/" \
    -e "s|- prometheus/|- $root/deploy/prometheus/|" "$root/deploy/prometheus.yml" >"$config"
  command -v python3 >/dev/null || { echo "  metrics: install python3 to see them collected"; return 0; }
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  prometheus --config.file="$config" --storage.tsdb.path="$out/prometheus" --web.listen-address="127.0.0.1:$port" \
    >"$out/logs/prometheus.log" 2>&1 &
  pids+=($!)
  prometheus_link=http://127.0.0.1:$port
}

echo
echo "== data, tokenizer and a random Gemma-2"
"$root/examples/tiny/prepare.sh" "$out" "$bin/fpo-train"

echo
echo "== services"
start_services demo-worker 1
prometheus_link=
start_prometheus
[ -z "$prometheus_link" ] || echo "  metrics $prometheus_link"

submit() { # submit TITLE ARGS...: runs one job to its end
  echo
  echo "== $1"
  shift
  "$bin/fpoctl" submit --wait "$@"
}
submit "1. SFT: teach the model to answer, in good and bad style alike" "$out/sft.yaml"
submit "2. the SFT model on held-out pairs" "$out/baseline.yaml"
submit "3. an SAE on the SFT model" "$out/sae.yaml"
submit "4. FPO: the reference is computed once" "$out/fpo.yaml"
submit "5. FPO with another alpha and k: every record is in the cache" "$out/fpo.yaml" \
  --set name=tiny-fpo-2 --set method.alpha=2.0 --set method.top_k=20 --set output="$out/runs/fpo-2"
submit "6. DPO: the same records again" "$out/dpo.yaml"
submit "7. FPO of a LoRA adapter: the reference is the frozen base, so its records are the same" "$out/fpo.yaml" \
  --set name=tiny-lora --set adapter.kind=lora --set adapter.rank=8 --set adapter.alpha=16 --set optimizer.lr=2.0e-3 \
  --set output="$out/runs/lora"

echo
echo "== result"
"$bin/fpoctl" compare tiny-baseline tiny-fpo tiny-fpo-2 tiny-dpo tiny-lora
echo
echo "The SFT model learned two bad answers for each good one (row tiny-baseline); it ranks the good one first only where bad"
echo "ones are the rarer text, such as a changed subject."
echo "Preference training teaches it the difference, which carries over to prompts it never saw."
echo
echo "models   $out/runs/{sft,fpo,fpo-2,dpo,lora}/model   (Hugging Face folders)"
echo "adapter  $out/runs/lora/adapter   (PEFT's form)"
echo "reports  $out/runs/{sft,fpo,fpo-2,dpo,lora}/report.html"
echo "logs     $out/logs"
echo "demo: $((SECONDS - demo_start)) s"
if [ $keep -eq 1 ]; then
  echo
  echo "The services are up. In another terminal:"
  echo "  export FPO_SERVER=$FPO_SERVER FPO_CACHE_SERVER=$FPO_CACHE_SERVER"
  echo "  $bin/fpoctl list"
  [ -z "$prometheus_link" ] || echo "  metrics: $prometheus_link"
  echo "Ctrl-C stops them."
  wait
fi
