#!/usr/bin/env bash
# The FPO paper's tables and figures: SFT, all methods, sites, alphas, temperatures, memory, on one cache of reference records.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/reproduce.sh --tiny [--out DIR]
       scripts/reproduce.sh --2b|--9b --model DIR --sae-root DIR --data DIR --judge DIR|URL [--out DIR] [--dry-run]

--tiny: everything on this machine, services included, with a model of a million parameters. Each call is a whole run in folders of
its own, DIR/run-1, DIR/run-2, ..., on one cache and one store of verdicts: the second asks neither reference nor judge anything.
--2b, --9b: the paper's models and settings (examples/paper) on your running services (FPO_SERVER, FPO_CACHE_SERVER), whose workers
see the same folders. Stopped at any point, the same command goes on: finished runs are not trained again.

  --quick           with --tiny: two methods, a few steps; to see that everything works
  --out DIR         where models, answers and tables go (default: ./paper-run)
  --model DIR       the base model: google/gemma-2-2b, google/gemma-2-9b
  --sae-root DIR    the folder with gemma-scope-2b-pt-res and gemma-scope-2b-pt-mlp, or gemma-scope-9b-pt-res
  --data DIR        the folder with ultrachat_200k, ultrafeedback_binarized, alpaca_eval.json and arena_hard/question.jsonl
  --judge DIR|URL   a model folder, or a server with OpenAI's chat completions
  --judge-model M   the judge's name at the URL
  --judge-key FILE  its key, on the workers
  --dry-run         lists the jobs and what is missing; sends nothing
  --no-build        takes the programs of build/release/bin, or of FPO_BIN_DIR, as they are
TEXT
}

root=$(cd "$(dirname "$0")/.." && pwd)
paper=$root/examples/paper
out=$PWD/paper-run
size='' quick=0 dry=0 build=1 model='' saes='' data='' judge='' judge_model='' judge_key=''
die() { echo "reproduce: $1" >&2; exit "${2:-1}"; }
while [ $# -gt 0 ]; do
  case $1 in
    --tiny | --2b | --9b) [ -z "$size" ] || die "one of --tiny, --2b, --9b" 2; size=${1#--} ;;
    --quick) quick=1 ;;
    --dry-run) dry=1 ;;
    --no-build) build=0 ;;
    --out | --model | --sae-root | --data | --judge | --judge-model | --judge-key)
      [ $# -gt 1 ] || die "$1 needs a value" 2
      case $1 in
        --out) out=$2 ;; --model) model=$2 ;; --sae-root) saes=$2 ;; --data) data=$2 ;;
        --judge) judge=$2 ;; --judge-model) judge_model=$2 ;; --judge-key) judge_key=$2 ;;
      esac
      shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "reproduce: unknown option '$1'" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$size" ] || { usage >&2; exit 2; }
if [ "$quick" = 1 ] && [ "$size" != tiny ]; then die "--quick is for --tiny" 2; fi
if [ -n "$model$saes$data$judge$judge_model$judge_key" ] && [ "$size" = tiny ]; then die "--tiny makes its own model, SAEs, data and judge" 2; fi

