#!/usr/bin/env python3
"""Writes sae_folders.jsonl: folders of SAEs as their own libraries write them, and the features that those libraries compute.

usage: make_sae_goldens.py OUT      needs sae-lens, eai-sparsify, dictionary-learning, ml_dtypes, safetensors and torch

A line is {"name", "files": {path: base64}, "path": what a job would name, "layer", "site", "rows": [[x]], "features": [[c]]},
with "normalization" where the job must say it, or "refused": words of the error instead of features.
"""
import base64
import importlib.util
import io
import json
import os
import pathlib
import sys
import tempfile
import types

import ml_dtypes
import numpy as np
import torch
from safetensors.torch import load_file, save_file

WIDTH, FEATURES = 6, 10
CASES = []


def rows():
    return torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(7))


def weights(seed=3):
    g = torch.Generator().manual_seed(seed)
    r = lambda *shape: torch.randn(*shape, generator=g)
    return {"W_enc": r(WIDTH, FEATURES), "W_dec": r(FEATURES, WIDTH), "b_enc": 0.3 * r(FEATURES), "b_dec": 0.5 * r(WIDTH)}


def add(name, folder, features=None, path="", **more):
    files = {str(p.relative_to(folder)): base64.b64encode(p.read_bytes()).decode() for p in sorted(pathlib.Path(folder).rglob("*"))
             if p.is_file()}
    case = {"name": name, "files": files, "path": path, "layer": 1, "site": "resid_post", "rows": [[float(f"{value:.9g}") for value in row] for row in rows().tolist()]}
    if features is not None:
        case["features"] = [[float(f"{value:.9g}") for value in row] for row in features.detach().double().tolist()]
    case.update(more)
    CASES.append(case)


