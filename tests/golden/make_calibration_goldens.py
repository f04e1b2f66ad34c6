#!/usr/bin/env python3
"""Prints the numbers that tests/common/evaluation/{agreement,corrected_rate}_test.cc compare with, from the public packages:
    pip install ppi-python scikit-learn scipy
    make_calibration_goldens.py
Preferences are made by formulas, which the tests repeat."""
import math

import numpy as np
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score, recall_score


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def truth(i):
    return sigmoid(2.5 * math.sin(1.7 * i + 0.3))


def judge(i):
    return sigmoid(1.9 * math.sin(1.7 * i + 0.9) + 0.8 * math.cos(3.1 * i) + 0.4)


def in_eighths(share):
    return round(8 * share) / 8


def winner(preference):
    return 0 if preference < 0.5 else 2 if preference > 0.5 else 1


def show_agreement():
    truths, judged = [in_eighths(truth(i)) for i in range(90)], [in_eighths(judge(i)) for i in range(90)]
    a, b = [winner(x) for x in truths], [winner(x) for x in judged]
    print("same", sum(x == y for x, y in zip(a, b)), "kappa", cohen_kappa_score(a, b), "spearman", spearmanr(truths, judged).statistic,
          "recall", recall_score(a, b, labels=[0, 1, 2], average=None), "bias", np.mean(judged) - np.mean(truths),
          [a.count(k) for k in range(3)], [b.count(k) for k in range(3)])


def show_corrected(binary):
    y, yhat = np.array([truth(i) for i in range(60)]), np.array([judge(i) for i in range(60)])
    y = (y > 0.5).astype(float) if binary else y
    more = np.array([judge(i) for i in range(60, 560)])
    bounds = [float(np.ravel(bound)[0]) for bound in ppi_mean_ci(y, yhat, more, alpha=0.05)]
    print("binary" if binary else "weighted", float(ppi_mean_pointestimate(y, yhat, more)[0]), bounds)


show_agreement()
show_corrected(False)
show_corrected(True)
