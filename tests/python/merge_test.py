#!/usr/bin/env python3
"""Adapters that PEFT made, without a run: merged here and by PEFT's merge_and_unload.

usage: merge_test.py      (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import pathlib
import subprocess
import tempfile

import python_check as check

check.enter("peft", "torch", "transformers")
import torch  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

FORMS = {
    "names": {"target_modules": ["q_proj", "down_proj"]},
    "all-linear": {"target_modules": "all-linear", "lora_alpha": 7},
    "regex, some layers": {"target_modules": r".*layers\.[02]\.(self_attn|mlp)\.(q_proj|up_proj)"},
    "layers_to_transform": {"target_modules": ["v_proj"], "layers_to_transform": [1]},
    "rsLoRA": {"target_modules": ["k_proj", "o_proj"], "use_rslora": True},
    "patterns": {"target_modules": "all-linear", "rank_pattern": {"q_proj": 6, "layers.1.mlp.up_proj": 2},
                 "alpha_pattern": {"^model.layers.0.mlp.gate_proj": 3, "down_proj": 11}},
    "DoRA": {"target_modules": ["q_proj", "up_proj"], "use_dora": True},
    "gaussian": {"target_modules": ["gate_proj"], "init_lora_weights": "gaussian"},
}
REFUSED = {
    "modules_to_save": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "bias": {"target_modules": ["q_proj"], "bias": "all"},
    "lora_bias": {"target_modules": ["q_proj"], "lora_bias": True},
    "init_lora_weights": {"target_modules": ["q_proj"], "init_lora_weights": "pissa"},
    "embed_tokens": {"target_modules": ["embed_tokens"]},
}
RANK = 4


def load(folder, dtype):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")


def make_adapter(base, folder, settings):
    """A folder as PEFT writes it after some training: B is not zero."""
    model = get_peft_model(load(base, torch.float32), LoraConfig(r=RANK, task_type="CAUSAL_LM", **settings))
    for name, parameter in model.named_parameters():
        if "lora_B" in name or "lora_embedding_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(folder)


def export(trainer, adapter, out, base):
    return subprocess.run([trainer, "export", adapter, "--merge", "--model", base, "--out", out], capture_output=True, text=True)


def compare(trainer, folder, form, dtype):
    base, adapter, out = folder / f"base-{dtype}", folder / "adapter" / form, folder / f"out-{dtype}" / form
    out.parent.mkdir(exist_ok=True)
    done = export(trainer, adapter, out, base)
    assert done.returncode == 0, done.stderr
    kind = getattr(torch, dtype)
    theirs = PeftModel.from_pretrained(load(base, kind), adapter).merge_and_unload().state_dict()
    ours = load(out, "auto")
    assert ours.dtype == kind, ours.dtype
    original, changed, worst = load(base, kind).state_dict(), 0, 0.0
    for name, value in ours.state_dict().items():
        changed += not torch.equal(value, original[name])
        worst = max(worst, (value.float() - theirs[name].float()).abs().max().item())
    print(f"{form}, {dtype}: {changed} weights changed, largest difference {worst:.1e}")
    assert changed > 0
    return worst


def main():
    trainer = check.program("fpo-train")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), str(folder), trainer)
        (folder / "base").rename(folder / "base-float32")
        load(folder / "base-float32", torch.bfloat16).save_pretrained(folder / "base-bfloat16")
        torch.manual_seed(7)
        for form, settings in FORMS.items():
            make_adapter(folder / "base-float32", folder / "adapter" / form, settings)
            for dtype in ("float32", "bfloat16"):
                assert compare(trainer, folder, form, dtype) == 0, (form, dtype)
        for option, settings in REFUSED.items():
            make_adapter(folder / "base-float32", folder / "adapter" / option, settings)
            done = export(trainer, folder / "adapter" / option, folder / "none", folder / "base-float32")
            assert done.returncode != 0 and option in done.stderr, (option, done.stderr)
            assert not (folder / "none").exists()
            print(f"refused: {done.stderr.strip()[-200:]}")
    print("ok")


if __name__ == "__main__":
    main()
