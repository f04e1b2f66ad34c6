"""Work of a training step by the model's formula.

Counted as train/loop/model_flops.cc does: three forward passes of real tokens, attention over what a token sees, the vocabulary head
on response rows. Recomputation, a live reference, the SAE, the optimizer and padding are not work of the model.
"""


def seen_pairs(length, window):
    """Pairs (query, key) that causal attention in a window computes."""
    ramp = min(length, window)
    return ramp * (ramp + 1) // 2 + (length - ramp) * window


def forward_flops(config, prompt, response):
    """Of one sequence of `prompt` and `response` tokens; the last token predicts nothing."""
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    per_token = 2 * (2 * hidden * queries + 2 * hidden * keys + 3 * hidden * config["intermediate_size"])
    length = prompt + response
    attention = sum(4 * queries * seen_pairs(length, config["sliding_window"] if layer % 2 == 0 else length) for layer in range(layers))
    return layers * per_token * length + attention + 2 * hidden * config["vocab_size"] * response


def training_flops(config, rows):
    """Of a step over rows with prompt_ids, chosen_ids and rejected_ids."""
    return 3 * sum(forward_flops(config, len(row["prompt_ids"]), len(row[side])) for row in rows for side in ("chosen_ids", "rejected_ids"))


def tokens_of(rows):
    return sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
