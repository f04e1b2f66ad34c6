#!/usr/bin/env bash
# Peak resident memory of rank 0, and the bytes it sends in a step, by number of ranks and parallel.shard, on one model and the same pairs.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: bench/memory_by_sharding.sh MODEL DATA [PAIRS [MAX_LENGTH [MICROBATCH_TOKENS]]]

MODEL is a Hugging Face folder, DATA preference pairs (.jsonl, .jsonl.gz). Each line is two steps of simpo with Adam, in float32 on the CPU, by
1, 2 or 4 processes of one thread on this machine.

  bench/memory_by_sharding.sh models/gemma-3-270m data/human_pairs.jsonl.gz 16 256 512
TEXT
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
[ $# -ge 2 ] || { usage >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
train=$root/build/release/bin/fpo-train
[ -x "$train" ] || { echo "memory_by_sharding: $train is not built; run scripts/build.sh" >&2; exit 1; }
model=$(realpath "$1") data=$(realpath "$2")
pairs=${3:-16} length=${4:-256} tokens=${5:-512}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

job() {  # job SHARD
  cat <<YAML
name: memory
model: {path: $model, dtype: float32}
data: {train: [$data], template: none, max_length: $length, max_prompt_length: $((length / 2)), max_pairs: $pairs}
method: {name: simpo}
optimizer: {name: adam, lr: 1.0e-6}
batch: {pairs: $pairs, tokens_per_microbatch: $tokens}
parallel: {shard: $1}
epochs: 2
checkpoint: {every_steps: 1000}
output: $work/out
YAML
}

value() { sed -n "s/.*\"$1\":\([0-9.e+-]*\).*/\1/p" "$work/out/metrics.jsonl" | tail -1; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

job none >"$work/job.yaml"
"$train" prepare --job "$work/job.yaml" --out "$work/prepared" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

printf '%-6s %-10s %10s %12s %12s %8s\n' ranks shard "peak MiB" "gradient MB" "weight MB" "step s"
for line in "1 none" "2 none" "2 optimizer" "2 gradients" "4 none" "4 optimizer" "4 gradients"; do
  read -r world shard <<<"$line"
  rm -rf "$work/out"
  job "$shard" >"$work/job.yaml"
  port=$(free_port)
  ids=()
  for ((rank = 0; rank < world; ++rank)); do
    place=()
    [ "$world" -gt 1 ] && place=(--rank "$rank" --world-size "$world" --rendezvous "127.0.0.1:$port")
    "$train" run --job "$work/job.yaml" --prepared "$work/prepared" --out "$work/out" --device cpu --threads 1 "${place[@]}" >"$work/log-$rank" 2>&1 &
    ids+=($!)
  done
  for ((rank = 0; rank < world; ++rank)); do
    wait "${ids[$rank]}" || { echo "memory_by_sharding: rank $rank of $world failed" >&2; cat "$work/log-$rank" >&2; exit 1; }
  done
  awk -v w="$world" -v s="$shard" -v b="$(value memory_peak_bytes)" -v g="$(value sent_gradient_bytes)" -v p="$(value sent_weight_bytes)" \
    -v t="$(value step_seconds)" 'BEGIN { printf "%-6d %-10s %10.0f %12.1f %12.1f %8.2f\n", w, s, b / 1048576, g / 1e6, p / 1e6, t }'
done
