#!/usr/bin/env python3
"""Prints the numbers that the evaluation tests compare with, from the public packages:
    pip install 'alpaca_eval==0.6.6' 'scikit-learn<1.8' 'pandas<3' patsy scipy
    make_evaluation_goldens.py [ANNOTATIONS.json.gz ...]
The difficulties and gamed models that alpaca_eval downloads are replaced by formulas, which the tests
repeat, so that they need no foreign data. With files of annotations: the same for each of them."""
import gzip
import json
import math
import sys
import tempfile

import numpy as np
import pandas as pd
from alpaca_eval.metrics import glm_winrate, winrate
from sklearn.linear_model import LogisticRegression


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def difficulty(i):
    return 2 * math.sin(0.7 * i + 1)


def write_tables(folder):
    rows = [{"model": name, "index": i, "instruction_difficulty": difficulty(i), "not_gamed_baseline": False,
             "std_delta_len": sign + 0.5 * math.sin(0.37 * i),
             "preference": sigmoid(0.5 * difficulty(i) - 1.2 * sign + 0.4 * math.cos(1.3 * i))}
            for name, sign in (("verbose", -1), ("concise", 1)) for i in range(805)]
    pd.DataFrame(rows).to_csv(f"{folder}/df_gamed.csv", index=False)
    pd.Series([difficulty(i) for i in range(805)], name="instruction_difficulty").to_csv(f"{folder}/instruction_difficulty.csv")


def made_up(count, strength):
    return [{"output_1": "x" * (100 + 37 * i % 400), "output_2": "x" * (80 + 91 * i % 500), "generator_1": "base",
             "generator_2": f"made up {strength}", "annotator": "judge", "dataset": "d", "instruction": str(i),
             "preference": 1 + sigmoid(strength + 0.8 * difficulty(i) + 2 * math.sin(2.1 * i)
                                       - 1.1 * math.tanh(((100 + 37 * i % 400) - (80 + 91 * i % 500)) / 200))}
            for i in range(count)]


def show(annotations):
    rate = winrate.get_winrate(annotations)
    with tempfile.TemporaryDirectory() as folder:
        frame = pd.DataFrame(annotations)
        rate = glm_winrate.get_length_controlled_winrate(frame, save_weights_dir=folder)
        weights = pd.read_csv(f"{folder}/length_controlled_v1/baseline_{annotations[0]['generator_1']}.csv", index_col=0)
    print(annotations[0]["generator_2"], len(annotations), {k: float(v) for k, v in rate.items()}, weights.values.tolist())


def show_bradley_terry():
    """Four models, battles by a formula; the way of Arena-Hard's published table: maximum likelihood without a penalty."""
    x, y, w = [], [], []
    for a in range(4):
        for b in range(a + 1, 4):
            row = np.zeros(4)
            row[a], row[b] = 1, -1
            for outcome, weight in ((1, 3 + (5 * a + 3 * b) % 7), (0, 2 + (2 * a + b) % 5)):
                x.append(row), y.append(outcome), w.append(weight)
    fit = LogisticRegression(fit_intercept=False, penalty=None, tol=1e-12, max_iter=10000)
    fit.fit(np.array(x), y, sample_weight=w)
    print("bradley-terry", [float(value) for value in fit.coef_[0] - fit.coef_[0][0]])


def main():
    with tempfile.TemporaryDirectory() as folder:
        write_tables(folder)
        glm_winrate.hf_hub_download = lambda filename, **kwargs: f"{folder}/{filename}"
        show(made_up(200, -1.0))
        show(made_up(805, 0.5))
        for path in sys.argv[1:]:
            with gzip.open(path) as file:
                show(json.load(file))
        weights = pd.DataFrame({"np.tanh(std_delta_len)": [0.0, -1.5], "instruction_difficulty": [0.0, 0.75],
                                "not_gamed_baseline.astype(float)": [0.0, -0.5]}, index=["base", "m"])
        print("predicted", glm_winrate.predict_winrate("m", "base", weights=weights))
    show_bradley_terry()


if __name__ == "__main__":
    main()
