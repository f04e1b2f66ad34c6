"""The forward of Gemma, Llama and Qwen 3 and the training objectives in float64, as plain functions of tensors.

Written from the formulas, without code of this project or of transformers: an oracle that make_goldens.py first compares with
transformers in float32.
"""
import math

import torch
import torch.nn.functional as F


def norm(x, weight, c):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + c["rms_norm_eps"]) * (c["norm_offset"] + weight)


def stretched(frequency, llama3):
    """Llama 3.1's frequencies: by how often each turns in the original context."""
    low, high = llama3["low_freq_factor"], llama3["high_freq_factor"]
    result = frequency.clone()
    for i, f in enumerate(frequency.tolist()):
        turns = f * llama3["original_max_position_embeddings"] / (2 * math.pi)
        if turns < low:
            result[i] = f / llama3["factor"]
        elif turns < high:
            keep = (turns - low) / (high - low)
            result[i] = keep * f + (1 - keep) * f / llama3["factor"]
    return result


def rope(x, base, scaling, llama3):
    """x: [batch, heads, seq, head_dim]; pairs (i, i + head_dim/2)."""
    half = x.shape[-1] // 2
    frequency = base ** (-torch.arange(half, dtype=x.dtype) / half) / scaling
    if llama3:
        frequency = stretched(frequency, llama3)
    angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * frequency
    low, high = x[..., :half], x[..., half:]
    return torch.cat([low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()], -1)


def softcap(x, cap):
    return x if cap is None else cap * torch.tanh(x / cap)


