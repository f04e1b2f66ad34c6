#!/usr/bin/env python3
"""Steps of fpo-train on one case: seconds, tokens/s, pairs/s, share of a measured product, time by part, memory, padding, and the floor:
the time of the step's matrix products alone, packed and with shared prompts.

  bench/train_step.py --pairs-file human_pairs.jsonl.gz --tokenizer gemma3.spm.model --methods dpo,fpo,simpo
  bench/train_step.py --synthetic 64,128,128 --pairs 16 --methods simpo --against OTHER/fpo-train

Needs Python with torch (the floor), numpy and sentencepiece. Each round runs every method in a process of its own, --steps steps, of which
the first does not count; rounds alternate between --train and --against (another build, or the same with --plain). Medians of all rounds
are printed with quartiles, and ratios of rounds, not of medians: other work on the machine then falls on both sides.
"""
import argparse
import json
import os
import tempfile

import speed_case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed_case.arguments(parser)
    parser.add_argument("--methods", default="dpo,fpo,simpo,sft")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--against", help="another fpo-train")
    parser.add_argument("--plain", action="store_true", help="compare with --train's own plain path")
    parser.add_argument("--sae-width", type=int, default=4096)
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args, folder)
    if args.json:
        with open(args.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


def sides_of(args):
    sides = [("now", args.train, ())]
    if args.plain:
        sides.append(("plain", args.train, ("--plain",)))
    if args.against:
        sides.append(("other", args.against, ()))
    return sides


def measure(args, folder):
    config = speed_case.config_of(args)
    speed_case.make_model(args, folder)
    rows = speed_case.read_pairs(args, config["vocab_size"])
    speed_case.write_pairs(rows, os.path.join(folder, "pairs.jsonl"))
    speed_case.write_sae(os.path.join(folder, "sae"), config["hidden_size"], args.sae_width, args.layers // 2)
    counts = speed_case.layout(rows)
    floors, results = [], {}
    for _ in range(args.rounds):
        floors.append(speed_case.floor(config, counts, args.threads, rounds=1)[0])
        for method in args.methods.split(","):
            for name, program, extra in sides_of(args):
                source = "cached" if method in ("dpo", "ln_dpo", "fpo", "kto") else "online" if method in ("tdpo1", "tdpo2", "simpo_kl") else "none"
                args.train = program
                lines = speed_case.run_steps(args, folder, speed_case.job(args, folder, method, source, args.steps), extra)[1:]
                results.setdefault((method, name), []).append(lines)
        args.train = sides_of(args)[0][1]
    return report(args, config, counts, floors, results)


def report(args, config, counts, floors, results):
    flops = speed_case.floor(config, counts, args.threads, rounds=1)[1]
    floor, low, high = speed_case.quartiles(floors)
    rate = speed_case.product_rate(args.threads)
    print(f"{args.pairs} pairs: {counts['shared']} tokens packed with shared prompts, {counts['sequences']} in sequences, "
          f"{counts['padded']} padded to the longest; {counts['head_rows']} rows of the head")
    print(f"floor {floor:.2f} s [{low:.2f}, {high:.2f}], {flops * 1e-12:.3f} TFLOP; a 2048 x 2048 product: {rate * 1e-9:.0f} GFLOP/s")
    print(f"{'method':8} {'build':6} {'s a step':>8} {'quartiles':>15} {'/floor':>7} {'tokens/s':>9} {'pairs/s':>8} {'of product':>10} "
          f"{'forward':>8} {'backward':>8} {'update':>7} {'MiB':>6}")
    figures = []
    for (method, name), rounds in results.items():
        steps = [line for lines in rounds for line in lines]
        seconds, low, high = speed_case.quartiles([line["step_seconds"] for line in steps])
        ratio = speed_case.quartiles([line["step_seconds"] / f for lines, f in zip(rounds, floors) for line in lines])[0]
        part = {key: speed_case.quartiles([line[f"{key}_seconds"] for line in steps])[0] for key in ("forward", "backward", "update")}
        memory = min(lines[-1]["memory_peak_bytes"] for lines in rounds) / 2 ** 20
        fraction = speed_case.quartiles([line["gemm_fraction"] for line in steps])[0]
        print(f"{method:8} {name:6} {seconds:8.2f} {f'[{low:.2f}, {high:.2f}]':>15} {ratio:7.2f} {steps[0]['tokens'] / seconds:9.0f} "
              f"{args.pairs / seconds:8.2f} {fraction:10.2f} {part['forward']:8.2f} {part['backward']:8.2f} {part['update']:7.2f} {memory:6.0f}")
        figures.append({"method": method, "build": name, "seconds": seconds, "to_floor": ratio, "memory_mib": memory, **part})
    compare(args, results)
    beside_first(args, results)
    return {"floor": floor, "flops": flops, "counts": counts, "rate": rate, "rows": figures}


def beside_first(args, results):
    """Each method beside the first one, round by round."""
    first, *others = args.methods.split(",")
    least = {method: [min(line["step_seconds"] for line in lines) for lines in results[(method, "now")]] for method in (first, *others)}
    memory = {method: min(lines[-1]["memory_peak_bytes"] for lines in results[(method, "now")]) for method in (first, *others)}
    for method in others:
        middle, low, high = speed_case.quartiles([a / b for a, b in zip(least[method], least[first])])
        print(f"{method} takes {middle:.3f} times as long as {first} [{low:.3f}, {high:.3f}] and {memory[method] / memory[first]:.3f} times the memory")


def compare(args, results):
    for method in args.methods.split(","):
        for name, _, _ in sides_of(args)[1:]:
            own = [min(line["step_seconds"] for line in lines) for lines in results[(method, "now")]]
            other = [min(line["step_seconds"] for line in lines) for lines in results[(method, name)]]
            middle, low, high = speed_case.quartiles([b / a for a, b in zip(own, other)])
            losses = [(a["loss"], b["loss"]) for x, y in zip(results[(method, "now")], results[(method, name)]) for a, b in zip(x, y)]
            apart = max(abs(a - b) for a, b in losses)
            print(f"{method}: {name} takes {middle:.2f} times as long [{low:.2f}, {high:.2f}]; losses differ by at most {apart:.1e}")


if __name__ == "__main__":
    main()