def sae_lens_cases():
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
    from sae_lens.saes.jumprelu_sae import JumpReLUSAE, JumpReLUSAEConfig
    from sae_lens.saes.matryoshka_batchtopk_sae import MatryoshkaBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAEConfig
    from sae_lens.saes.sae import SAE, SAEMetadata
    from sae_lens.saes.standard_sae import StandardSAE, StandardSAEConfig
    from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig, TopKTrainingSAE, TopKTrainingSAEConfig

    def build(sae_class, config_class, hook="blocks.1.hook_resid_post", **keys):
        sae = sae_class(config_class(d_in=WIDTH, d_sae=FEATURES, metadata=SAEMetadata(hook_name=hook), **keys))
        own = weights()
        with torch.no_grad():
            for key, value in own.items():
                getattr(sae, key).copy_(value)
            if hasattr(sae, "threshold"):
                sae.threshold.copy_(torch.rand(FEATURES, generator=torch.Generator().manual_seed(5)))
            if hasattr(sae, "topk_threshold"):
                sae.topk_threshold.fill_(0.7)
        return sae

    def saved(sae, inference=False):
        folder = tempfile.mkdtemp()
        (sae.save_inference_model if inference else sae.save_model)(folder)
        return folder

    def read(folder):
        return SAE.load_from_disk(folder).encode(rows())

    for subtract in (True, False):
        folder = saved(build(StandardSAE, StandardSAEConfig, apply_b_dec_to_input=subtract))
        add(f"SAELens standard, apply_b_dec_to_input {subtract}", folder, read(folder))
    for dtype in ("float32", "bfloat16", "float16", "float64"):
        folder = saved(build(JumpReLUSAE, JumpReLUSAEConfig))
        tensors = {k: v.to(getattr(torch, dtype)) for k, v in load_file(folder + "/sae_weights.safetensors").items()}
        save_file(tensors, folder + "/sae_weights.safetensors")
        add(f"SAELens jumprelu in {dtype}", folder, read(folder))
    for rescale in (False, True):
        folder = saved(build(TopKSAE, TopKSAEConfig, k=3, rescale_acts_by_decoder_norm=rescale))
        add(f"SAELens topk, rescale_acts_by_decoder_norm {rescale}", folder, read(folder))
    hook = build(TopKSAE, TopKSAEConfig, hook="blocks.2.hook_resid_pre", k=3)
    add("SAELens topk on resid_pre of the next layer", saved(hook), hook.encode(rows()))
    hook = build(JumpReLUSAE, JumpReLUSAEConfig, hook="model.layers.1")
    add("SAELens on a Hugging Face module", saved(hook), hook.encode(rows()))
    for name, sae_class, config_class, keys in (
            ("batchtopk", BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, dict(k=3.0)),
            ("matryoshka_batchtopk", MatryoshkaBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAEConfig,
             dict(k=3.0, matryoshka_widths=[4, 10]))):
        training = build(sae_class, config_class, **keys)
        inference = saved(training, inference=True)
        expected = read(inference)
        add(f"SAELens {name} as saved for inference", inference, expected)
        add(f"SAELens {name} as saved in training", saved(training), expected)

    # expected_average_only_in: what SAELens computes after its own fold.
    for name, build_one in (
            ("standard", lambda: build(StandardSAE, StandardSAEConfig, normalize_activations="expected_average_only_in")),
            ("jumprelu", lambda: build(JumpReLUSAE, JumpReLUSAEConfig, normalize_activations="expected_average_only_in")),
            ("topk with rescaling", lambda: build(TopKTrainingSAE, TopKTrainingSAEConfig, k=3,
                                                  normalize_activations="expected_average_only_in")),
            ("batchtopk with rescaling", lambda: build(BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, k=3.0,
                                                       normalize_activations="expected_average_only_in"))):
        folder = saved(build_one())
        folded = build_one()
        folded.fold_activation_norm_scaling_factor(0.37)
        if "batchtopk" in name or "topk" in name:
            expected = read(saved(folded, inference=True))
        else:
            expected = folded.encode(rows())
        add(f"{name}, nobody says whether it is folded", folder, refused="sae.normalization: folded")
        if name in ("standard", "jumprelu"):
            add(f"{name}, folded as the job says", folder, build_one().encode(rows()), normalization="folded")
        pathlib.Path(folder, "activation_scaler.json").write_text(json.dumps({"scaling_factor": 0.37}))
        add(f"{name}, folded by the factor beside it", folder, expected)

    # Configurations of versions 2 to 5, read by the loader of version 6.
    old = {"d_in": WIDTH, "d_sae": FEATURES, "dtype": "torch.float32", "device": "cpu", "model_name": "gemma-2-2b",
           "hook_point": "blocks.1.hook_resid_post", "hook_point_layer": 1, "hook_point_head_index": None, "activation_fn_str": "relu"}
    named = {("hook_name" if k == "hook_point" else "hook_layer" if k == "hook_point_layer" else
              "hook_head_index" if k == "hook_point_head_index" else k): v for k, v in old.items()}
    legacy = {
        "version 2, without apply_b_dec_to_input": old,
        "version 3": dict(named, apply_b_dec_to_input=False, finetuning_scaling_factor=False, normalize_activations="none",
                          sae_lens_training_version="3.12.0"),
        "version 3, normalize_activations null": dict(named, normalize_activations=None),
        "version 4, jumprelu": dict(named, architecture="jumprelu", apply_b_dec_to_input=True, normalize_activations="none"),
        "version 4, topk by its activation": dict(named, architecture="standard", activation_fn_str="topk",
                                                  activation_fn_kwargs={"k": 4}),
        "version 5, topk": dict(named, architecture="topk", activation_fn="topk", activation_fn_kwargs={"k": 4}),
    }
    for name, cfg in legacy.items():
        folder = tempfile.mkdtemp()
        tensors = weights()
        if cfg.get("architecture") == "jumprelu":
            tensors["threshold"] = torch.rand(FEATURES, generator=torch.Generator().manual_seed(5))
        save_file(tensors, folder + "/sae_weights.safetensors")
        pathlib.Path(folder, "cfg.json").write_text(json.dumps(cfg))
        add(f"SAELens {name}", folder, read(folder))
    folder = tempfile.mkdtemp()
    save_file(dict(weights(), scaling_factor=torch.linspace(0.5, 2, FEATURES)), folder + "/sae_weights.safetensors")
    pathlib.Path(folder, "cfg.json").write_text(json.dumps(dict(named, finetuning_scaling_factor=True)))
    # The factors act behind the codes.
    own = weights()
    add("SAELens version 3, finetuned", folder, torch.relu((rows() - own["b_dec"]) @ own["W_enc"] + own["b_enc"]))


