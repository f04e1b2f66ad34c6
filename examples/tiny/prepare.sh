#!/usr/bin/env bash
# Creates the inputs of the tiny pipeline: preference data, a SentencePiece tokenizer with Gemma's flags, and a small
# Gemma-2 with random weights (softcaps, sliding window, grouped heads) as a Hugging Face folder.
# usage: prepare.sh OUT_DIR FPO_TRAIN     (FPO_TRAIN: the fpo-train program)
set -euo pipefail
out=${1:?usage: prepare.sh OUT_DIR FPO_TRAIN}
fpo_train=${2:?usage: prepare.sh OUT_DIR FPO_TRAIN}
here=$(cd "$(dirname "$0")" && pwd)
command -v spm_train >/dev/null || { echo "prepare: spm_train is missing; run scripts/setup.sh" >&2; exit 1; }

mkdir -p "$out"
python3 "$here/make_data.py" "$out/data"
spm_train --input="$out/data/corpus.txt" --model_prefix="$out/tokenizer" --model_type=bpe --vocab_size=1536 \
  --byte_fallback=true --split_digits=true --normalization_rule_name=identity --add_dummy_prefix=false \
  --remove_extra_whitespaces=false --allow_whitespace_only_pieces=true \
  --pad_id=0 --eos_id=1 --bos_id=2 --unk_id=3 \
  --pad_piece='<pad>' --eos_piece='<eos>' --bos_piece='<bos>' --unk_piece='<unk>' \
  --user_defined_symbols=$'<mask>,<start_of_turn>,<end_of_turn>,\n,\n\n' >"$out/tokenizer.log" 2>&1 ||
  { tail -3 "$out/tokenizer.log" >&2; exit 1; }
rm -rf "$out/base"
"$fpo_train" init-model --config "$here/config.json" --tokenizer "$out/tokenizer.model" --seed 1 --dtype float32 --out "$out/base"
cp "$here"/*.yaml "$out/"
