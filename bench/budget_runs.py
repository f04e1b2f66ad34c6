#!/usr/bin/env python3
"""How close runs with constraint.budget end to their budget: trains a job at several budgets and seeds, and prints a line for each.

  bench/budget_runs.py runs/tiny/fpo.yaml --budgets 0.01 0.1 --seeds 1 2 3 --steps 400

The job's own budget, seed and length are replaced. Columns: the mean of constraint/divergence over the last --last steps and how far it is from the
budget; of its sides; the same of the evaluation at the end, on pairs that were not trained on; alpha when it was first above 0 and at the end; the
step from which on it was above 0; accuracy at the end.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
REPLACED = ("name", "seed", "epochs", "max_steps", "constraint", "checkpoint", "output")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=pathlib.Path)
    parser.add_argument("--budgets", type=float, nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--last", type=int, help="steps at the end to average; default: a quarter")
    parser.add_argument("--fpo-train", default=str(ROOT / "build/release/bin/fpo-train"))
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    last = args.last or args.steps // 4
    print(f"{'budget':>8} {'seed':>4} {'D':>9} {'off':>7} {'chosen':>9} {'rejected':>9} {'eval D':>9} {'off':>7} "
          f"{'alpha':>9} {'to':>9} {'from':>5} {'accuracy':>8}")
    with tempfile.TemporaryDirectory() as folder:
        reference = ""
        for budget in args.budgets:
            for seed in args.seeds:
                out = pathlib.Path(folder) / f"{budget}-{seed}"
                train(args, out, budget, seed, reference)
                reference = reference or str(out / "reference.fpr")
                show(budget, seed, out, last)


def train(args, out, budget, seed, reference):
    lines = [line for line in args.job.read_text().splitlines() if not re.match(rf"({'|'.join(REPLACED)}):", line)]
    lines += ["name: budget-run", f"seed: {seed}", "epochs: 100000", f"max_steps: {args.steps}", "checkpoint: {every_steps: 0}",
              f"constraint: {{budget: {budget:.10f}}}", f"output: {out}"]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=args.job.parent) as job:  # its paths are relative to the folder
        job.write("\n".join(lines) + "\n")
        job.flush()
        command = [args.fpo_train, "run", "--job", job.name, "--out", str(out), "--device", "cpu", "--threads", str(args.threads)]
        done = subprocess.run(command, text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stderr[-2000:])


def show(budget, seed, out, last):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if "constraint/divergence" in line]
    end = [line for line in lines if "eval_loss" in line][-1:]

    def mean(name):
        return sum(line[name] for line in steps[-last:]) / last

    held = (end[0]["eval_divergence/chosen"] + end[0]["eval_divergence/rejected"]) / 2 if end else float("nan")
    accuracy = end[0]["eval_rewards/accuracies"] if end else steps[-1]["rewards/accuracies"]
    pulled = [line for line in steps if line["constraint/alpha"] > 0] or steps[-1:]
    divergence = mean("constraint/divergence")
    print(f"{budget:8.4g} {seed:4} {divergence:9.4g} {100 * (divergence / budget - 1):+6.2f}% {mean('divergence/chosen'):9.4g} "
          f"{mean('divergence/rejected'):9.4g} {held:9.4g} {100 * (held / budget - 1):+6.2f}% {pulled[0]['constraint/alpha']:9.3g} "
          f"{steps[-1]['constraint/alpha']:9.3g} {pulled[0]['step']:5} {accuracy:8.3f}", flush=True)


if __name__ == "__main__":
    main()
