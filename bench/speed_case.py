"""The case that train_step.py and compare_trl.py measure: a Gemma-2 with random weights and preference pairs as token ids.

Pairs are those of human_pairs.jsonl.gz that fit, in the file's order, encoded by a sentencepiece model, ids folded into the model's
vocabulary (speed does not depend on them); with --synthetic, random ids of given lengths. Also what both scripts share: a job of
fpo-train, one run of it, and the floor, the time of a step's matrix products alone.
"""
import gzip
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
FIRST_ID = 8  # below: <pad>, <eos>, <bos> and the like


def arguments(parser):
    parser.add_argument("--pairs-file", help="preference pairs with prompt, chosen, rejected (.jsonl.gz)")
    parser.add_argument("--tokenizer", help="sentencepiece model for them")
    parser.add_argument("--synthetic", help="instead: PROMPT,CHOSEN,REJECTED token counts of every pair")
    parser.add_argument("--model", help="a Hugging Face folder instead of random weights")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--max-length", type=int, default=512)
    for name, value in (("hidden", 512), ("layers", 8), ("heads", 8), ("kv-heads", 4), ("head-dim", 64), ("ff", 2048), ("vocab", 32000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--train", default=str(ROOT / "build/release/bin/fpo-train"), help="the fpo-train to measure")
    parser.add_argument("--threads", type=int, default=os.cpu_count())


def call(command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stdout}")


def config_of(args):
    if args.model:
        with open(os.path.join(args.model, "config.json"), encoding="utf-8") as file:
            return json.load(file)
    return {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "hidden_size": args.hidden, "num_hidden_layers": args.layers,
            "num_attention_heads": args.heads, "num_key_value_heads": args.kv_heads, "head_dim": args.head_dim,
            "intermediate_size": args.ff, "vocab_size": args.vocab, "query_pre_attn_scalar": args.head_dim, "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0, "sliding_window": 4096, "max_position_embeddings": 8192, "rope_theta": 10000.0,
            "rms_norm_eps": 1e-6, "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True, "attention_bias": False,
            "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2, "torch_dtype": "float32"}


def make_model(args, out):
    if args.model:
        return os.path.realpath(args.model)
    os.makedirs(out, exist_ok=True)
    config = os.path.join(out, "config.json")
    with open(config, "w", encoding="utf-8") as file:
        json.dump(config_of(args), file)
    call([args.train, "init-model", "--config", config, "--dtype", "float32", "--out", os.path.join(out, "model"), "--device", "cpu"])
    return os.path.join(out, "model")


def read_pairs(args, vocabulary):
    if args.synthetic:
        rng = random.Random(7)
        counts = [int(word) for word in args.synthetic.split(",")]
        ids = [[[rng.randrange(FIRST_ID, vocabulary) for _ in range(count)] for count in counts] for _ in range(args.pairs)]
        return [{"prompt_ids": [2] + p[1:], "chosen_ids": c, "rejected_ids": r} for p, c, r in ids]
    import sentencepiece
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=args.tokenizer)

    def encode(text):
        return [FIRST_ID + token % (vocabulary - FIRST_ID) for token in tokenizer.encode(text)]

    rows = []
    with gzip.open(args.pairs_file, "rt", encoding="utf-8") as file:
        for line in file:
            pair = json.loads(line)
            row = {"prompt_ids": [2] + encode(pair["prompt"]), "chosen_ids": encode(pair["chosen"]) + [1],
                   "rejected_ids": encode(pair["rejected"]) + [1]}
            longest = len(row["prompt_ids"]) + max(len(row["chosen_ids"]), len(row["rejected_ids"]))
            if longest <= args.max_length and row["chosen_ids"] != row["rejected_ids"]:
                rows.append(row)
            if len(rows) == args.pairs:
                return rows
    sys.exit(f"{args.pairs_file} has {len(rows)} pairs of at most {args.max_length} tokens, {args.pairs} are wanted")


def write_pairs(rows, path):
    with open(path, "w", encoding="ascii") as file:
        for index, row in enumerate(rows):
            file.write(json.dumps({"id": f"pair-{index}", **row}) + "\n")


def write_sae(path, width, features, layer, scale=0):
    """A frozen SAE of random weights; with the activations' standard deviation given, some fifty features are active in a token."""
    import numpy
    active = statistics.NormalDist().inv_cdf(1 - 50 / features)  # standard deviations
    rng = numpy.random.default_rng(3)
    encoder = rng.standard_normal((width, features), dtype=numpy.float32) / width ** 0.5
    os.makedirs(path, exist_ok=True)
    numpy.savez(os.path.join(path, "params.npz"), W_enc=encoder, W_dec=numpy.ascontiguousarray(encoder.T),
                b_enc=numpy.zeros(features, numpy.float32), b_dec=numpy.zeros(width, numpy.float32),
                threshold=numpy.full(features, active * scale if scale else max(2.5, active) * 0.02 * width ** 0.5, numpy.float32))
    with open(os.path.join(path, "config.json"), "w", encoding="ascii") as file:
        json.dump({"layer": layer, "site": "resid_post"}, file)
    return os.path.join(path, "params.npz")


def job(args, folder, method, source, steps):
    section = {"name": method, "beta": 0.1} if method.endswith("dpo") else {"name": method}
    result = {"name": "speed", "model": {"path": os.path.join(folder, "model") if not args.model else os.path.realpath(args.model),
                                         "dtype": "float32"},
              "method": section, "data": {"train": [os.path.join(folder, "pairs.jsonl")], "format": "ids", "template": "none",
                                          "max_length": args.max_length, "max_prompt_length": args.max_length - 1, "shuffle": False},
              "optimizer": {"name": "adamw", "lr": 1e-5}, "schedule": {"name": "constant", "warmup_steps": 0},
              "batch": {"pairs": args.pairs, "tokens_per_microbatch": 16384}, "epochs": steps,
              "checkpoint": {"every_steps": 1000000}, "output": os.path.join(folder, "run")}
    if source != "none":
        result["reference"] = {"source": source}
    if method == "fpo":
        result["sae"] = {"path": os.path.join(folder, "sae", "params.npz"), "layer": args.layers // 2, "site": "resid_post"}
    return result


def run_steps(args, folder, description, extra=()):
    """One process of fpo-train; the metrics of its steps."""
    path = os.path.join(folder, "job.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(description, file)
    call(["rm", "-rf", description["output"]])
    reference = os.path.join(folder, f"reference-{description['method']['name']}.fpr")
    words = [args.train, "run", "--job", path, "--out", description["output"], "--device", "cpu", "--threads", args.threads, "--measure", *extra]
    cached = description.get("reference", {}).get("source") == "cached"
    if cached and os.path.exists(reference):
        words += ["--reference", reference]
    call(words)
    if cached and not os.path.exists(reference):
        os.rename(os.path.join(description["output"], "reference.fpr"), reference)
    with open(os.path.join(description["output"], "metrics.jsonl"), encoding="ascii") as file:
        return [line for line in map(json.loads, file) if "step_seconds" in line]


def layout(rows):
    """Token counts: packed with shared prompts, of the sequences alone, and padded to the longest; rows of the vocabulary head."""
    lengths = [(len(r["prompt_ids"]), len(r["chosen_ids"]), len(r["rejected_ids"])) for r in rows]
    longest = max(p + max(c, r) for p, c, r in lengths)
    return {"shared": sum(p + c + r for p, c, r in lengths), "sequences": sum(2 * p + c + r for p, c, r in lengths),
            "padded": 2 * len(rows) * longest, "head_rows": sum(c + r for _, c, r in lengths)}


def products(config, counts):
    """(rows, inner, outer, how often) of the forward's products with weights, in the packed, prefix-shared layout."""
    d, ff, t = config["hidden_size"], config["intermediate_size"], counts["shared"]
    q, kv = config["num_attention_heads"] * config["head_dim"], config["num_key_value_heads"] * config["head_dim"]
    layers = config["num_hidden_layers"]
    return [(t, d, q, layers), (t, d, kv, 2 * layers), (t, q, d, layers), (t, d, ff, 2 * layers), (t, ff, d, layers),
            (counts["head_rows"], d, config["vocab_size"], 1)]


def fastest(torch, a, b, rounds):
    """Seconds of a product by the faster of LibTorch's two libraries, MKL and oneDNN."""
    ways = [lambda: torch.mm(a, b), lambda: torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")]
    medians = []
    for way in ways:
        times = []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
        medians.append(statistics.median(times[1:]))
    return min(medians)


def floor(config, counts, threads, rounds=3):
    """Seconds of a step's products with weights (forward, and two backward), and their operations; attention is not in it."""
    import torch
    torch.set_num_threads(threads)
    seconds = flops = 0
    for rows, inner, outer, often in products(config, counts):
        weight = torch.randn(outer, inner)
        total, left = 0, rows
        while left > 0:  # the head's rows in pieces of 256 MB of logits
            piece = min(left, max(1, (1 << 28) // (4 * outer))) if outer == config["vocab_size"] else left
            x, y = torch.randn(piece, inner), torch.randn(piece, outer)
            for a, b in ((x, weight.t()), (y, weight), (y.t(), x)):
                total += fastest(torch, a, b, rounds)
            left -= piece
        seconds += often * total
        flops += often * 6 * rows * inner * outer
    return seconds, flops


def product_rate(threads):
    """Operations a second of a large product of random numbers."""
    import torch
    torch.set_num_threads(threads)
    return 2 * 2048 ** 3 / fastest(torch, torch.randn(2048, 2048), torch.randn(2048, 2048), 3)


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high
