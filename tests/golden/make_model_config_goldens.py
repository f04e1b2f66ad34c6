#!/usr/bin/env python3
"""Writes model_configs.jsonl: files config.json of every family, and what transformers understands from each.

usage: make_model_config_goldens.py OUT FOLDER...
Each FOLDER holds another version of transformers (pip install --target FOLDER transformers==4.42.4), which writes files of its own.
The version that runs this script says what all of them mean. A line is
  {"made_by": ..., "config": the file, "means": {...}}      or     {"made_by": ..., "config": ..., "refused": why}
"""
import copy
import json
import os
import subprocess
import sys

import transformers
from transformers import CONFIG_MAPPING

WRITE = r"""
import json, tempfile, transformers
sizes = dict(vocab_size=320, hidden_size=24, intermediate_size=40, num_hidden_layers=7, num_attention_heads=4,
             num_key_value_heads=2, head_dim=6, query_pre_attn_scalar=10, sliding_window=4)
plain = {k: v for k, v in sizes.items() if k not in ("query_pre_attn_scalar", "sliding_window")}
out = []
def save(config):
    folder = tempfile.mkdtemp()
    config.save_pretrained(folder)
    out.append(json.load(open(folder + "/config.json")))
save(transformers.Gemma2Config(**sizes))
if hasattr(transformers, "Gemma3TextConfig"):
    save(transformers.Gemma3TextConfig(**sizes))
    save(transformers.Gemma3Config(text_config=dict(sizes), vision_config=dict(hidden_size=8, num_hidden_layers=1)))
    save(transformers.Gemma3Config(text_config=dict(num_hidden_layers=34, hidden_size=2560, intermediate_size=10240,
                                                    rope_scaling=dict(rope_type="linear", factor=8.0), sliding_window=1024)))
save(transformers.LlamaConfig(**plain))
save(transformers.LlamaConfig(tie_word_embeddings=True, rope_theta=5e5, rope_scaling=dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64), **plain))
if hasattr(transformers, "Qwen3Config"):
    save(transformers.Qwen3Config(**plain))
    save(transformers.Qwen3Config(tie_word_embeddings=True, use_sliding_window=True, sliding_window=16, max_window_layers=3, **plain))
print("CONFIGS" + json.dumps([transformers.__version__, out]))
"""


def written_by(folder):
    env = dict(os.environ)
    if folder:
        env["PYTHONPATH"] = folder
    text = subprocess.run([sys.executable, "-c", WRITE], env=env, check=True, capture_output=True, text=True).stdout
    version, configs = json.loads(text[text.index("CONFIGS") + 7:])
    return [(f"transformers {version}", config) for config in configs]


def meaning(config):
    kind = CONFIG_MAPPING[config["model_type"]]
    read = kind.from_dict(copy.deepcopy(config))
    text = read.get_text_config()
    rope = text.rope_parameters
    full, local = rope.get("full_attention", rope), rope.get("sliding_attention", rope)
    if not config["model_type"].startswith("gemma"):
        return meaning_beyond_gemma(text, rope)
    return {
        "layers": text.num_hidden_layers, "hidden_size": text.hidden_size, "heads": text.num_attention_heads,
        "kv_heads": text.num_key_value_heads, "head_dim": text.head_dim, "intermediate_size": text.intermediate_size,
        "vocab_size": text.vocab_size, "query_pre_attn_scalar": text.query_pre_attn_scalar,
        "attention_softcap": text.attn_logit_softcapping, "final_softcap": text.final_logit_softcapping,
        "sliding_window": text.sliding_window, "sliding": [kind == "sliding_attention" for kind in text.layer_types],
        "rope_theta_global": full["rope_theta"], "rope_theta_local": local["rope_theta"],
        "rope_scaling_global": full.get("factor", 1.0) if full.get("rope_type") == "linear" else 1.0,
        "rms_norm_eps": text.rms_norm_eps, "tied": read.tie_word_embeddings,
    }


