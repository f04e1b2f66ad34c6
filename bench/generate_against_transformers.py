#!/usr/bin/env python3
"""Generates greedily for the same prompts with fpo-train and with transformers (float32) and compares tokens and time.

usage: generate_against_transformers.py MODEL PROMPTS.json[l] [--prompts 50] [--new-tokens 64] [--batch 16] [--rounds 3] [--threads N]

PROMPTS has rows with "instruction" or "prompt". Needs torch, transformers and sentencepiece. Tokens: transformers generates for each prompt
alone, without padding; where the tokens part, the gap between the two best logits of its own float32 forward at that place is printed, with
the gap in float64: a gap of rounding size means that the two candidates are equal but for rounding. Time: both sides run as processes of
their own, alternating, in batches; a side's time is its own clock from the loaded model to the last token, loading is given apart.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def prompts_of(path, model, count):
    import sentencepiece
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=f"{model}/tokenizer.model")
    text = open(path).read()
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    texts = [row.get("instruction") or row["prompt"] for row in rows[:count]]
    return [[tokenizer.bos_id()] + tokenizer.encode(text) for text in texts]


def load(model, dtype):
    import torch
    import transformers
    return transformers.AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()


def generate(net, prompts, new_tokens):
    """New ids of each prompt, padded on the left as transformers wants it, the end included."""
    import torch
    longest = max(len(p) for p in prompts)
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    out = net.generate(input_ids=ids, attention_mask=mask, max_new_tokens=new_tokens, do_sample=False, pad_token_id=0)
    return out[:, longest:].tolist()


def theirs(options):
    import torch
    torch.set_num_threads(options.threads)
    start = time.time()
    net = load(options.model, "float32")
    loaded = time.time()
    prompts = json.load(open(options.theirs))
    answers = []
    with torch.no_grad():
        for first in range(0, len(prompts), options.batch):
            answers += generate(net, prompts[first:first + options.batch], options.new_tokens)
    print(json.dumps({"answers": answers, "load": loaded - start, "seconds": time.time() - loaded}))


def ours(options, folder, rows, environment):
    out = pathlib.Path(folder) / "ours.jsonl"
    for file in (out, pathlib.Path(f"{out}.settings.json")):
        file.unlink(missing_ok=True)
    start = time.time()
    process = subprocess.run(
        [str(ROOT / "build/release/bin/fpo-train"), "generate", "--model", options.model, "--prompts", rows, "--out", str(out), "--device", "cpu",
         "--threads", str(options.threads), "--batch", str(options.batch), "--max-new-tokens", str(options.new_tokens)],
        env=environment, capture_output=True, text=True)
    total = time.time() - start
    if process.returncode != 0:
        sys.exit(process.stderr)
    seconds = float(re.search(r"in ([0-9.]+) s", process.stderr).group(1))
    return [json.loads(line)["output_ids"] for line in open(out)], seconds, total - seconds


def gaps(net32, net64, prefix, mine, other):
    """The logits of two candidates behind a prefix, apart, in both precisions."""
    import torch
    with torch.no_grad():
        values = [net(torch.tensor([prefix])).logits[0, -1].double() for net in (net32, net64)]
    return [(v[other] - v[mine]).item() for v in values]


def compare(options, prompts, answers):
    import torch
    torch.set_num_threads(options.threads)
    net = load(options.model, "float32")
    expected = []
    with torch.no_grad():
        for prompt in prompts:
            expected += generate(net, [prompt], options.new_tokens)
    ends = net.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    net64, equal, tokens = None, 0, 0
    for i, (prompt, mine, other) in enumerate(zip(prompts, answers, expected)):
        stop = next((k for k, id in enumerate(other) if id in ends), len(other))
        other = other[:stop]
        tokens += len(other)
        if mine == other:
            equal += 1
            continue
        at = next((k for k, (a, b) in enumerate(zip(mine, other)) if a != b), min(len(mine), len(other)))
        if at == min(len(mine), len(other)):
            print(f"prompt {i}: {len(mine)} tokens here, {len(other)} there")
            continue
        net64 = net64 or load(options.model, "float64")
        gap32, gap64 = gaps(net, net64, prompt + other[:at], mine[at], other[at])
        print(f"prompt {i}, token {at}: {mine[at]} here, {other[at]} there; logit gap {gap32:.2e} in float32, {gap64:.2e} in float64")
    print(f"tokens: {equal} of {len(prompts)} answers are equal to transformers' ({tokens} tokens, greedy, float32)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--prompts", type=int, default=50)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--theirs", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.theirs:
        return theirs(options)
    prompts = prompts_of(options.data, options.model, options.prompts)
    environment = {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}
    seconds, loads = {"fpo-train": [], "transformers": []}, {"fpo-train": [], "transformers": []}
    with tempfile.TemporaryDirectory() as folder:
        rows, ids = f"{folder}/rows.jsonl", f"{folder}/ids.json"
        with open(rows, "w") as file:
            file.writelines(json.dumps({"prompt_ids": p}) + "\n" for p in prompts)
        json.dump(prompts, open(ids, "w"))
        again = [sys.executable, __file__, *[a for a in sys.argv[1:]], "--theirs", ids]
        for _ in range(options.rounds):
            answers, spent, load_seconds = ours(options, folder, rows, environment)
            seconds["fpo-train"].append(spent)
            loads["fpo-train"].append(load_seconds)
            there = json.loads(subprocess.run(again, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            seconds["transformers"].append(there["seconds"])
            loads["transformers"].append(there["load"])
    compare(options, prompts, answers)
    tokens = sum(len(answer) for answer in answers)
    print(f"time: {len(prompts)} prompts, {tokens} tokens, batch {options.batch}, {options.threads} threads, {options.rounds} rounds")
    for name in seconds:
        print(f"{name:13} {statistics.median(seconds[name]):7.2f} s   start and loading {statistics.median(loads[name]):6.2f} s   rounds "
              + " ".join(f"{s:.2f}" for s in seconds[name]))
    ratios = [b / a for a, b in zip(seconds["fpo-train"], seconds["transformers"])]
    print(f"transformers takes {statistics.median(ratios):.2f} times as long (rounds: {' '.join(f'{r:.2f}' for r in ratios)})")


if __name__ == "__main__":
    main()
