#!/usr/bin/env python3
"""When the EarlyStoppingCallback of Hugging Face's transformers ends a run: tests/golden/early_stop.jsonl.

usage: make_early_stop_goldens.py > early_stop.jsonl       (needs transformers with torch; made with 4.57.6)

The callback is the real one; what the Trainer keeps beside it, the best metric so far, is kept as its _determine_best_metric does: after
the callback was asked. Values are multiples of 1/64, so that every program reads and subtracts them exactly.
"""
import json
import random
import sys

from transformers import EarlyStoppingCallback, TrainerControl, TrainerState, TrainingArguments


def stop_of(values, patience, threshold, greater):
    """The index of the evaluation after which training stops; -1: none."""
    callback = EarlyStoppingCallback(early_stopping_patience=patience, early_stopping_threshold=threshold)
    arguments = TrainingArguments(output_dir="/tmp/unused", metric_for_best_model="eval_loss", greater_is_better=greater,
                                  load_best_model_at_end=False, eval_strategy="steps", eval_steps=1, report_to=[], use_cpu=True)
    state, control = TrainerState(), TrainerControl()
    for i, value in enumerate(values):
        callback.on_evaluate(arguments, state, control, {"eval_loss": value})
        if control.should_training_stop:
            return i
        if state.best_metric is None or (value > state.best_metric if greater else value < state.best_metric):
            state.best_metric = value
    return -1


def main():
    chance = random.Random(20261130)
    for _ in range(60):
        greater = chance.random() < 0.5
        level, values = 2.0, []
        for _ in range(chance.randint(3, 20)):
            level += (chance.randint(-12, 8)) / 64 * (-1 if greater else 1)
            values.append(level)
        case = {"values": values, "patience": chance.randint(1, 4), "threshold": chance.choice([0, 0, 1 / 64, 4 / 64, 8 / 64]), "greater": greater}
        case["stop"] = stop_of(case["values"], case["patience"], case["threshold"], greater)
        json.dump(case, sys.stdout)
        print()


if __name__ == "__main__":
    main()
