#!/usr/bin/env python3
"""Forward and backward of Gemma 2 with random weights in PyTorch: transformers' model where it is installed, else plain_gemma2.py.

The same pairs as the trainer's steps, padded into micro-batches in the same way, the log-probability of the response tokens in float32
as the loss, without an optimizer. Prints a JSON line for each file of pairs: the second of two steps on its first pairs.
"""
import argparse
import gzip
import json
import os
import time

os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # as fpo-train sets it
import torch

from plain_gemma2 import PlainGemma2


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--config", required=True)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--microbatch-tokens", type=int, default=16384)
    parser.add_argument("--pairs", type=int, default=32)
    parser.add_argument("--plain", action="store_true", help="plain_gemma2.py even where transformers is installed")
    return parser.parse_args()


def make_model(args):
    """The model and its name. Transformers' other attentions than eager leave Gemma 2's softcap out."""
    with open(args.config, encoding="utf-8") as file:
        config = json.load(file)
    torch.manual_seed(1)
    torch.set_default_dtype(getattr(torch, args.dtype))
    try:
        if args.plain:
            raise ImportError
        import transformers
        config.pop("torch_dtype", None)
        with torch.device(args.device):
            model = transformers.Gemma2ForCausalLM(transformers.Gemma2Config(**config, attn_implementation="eager", use_cache=False))
        name = f"transformers {transformers.__version__}"
    except ImportError:
        with torch.device(args.device):
            model = PlainGemma2(config)
        name = f"plain PyTorch {torch.__version__}"
    torch.set_default_dtype(torch.float32)
    return model.train(), name


def sequences_of(path, pairs):
    with gzip.open(path, "rt") as file:
        rows = [json.loads(line) for _, line in zip(range(pairs), file)]
    return [(row["prompt_ids"], row[side]) for row in rows for side in ("chosen_ids", "rejected_ids")]


def micro_batches(sequences, tokens):
    """Longest first, as many as fit: sequences times the longest is at most `tokens`."""
    rest = sorted(sequences, key=lambda sides: -len(sides[0]) - len(sides[1]))
    while rest:
        count = max(1, tokens // sum(map(len, rest[0])))
        yield rest[:count]
        rest = rest[count:]


def padded(batch, device):
    """ids, mask and, for each position, whether the next token is one of the response."""
    length = max(len(prompt) + len(response) for prompt, response in batch)
    ids = torch.zeros(len(batch), length, dtype=torch.long)
    mask, rows = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for i, (prompt, response) in enumerate(batch):
        end = len(prompt) + len(response)
        ids[i, :end] = torch.tensor(prompt + response)
        mask[i, :end] = 1
        rows[i, len(prompt) - 1:end - 1] = True
    return ids.to(device), mask.to(device), rows.to(device)


def step(model, batches, device):
    for batch in batches:
        ids, mask, rows = padded(batch, device)
        output = model(input_ids=ids, attention_mask=mask)
        logits = getattr(output, "logits", output)[rows].float()
        targets = ids.roll(-1, dims=1)[rows]
        torch.nn.functional.cross_entropy(logits, targets, reduction="sum").backward()
        del output, logits
    model.zero_grad(set_to_none=True)
    if device == "cuda":
        torch.cuda.synchronize()


def timed(model, sequences, args):
    """(seconds of the second step, micro-batch tokens); halves the micro-batch while it does not fit."""
    tokens = args.microbatch_tokens
    while True:
        batches = list(micro_batches(sequences, tokens))
        try:
            if args.device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            step(model, batches, args.device)
            start = time.perf_counter()
            step(model, batches, args.device)
            return time.perf_counter() - start, tokens
        except torch.OutOfMemoryError:
            tokens //= 2
            if tokens == 0:
                raise
        model.zero_grad(set_to_none=True)  # here, where the exception no longer holds the step's tensors
        torch.cuda.empty_cache()


def main():
    args = arguments()
    model, name = make_model(args)
    for shape, path in zip(("full", "real"), args.files):
        seconds, tokens = timed(model, sequences_of(path, args.pairs), args)
        peak = torch.cuda.max_memory_allocated() if args.device == "cuda" else None
        print(json.dumps({"peer": name, "shape": shape, "seconds": seconds, "device_peak_bytes": peak,
                          "note": f"forward and backward, eager attention, micro-batches of {tokens} tokens"}), flush=True)


if __name__ == "__main__":
    main()
