#!/usr/bin/env python3
"""Memory and seconds of a step: full training, LoRA and QLoRA beside each other, and full training with activation checkpointing of some layers.

  bench/adapter_cost.py --synthetic 128,192,192 --pairs 8 --hidden 1024 --layers 12 --heads 8 --ff 4096 --vocab 32000
  bench/adapter_cost.py --synthetic 128,192,192 --pairs 8 --plan       # with what `fpo-train plan` states, and no second run

A Gemma-2 with random weights, method simpo, Adam, float32, two processor threads or as many as there are. In each round every way has a
process of its own, one after the other; a step's time is the median of those after the first, memory the process's peak (VmHWM). Ratios
are of the rounds, not of medians: other work on the machine then falls on all ways alike. Needs Python with numpy.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

import speed_case


def ways(args):
    """Name, and what of the job is set."""
    adapter = {"rank": args.rank, "alpha": 2 * args.rank, "targets": ["all-linear"]}
    rows = [("full", {}), ("lora", {"adapter": {"kind": "lora", **adapter}}), ("qlora", {"adapter": {"kind": "qlora", **adapter}}),
            ("qlora, magnitudes in float32", {"adapter": {"kind": "qlora", **adapter, "double_quantization": False}})]
    for quarters in (1, 2, 3):
        layers = args.layers * quarters // 4
        rows.append((f"full, {layers} of {args.layers} layers recomputed", {"activation_checkpointing_layers": layers}))
    rows.append(("full, all layers recomputed", {"activation_checkpointing": True}))
    rows.append(("qlora, all layers recomputed", {"activation_checkpointing": True, "adapter": {"kind": "qlora", **adapter}}))
    return [row for row in rows if not args.ways or row[0] in args.ways.split(";")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed_case.arguments(parser)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--ways", default="", help="some rows alone, by name, separated by semicolons; full must be one")
    parser.add_argument("--plan", action="store_true", help="show the memory that fpo-train plan states; one round")
    parser.add_argument("--json", help="write the figures here")
    args = parser.parse_args()
    rounds = 1 if args.plan else args.rounds
    with tempfile.TemporaryDirectory() as folder:
        speed_case.make_model(args, folder)
        speed_case.write_pairs(speed_case.read_pairs(args, args.vocab), os.path.join(folder, "pairs.jsonl"))
        figures = {name: [] for name, _ in ways(args)}
        for _ in range(rounds):
            for name, settings in ways(args):
                job = {**speed_case.job(args, folder, "simpo", "none", args.steps), **settings}
                lines = speed_case.run_steps(args, folder, job)
                times = [line["step_seconds"] for line in lines][1:] or [lines[0]["step_seconds"]]
                figures[name].append({"bytes": max(line["memory_peak_bytes"] for line in lines), "seconds": statistics.median(times),
                                      "planned": planned(args, folder) if args.plan else 0})
    table(args, figures)
    if args.json:
        with open(args.json, "w", encoding="ascii") as file:
            json.dump(figures, file, indent=1)


def planned(args, folder):
    """Of the training phase, of the job that ran last."""
    words = [args.train, "plan", "--job", os.path.join(folder, "job.json"), "--json", "--device", "cpu", "--threads", str(args.threads)]
    plan = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout)
    return max(phase["host_bytes"] for phase in plan["memory"] if phase["phase"] in ("load", "train"))


def spread(values):
    return f"{statistics.median(values):.2f} [{min(values):.2f}, {max(values):.2f}]"


def table(args, figures):
    full = figures["full"]
    print(f"| training | peak memory | to full |{' planned | ratio |' if args.plan else ''} time of a step, to full |")
    print(f"| --- | --- | --- |{' --- | --- |' if args.plan else ''} --- |")
    for name, rounds in figures.items():
        peak = statistics.median(one["bytes"] for one in rounds)
        ratios = [one["bytes"] / other["bytes"] for one, other in zip(rounds, full)]
        slower = [one["seconds"] / other["seconds"] for one, other in zip(rounds, full)]
        plan = f" {rounds[0]['planned'] / 2 ** 20:.0f} MiB | {rounds[0]['planned'] / peak:.2f} |" if args.plan else ""
        print(f"| {name} | {peak / 2 ** 20:.0f} MiB | {statistics.median(ratios):.2f} |{plan} {spread(slower)} |")
    print(f"\na step of full training: {statistics.median(one['seconds'] for one in full):.2f} s")


if __name__ == "__main__":
    main()