def meaning_beyond_gemma(read, rope):
    sliding = [kind == "sliding_attention" for kind in getattr(read, "layer_types", None) or ["full_attention"] * read.num_hidden_layers]
    linear = rope.get("factor", 1.0) if rope["rope_type"] == "linear" else 1.0
    means = {
        "layers": read.num_hidden_layers, "hidden_size": read.hidden_size, "heads": read.num_attention_heads,
        "kv_heads": read.num_key_value_heads, "head_dim": read.head_dim, "intermediate_size": read.intermediate_size,
        "vocab_size": read.vocab_size, "query_pre_attn_scalar": read.head_dim, "attention_softcap": None, "final_softcap": None,
        "sliding_window": getattr(read, "sliding_window", None) or 0, "sliding": sliding, "rope_theta_global": rope["rope_theta"],
        "rope_theta_local": rope["rope_theta"], "rope_scaling_global": linear, "rms_norm_eps": read.rms_norm_eps,
        "tied": read.tie_word_embeddings}
    if rope["rope_type"] == "llama3":
        means["llama3"] = [rope[key] for key in ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")]
    return means


def variants_beyond_gemma():
    llama = dict(model_type="llama", vocab_size=320, hidden_size=24, intermediate_size=40, num_hidden_layers=4, num_attention_heads=4,
                 max_position_embeddings=512)
    qwen = dict(llama, model_type="qwen3", num_key_value_heads=2)
    llama3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    yield "Llama with nothing said", dict(llama)
    yield "Llama with nulls", dict(llama, head_dim=None, num_key_value_heads=None, rope_scaling=None)
    yield "Llama with grouped heads", dict(llama, num_key_value_heads=2, head_dim=10, rms_norm_eps=1e-5)
    yield "Llama 3.1, older keys", dict(llama, rope_theta=5e5, rope_scaling=llama3)
    yield "Llama 3.1, newer keys", dict(llama, rope_parameters=dict(llama3, rope_theta=5e5))
    yield "Llama 3.1 without the original context", dict(llama, rope_scaling={k: v for k, v in llama3.items() if "original" not in k})
    yield "Llama 3.1 with the original context outside", dict(llama, rope_scaling=llama3, original_max_position_embeddings=128)
    yield "Llama, linear, oldest key", dict(llama, rope_theta=2e4, rope_scaling=dict(type="linear", factor=2.0))
    yield "Llama, both sections", dict(llama, rope_theta=3e4, rope_scaling=dict(rope_type="linear", factor=2.0),
                                       rope_parameters=dict(rope_type="default", rope_theta=9e4))
    yield "Qwen 3 with little said", dict(qwen)
    yield "Qwen 3 with a window that is off", dict(qwen, sliding_window=8, use_sliding_window=False, max_window_layers=2)
    yield "Qwen 3 with a window", dict(qwen, sliding_window=8, use_sliding_window=True, max_window_layers=2)
    yield "Qwen 3 with a window everywhere", dict(qwen, sliding_window=8, use_sliding_window=True, max_window_layers=0)
    yield "Qwen 3 with a window above all layers", dict(qwen, sliding_window=8, use_sliding_window=True)
    yield "Qwen 3 with layer_types", dict(qwen, sliding_window=8, use_sliding_window=True, layer_types=["full_attention"] * 3 + ["sliding_attention"])
    yield "Qwen 3, newer keys, tied", dict(qwen, rope_parameters=dict(rope_type="default", rope_theta=1e6), tie_word_embeddings=True)


def variants():
    """Forms that people's files have, changed by hand from what transformers writes."""
    base2 = dict(model_type="gemma2", vocab_size=320, hidden_size=24, intermediate_size=40, num_hidden_layers=4,
                 num_attention_heads=4, num_key_value_heads=2, head_dim=6, query_pre_attn_scalar=10, sliding_window=4)
    base3 = dict(base2, model_type="gemma3_text", num_hidden_layers=2)
    section = lambda theta, **more: dict(rope_type="default", rope_theta=theta, **more)
    per_type = dict(full_attention=section(1e6), sliding_attention=section(1e4))

    def changed(base, **keys):
        return {key: value for key, value in dict(base, **keys).items() if value != "ABSENT"}
    yield "transformers #48392", changed(base3, layer_types=["sliding_attention"] * 2,
                                         rope_parameters=dict(per_type, rope_type="default", rope_theta=1e4))
    yield "flat rope_parameters", changed(base3, rope_parameters=section(1e6))
    yield "flat rope_parameters with a theta of its own", changed(base3, rope_parameters=section(5e5))
    yield "flat rope_parameters and older keys", changed(base3, rope_parameters=section(1e4), rope_theta=2e6,
                                                         rope_local_base_freq=3e4)
    yield "extra keys in the sections", changed(
        base3, rope_parameters=dict(full_attention=section(1e6, partial_rotary_factor=1.0, original_max_position_embeddings=8192),
                                    sliding_attention=section(1e4, max_position_embeddings=64)))
    yield "one section", changed(base3, rope_parameters=dict(full_attention=section(3e6)))
    yield "sections without a theta, older keys", changed(
        base3, rope_parameters=dict(full_attention=dict(rope_type="default"), sliding_attention=dict(rope_type="default")),
        rope_theta=7e5, rope_local_base_freq=2e4)
    yield "rope_scaling beside rope_parameters", changed(base3, rope_parameters=per_type,
                                                         rope_scaling=dict(rope_type="linear", factor=4.0))
    yield "rope_scaling null", changed(base3, rope_scaling=None, rope_theta=1e6, rope_local_base_freq=1e4)
    yield "no rope key", changed(base3)
    yield "linear in full_attention", changed(
        base3, rope_parameters=dict(full_attention=dict(rope_type="linear", rope_theta=1e6, factor=8.0),
                                    sliding_attention=section(1e4)))
    yield "sliding_window_pattern", changed(base3, num_hidden_layers=9, sliding_window_pattern=4)
    yield "layer_types win over sliding_window_pattern", changed(
        base3, num_hidden_layers=3, sliding_window_pattern=2,
        layer_types=["full_attention", "sliding_attention", "sliding_attention"])
    yield "both forms of the pattern", changed(base3, num_hidden_layers=9, _sliding_window_pattern=6)
    yield "dtype instead of torch_dtype, unknown keys", changed(base3, dtype="bfloat16", unsloth_fixed=True,
                                                                unsloth_version="2026.1", transformers_version="5.3.0", use_cache=False)
    yield "Gemma 2 with rope_parameters", changed(base2, rope_parameters=section(2e4))
    yield "Gemma 2 with rope_parameters without a theta", changed(base2, rope_parameters=dict(rope_type="default"), rope_theta=3e4)
    yield "Gemma 2, both", changed(base2, rope_parameters=section(2e4), rope_theta=3e4)
    yield "Gemma 2 without caps", changed(base2, attn_logit_softcapping=None, final_logit_softcapping=None)
    yield "Gemma 2 untied", changed(base2, tie_word_embeddings=False)
    yield "an enlarged vocabulary", changed(base2, vocab_size=328)
    yield "Gemma 2 with a text_config that nobody reads", changed(base2, text_config=dict(num_hidden_layers=9))
    inner = changed(base3, model_type="gemma3_text", num_hidden_layers=3)
    yield "nested", dict(model_type="gemma3", text_config=inner, vision_config=dict(hidden_size=8, num_hidden_layers=1))
    yield "nested, untied outside", dict(model_type="gemma3", text_config=inner, tie_word_embeddings=False)
    yield "nested with defaults left out", dict(model_type="gemma3", text_config=dict(model_type="gemma3_text", num_hidden_layers=3))


def main():
    cases = [case for folder in [""] + sys.argv[2:] for case in written_by(folder)] + list(variants()) + list(variants_beyond_gemma())
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        print(json.dumps({"means": f"transformers {transformers.__version__}"}), file=out)
        for made_by, config in cases:
            config.pop("vision_config", None)
            try:
                line = {"made_by": made_by, "config": config, "means": meaning(config)}
            except Exception as error:  # what transformers itself refuses
                line = {"made_by": made_by, "config": config, "refused": str(error)[:120]}
            print(json.dumps(line, separators=(",", ":")), file=out)


main()
