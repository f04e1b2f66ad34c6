#!/usr/bin/env python3
"""Scores the same real pairs with fpo-train and with transformers (float32) and compares values, time and memory.

usage: score_against_transformers.py MODEL PAIRS.jsonl[.gz] [--pairs 64] [--max-length 256] [--rounds 2] [--batch 8] [--attention sdpa]
       [--ids OUT.jsonl]

Needs torch, transformers and sentencepiece. Both sides run as processes of their own, alternating, with the same threads; loading is left
out of both times: of transformers' by its own clock, of fpo-train's by subtracting a run that scores one pair. A side's memory is the peak
of its resident set. transformers runs batches of similar lengths, padded on the right, and its whole logits, as its forward does.
"""
import argparse
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def tokenised(path, model, pairs, max_length):
    import sentencepiece
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=f"{model}/tokenizer.model")
    rows = []
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    for line in opened:
        row = json.loads(line)
        prompt = [tokenizer.bos_id()] + tokenizer.encode(row["prompt"])[-(max_length // 2):]
        sides = [(tokenizer.encode(row[side]) + [tokenizer.eos_id()])[:max_length - len(prompt)] for side in ("chosen", "rejected")]
        if sides[0] != sides[1] and all(sides):
            rows.append({"prompt_ids": prompt, "chosen_ids": sides[0], "rejected_ids": sides[1]})
        if len(rows) == pairs:
            break
    return rows


def theirs(options, out):
    import torch
    import transformers
    torch.set_num_threads(options.threads)
    net = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, attn_implementation=options.attention).eval()
    rows = [json.loads(line) for line in open(options.ids)]
    sequences = [(row["prompt_ids"], row[side]) for row in rows for side in ("chosen_ids", "rejected_ids")]
    order = sorted(range(len(sequences)), key=lambda i: -sum(map(len, sequences[i])))  # batches of similar lengths
    sums = [0.0] * len(sequences)
    start = time.time()
    with torch.no_grad():
        for first in range(0, len(order), options.batch):
            members = [sequences[i] for i in order[first:first + options.batch]]
            longest = max(len(p) + len(r) for p, r in members)
            ids = torch.tensor([p + r + [0] * (longest - len(p) - len(r)) for p, r in members])
            mask = torch.tensor([[1] * (len(p) + len(r)) + [0] * (longest - len(p) - len(r)) for p, r in members])
            logits = net(ids, attention_mask=mask, use_cache=False).logits
            for (prompt, response), position, row in zip(members, order[first:first + options.batch], logits):
                n, end = len(response), len(prompt) + len(response)
                logp = row[end - n - 1:end - 1].float().log_softmax(-1)
                sums[position] = logp.gather(1, torch.tensor(response)[:, None]).double().sum().item()
    json.dump({"sums": [sums[i:i + 2] for i in range(0, len(sums), 2)], "seconds": time.time() - start}, open(out, "w"))


def peak_of(command, environment):
    """Runs under a parent of its own, whose children are this command alone: its peak resident bytes."""
    code = "import resource,subprocess,sys; r=subprocess.run(sys.argv[1:]).returncode; " \
           "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss*1024); sys.exit(r)"
    process = subprocess.run([sys.executable, "-c", code, *command], env=environment, capture_output=True, text=True)
    if process.returncode != 0:
        sys.exit(f"{command} failed:\n{process.stdout}{process.stderr}")
    return int(process.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch", type=int, default=8, help="sequences a padded batch of transformers")
    parser.add_argument("--attention", default="sdpa", choices=("sdpa", "eager"))
    parser.add_argument("--train", default=str(ROOT / "build/release/bin/fpo-train"))
    parser.add_argument("--ids", default="/tmp/score_ids.jsonl")
    parser.add_argument("--theirs", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        return theirs(options, options.theirs)
    rows = tokenised(options.data, options.model, options.pairs, options.max_length)
    with open(options.ids, "w") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    ours_out, theirs_out = options.ids + ".ours.jsonl", options.ids + ".theirs.json"
    ours_command = [options.train, "score", "--model", options.model, "--data", options.ids, "--format", "ids",
                    "--dtype", "float32", "--max-length", str(2 * options.max_length), "--max-prompt-length", str(options.max_length),
                    "--threads", str(options.threads), "--device", "cpu", "--out", ours_out]
    theirs_command = [sys.executable, __file__, options.model, options.data, "--ids", options.ids, "--theirs", theirs_out,
                      "--threads", str(options.threads), "--batch", str(options.batch), "--attention", options.attention]
    seconds, memory = {"fpo-train": [], "transformers": []}, {}
    environment = dict(os.environ)
    plain = {k: v for k, v in environment.items() if k != "LD_LIBRARY_PATH"}
    for _ in range(options.rounds):
        start = time.time()
        peak_of(ours_command + ["--max-pairs", "1"], plain)
        loaded = time.time()
        memory["fpo-train"] = peak_of(ours_command, plain)
        seconds["fpo-train"].append(time.time() - loaded - (loaded - start))
        memory["transformers"] = peak_of(theirs_command, environment)
        seconds["transformers"].append(json.load(open(theirs_out))["seconds"])
    ours = [[json.loads(line)[side]["sum_logp"] for side in ("chosen", "rejected")] for line in open(ours_out)]
    reference = json.load(open(theirs_out))["sums"]
    errors = [abs(a - b) for x, y in zip(ours, reference) for a, b in zip(x, y)]
    relative = [abs(a - b) / abs(b) for x, y in zip(ours, reference) for a, b in zip(x, y)]
    tokens = sum(2 * len(r["prompt_ids"]) + len(r["chosen_ids"]) + len(r["rejected_ids"]) for r in rows)
    print(f"{len(rows)} pairs, {tokens} tokens, {options.threads} threads, float32")
    print(f"summed log-probs: worst difference {max(errors):.2e} nats, {max(relative):.2e} relative; median {statistics.median(errors):.1e} nats")
    for name in seconds:
        print(f"{name:13} {statistics.median(seconds[name]):7.1f} s   peak {memory[name] / 2**20:6.0f} MiB")
    ratios = [b / a for a, b in zip(seconds["fpo-train"], seconds["transformers"])]
    print(f"transformers' forwards take {statistics.median(ratios):.2f} times as long as those of fpo-train score")


if __name__ == "__main__":
    main()
