#!/usr/bin/env python3
"""Writes byte_level_tokenizers.jsonl and word_splits.jsonl: what Hugging Face's tokenizers library makes of texts with tokenizers of
Llama 3's and of Qwen's kind.

  python make_byte_level_goldens.py SHARED_DATA          (needs tokenizers; made with 0.23.3)

The published files may not be copied. These are trained on the shared texts with the same parts: the patterns, normaliser, decoder and
the names and flags of the added tokens. A line of byte_level_tokenizers.jsonl is
  {"tokenizer": a whole tokenizer.json, "texts": [[text, ids, decoded], ...],
   "files": [[file, every, 8 digits of the SHA-256 of the ids of every k-th line], ...], "decode": [[ids, text], ...]}
A line of word_splits.jsonl, {"digits": D, "digests": [...]}, has for each 4096 code points 16 digits of the SHA-256 of the words' sizes
in bytes, of every code point in every context of CONTEXTS, a text ending with a 0.
"""
import hashlib
import json
import os
import random
import struct
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import make_tokenizer_goldens as gemma

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
DIGITS = {3: "{1,3}", 1: ""}
CONTEXTS = [("", ""), ("a", "b"), ("1", "2"), (" ", " "), ("'", "x"), ("\n", "\n"), ("!", "!"), ("  ", "a"), ("12", "3")]
LLAMA = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|finetune_right_pad_id|>", "<|start_header_id|>",
         "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
QWEN = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|vision_start|>"]
QWEN_TEXT = ["<tool_call>", "</tool_call>", "<think>", "</think>"]


def empty(digits, normalizer):
    model = Tokenizer(models.BPE(ignore_merges=digits == 3))
    model.normalizer = normalizer
    model.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN % DIGITS[digits]), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    model.decoder = decoders.ByteLevel()
    return model


def corpus(shared):
    for path, every in (("text/wiki_demo.txt", 4), ("text/tinystories_sample.txt", 40), ("text/gsm8k.train.jsonl", 9)):
        yield from gemma.lines_of(f"{shared}/{path}")[::every]
    yield from gemma.SENTENCES * 8


def trained(shared, digits):
    model = empty(digits, None if digits == 3 else normalizers.NFC())
    model.train_from_iterator(corpus(shared), trainers.BpeTrainer(
        vocab_size=2600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False))
    special = LLAMA if digits == 3 else QWEN
    model.add_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    if digits == 3:
        template = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[
            ("<|begin_of_text|>", model.token_to_id("<|begin_of_text|>"))])
        model.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), template])
    else:
        model.add_tokens([AddedToken(t, special=False, normalized=False) for t in QWEN_TEXT])
        model.post_processor = processors.ByteLevel(trim_offsets=False)
    return model


def texts():
    yield from ("", " ", "  ", "   a", "a   ", "\n", "\n\n", " \n", "\n ", " \n \n a", "\r\n\r\n", "\t\tx", "a\t\n b", "I'm", "I'M", "it's", "IT'S", "we'LL", "they'Ve",
                "'\u017f", "x'\u017fy", "'\u212a", "'tis", "''s", "'", "1", "12", "123", "1234", "1234567", "a1b22c333d4444", "3.14159", "\u0661\u0662\u0663\u0664",
                "\u00bd\u00be", "\u2167\u2168", "!?!?\n\n", " !?\r\n x", "\u00a0x", "\u3000\u3000x", "\u2028x", "e\u0301", "\u1100\u1161\u11a8", "\u0958", "\u212b",
                "\ufb01", "a\u0327\u0301\u0323", "\U0001d15e", "\u0344", "\0", "\x01\x02", "\x7f\x80", "\ufffd", "\ufeffx", "\U0010ffff", "\ud7ff\ue000")
    yield from gemma.SENTENCES
    yield from (" " + s.replace(" ", "  ") + "\n\n" for s in gemma.SENTENCES)
    marks = LLAMA + QWEN + QWEN_TEXT
    for mark in marks:
        yield from (mark, f"a{mark}b", f" {mark} {mark}\n", mark[:-1], f"<{mark}>")
    yield "<|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    yield "<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    rng = random.Random(22)
    parts = marks + gemma.SENTENCES + [" ", "  ", "\t", "\n", "\n\n", "\r", "'s", "'S", "1", "22", "\u0301", "\u0327", "\u1100", "\u1161", "\u11a8", "\U0001f44d", "\0"]
    for _ in range(300):
        pieces = []
        for _ in range(rng.randint(2, 10)):
            part = rng.choice(parts)
            cut = rng.randint(0, len(part))
            pieces.append(part[cut:cut + rng.randint(1, 10)] if rng.random() < 0.5 else part[:30])
        yield "".join(pieces)
    # Marks of every class in any order, so that the normal form has much to do.
    combining = [c for c in range(0x300, 0x370)] + [0x591, 0x5b0, 0x64b, 0x93c, 0xe38, 0xf71, 0x1d165, 0x3099, 0x20d0]
    for _ in range(200):
        yield "".join(chr(rng.choice(combining) if rng.random() < 0.7 else rng.choice([0x41, 0x65, 0xe9, 0x3b1, 0x30ab, 0x1100, 0x1161, 0x11a7, 0xac00, 0x915]))
                      for _ in range(rng.randint(2, 12)))


FILES = [("text/wiki_demo.txt", 9), ("text/war-and-peace.txt", 60), ("text/gsm8k.train.jsonl", 11), ("text/c4_demo.jsonl", 2),
         ("prefs/human_pairs.jsonl.gz", 13), ("prefs/alpaca_eval_pairs.jsonl.gz", 13)]


def tokenizer_line(shared, digits):
    model = trained(shared, digits)
    ids_of = lambda text: model.encode(text, add_special_tokens=False).ids
    decode = lambda ids: model.decode(ids, skip_special_tokens=False)
    found = []
    for text in texts():
        text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        found.append([text, ids_of(text), decode(ids_of(text))])
    files = [[path, every, "".join(gemma.digest(ids_of(line))[:8] for line in gemma.lines_of(f"{shared}/{path}")[::every])]
             for path, every in FILES]
    rng = random.Random(23)
    some = [[rng.randrange(model.get_vocab_size()) if rng.random() < 0.4 else rng.randrange(256) for _ in range(rng.randint(1, 9))] for _ in range(200)]
    return {"tokenizer": json.loads(model.to_str()), "texts": found, "files": files, "decode": [[ids, decode(ids)] for ids in some]}


def split_line(digits):
    split = pre_tokenizers.Split(Regex(PATTERN % DIGITS[digits]), "isolated")
    digests = []
    for first in range(0, 0x110000, 4096):
        sizes = []
        for code in range(first, first + 4096):
            if 0xD800 <= code < 0xE000:
                continue
            for before, after in CONTEXTS:
                sizes += [len(word.encode()) for word, _ in split.pre_tokenize_str(before + chr(code) + after)] + [0]
        digests.append(hashlib.sha256(bytes(sizes)).hexdigest()[:16])
    return {"digits": digits, "digests": digests}


def main(shared):
    here = os.path.dirname(os.path.abspath(__file__))
    for name, line in (("byte_level_tokenizers", lambda digits: tokenizer_line(shared, digits)), ("word_splits", split_line)):
        with open(f"{here}/{name}.jsonl", "w", encoding="ascii") as file:
            for digits in DIGITS:
                file.write(json.dumps(line(digits), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
