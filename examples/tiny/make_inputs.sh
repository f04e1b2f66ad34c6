#!/usr/bin/env bash
# Makes the preference data of the tiny pipeline and a SentencePiece tokenizer with Gemma's flags. A package has both ready.
# usage: make_inputs.sh OUT_DIR
set -euo pipefail
out=${1:?usage: make_inputs.sh OUT_DIR}
here=$(cd "$(dirname "$0")" && pwd)
command -v spm_train >/dev/null || { echo "make_inputs: spm_train is missing; run scripts/setup.sh" >&2; exit 1; }
mkdir -p "$out"
python3 "$here/make_data.py" "$out/data"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
spm_train --input="$out/data/corpus.txt" --model_prefix="$out/tokenizer" --model_type=bpe --vocab_size=1536 \
  --byte_fallback=true --split_digits=true --normalization_rule_name=identity --add_dummy_prefix=false \
  --remove_extra_whitespaces=false --allow_whitespace_only_pieces=true \
  --pad_id=0 --eos_id=1 --bos_id=2 --unk_id=3 \
  --pad_piece='<pad>' --eos_piece='<eos>' --bos_piece='<bos>' --unk_piece='<unk>' \
  --user_defined_symbols=$'<mask>,<start_of_turn>,<end_of_turn>,\n,\n\n' >"$log" 2>&1 || { tail -3 "$log" >&2; exit 1; }
