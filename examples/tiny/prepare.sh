#!/usr/bin/env bash
# Creates the inputs of the tiny pipeline: preference data, a SentencePiece tokenizer with Gemma's flags, and a small
# Gemma-2 with random weights (softcaps, sliding window, grouped heads) as a Hugging Face folder.
# usage: prepare.sh OUT_DIR FPO_TRAIN     (FPO_TRAIN: the fpo-train program)
set -euo pipefail
out=${1:?usage: prepare.sh OUT_DIR FPO_TRAIN}
fpo_train=${2:?usage: prepare.sh OUT_DIR FPO_TRAIN}
here=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$out"
if [ -e "$here/tokenizer.model" ]; then
  cp -r "$here/data" "$here/tokenizer.model" "$out/"
else
  "$here/make_inputs.sh" "$out"
fi
rm -rf "$out/base"
"$fpo_train" init-model --config "$here/config.json" --tokenizer "$out/tokenizer.model" --seed 1 --dtype float32 --out "$out/base"
cp "$here"/*.yaml "$out/"
