#!/usr/bin/env python3
"""The inputs of run.sh that are made on the build machine: pairs as token ids, full and at real lengths, for each set of shapes.

Ids are random (speed does not depend on them); real_lengths.csv has the token counts of 128 human-labelled pairs from HH-RLHF,
PandaLM and LLMBar under Gemma 2's tokenizer, cut to 1,024 tokens.
"""
import csv
import gzip
import json
import os
import random
import sys

from shapes import SHAPES

FIRST_PLAIN_ID = 4  # below: <pad>, <eos>, <bos>, <unk>
BOS = 2


def real_lengths(path, shrink):
    with open(path, encoding="ascii") as file:
        rows = [tuple(max(2, int(row[key]) // shrink) for key in ("prompt", "chosen", "rejected")) for row in csv.DictReader(file)]
    return rows


def pair(name, lengths, vocabulary, rng):
    prompt, chosen, rejected = ([rng.randrange(FIRST_PLAIN_ID, vocabulary) for _ in range(count)] for count in lengths)
    return {"id": name, "prompt_ids": [BOS] + prompt[1:], "chosen_ids": chosen, "rejected_ids": rejected}


def write(path, name, lengths, vocabulary):
    rng = random.Random(7)
    with gzip.open(path, "wt", compresslevel=6) as file:
        for index, row in enumerate(lengths):
            file.write(json.dumps(pair(f"{name}-{index:03d}", row, vocabulary, rng), separators=(",", ":")) + "\n")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    out = sys.argv[1]
    for name, shapes in SHAPES.items():
        with open(os.path.join(out, shapes.config), encoding="utf-8") as file:
            vocabulary = json.load(file)["vocab_size"]
        full = [(shapes.prompt, shapes.length - shapes.prompt, shapes.length - shapes.prompt)] * shapes.pairs
        write(os.path.join(out, f"{name}-full.jsonl.gz"), f"{name}-full", full, vocabulary)
        real = real_lengths(os.path.join(here, "real_lengths.csv"), shapes.shrink)[:shapes.pairs * shapes.real_steps]
        write(os.path.join(out, f"{name}-real.jsonl.gz"), f"{name}-real", real, vocabulary)


if __name__ == "__main__":
    main()
