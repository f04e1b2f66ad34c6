"""Writes gemma2, gemma3, llama and qwen3.safetensors: tiny models with every feature on and what the trainer must compute for them.

Needs torch, transformers, trl and safetensors (made with torch 2.11, transformers 5.23, trl 1.16). Run it in this folder: python make_goldens.py [NAME...].
The numbers are float64, from gemma_float64.py, whose forward pass is first compared with transformers in float32 (eager), and whose losses with TRL's
own code (trl_oracle.py).
"""
import copy
import json
import sys

import torch
import transformers
from safetensors.torch import save_file

import gemma_float64 as oracle
import trl_oracle

PAIRS, TOP_K, FEATURES, STEPS = 4, 5, 32, 10
OPTIONS = {"beta": 0.7, "alpha": 0.9, "gamma": 0.3, "stop_gradient": True, "desirable_weight": 1.5, "undesirable_weight": 0.75}
LABELS = [True, False, False, True]
# name: method, options that differ from OPTIONS (and loss, constraint, sft_weight), selection, label smoothing
CASES = {
    "sft": ("sft", {}, "union", 0.0),
    "dpo": ("dpo", {}, "union", 0.0),
    "dpo_smooth": ("dpo", {}, "union", 0.1),
    "ln_dpo": ("ln_dpo", {}, "union", 0.0),
    "simpo": ("simpo", {}, "union", 0.0),
    "simpo_kl": ("simpo_kl", {}, "union", 0.0),
    "tdpo1": ("tdpo1", {}, "union", 0.0),
    "tdpo2": ("tdpo2", {}, "union", 0.0),
    "tdpo2_no_stop_smooth": ("tdpo2", {"stop_gradient": False}, "union", 0.1),
    "fpo_union": ("fpo", {}, "union", 0.0),
    "fpo_reference": ("fpo", {}, "reference", 0.0),
    "fpo_policy_smooth": ("fpo", {}, "policy", 0.1),
    "fpo_no_stop": ("fpo", {"stop_gradient": False}, "union", 0.0),
    "fpo_weighted": ("fpo", {"weighted": True}, "union", 0.0),
    "fpo_reference_weighted": ("fpo", {"weighted": True}, "reference", 0.0),
    "dpo_hinge": ("dpo", {"loss": "hinge"}, "union", 0.0),
    "ln_dpo_ipo": ("ln_dpo", {"loss": "ipo"}, "union", 0.0),
    "dpo_robust": ("dpo", {"loss": "robust"}, "union", 0.1),
    "simpo_hinge": ("simpo", {"loss": "hinge"}, "union", 0.0),
    "dpo_features": ("dpo", {"constraint": "features"}, "union", 0.0),
    "simpo_features": ("simpo", {"constraint": "features"}, "union", 0.0),
    "dpo_hinge_features": ("dpo", {"loss": "hinge", "constraint": "features"}, "union", 0.0),
    "fpo_ipo": ("fpo", {"loss": "ipo"}, "union", 0.0),
    "dpo_sft": ("dpo", {"sft_weight": 0.3}, "union", 0.0),
    "fpo_sft": ("fpo", {"sft_weight": 0.3}, "union", 0.0),
    "orpo": ("orpo", {"sft_weight": 1.0}, "union", 0.0),
    # The rows of one side with labels; those of the other are the mismatched responses.
    "kto": ("kto", {"side": 0}, "union", 0.0),
    "kto_rejected": ("kto", {"side": 1}, "union", 0.0),
}
SITES = {"first_resid": (0, "resid_post"), "mlp_out": (1, "mlp_out"), "attn_z": (1, "attn_z"),
         "last_resid": (2, "resid_post")}
TRAJECTORIES = {"sft": ("adam", 1e-3), "dpo": ("adam", 1e-3), "simpo": ("adam", 1e-3),
                "tdpo2": ("adam", 1e-3), "fpo_union": ("adam", 1e-3), "fpo_union_rmsprop": ("rmsprop", 1e-4),
                "dpo_hinge_features": ("adam", 1e-3), "ln_dpo_ipo": ("adam", 1e-3), "dpo_sft": ("adam", 1e-3),
                "orpo": ("adam", 1e-3), "kto": ("adam", 1e-3), "kto_rejected": ("adam", 1e-3)}


