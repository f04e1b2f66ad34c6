#!/usr/bin/env python3
"""Forward and backward of SFT in fpo-train and in transformers: the same weights, rows and threads, alternating; losses and norms of the
gradients compared before any speed is printed.

  bench/sft_against_transformers.py --pairs-file human_pairs.jsonl.gz --tokenizer gemma3.spm.model --pairs 16 --rounds 5
  bench/sft_against_transformers.py ... --model models/gemma-3-270m --max-length 256 --attention sdpa

Needs Python with torch, transformers, numpy and sentencepiece. A row is the prompt and the chosen response of a pair; the loss is the mean
over response tokens. transformers runs batches of --batch rows of similar lengths, padded on the right, one backward each, and computes
logits of response rows alone where it can (--logits response) or of all rows, as its forward does by default. Attention is eager, which it
asks for where there is a softcap, or --attention sdpa. Of fpo-train, forward and backward of a step count, the update does not, nor does
the first step of a process. Tokens are those of the rows, without padding. A side's memory is the peak of its process.
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
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--batch", type=int, default=8, help="rows of a padded batch of transformers")
    parser.add_argument("--attention", default="eager", choices=("eager", "sdpa"))
    parser.add_argument("--logits", default="all", choices=("all", "response"))
    parser.add_argument("--json", help="write the figures here")
    parser.add_argument("--theirs", help=argparse.SUPPRESS)  # this script as transformers' process, in this folder
    args = parser.parse_args()
    if args.theirs:
        return theirs(args)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args, folder)
    if args.json:
        with open(args.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


def theirs(args):
    """Forward and backward for each line on stdin; answers with seconds, loss, norm and the memory so far."""
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    path = os.path.realpath(args.model) if args.model else os.path.join(args.theirs, "model")
    model = transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation=args.attention)
    rows = [json.loads(line) for line in open(os.path.join(args.theirs, "pairs.jsonl"), encoding="ascii")]
    rows = sorted(((row["prompt_ids"], row["chosen_ids"]) for row in rows), key=lambda row: -sum(map(len, row)))
    tokens = sum(len(response) for _, response in rows)
    for _ in sys.stdin:
        model.zero_grad(set_to_none=True)
        start = time.perf_counter()
        loss = 0.0
        for first in range(0, len(rows), args.batch):
            part = batch_loss(torch, model, rows[first:first + args.batch], args.logits) / tokens
            part.backward()
            loss += part.item()
        seconds = time.perf_counter() - start
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]).item()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print("STEP " + json.dumps({"seconds": seconds, "loss": loss, "norm": norm, "memory": peak}), flush=True)


def batch_loss(torch, model, rows, logits):
    longest = max(len(prompt) + len(response) for prompt, response in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for i, (prompt, response) in enumerate(rows):
        end = len(prompt) + len(response)
        ids[i, :end] = torch.tensor(prompt + response)
        mask[i, :end] = 1
        labels[i, len(prompt) - 1:end - 1] = torch.tensor(response)  # each row predicts the next token
    if logits == "all":
        scores = model(ids, attention_mask=mask, use_cache=False).logits
    else:
        wanted = (labels >= 0).any(0).nonzero().flatten()  # columns that predict a response token of some row
        scores, labels = model(ids, attention_mask=mask, use_cache=False, logits_to_keep=wanted).logits, labels[:, wanted]
    return torch.nn.functional.cross_entropy(scores.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="sum")


class Theirs:
    def __init__(self, args, folder):
        words = [sys.executable, os.path.abspath(__file__), "--theirs", folder, "--threads", args.threads, "--batch", args.batch,
                 "--attention", args.attention, "--logits", args.logits] + (["--model", args.model] if args.model else [])
        self.log = open(os.path.join(folder, "theirs.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("STEP "):
                return json.loads(line[5:])
        self.log.seek(0)
        sys.exit(f"transformers' process ended:\n{self.log.read()[-3000:]}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(args, folder):
    config = speed_case.config_of(args)
    speed_case.make_model(args, folder)
    rows = speed_case.read_pairs(args, config["vocab_size"])
    speed_case.write_pairs(rows, os.path.join(folder, "pairs.jsonl"))
    tokens = sum(len(row["prompt_ids"]) + len(row["chosen_ids"]) for row in rows)
    side = Theirs(args, folder)
    side.step()  # warms it up
    rounds = []
    for index in range(args.rounds):
        ours = speed_case.run_steps(args, folder, speed_case.job(args, folder, "sft", "none", args.steps))
        rounds.append({"ours": ours, "theirs": side.step()})
        if index == 0:
            compare(ours[0], rounds[0]["theirs"])
    side.close()
    return report(args, tokens, rounds)


def compare(ours, theirs):
    print(f"loss: fpo-train {ours['loss']:.6f}, transformers {theirs['loss']:.6f}; norm of the gradient: {ours['grad_norm']:.6f}, {theirs['norm']:.6f}")
    if abs(ours["loss"] - theirs["loss"]) > 1e-4 * theirs["loss"] or abs(ours["grad_norm"] - theirs["norm"]) > 1e-3 * theirs["norm"]:
        sys.exit("losses or gradients differ")


def report(args, tokens, rounds):
    ours = [min(step["forward_seconds"] + step["backward_seconds"] for step in entry["ours"][1:]) for entry in rounds]
    theirs = [entry["theirs"]["seconds"] for entry in rounds]
    memory = {"fpo-train": max(entry["ours"][-1]["memory_peak_bytes"] for entry in rounds),
              "transformers": max(entry["theirs"]["memory"] for entry in rounds)}
    print(f"{args.pairs} rows, {tokens} tokens, {args.threads} threads, float32, {len(rounds)} rounds; transformers: {args.attention}, "
          f"batches of {args.batch}, logits of {args.logits} rows")
    for name, seconds in (("fpo-train", ours), ("transformers", theirs)):
        middle, low, high = speed_case.quartiles(seconds)
        print(f"{name:13} {middle:7.2f} s [{low:.2f}, {high:.2f}]  {tokens / middle:6.0f} tokens/s   peak {memory[name] / 2 ** 20:6.0f} MiB")
    ratio = speed_case.quartiles([b / a for a, b in zip(ours, theirs)])
    print(f"fpo-train's SFT has {ratio[0]:.2f} times the tokens/s [{ratio[1]:.2f}, {ratio[2]:.2f}] of transformers' forward and backward")
    return {"rounds": rounds, "ratio": ratio, "tokens": tokens}


if __name__ == "__main__":
    main()
