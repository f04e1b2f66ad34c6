#!/usr/bin/env bash
# Peak resident memory of one optimiser step, method by method, on one model and the same pairs: what the reference cache saves.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bench/memory_by_method.sh MODEL SAE DATA [PAIRS [MAX_LENGTH [MICROBATCH_TOKENS]]]

MODEL is a Hugging Face folder, SAE a file for it (.npz, .safetensors), DATA preference pairs (.jsonl, .jsonl.gz). Each method runs
`fpo-train run --max-steps 1` as its own process, in float32 on the CPU with Adam, twice; the smaller peak counts. "records" methods read
the reference's records, computed beforehand; "online" ones keep the reference model in memory.

  bench/memory_by_method.sh models/gemma-3-270m runs/gemma3-270m-sae/params.npz data/human_pairs.jsonl.gz 4 256 512
TEXT
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
[ $# -ge 3 ] || { usage >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
train=$root/build/release/bin/fpo-train
[ -x "$train" ] || { echo "memory_by_method: $train is not built; run scripts/build.sh" >&2; exit 1; }
model=$(realpath "$1") sae=$(realpath "$2") data=$(realpath "$3")
pairs=${4:-4} length=${5:-256} tokens=${6:-512}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

job() {  # job METHOD SOURCE
  local sae_line="" source_line="reference: {source: $2}"
  if [ "$1" = fpo ]; then sae_line="sae: {path: $sae}"; fi
  cat <<YAML
name: memory
model: {path: $model, dtype: float32}
$source_line
$sae_line
data: {train: [$data], template: none, max_length: $length, max_prompt_length: $((length / 2)), max_pairs: $pairs}
method: {name: $1, beta: 2.0}
optimizer: {name: adam, lr: 1.0e-6}
batch: {pairs: $pairs, tokens_per_microbatch: $tokens}
checkpoint: {every_steps: 1000}
output: $work/out
YAML
}

value() { sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" "$1/metrics.jsonl" | tail -1; }

job sft none >"$work/sft.yaml"
job fpo cached >"$work/fpo.yaml"
"$train" prepare --job "$work/sft.yaml" --out "$work/prepared-sft" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
"$train" prepare --job "$work/fpo.yaml" --out "$work/prepared" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
"$train" run --job "$work/fpo.yaml" --prepared "$work/prepared" --out "$work/first" --max-steps 1 >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; exit 1; }

measure() {  # measure METHOD SOURCE: prints "bytes seconds"
  local prepared=$work/prepared reference=() best=0
  [ "$1" = sft ] && prepared=$work/prepared-sft
  [ "$2" = cached ] && reference=(--reference "$work/first/reference.fpr")
  job "$1" "$2" >"$work/job.yaml"
  for _ in 1 2; do
    rm -rf "$work/out"
    "$train" run --job "$work/job.yaml" --prepared "$prepared" --out "$work/out" --max-steps 1 "${reference[@]}" >"$work/log" 2>&1 ||
      { echo "memory_by_method: $1 $2 failed" >&2; cat "$work/log" >&2; exit 1; }
    local bytes
    bytes=$(value "$work/out" memory_peak_bytes)
    if [ "$best" = 0 ] || [ "$bytes" -lt "$best" ]; then best=$bytes; fi
  done
  echo "$best $(value "$work/out" step_seconds)"
}

rows=("sft none" "simpo none" "dpo cached" "ln_dpo cached" "fpo cached" "dpo online" "fpo online" "simpo_kl online" "tdpo1 online"
  "tdpo2 online")
base=""
printf '%-10s %-10s %10s %10s %8s\n' method reference "peak MiB" "to simpo" "step s"
for row in "${rows[@]}"; do
  read -r method source <<<"$row"
  read -r bytes seconds <<<"$(measure "$method" "$source")"
  if [ "$method" = simpo ]; then base=$bytes; fi
  awk -v m="$method" -v s="${source/cached/records}" -v b="$bytes" -v base="${base:-0}" -v t="$seconds" \
    'BEGIN { printf "%-10s %-10s %10.0f %10s %8.2f\n", m, s, b / 1048576, base ? sprintf("%.3f", b / base) : "-", t }'
done