def block(x, w, layer, c):
    """Returns the block's output and its inner sites. w(name): the block's weight."""
    batch, seq, _ = x.shape
    heads, kv, dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    sliding = c["sliding"][layer]
    h = norm(x, w("input_layernorm"), c)
    q = (h @ w("self_attn.q_proj").T).view(batch, seq, heads, dim).transpose(1, 2)
    k = (h @ w("self_attn.k_proj").T).view(batch, seq, kv, dim).transpose(1, 2)
    v = (h @ w("self_attn.v_proj").T).view(batch, seq, kv, dim).transpose(1, 2)
    if c["qk_norm"]:
        q, k = norm(q, w("self_attn.q_norm"), c), norm(k, w("self_attn.k_norm"), c)
    base, scaling = (c["theta_local"], 1.0) if sliding else (c["theta_global"], c["scaling_global"])
    q, k = rope(q, base, scaling, c.get("llama3")), rope(k, base, scaling, c.get("llama3"))
    k, v = k.repeat_interleave(heads // kv, 1), v.repeat_interleave(heads // kv, 1)
    scores = softcap(q @ k.transpose(2, 3) * c["query_pre_attn_scalar"] ** -0.5, c["attn_cap"])
    distance = torch.arange(seq)[:, None] - torch.arange(seq)[None, :]
    seen = (distance >= 0) & ((distance < c["sliding_window"]) if sliding else True)
    z = (scores.masked_fill(~seen, -math.inf).softmax(-1) @ v).transpose(1, 2).reshape(batch, seq, heads * dim)
    attended, before_mlp = z @ w("self_attn.o_proj").T, "post_attention_layernorm"
    if c["gemma"]:  # a norm behind each branch too
        attended, before_mlp = norm(attended, w("post_attention_layernorm"), c), "pre_feedforward_layernorm"
    middle = x + attended
    h = norm(middle, w(before_mlp), c)
    gate, up = h @ w("mlp.gate_proj").T, h @ w("mlp.up_proj").T
    mlp = (F.gelu(gate, approximate="tanh") if c["gemma"] else gate * torch.sigmoid(gate)) * up @ w("mlp.down_proj").T
    if c["gemma"]:
        mlp = norm(mlp, w("post_feedforward_layernorm"), c)
    return middle + mlp, {"attn_z": z, "mlp_out": mlp, "resid_post": middle + mlp}


def forward(weights, c, ids):
    """Capped logits [batch, seq, vocab] and the raw sites of every layer."""
    embedding = weights["model.embed_tokens.weight"]
    # Gemma's scale is rounded to the dtype of the model, float32 here.
    x = embedding[ids] * (torch.tensor(c["hidden_size"] ** 0.5, dtype=torch.float32).item() if c["gemma"] else 1)
    sites = []
    for layer in range(c["num_hidden_layers"]):
        x, inner = block(x, lambda name: weights[f"model.layers.{layer}.{name}.weight"], layer, c)
        sites.append(inner)
    hidden = norm(x, weights["model.norm.weight"], c)
    return softcap(hidden @ weights.get("lm_head.weight", embedding).T, c["final_cap"]), sites


def response_logps(logits, batch):
    """Sum of log-probs over each response's tokens: row t predicts token t + 1."""
    logp = logits.log_softmax(-1)
    sums = []
    for i, (start, length) in enumerate(zip(batch["start"], batch["length"])):
        targets = batch["ids"][i, start:start + length]
        sums.append(logp[i, start - 1:start + length - 1].gather(1, targets[:, None]).sum())
    return torch.stack(sums)


def pooled(site, sae, batch):
    """Mean JumpReLU code over each response's own positions."""
    w_enc, b_enc, threshold = sae
    rows = []
    for i, (start, length) in enumerate(zip(batch["start"], batch["length"])):
        pre = site[i, start:start + length] @ w_enc + b_enc
        rows.append((pre * (pre > threshold) * (pre > 0)).mean(0))
    return torch.stack(rows)


def top_indices(values, k):
    """Ties go to the lowest index."""
    return sorted(range(len(values)), key=lambda i: (-values[i].item(), i))[:k]


def feature_distance(policy, reference, k, selection, weights):
    result = []
    for p, r in zip(policy, reference):
        own, other = set(top_indices(p, k)), set(top_indices(r, k))
        chosen = sorted({"union": own | other, "policy": own, "reference": other}[selection])
        result.append((weights[chosen] * (p[chosen] - r[chosen]).square()).sum() / k)
    return torch.stack(result)


def response_kls(reference_logits, logits, batch):
    """Sequential KL(reference || policy): over each response's log-prob rows, the whole vocabulary."""
    ref, own = reference_logits.log_softmax(-1), logits.log_softmax(-1)
    rows = (ref.exp() * (ref - own)).sum(-1)
    return torch.stack([rows[i, start - 1:start + length - 1].sum()
                        for i, (start, length) in enumerate(zip(batch["start"], batch["length"]))])


def pair_terms(method, o, values):
    """values: lp, lr, n, D, KL, each a (chosen, rejected) pair of tensors. Returns u."""
    if method == "orpo":
        odds = [(lp / n).exp() / (1 - (lp / n).exp()) for lp, n in zip(values["lp"], values["n"])]
        return (odds[0] / odds[1]).log()
    normalised = method in ("ln_dpo", "simpo", "simpo_kl", "fpo")
    scale = [1 / n if normalised else torch.ones_like(n) for n in values["n"]]
    lpd = o["beta"] * (values["lp"][0] * scale[0] - values["lp"][1] * scale[1])
    if method in ("simpo", "simpo_kl"):
        u = lpd - o["gamma"]
    else:
        u = lpd - o["beta"] * (values["lr"][0] * scale[0] - values["lr"][1] * scale[1])
    if method == "tdpo1":
        return u - o["beta"] * (values["KL"][1] - values["KL"][0])
    features = method == "fpo" or o.get("constraint") == "features"
    if features or method in ("tdpo2", "simpo_kl"):
        chosen, rejected = values["D" if features else "KL"]
        chosen = chosen.detach() if o["stop_gradient"] else chosen
        u = u - o["alpha"] * o["beta"] * (rejected - chosen)
    return u


def pair_loss(u, smoothing, kind="sigmoid", beta=None):
    if kind == "hinge":
        return (1 - u).clamp(min=0)
    if kind == "ipo":
        return (u / beta - 1 / (2 * beta)) ** 2
    if kind == "robust":
        return (-(1 - smoothing) * F.logsigmoid(u) + smoothing * F.logsigmoid(-u)) / (1 - 2 * smoothing)
    return -(1 - smoothing) * F.logsigmoid(u) - smoothing * F.logsigmoid(-u)


def kto_loss(ratios, mismatched_ratios, labels, o):
    """ratios: log-probs of labelled responses less the reference's."""
    kl = mismatched_ratios.mean().clamp(min=0).detach()
    value = torch.where(labels, torch.sigmoid(o["beta"] * (ratios - kl)), torch.sigmoid(o["beta"] * (kl - ratios)))
    weight = torch.where(labels, o["desirable_weight"], o["undesirable_weight"])
    return (weight * (1 - value)).mean()