def hf_config(architecture):
    common = dict(num_hidden_layers=3, hidden_size=24, num_attention_heads=4, num_key_value_heads=2, head_dim=10,
                  intermediate_size=40, vocab_size=61, query_pre_attn_scalar=7, sliding_window=4,
                  rms_norm_eps=1e-6, attn_implementation="eager")
    if architecture in ("llama", "qwen3"):
        del common["query_pre_attn_scalar"], common["sliding_window"]
    if architecture == "llama":  # a head of its own
        rope = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
                "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
        return transformers.LlamaConfig(rope_parameters=rope, **common)
    if architecture == "qwen3":  # tied, and the upper layers slide
        return transformers.Qwen3Config(tie_word_embeddings=True, use_sliding_window=True, sliding_window=4,
                                        max_window_layers=1, rope_parameters={"rope_type": "default", "rope_theta": 1e6},
                                        **common)
    if architecture == "gemma2":
        return transformers.Gemma2Config(attn_logit_softcapping=6.0, final_logit_softcapping=9.0, **common)
    types = ["sliding_attention", "sliding_attention", "full_attention"]
    rope = {"sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}}
    return transformers.Gemma3TextConfig(layer_types=types, rope_parameters=rope, **common)


def plain_config(config):
    c = config.to_dict()
    rope = c["rope_parameters"]
    c["gemma"] = c["model_type"].startswith("gemma")
    c["norm_offset"] = 1 if c["gemma"] else 0
    if not c["gemma"]:
        c["qk_norm"] = c["model_type"] == "qwen3"
        c["sliding"] = [t == "sliding_attention" for t in c.get("layer_types", ["full_attention"] * 3)]
        c["theta_local"] = c["theta_global"] = rope["rope_theta"]
        c["scaling_global"], c["llama3"] = 1.0, rope if rope["rope_type"] == "llama3" else None
        c["attn_cap"] = c["final_cap"] = None
        c["query_pre_attn_scalar"] = c["head_dim"]
        return c
    gemma3 = c["model_type"] == "gemma3_text"
    c["qk_norm"] = gemma3
    c["sliding"] = [t == "sliding_attention" for t in c["layer_types"]]
    c["theta_local"] = rope["sliding_attention"]["rope_theta"] if gemma3 else rope["rope_theta"]
    c["theta_global"] = rope["full_attention"]["rope_theta"] if gemma3 else rope["rope_theta"]
    c["scaling_global"] = rope["full_attention"]["factor"] if gemma3 else 1.0
    c["attn_cap"] = None if gemma3 else c["attn_logit_softcapping"]
    c["final_cap"] = c["final_logit_softcapping"]
    return c


def random_model(config):
    kinds = {"gemma2": transformers.Gemma2ForCausalLM, "gemma3_text": transformers.Gemma3ForCausalLM,
             "llama": transformers.LlamaForCausalLM, "qwen3": transformers.Qwen3ForCausalLM}
    model = kinds[config.model_type](config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Large enough that softcaps, windows and norms all change the result.
            parameter.normal_(0, 0.3 if parameter.dim() == 1 else 0.45)
            if config.model_type.startswith("gemma"):
                continue
            if parameter.dim() == 1:
                parameter.add_(1)  # a factor, with Gemma a difference from 1
            elif "o_proj" in name or "down_proj" in name:
                parameter.mul_(0.15)  # no norm behind it keeps the residual stream small
    return model


def random_batch(generator):
    """2 * PAIRS rows, chosen ones first; responses of different lengths after prompts of 2 to 5 tokens."""
    lengths = torch.randint(3, 10, (2 * PAIRS,), generator=generator)
    prompts = torch.randint(2, 6, (PAIRS,), generator=generator).repeat(2)
    ids = torch.randint(3, 61, (2 * PAIRS, int((lengths + prompts).max())), generator=generator)
    ids[:, 0] = 2
    for i in range(2 * PAIRS):
        ids[i, prompts[i] + lengths[i]:] = 0
        if i >= PAIRS:
            ids[i, :prompts[i]] = ids[i - PAIRS, :prompts[i]]
    return {"ids": ids, "start": prompts, "length": lengths}


def random_sae(width, generator):
    w_enc = torch.randn(width, FEATURES, generator=generator) / width ** 0.5
    return w_enc, torch.randn(FEATURES, generator=generator) * 0.1, torch.rand(FEATURES, generator=generator) * 0.4


def values_of(weights, c, batch, sae):
    logits, sites = oracle.forward(weights, c, batch["ids"])
    return oracle.response_logps(logits, batch), oracle.pooled(sites[-1]["resid_post"], sae, batch), logits


def feature_weights():
    """0 frees some features, 10 holds others."""
    return torch.tensor([(0.0, 1.0, 10.0, 0.5)[i % 4] for i in range(FEATURES)], dtype=torch.float64)


def case_loss(name, weights, c, batch, sae, reference):
    method, changed, selection, smoothing = CASES[name]
    lp, features, logits = values_of(weights, c, batch, sae)
    n = batch["length"].double()
    if method == "sft":
        return -lp[:PAIRS].sum() / n[:PAIRS].sum(), None
    if method == "kto":
        ratios = (lp - reference[0]).chunk(2)
        labels = torch.tensor(LABELS)
        return oracle.kto_loss(ratios[changed["side"]], ratios[1 - changed["side"]], labels, OPTIONS), None
    phi = feature_weights() if changed.get("weighted") else torch.ones(FEATURES, dtype=torch.float64)
    distance = oracle.feature_distance(features, reference[1], TOP_K, selection, phi)
    kl = oracle.response_kls(reference[2], logits, batch)
    split = lambda x: (x[:PAIRS], x[PAIRS:])
    options = {**OPTIONS, **changed}
    u = oracle.pair_terms(method, options,
                          {"lp": split(lp), "lr": split(reference[0]), "n": split(n), "D": split(distance),
                           "KL": split(kl)})
    loss = oracle.pair_loss(u, smoothing, options.get("loss", "sigmoid"), options["beta"])
    if method == "orpo":
        loss = options["beta"] * loss
    return loss.mean() - options.get("sft_weight", 0.0) * lp[:PAIRS].sum() / n[:PAIRS].sum(), u


def trajectory(name, weights, c, batch, sae, reference):
    """Losses before each of STEPS updates, in float64."""
    optimizer, lr = TRAJECTORIES[name]
    parameters = {k: v.clone().requires_grad_() for k, v in weights.items()}
    make = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[optimizer]
    update = make(parameters.values(), lr=lr, eps=1e-6)
    losses = []
    for _ in range(STEPS):
        update.zero_grad()
        loss, _ = case_loss(name.removesuffix("_rmsprop"), parameters, c, batch, sae, reference)
        loss.backward()
        update.step()
        losses.append(loss.item())
    return torch.tensor(losses, dtype=torch.float64)


def fingerprints(gradients):
    """Per tensor: norm and two fixed projections, [tensors, 3]. Catches a wrong gradient without storing all of it."""
    rows = []
    for g in gradients:
        i = torch.arange(g.numel(), dtype=torch.float64)
        flat = g.flatten()
        rows.append(torch.stack([flat.norm(), flat @ torch.sin(1 + i), flat @ torch.cos(2 * i)]))
    return torch.stack(rows)


def compare_with_transformers(model, weights, c, batch):
    captured = []
    layers = model.model.layers
    hooks = [layer.register_forward_hook(lambda _, __, out: captured.append(out[0] if isinstance(out, tuple) else out))
             for layer in layers]
    with torch.no_grad():
        theirs = model(batch["ids"]).logits.double()
        ours, sites = oracle.forward(weights, c, batch["ids"])
    for hook in hooks:
        hook.remove()
    error = (theirs - ours).abs().max().item()
    assert error < 1e-4, f"logits differ from transformers by {error}"
    for mine, other in zip(sites, captured):
        error = (mine["resid_post"] - other.double()).abs().max().item()
        assert error < max(1e-4, 3e-6 * other.abs().max().item()), f"block outputs differ from transformers by {error}"
    sums = [oracle.response_logps(x, batch) for x in (theirs, ours)]
    relative = ((sums[0] - sums[1]) / sums[1]).abs().max().item()
    assert relative < 2e-5, f"response log-probs differ from transformers by {relative}"
    print(f"  transformers agrees: response log-probs within {relative:.1e} relative")
    compare_in_float64(model, weights, c, batch)


def compare_in_float64(model, weights, c, batch):
    """Log-probs and the gradients of their sum. transformers' angles, in float32 also then, are what remains."""
    model = copy.deepcopy(model).double()
    parameters = {k: v.clone().requires_grad_() for k, v in weights.items()}
    theirs = oracle.response_logps(model(batch["ids"]).logits, batch)
    ours = oracle.response_logps(oracle.forward(parameters, c, batch["ids"])[0], batch)
    grads = [torch.autograd.grad(theirs.sum(), [p for _, p in model.named_parameters()]),
             torch.autograd.grad(ours.sum(), [parameters[k] for k, _ in model.named_parameters()])]
    errors = [((theirs - ours) / ours).abs().max().item(),
              max(((a - b).norm() / b.norm()).item() for a, b in zip(*grads))]
    assert errors[0] < 1e-6 and errors[1] < 1e-5, f"differs from transformers in float64 by {errors}"
    print(f"  in float64: log-probs within {errors[0]:.1e}, gradients within {errors[1]:.1e} relative")


def compare_with_trl(weights, c, batch, sae, reference):
    """Losses and the gradients of all weights."""
    for name in trl_oracle.CASES:
        results = []
        for theirs in (True, False):
            parameters = {k: v.clone().requires_grad_() for k, v in weights.items()}
            if theirs:
                logits, _ = oracle.forward(parameters, c, batch["ids"])
                loss = trl_oracle.loss(name, logits, batch, reference[0], {**OPTIONS, "labels": LABELS})
            else:
                loss, _ = case_loss(name, parameters, c, batch, sae, reference)
            results.append((loss.detach(), fingerprints(torch.autograd.grad(loss, list(parameters.values())))))
        error = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(*results))
        assert error < trl_oracle.TOLERANCE.get(name, 1e-10), f"{name} differs from TRL by {error}"
        print(f"  TRL agrees: {name}, loss and gradients within {error:.1e} relative")


def make(architecture):
    torch.manual_seed({"gemma2": 7, "gemma3": 8, "llama": 9, "qwen3": 10}[architecture])
    generator = torch.Generator().manual_seed(11)
    config = hf_config(architecture)
    c = plain_config(config)
    model = random_model(config)
    weights = {k: v.detach().double() for k, v in model.named_parameters()}
    batch = random_batch(generator)
    compare_with_transformers(model, weights, c, batch)
    out = {k: v.float() for k, v in weights.items()}
    out["batch.ids"], out["batch.start"], out["batch.length"] = batch["ids"], batch["start"], batch["length"]

    saes = {24: random_sae(24, generator), 40: random_sae(40, generator)}
    for width, (w_enc, b_enc, threshold) in saes.items():
        out[f"sae{width}.w_enc"], out[f"sae{width}.b_enc"], out[f"sae{width}.threshold"] = w_enc, b_enc, threshold
    saes = {width: tuple(t.double() for t in sae) for width, sae in saes.items()}

    logits, sites = oracle.forward(weights, c, batch["ids"])
    out["logps"] = oracle.response_logps(logits, batch)
    for name, (layer, site) in SITES.items():
        out[f"pooled.{name}"] = oracle.pooled(sites[layer][site], saes[40 if site == "attn_z" else 24], batch)

    # Rounded as stored, so that the trainer's own float32 model is exactly this one.
    shifted = {k: (v + 0.05 * torch.randn(v.shape, generator=generator).double()).float().double()
               for k, v in weights.items()}
    out.update({f"reference.{k}": v.float() for k, v in shifted.items()})
    reference = [v.detach() for v in values_of(shifted, c, batch, saes[24])]
    compare_with_trl(weights, c, batch, saes[24], reference)
    out["reference.logps"], out["reference.pooled"] = reference[:2]
    out["kls"] = oracle.response_kls(reference[2], logits, batch)
    out["feature_weights"] = feature_weights().float()
    for name in CASES:
        parameters = {k: v.clone().requires_grad_() for k, v in weights.items()}
        loss, u = case_loss(name, parameters, c, batch, saes[24], reference)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        out[f"case.{name}.loss"] = loss.detach()[None]
        if u is not None:
            out[f"case.{name}.u"] = u.detach()
        out[f"case.{name}.gradients"] = fingerprints(gradients)
        if name == "fpo_union":
            out.update({f"gradient.{k}": g.float() for k, g in zip(parameters, gradients)})
    for name in TRAJECTORIES:
        out[f"trajectory.{name}"] = trajectory(name, weights, c, batch, saes[24], reference)
    metadata = {"config": json.dumps(config.to_dict()), "parameters": json.dumps(list(weights)),
                "made_with": f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}"}
    save_file({k: v.detach().contiguous() for k, v in out.items()}, f"{architecture}.safetensors", metadata)
    print(architecture, {n: round(out[f"case.{n}.loss"].item(), 6) for n in CASES})


if __name__ == "__main__":
    for architecture in sys.argv[1:] or ("gemma2", "gemma3", "llama", "qwen3"):
        make(architecture)
