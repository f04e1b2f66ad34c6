#!/usr/bin/env python3
"""Encodes the lines of a text with fpo-train's tokenizer, SentencePiece and Hugging Face's tokenizers, one thread each, in turn.

usage: tokenizer_speed.py TOKENIZER.model TEXT [--json TOKENIZER.json] [--rounds 3]

Needs sentencepiece; tokenizers with --json. First: ninja -C build/release fpo_tokenizer_speed. Prints the median MB/s of each.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--json")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import sentencepiece
    with open(options.text, encoding="utf-8") as file:
        lines = file.read().split("\n")
    size = sum(len(line.encode()) for line in lines)

    def own(path):
        program = ROOT / "build/release/bin/fpo_tokenizer_speed"
        out = subprocess.run([program, path, options.text], check=True, capture_output=True, text=True)
        return json.loads(out.stdout)["encode_seconds"]

    def timed(encode):
        start = time.perf_counter()
        for line in lines:
            encode(line)
        return time.perf_counter() - start

    library = sentencepiece.SentencePieceProcessor(model_file=options.model)
    sides = {"fpo-train, .model": lambda: own(options.model), "sentencepiece": lambda: timed(library.encode)}
    if options.json:
        import tokenizers
        fast = tokenizers.Tokenizer.from_file(options.json)
        sides["fpo-train, .json"] = lambda: own(options.json)
        sides["tokenizers"] = lambda: timed(lambda line: fast.encode(line, add_special_tokens=False))
    seconds = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, run in sides.items():
            seconds[name].append(run())
    for name, of in seconds.items():
        print(f"{name:18} {size / 1e6 / statistics.median(of):7.2f} MB/s")


if __name__ == "__main__":
    main()
