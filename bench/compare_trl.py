#!/usr/bin/env python3
"""Steps of fpo-train beside TRL's DPOTrainer: the same weights, pairs and threads, alternating, losses compared before any speed is printed.

  bench/compare_trl.py --pairs-file human_pairs.jsonl.gz --tokenizer gemma3.spm.model --rounds 5
  bench/compare_trl.py ... --model models/gemma-3-270m --max-length 256

Needs Python with torch, transformers, trl, datasets, numpy and sentencepiece. TRL runs with its reference in memory ("online") and with
log-probabilities computed beforehand ("precomputed"); attention is eager, which transformers asks for where there is a softcap, or
--attention sdpa. A TRL process stays and takes one step a round; its first step does not count. fpo-train runs dpo from records, whose
losses TRL must have, and fpo with an SAE of random weights, also from records, as processes of --steps steps, of which the first does not
count. Ratios are of rounds. A side's memory is the peak of its process.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import speed_case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed_case.arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds: no round begins that would not end within them")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--attention", default="eager", choices=("eager", "sdpa"))
    parser.add_argument("--modes", default="online,precomputed")
    parser.add_argument("--sae-width", type=int, default=4096)
    parser.add_argument("--json", help="write the figures here")
    parser.add_argument("--trl-step", help=argparse.SUPPRESS)  # this script as TRL's process
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trl_step:
        return trl_process(args)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args, folder)
    if args.json:
        with open(args.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


def trl_process(args):
    """Takes a step for each line on stdin and answers with its seconds, loss and the memory so far."""
    import torch
    import transformers
    import pyarrow
    from datasets import Dataset
    from datasets.table import InMemoryTable
    from torch.utils.data import SequentialSampler
    from trl import DPOConfig, DPOTrainer
    torch.set_num_threads(args.threads)
    model_path = os.path.realpath(args.model) if args.model else os.path.join(args.folder, "model")
    model = transformers.AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32, attn_implementation=args.attention)
    rows = [json.loads(line) for line in open(os.path.join(args.folder, "pairs.jsonl"), encoding="ascii")]

    def dataset_of(rows):  # with a name of its own: hashing it fails with some versions of the libraries below
        return Dataset(InMemoryTable(pyarrow.Table.from_pylist(rows)), fingerprint=f"pairs{len(rows[0])}")

    class Clock(transformers.TrainerCallback):
        def on_step_begin(self, *_, **__):
            sys.stdin.readline()
            self.start = time.perf_counter()

        def on_step_end(self, *_, **__):
            self.seconds = time.perf_counter() - self.start

        def on_log(self, _args, _state, _control, logs=None, **__):
            if "loss" in (logs or {}):
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
                print("STEP " + json.dumps({"seconds": self.seconds, "loss": float(logs["loss"]), "memory": peak}), flush=True)

    class Sequential(DPOTrainer):
        def _prepare_dataset(self, dataset, *_args, **_kwargs):  # rows are token ids
            return dataset

        def _precompute_ref_logps(self, dataset, *_args, **_kwargs):  # the same function, without a cache on disk
            chosen, rejected = self.compute_ref_log_probs(self.model, self.data_collator(rows))
            return dataset_of([{**row, "ref_chosen_logps": w.item(), "ref_rejected_logps": l.item()}
                               for row, w, l in zip(dataset, chosen, rejected)])

        def _get_train_sampler(self, dataset=None):
            return SequentialSampler(dataset if dataset is not None else self.train_dataset)

    tokenizer = tokenizer_for(model.config)
    config = DPOConfig(output_dir=os.path.join(args.folder, "trl-" + args.trl_step), per_device_train_batch_size=args.pairs,
                       gradient_accumulation_steps=1, num_train_epochs=10000, learning_rate=1e-5, lr_scheduler_type="constant",
                       warmup_steps=0, weight_decay=0.0, max_grad_norm=1.0, beta=0.1, logging_steps=1, save_strategy="no", report_to=[],
                       use_cpu=True, bf16=False, fp16=False, max_length=None, gradient_checkpointing=False, optim="adamw_torch_fused",
                       precompute_ref_log_probs=args.trl_step == "precomputed", disable_tqdm=True, dataloader_pin_memory=False)
    dataset = dataset_of([{key: row[key] for key in ("prompt_ids", "chosen_ids", "rejected_ids")} for row in rows])
    Sequential(model=model, args=config, train_dataset=dataset, processing_class=tokenizer, callbacks=[Clock()]).train()


def tokenizer_for(config):
    """Only its special ids are read."""
    import transformers
    from tokenizers import Tokenizer, models
    words = {f"<{index}>": index for index in range(config.vocab_size if config.vocab_size < 100000 else 100)}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="<3>")), pad_token="<0>",
                                                eos_token="<1>", bos_token="<2>", unk_token="<3>")


class TrlSide:
    def __init__(self, args, folder, mode):
        words = [sys.executable, os.path.abspath(__file__), "--trl-step", mode, "--folder", folder, "--pairs", args.pairs, "--threads",
                 args.threads, "--attention", args.attention] + (["--model", args.model] if args.model else [])
        self.log = open(os.path.join(folder, f"trl-{mode}.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("STEP "):
                return json.loads(line[5:])
        self.log.seek(0)
        sys.exit(f"TRL's process ended:\n{self.log.read()[-3000:]}")

    def close(self):
        self.process.kill()
        self.process.wait()


def measure(args, folder):
    begin = time.perf_counter()
    config = speed_case.config_of(args)
    speed_case.make_model(args, folder)
    rows = speed_case.read_pairs(args, config["vocab_size"])
    speed_case.write_pairs(rows, os.path.join(folder, "pairs.jsonl"))
    speed_case.write_sae(os.path.join(folder, "sae"), config["hidden_size"], args.sae_width, config["num_hidden_layers"] // 2)
    args.layers = config["num_hidden_layers"]
    counts = speed_case.layout(rows)
    modes = args.modes.split(",")
    sides = {mode: TrlSide(args, folder, mode) for mode in modes}
    first = {mode: side.step()["loss"] for mode, side in sides.items()}
    rounds, longest = [], 0
    for index in range(args.rounds):
        start = time.perf_counter()
        if start - begin + longest > args.budget:
            break
        entry = {"floor": speed_case.floor(config, counts, args.threads, rounds=1)[0]}
        for mode, side in sides.items():
            entry[mode] = side.step()
        for method in ("dpo", "fpo"):
            entry[method] = speed_case.run_steps(args, folder, speed_case.job(args, folder, method, "cached", args.steps))
        rounds.append(entry)
        longest = max(longest, time.perf_counter() - start)
        print(f"round {index + 1}: " + ", ".join(f"{name} {entry[name]['seconds']:.1f} s" for name in modes), flush=True)
        if index == 0:
            compare_losses(modes, first, entry)
    for side in sides.values():
        side.close()
    return report(args, counts, modes, rounds)


def compare_losses(modes, first, entry):
    """The losses of the first two steps: before any update, and after one, which has the gradient in it."""
    ours = [line["loss"] for line in entry["dpo"]]
    for mode in modes:
        theirs = [first[mode], entry[mode]["loss"]]
        print(f"losses of steps 1 and 2: fpo-train {ours[0]:.5f} {ours[1]:.5f}, TRL {mode} {theirs[0]:.5f} {theirs[1]:.5f}")
        if any(abs(a - b) > 2e-3 for a, b in zip(ours, theirs)):
            sys.exit(f"the losses differ: fpo-train {ours}, TRL {mode} {theirs}")


def report(args, counts, modes, rounds):
    print(f"{args.pairs} pairs, {counts['shared']} tokens with shared prompts, {counts['padded']} padded; {len(rounds)} rounds, {args.threads} threads")
    best = {method: [min(line["step_seconds"] for line in entry[method][1:]) for entry in rounds] for method in ("dpo", "fpo")}
    memory = {method: max(entry[method][-1]["memory_peak_bytes"] for entry in rounds) for method in ("dpo", "fpo")}
    floors = [entry["floor"] for entry in rounds]
    figures = {"rounds": rounds, "ratios": {}}
    seconds = {**best, **{f"TRL {mode}": [entry[mode]["seconds"] for entry in rounds] for mode in modes}}
    memory.update({f"TRL {mode}": max(entry[mode]["memory"] for entry in rounds) for mode in modes})
    print(f"{'side':16} {'s a step':>8} {'quartiles':>16} {'/floor':>7} {'MiB':>7}")
    for name, values in seconds.items():
        middle, low, high = speed_case.quartiles(values)
        to_floor = speed_case.quartiles([value / floor for value, floor in zip(values, floors)])[0]
        print(f"{name:16} {middle:8.2f} {f'[{low:.2f}, {high:.2f}]':>16} {to_floor:7.2f} {memory[name] / 2 ** 20:7.0f}")
    for method in ("dpo", "fpo"):
        for mode in modes:
            ratio = speed_case.quartiles([theirs / ours for theirs, ours in zip(seconds[f"TRL {mode}"], best[method])])
            figures["ratios"][f"{method} {mode}"] = ratio
            print(f"{method} from records: TRL {mode} takes {ratio[0]:.1f} times as long [{ratio[1]:.1f}, {ratio[2]:.1f}] "
                  f"and {memory[f'TRL {mode}'] / memory[method]:.1f} times the memory")
    return figures


if __name__ == "__main__":
    main()
