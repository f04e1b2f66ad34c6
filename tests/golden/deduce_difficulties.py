#!/usr/bin/env python3
"""Finds how AlpacaEval's difficulties of instructions are distributed, from what it publishes of its models:
    pip install scipy
    deduce_difficulties.py lc_glm_weights.csv leaderboard.csv weighted_alpaca_eval_gpt4_turbo_leaderboard.csv
The length-controlled win rate of a model is the mean of sigmoid(model + difficulty * g) over the instructions. Non-negative least squares
on a grid of g, on every other model, gives shares of values; the models between them then show whether that holds. The third file, which
the package alpaca_eval contains, says how many preferences each model has."""
import csv
import re
import sys

import numpy as np
from scipy.optimize import nnls


def read():
    with open(sys.argv[1]) as file:
        weights = {r[""]: (float(r["instruction_difficulty"]), float(r["not_gamed_baseline.astype(float)"])) for r in csv.DictReader(file)}
    with open(sys.argv[2]) as file:
        rows = [(re.search(r"/results/([^/]+)/", r["samples"]), r["length_controlled_winrate"]) for r in csv.DictReader(file)]
        rates = {found.group(1): float(rate) for found, rate in rows if found and rate}
    with open(sys.argv[3]) as file:
        counts = {r[""]: float(r["n_total"] or 0) for r in csv.DictReader(file)}
    names = sorted(n for n in set(weights) & set(rates) if n != "gpt4_1106_preview" and counts.get(n) == 805)
    return names, np.array([weights[n] for n in names]), np.array([rates[n] for n in names]) / 100


def main():
    names, weights, rates = read()
    grid = np.linspace(-12, 12, 2401)
    predictions = 1 / (1 + np.exp(-(weights[:, 1:] + weights[:, :1] * grid)))
    used = [i for i in range(0, len(names), 2) if names[i] not in ("dbrx-instruct", "NullModel")]
    matrix = np.vstack([predictions[used], np.full(len(grid), 100.0)])  # the shares sum to 1
    shares = nnls(matrix * 1e4, np.append(rates[used], 100.0) * 1e4, maxiter=100000)[0]
    errors = np.abs(predictions @ shares - rates) * 100
    print("used:", len(used), "largest error", errors[used].max())
    print("not used:", sorted((float(errors[i]), names[i]) for i in range(1, len(names), 2))[-4:])
    print(" ".join(f"{{{g:.2f}, {float(s)!r}}}," for g, s in zip(grid, shares) if s > 0))


if __name__ == "__main__":
    main()
