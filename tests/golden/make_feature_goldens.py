"""Writes features.safetensors: what a feature report must say of the models of gemma2.safetensors and gemma3.safetensors.

Needs torch, transformers and safetensors, as make_goldens.py, which wrote those files. Run it in this folder: python make_feature_goldens.py.
The numbers are transformers' own models in float64 with hooks at the SAEs' sites; no code of this project. Policy and reference are the two
models of each file, the pairs its batch. For each architecture and site:
  chosen, rejected   [features, 6]: mean code before, after; mean |change|; share of the squared change; share of responses with a code above
                     0 before, after
  strongest          [features, 3]: number of the response, position in it, code of the token with the largest code before or after
  fit.before, .after [6]: L0, FVU, cross-entropy as it is, reconstructed, with zeros; loss recovered
"""
import json

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import make_goldens

SITES = make_goldens.SITES


def load_model(architecture, tensors, names, prefix):
    config = make_goldens.hf_config(architecture)
    model = make_goldens.random_model(config)
    state = {name: tensors[prefix + name] for name in names}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name == "lm_head.weight" for name in missing), (missing, unexpected)
    model.tie_weights()
    return model.double().eval()


class SiteHook:
    """Reads a site's values and replaces them by edit(values)."""

    def __init__(self, model, layer, site, edit=lambda values: values):
        self.values, self.edit = None, edit
        block = model.model.layers[layer]
        if site == "attn_z":
            self.handle = block.self_attn.o_proj.register_forward_pre_hook(lambda _, args: (self.see(args[0]),))
        elif site == "mlp_out":
            self.handle = block.post_feedforward_layernorm.register_forward_hook(lambda _, __, out: self.see(out))
        else:
            self.handle = block.register_forward_hook(
                lambda _, __, out: (self.see(out[0]), *out[1:]) if isinstance(out, tuple) else self.see(out))

    def see(self, values):
        self.values = values
        return self.edit(values)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.handle.remove()


def encode(x, sae):
    pre = x @ sae["w_enc"] + sae["b_enc"]
    return torch.where((pre > sae["threshold"]) & (pre > 0), pre, 0.0)


def after_the_first(change):
    """Every token but a sequence's first."""
    return lambda values: torch.cat([values[:, :1], change(values[:, 1:])], 1)


def response_rows(values, batch):
    return [values[i, start:start + length] for i, (start, length) in enumerate(zip(batch["start"], batch["length"]))]


def cross_entropy(model, batch, place, edit):
    with SiteHook(model, *place, edit) as hook, torch.no_grad():
        logp = model(batch["ids"]).logits.log_softmax(-1)
    total, tokens = 0.0, 0
    for i, (start, length) in enumerate(zip(batch["start"], batch["length"])):
        targets = batch["ids"][i, start:start + length]
        total -= logp[i, start - 1:start + length - 1].gather(1, targets[:, None]).sum()
        tokens += int(length)
    return total / tokens, hook.values


def fit(model, batch, place, sae):
    clean, values = cross_entropy(model, batch, place, lambda x: x)
    decode = lambda x: encode(x, sae) @ sae["w_dec"] + sae["b_dec"]
    reconstructed, _ = cross_entropy(model, batch, place, after_the_first(decode))
    zeros, _ = cross_entropy(model, batch, place, after_the_first(torch.zeros_like))
    rows = torch.cat(response_rows(values, batch))
    codes = encode(rows, sae)
    l0 = (codes > 0).sum(1).double().mean()
    fvu = (rows - decode(rows)).square().sum() / (rows - rows.mean(0)).square().sum()
    return torch.stack([l0, fvu, clean, reconstructed, zeros, (zeros - reconstructed) / (zeros - clean)])


def token_codes(model, batch, place, sae):
    with SiteHook(model, *place) as hook, torch.no_grad():
        model(batch["ids"])
    return [encode(rows, sae) for rows in response_rows(hook.values, batch)]


def side(before, after, first, count):
    before = torch.stack([c.mean(0) for c in before[first:first + count]])
    after = torch.stack([c.mean(0) for c in after[first:first + count]])
    squared = (after - before).square().sum(0)
    return torch.stack([before.mean(0), after.mean(0), (after - before).abs().mean(0), squared / squared.sum(),
                        (before > 0).double().mean(0), (after > 0).double().mean(0)], 1)


def strongest(before, after):
    best = torch.zeros(make_goldens.FEATURES, 3, dtype=torch.float64)
    for response, (b, a) in enumerate(zip(before, after)):
        values, rows = torch.maximum(b, a).max(0)
        for feature in range(make_goldens.FEATURES):
            if values[feature] > best[feature, 2]:
                best[feature] = torch.tensor([response, rows[feature], values[feature]], dtype=torch.float64)
    return best


def make(architecture, out):
    tensors = load_file(f"{architecture}.safetensors")
    with safe_open(f"{architecture}.safetensors", "pt") as file:
        names = json.loads(file.metadata()["parameters"])
    batch = {key: tensors[f"batch.{key}"] for key in ("ids", "start", "length")}
    policy = load_model(architecture, tensors, names, "")
    reference = load_model(architecture, tensors, names, "reference.")
    generator = torch.Generator().manual_seed(5)
    for width in (24, 40):
        out[f"{architecture}.w_dec{width}"] = torch.randn(make_goldens.FEATURES, width, generator=generator) / 4
        out[f"{architecture}.b_dec{width}"] = torch.randn(width, generator=generator) / 4
    for name, (layer, site) in SITES.items():
        width = 40 if site == "attn_z" else 24
        sae = {key: tensors[f"sae{width}.{key}"].double() for key in ("w_enc", "b_enc", "threshold")}
        sae.update({key: out[f"{architecture}.{key}{width}"].double() for key in ("w_dec", "b_dec")})
        before = token_codes(reference, batch, (layer, site), sae)
        after = token_codes(policy, batch, (layer, site), sae)
        prefix = f"{architecture}.{name}"
        out[f"{prefix}.chosen"] = side(before, after, 0, make_goldens.PAIRS)
        out[f"{prefix}.rejected"] = side(before, after, make_goldens.PAIRS, make_goldens.PAIRS)
        out[f"{prefix}.strongest"] = strongest(before, after)
        out[f"{prefix}.fit.before"] = fit(reference, batch, (layer, site), sae)
        out[f"{prefix}.fit.after"] = fit(policy, batch, (layer, site), sae)
        print(prefix, "after", [round(x, 4) for x in out[f"{prefix}.fit.after"].tolist()])
    # The same response log-probs as make_goldens.py had from its formulas.
    logp = policy(batch["ids"]).logits.log_softmax(-1)
    for i, (start, length) in enumerate(zip(batch["start"], batch["length"])):
        own = logp[i, start - 1:start + length - 1].gather(1, batch["ids"][i, start:start + length, None]).sum().item()
        assert abs(own / tensors["logps"][i].item() - 1) < 1e-5, (own, tensors["logps"][i].item())


if __name__ == "__main__":
    out = {}
    for architecture in ("gemma2", "gemma3"):
        make(architecture, out)
    save_file({key: value.detach().contiguous() for key, value in out.items()}, "features.safetensors")
