#!/usr/bin/env python3
"""Reading a model's activations for an SAE (`fpo-train sae`): packed batches that compute a prompt once, against --plain's padded ones.

  bench/collect_activations.py --pairs-file human_pairs.jsonl.gz --tokenizer gemma3.spm.model --pairs 48 --layer 6

Each way is a process that reads all rows of the pairs once and takes one step; rounds alternate. Prints the rows, medians with quartiles of
the seconds in forward passes, peak memory is not compared. Needs Python with sentencepiece (with --synthetic not even that).
"""
import argparse
import json
import os
import statistics
import tempfile

import speed_case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed_case.arguments(parser)
    parser.add_argument("--layer", type=int, help="default: the middle one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", help="another fpo-train, instead of --plain")
    args = parser.parse_args()
    sides = [("packed", args.train, []), ("other", args.against, []) if args.against else ("plain", args.train, ["--plain"])]
    seconds = {name: [] for name, _, _ in sides}
    with tempfile.TemporaryDirectory() as folder:
        config = speed_case.config_of(args)
        speed_case.make_model(args, folder)
        pairs = speed_case.read_pairs(args, config["vocab_size"])
        speed_case.write_pairs(pairs, os.path.join(folder, "pairs.jsonl"))
        counts = speed_case.layout(pairs)
        rows = counts["sequences"] - 2 * len(pairs)
        print(f"{rows} rows of {len(pairs)} pairs; {counts['shared']} tokens with shared prompts, {counts['sequences']} in sequences", flush=True)
        for _ in range(args.rounds):
            for name, program, extra in sides:
                seconds[name].append(read_once(args, folder, program, extra, rows))
            print("  ".join(f"{name} {values[-1]:.2f} s" for name, values in seconds.items()), flush=True)
    for name, values in seconds.items():
        middle, low, high = speed_case.quartiles(values)
        print(f"{name}: {middle:.2f} s [{low:.2f}, {high:.2f}], {rows / middle:.0f} rows/s")
    (first, ours), (second, theirs) = seconds.items()
    ratios = [b / a for a, b in zip(ours, theirs)]
    print(f"{second} / {first}: {statistics.median(ratios):.2f} (rounds: {' '.join(f'{ratio:.2f}' for ratio in ratios)})")


def read_once(args, folder, program, extra, rows):
    out = os.path.join(folder, "out")
    layers = speed_case.config_of(args)["num_hidden_layers"]
    job = speed_case.job(args, folder, "sft", "none", 1)
    description = {key: job[key] for key in ("name", "model", "data")}
    description.update(kind="sae", output=out, sae={"layer": layers // 2 if args.layer is None else args.layer, "site": "resid_post"},
                       sae_training={"width": 64, "target_l0": 8, "steps": 1, "batch_tokens": (rows + 1) // 2})
    path = os.path.join(folder, "sae.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(description, file)
    speed_case.call(["rm", "-rf", out])
    speed_case.call([program, "sae", "--job", path, "--out", out, "--device", "cpu", "--threads", args.threads, *extra])
    with open(os.path.join(out, "metrics.jsonl"), encoding="ascii") as file:
        return json.loads(file.readline())["activation_seconds"]


if __name__ == "__main__":
    main()