# What is missing, with the command that gets it. Nothing is fetched here.
missing=0
need() { # need PATH-OR-PATTERN HOW
  if compgen -G "$1" >/dev/null; then return; fi
  missing=$((missing + 1))
  printf 'missing: %s\n    %s\n' "$1" "$2" >&2
}
check_inputs() {
  local hub=google/gemma-2-$size file folder
  for option in "model:$model" "sae-root:$saes" "data:$data" "judge:$judge"; do
    [ -n "${option#*:}" ] || { echo "missing: --${option%%:*} (see --help)" >&2; missing=$((missing + 1)); }
  done
  [ -z "$model" ] || need "$model/config.json" "hf download $hub --local-dir $model   (accept Gemma's licence first)"
  [ -z "$saes" ] || while read -r file; do
    folder=${file%%/*} # the repository
    need "$saes/$file" "hf download google/$folder ${file#*/} --local-dir $saes/$folder"
  done < <(cat "$paper/$size"/*.yaml | grep -o 'gemma-scope-[a-z0-9_/-]*/params.npz' | sort -u)
  if [ -n "$data" ]; then
    for file in ultrachat_200k/data/{train,test}_sft ultrafeedback_binarized/data/{train,test}_prefs; do
      folder=${file%%/*}
      need "$data/$file-*.parquet" "hf download HuggingFaceH4/$folder --repo-type dataset --local-dir $data/$folder"
    done
    need "$data/alpaca_eval.json" "hf download tatsu-lab/alpaca_eval alpaca_eval.json --repo-type dataset --local-dir $data"
    need "$data/arena_hard/question.jsonl" "data/arena-hard-v0.1/question.jsonl of github.com/lmarena/arena-hard-auto"
  fi
  case $judge in
    http://* | https://*) [ -n "$judge_model" ] || { echo "missing: --judge-model, the judge's name at $judge" >&2; missing=$((missing + 1)); } ;;
    ?*) need "$judge/config.json" "a chat model, e.g. hf download google/gemma-2-9b-it --local-dir $judge" ;;
  esac
  [ "$missing" = 0 ] || [ "$dry" = 1 ] || die "$missing inputs are missing; nothing was started" 3
}

bin=${FPO_BIN_DIR:-$root/build/release/bin}
if [ "$build" = 1 ]; then
  bin=$root/build/release/bin
  programs=(fpoctl)
  [ "$size" != tiny ] || programs+=(fpo-coordinator fpo-cache fpo-worker fpo-train)
  "$root/scripts/build.sh" "${programs[@]}"
fi
[ "$size" = tiny ] || check_inputs
start=$SECONDS
if [ "$dry" = 0 ]; then mkdir -p "$out"; fi
out=$(realpath -m "$out")
label=$size
log=/dev/null

# One place for every path of the files in examples/paper.
export FPO_PAPER_BASE=$model FPO_PAPER_SAES=$saes FPO_PAPER_DATA=$data FPO_PAPER_JUDGE=$judge
export FPO_PAPER_OUT=$out FPO_PAPER_SFT=$out/sft/model FPO_PAPER_VERDICTS=$out/verdicts FPO_PAPER_TEMPERATURE=''

sweep() { # sweep TITLE BASE [RUNS] ARGS...: jobs of examples/paper, to their ends
  local title=$1 base=$paper/$2 begin=$SECONDS
  shift 2
  if [ "$dry" = 1 ]; then
    echo "== $title"
    "$bin/fpoctl" sweep "$base" "$@" --dry-run 2>>"$log"
    return
  fi
  "$bin/fpoctl" sweep "$base" "$@" --set labels.paper="$label" --wait >>"$log" 2>&1 || {
    tail -15 "$log" >&2
    die "$title failed (all of it: $log); the jobs: $bin/fpoctl list --label paper=$label"
  }
  printf '  %-42s %5d s\n' "$title" $((SECONDS - begin))
}

train_sft() {
  local begin=$SECONDS
  if [ "$dry" = 1 ]; then
    echo "== SFT: $paper/$size/sft.yaml into $FPO_PAPER_SFT"
    return
  fi
  "$bin/fpoctl" submit "$paper/$size/sft.yaml" --label paper="$label" --wait "$@" >>"$log" 2>&1 || {
    tail -15 "$log" >&2
    die "SFT failed (all of it: $log)"
  }
  printf '  %-42s %5d s\n' SFT $((SECONDS - begin))
}

runs_of() { # runs_of FILE NAME...: the path of a file with these runs of FILE only
  local file=$1 name part
  shift
  part=$run/$(basename "$file")
  for name in "$@"; do grep "^$name:" "$file"; done >"$part"
  echo "$part"
}

print_tables() {
  local id  # a list has no job files
  "$bin/fpoctl" list -q --limit 0 --label paper="$label" | while read -r id; do
    "$bin/fpoctl" describe "$id" --json
  done >"$1/jobs.jsonl"
  "$root/scripts/reproduce_tables.py" --jobs "$1/jobs.jsonl" --size "$size" --out "$1/paper.md" --seconds $((SECONDS - start))
}

# Asked of the tiny world instead of the benchmarks, in their files' forms.
write_questions() { # write_questions DATA COUNT
  python3 - "$1" "$2" <<'PYTHON'
import json, os, sys
data, count = sys.argv[1], int(sys.argv[2])
rows = [json.loads(line) for line in open(os.path.join(data, "eval.jsonl"), encoding="utf-8")]
prompts = list(dict.fromkeys(row["prompt"] for row in rows))[:count]
os.makedirs(os.path.join(data, "arena_hard"), exist_ok=True)
with open(os.path.join(data, "alpaca_eval.json"), "w", encoding="utf-8") as file:
    json.dump([{"dataset": "tiny", "instruction": prompt} for prompt in prompts], file)
with open(os.path.join(data, "arena_hard", "question.jsonl"), "w", encoding="utf-8") as file:
    for i, prompt in enumerate(prompts):
        file.write(json.dumps({"uid": f"tiny-{i}", "prompt": prompt}) + "\n")
PYTHON
}

start_tiny() { # the services, the data and the base model, kept from call to call; then the folder of this run
  if [ -n "$(ls -A "$out")" ] && [ ! -e "$out/.fpo-paper" ]; then die "$out contains other files; give another folder with --out" 2; fi
  touch "$out/.fpo-paper"
  if [ ! -e "$out/tiny/.complete" ]; then
    "$root/examples/tiny/prepare.sh" "$out/tiny" "$bin/fpo-train"
    write_questions "$out/tiny/data" 40
    touch "$out/tiny/.complete"
  fi
  . "$root/scripts/local_services.sh"
  trap 'trap - EXIT INT TERM; stop_services' EXIT
  trap 'echo; echo "reproduce: stopped, nothing is left running"; exit 130' INT TERM
  start_services paper-worker $(($(nproc) < 4 ? $(nproc) : 4))
  local number=1
  while [ -e "$out/run-$number" ]; do number=$((number + 1)); done
  run=$out/run-$number label=run-$number log=$out/run-$number/log
  mkdir "$run"
  export FPO_PAPER_BASE=$out/tiny/base FPO_PAPER_DATA=$out/tiny/data FPO_PAPER_OUT=$run FPO_PAPER_SFT=$run/sft/model
  export FPO_PAPER_SAES=$run FPO_PAPER_JUDGE=$run/sft/model
  echo "== run $number of $out"
}

methods() { # the runs of Table 3 and what is measured of them; in the folder of one seed
  sweep "Table 3: methods$1" "$size"/train.yaml --runs "$paper/table3.yaml" "${@:2}"
  sweep "Figure 3: KL$1" "$size"/train.yaml --runs "$paper/figure3-kl.yaml"
}

answers_and_verdicts() { # answers_and_verdicts GENERATE-ARGS...
  local judge_args=(--set model.dtype="$dtype") temperature
  case $judge in http://* | https://*)
    judge_args=(--set 'model={}' --set judge.url="$judge" --set judge.model="$judge_model")
    [ -z "$judge_key" ] || judge_args+=(--set judge.key_file="$judge_key") ;;
  esac
  [ "$size" != tiny ] || judge_args+=(--set judge.prompt="$paper/tiny/judge-prompt.txt")
  sweep "answers: AlpacaEval" alpaca.yaml --runs "$paper/answers.yaml" "$@"
  sweep "answers: Arena-Hard" arena.yaml --runs "$paper/answers.yaml" "$@"
  sweep "Table 2: verdicts" judge.yaml --runs "$paper/table2.yaml" "${judge_args[@]}"
  [ "$size" != 9b ] || return 0
  sweep "Figure 4: answers at five temperatures" temperatures.yaml --runs "$paper/answers.yaml" \
    --grid generate.temperature=0.2,0.4,0.6,0.8,1.0 "$@"
  for temperature in 0-2 0-4 0-6 0-8 1-0; do
    FPO_PAPER_TEMPERATURE=$temperature sweep "Figure 4: verdicts at ${temperature/-/.}" judge.yaml \
      --runs "$paper/figure4-temperatures.yaml" --set name=judged-$temperature "${judge_args[@]}"
  done
}

ablations() {
  sweep "Table 4: layer and site" "$size"/train.yaml --runs "$paper/$size/table4-sites.yaml" "$@"
  sweep "Table 4: alpha and stop-gradient" "$size"/train.yaml --runs "$paper/table4-alpha.yaml" "$@"
  sweep "Figure 4: memory" "$size"/train.yaml --runs "$paper/figure4-memory.yaml" "$@"
}

run_quick() {
  local short=(--set max_steps=8 --set schedule.warmup_steps=2 --set evaluate.pairs=40) few=(--set generate.max_new_tokens=24 --set model.dtype=float32)
  train_sft --set max_steps=20 --set evaluate.pairs=40
  sweep "SAE" tiny/sae.yaml --runs "$(runs_of "$paper/tiny/saes.yaml" layer-3-residual)" --set sae_training.steps=40
  sweep "Table 3: dpo and fpo" tiny/train.yaml --runs "$(runs_of "$paper/table3.yaml" dpo fpo)" "${short[@]}"
  sweep "answers: AlpacaEval" alpaca.yaml --runs "$(runs_of "$paper/answers.yaml" dpo fpo)" "${few[@]}" --set generate.max_prompts=6
  sweep "Table 2: verdicts" judge.yaml --runs "$(runs_of "$paper/table2.yaml" alpaca-dpo)" --set model.dtype=float32 \
    --set judge.prompt="$paper/tiny/judge-prompt.txt"
}

run_tiny() {
  local seed
  train_sft
  sweep "SAEs: four blocks, two sites" tiny/sae.yaml --runs "$paper/tiny/saes.yaml"
  for seed in 2 1; do # the ablations have one seed, the first
    export FPO_PAPER_OUT=$run/seed-$seed
    methods ", seed $seed" --set seed=$seed
  done
  ablations --set seed=1
  answers_and_verdicts --set generate.max_new_tokens=48 --set model.dtype=float32
}

if [ "$size" = tiny ]; then
  [ "$dry" = 1 ] && die "--dry-run is for --2b and --9b" 2
  dtype=float32
  start_tiny
  if [ "$quick" = 1 ]; then run_quick; else run_tiny; fi
  echo
  print_tables "$run"
  echo "written to $run/paper.md"
else
  dtype=bfloat16
  if [ "$dry" = 0 ]; then
    "$bin/fpoctl" health || die "the services must run: FPO_SERVER, FPO_CACHE_SERVER (README.md)" 5
    log=$out/log label=$size-$(date +%Y%m%d-%H%M%S)
  fi
  train_sft
  sweep "Table 3: methods" "$size"/train.yaml --runs "$paper/table3.yaml"
  if [ "$size" = 2b ]; then
    sweep "Figure 3: KL" 2b/train.yaml --runs "$paper/figure3-kl.yaml"
    ablations
  fi
  answers_and_verdicts
  if [ "$dry" = 1 ]; then
    [ "$missing" = 0 ] || echo "$missing inputs are missing (above)"
  else
    print_tables "$out"
    echo "written to $out/paper.md"
  fi
fi