def sparsify_cases():
    from sparsify import SparseCoder, SparseCoderConfig
    coder = SparseCoder(WIDTH, SparseCoderConfig(num_latents=FEATURES, k=3))
    own = weights()
    with torch.no_grad():
        coder.encoder.weight.copy_(own["W_enc"].T)
        coder.encoder.bias.copy_(own["b_enc"])
        coder.W_dec.copy_(own["W_dec"])
        coder.b_dec.copy_(own["b_dec"])
    folder = tempfile.mkdtemp()
    coder.save_to_disk(folder + "/layers.1")
    acts, indices, _ = coder.encode(rows())
    add("sparsify", folder, torch.zeros(5, FEATURES).scatter_(1, indices, acts), path="layers.1")
    coder.save_to_disk(folder + "/mlp/layers.1.mlp")
    add("sparsify on the MLP", folder + "/mlp", refused="before the norm", path="layers.1.mlp")


def dictionary_learning_cases():
    stub = types.ModuleType("nnsight")
    stub.LanguageModel = object
    sys.modules["nnsight"] = stub
    from dictionary_learning.dictionary import AutoEncoder, AutoEncoderNew, GatedAutoEncoder, JumpReluAutoEncoder
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK
    own = weights()
    for ae in (AutoEncoder(WIDTH, FEATURES), AutoEncoderNew(WIDTH, FEATURES), AutoEncoderTopK(WIDTH, FEATURES, 3),
               BatchTopKSAE(WIDTH, FEATURES, 3), JumpReluAutoEncoder(WIDTH, FEATURES), GatedAutoEncoder(WIDTH, FEATURES)):
        name = type(ae).__name__
        with torch.no_grad():
            for key, parameter in ae.named_parameters():
                value = {"encoder.weight": own["W_enc"].T, "W_enc": own["W_enc"], "decoder.weight": own["W_dec"].T, "W_dec": own["W_dec"],
                         "encoder.bias": own["b_enc"], "b_enc": own["b_enc"]}.get(key)
                if value is None and parameter.numel() == WIDTH:
                    value = own["b_dec"]
                if value is None:
                    value = torch.rand(FEATURES, generator=torch.Generator().manual_seed(5))
                parameter.copy_(value)
            if name == "BatchTopKSAE":
                ae.threshold.fill_(0.6)
        trainer = {"dict_class": name, "activation_dim": WIDTH, "dict_size": FEATURES, "layer": 1, "k": 3,
                   "submodule_name": "resid_post_layer_1", "lm_name": "google/gemma-2-2b"}
        folder = tempfile.mkdtemp()
        save_file({k: v.contiguous() for k, v in ae.state_dict().items()}, folder + "/ae.safetensors")
        pathlib.Path(folder, "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {"ctx_len": 128}}))
        if name == "GatedAutoEncoder":
            add("dictionary_learning " + name, folder, refused="GatedAutoEncoder")
        else:
            add("dictionary_learning " + name, folder, ae.encode(rows()))


def npz_cases():
    own = {k: v.numpy() for k, v in weights().items()}
    own["threshold"] = np.linspace(0.1, 0.8, FEATURES, dtype=np.float32)
    x = rows().numpy()
    for name, dtype, order in (("float32 in C order", np.float32, "C"), ("float32 in Fortran order", np.float32, "F"),
                               ("float16", np.float16, "C"), ("float16 in Fortran order", np.float16, "F"),
                               ("float64", np.float64, "C"), ("bfloat16 by ml_dtypes", ml_dtypes.bfloat16, "C"),
                               ("bfloat16 by ml_dtypes in Fortran order", ml_dtypes.bfloat16, "F")):
        stored = {k: np.array(v.astype(dtype), order=order) for k, v in own.items()}
        folder = tempfile.mkdtemp()
        home = pathlib.Path(folder, "gemma-scope-2b-pt-res/layer_1/width_16k/average_l0_4")
        home.mkdir(parents=True)
        (np.savez if dtype != np.float64 else np.savez_compressed)(home / "params.npz", **stored)
        wide = {k: v.astype(np.float64) for k, v in stored.items()}
        pre = x.astype(np.float64) @ wide["W_enc"] + wide["b_enc"]
        add("npz, " + name, folder, torch.from_numpy(np.where(pre > wide["threshold"], np.maximum(pre, 0), 0)),
            path=str(home.relative_to(folder)))
    folder = tempfile.mkdtemp()
    np.savez(folder + "/params.npz", **{k: v.astype(">f4") for k, v in own.items()})
    add("npz, big-endian", folder, refused="numpy type >f4", path="params.npz", give_place=True)
    # Both matrices in the other orientation, as Hugging Face modules have them.
    turned = {k: torch.from_numpy(v.T.copy()) for k, v in own.items()}
    folder = tempfile.mkdtemp()
    save_file(turned, folder + "/params.safetensors")
    pre = x.astype(np.float64) @ own["W_enc"] + own["b_enc"]
    add("W_enc as [features, width]", folder, torch.from_numpy(np.where(pre > own["threshold"], np.maximum(pre, 0), 0)),
        path="params.safetensors", give_place=True)


def scope_cases():
    """Llama Scope's and Qwen-Scope's folders. The features are those of Language-Model-SAEs after its own conversion for inference (the
    factor of the rows goes into the bias, decoder norms go into the encoder), and of a plain TopK, in float64 from the formulas."""
    own = {k: v.double() for k, v in weights().items()}
    factor = WIDTH ** 0.5 / 1.75
    params = {"encoder.weight": own["W_enc"].T, "encoder.bias": own["b_enc"], "decoder.weight": own["W_dec"].T, "decoder.bias": own["b_dec"]}
    for name, dtype, with_norms in (("with decoder norms", torch.float32, True), ("in bfloat16, without decoder norms", torch.bfloat16, False)):
        stored = {k: v.to(dtype).contiguous() for k, v in params.items()}
        config = {"hook_point_in": "blocks.1.hook_resid_post", "hook_point_out": "blocks.1.hook_resid_post", "d_model": WIDTH, "d_sae": FEATURES,
                  "act_fn": "jumprelu", "jump_relu_threshold": 0.3, "norm_activation": "dataset-wise", "top_k": 3,
                  "dataset_average_activation_norm": {"in": 1.75, "out": 1.75}, "sparsity_include_decoder_norm": with_norms,
                  "apply_decoder_bias_to_pre_encoder": False, "use_glu_encoder": False}
        folder = tempfile.mkdtemp()
        pathlib.Path(folder, "L1R/checkpoints").mkdir(parents=True)
        save_file(stored, folder + "/L1R/checkpoints/final.safetensors")
        pathlib.Path(folder, "L1R/hyperparams.json").write_text(json.dumps(config))
        wide = {k: v.double() for k, v in stored.items()}
        codes = rows().double() @ wide["encoder.weight"].T + wide["encoder.bias"] / factor
        if with_norms:
            codes = codes * wide["decoder.weight"].norm(dim=0)
        codes = codes * (codes > 0.3)
        add("Llama Scope " + name, folder, codes if with_norms else codes * factor, path="L1R")
        if with_norms:
            add("Llama Scope, the file itself", folder, codes, path="L1R/checkpoints/final.safetensors")
    folder = tempfile.mkdtemp()
    home = pathlib.Path(folder, "SAE-Res-Qwen3-1.7B-Base-W32K-L0_3")
    home.mkdir()
    save_file({"W_enc": own["W_enc"].T.float().contiguous(), "W_dec": own["W_dec"].T.float().contiguous(), "b_enc": own["b_enc"].float(),
               "b_dec": own["b_dec"].float()}, str(home / "layer1.sae.safetensors"))
    pre = rows().double() @ own["W_enc"] + own["b_enc"]
    kept = torch.zeros_like(pre).scatter(1, pre.topk(3).indices, pre.topk(3).values).relu()
    add("Qwen-Scope", folder, kept, path=str(home.name) + "/layer1.sae.safetensors")
    folder = tempfile.mkdtemp()
    torch.save({"W_enc": own["W_enc"].T}, folder + "/layer1.sae.pt")
    add("Qwen-Scope as published", folder, refused="layer1.sae.safetensors", path="layer1.sae.pt")


def main():
    torch.manual_seed(0)
    sae_lens_cases()
    sparsify_cases()
    dictionary_learning_cases()
    npz_cases()
    scope_cases()
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for case in CASES:
            print(json.dumps(case, separators=(",", ":")), file=out)
    print(len(CASES), "cases")


main()
