#!/usr/bin/env python3
"""Writes tests/golden/statistics.json: what scipy and scikit-learn say of made-up pairs, for the tests of train/statistics/.
    pip install scipy scikit-learn
    python tests/golden/make_statistics_goldens.py      # scipy 1.17, scikit-learn 1.9"""
import json
import math
import pathlib

import numpy as np
from scipy import stats
from scipy.special import betainc
from sklearn.linear_model import LogisticRegression

random = np.random.default_rng(7)


def tails():
    beta = [(0.5, 0.5, 0.3), (2, 3, 0.5), (50, 0.5, 0.999), (1e4, 0.5, 0.9999), (700, 301, 0.5), (5e5, 4.99e5, 0.5), (3, 1e-3, 0.2)]
    signs = [(0, 0), (1, 0), (5, 5), (9, 3), (60, 40), (700, 300), (50200, 49800), (1, 400)]
    students = [(0.0, 3), (1.0, 1), (-2.5, 10), (4.2, 998), (30.0, 50), (2.0, 1e6)]
    p = [0.001, 0.04, 0.03, 0.9, 0.03, 0.2, 1.0, 0.0005]
    return {
        "beta": [[a, b, x, betainc(a, b, x)] for a, b, x in beta],
        "signs": [[more, less, stats.binomtest(more, more + less).pvalue if more + less else 1.0] for more, less in signs],
        "students": [[t, df, 2 * stats.t.sf(abs(t), df)] for t, df in students],
        "discovery": [p, stats.false_discovery_control(p).tolist()],
    }


def columns():
    """Differences of 40 pairs in five columns, one of them driven by length, and their tests by least squares."""
    n = 40
    length = np.round(random.normal(0.6, 0.5, n), 6)
    d = np.round(random.normal(0, 1, (n, 5)), 4)
    d[:, 0] += 0.6
    d[:, 1] = np.round(0.8 * length + random.normal(0, 0.1, n), 4)
    d[:, 2] *= random.random(n) < 0.4
    d[:, 3] *= random.random(n) < 0.2
    d[:, 4] = 0
    d[3, 4] = 1
    d = d.astype(np.float32).astype(np.float64)
    tests = []
    for column in d.T:
        design = np.column_stack([np.ones(n), length])
        solution, *_ = np.linalg.lstsq(design, column, rcond=None)
        residual = column - design @ solution
        sigma = math.sqrt(residual @ residual / (n - 2))
        spread = sigma * math.sqrt(np.linalg.inv(design.T @ design)[0, 0])
        more, less = int((column > 0).sum()), int((column < 0).sum())
        tests.append({"more": more, "less": less, "mean": column.mean(), "effect": column.mean() / column.std(ddof=1),
                      "share": (column > 0).mean() + (column == 0).mean() / 2,
                      "p": stats.binomtest(more, more + less).pvalue, "effect_at_equal_length": solution[0] / sigma,
                      "p_at_equal_length": 2 * stats.t.sf(abs(solution[0] / spread), n - 2)})
    tested = [test for test in tests if test["more"] + test["less"] >= 5]
    for name in ("", "_at_equal_length"):
        for test, q in zip(tested, stats.false_discovery_control([test["p" + name] for test in tested])):
            test["q" + name] = q
    return {"length": length.tolist(), "differences": d.tolist(), "pairs_min": 5, "tests": tests}


def ridge():
    """Weights of LogisticRegression for rows that are differences, some of them the other way round."""
    n, width = 60, 8
    x = random.normal(0, 1, (n, width)) * (random.random((n, width)) < 0.5)
    x[:, 7] = 0
    x = x.astype(np.float32).astype(np.float64)
    true = np.array([2, -1, 0.5, 0, 0, 0, 0, 0])
    negated = random.random(n) < 1 / (1 + np.exp(x @ true))
    fits = []
    for c in (0.01, 1, 100):
        fit = LogisticRegression(C=c, fit_intercept=False, tol=1e-12, max_iter=10000, solver="newton-cg")
        fits.append([c, fit.fit(x, np.where(negated, 0, 1)).coef_[0].tolist()])
    return {"rows": x.tolist(), "negated": negated.tolist(), "fits": fits}


def main():
    golden = {"tails": tails(), "columns": columns(), "ridge": ridge()}
    path = pathlib.Path(__file__).parent / "statistics.json"
    path.write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
