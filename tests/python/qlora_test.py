#!/usr/bin/env python3
"""Adapters beside weights that bitsandbytes quantised, trained here and by PEFT: the same loss, gradients and logits.

usage: qlora_test.py      (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import json
import pathlib
import subprocess
import tempfile

import python_check as check

check.enter("bitsandbytes", "peft", "torch", "transformers")
import torch  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from peft_test import ALPHA, BETA, PAIRS, RANK, dpo_loss, gap, load, run  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM, BitsAndBytesConfig  # noqa: E402

TARGETS = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]


def quantised(folder, **settings):
    how = BitsAndBytesConfig(**({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.float32} | settings))
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", quantization_config=how, device_map="cpu")


def packed(folder):
    """In training mode: in the other one bitsandbytes multiplies in bfloat16 on processors that can."""
    return load(folder).train()


def job_of(model, folder, out, **adapter):
    return {
        "name": "qlora", "model": {"path": str(model), "dtype": "float32"},
        "adapter": {"kind": "qlora", "rank": RANK, "alpha": ALPHA, "targets": TARGETS, "path": str(folder / "start"), **adapter},
        "data": {"train": [str(folder / "pairs.jsonl")], "format": "ids"}, "method": {"name": "dpo", "beta": BETA},
        "optimizer": {"lr": 1e-3, "max_grad_norm": 0}, "schedule": {"warmup_steps": 0}, "batch": {"pairs": PAIRS},
        "max_steps": 1, "checkpoint": {"every_steps": 1}, "output": str(out),
    }


def train(trainer, job):
    path = pathlib.Path(job["output"]).with_suffix(".yaml")
    path.write_text(json.dumps(job))
    run(trainer, "run", "--job", path, "--out", job["output"])
    return json.loads((pathlib.Path(job["output"]) / "metrics.jsonl").read_text().splitlines()[0])


def compare(trainer, folder, base, pairs):
    """Our run beside `base`, a folder that bitsandbytes quantised, and PEFT's loss and gradients there."""
    model = PeftModel.from_pretrained(packed(base), folder / "start", is_trainable=True).train()
    kinds = {type(module.get_base_layer()).__name__ for module in model.modules() if hasattr(module, "get_base_layer")}
    assert kinds == {"Linear4bit"}, kinds
    loss = dpo_loss(model, pairs)
    loss.backward()
    out = folder / f"run-{base.name}"
    ours = train(trainer, job_of(base, folder, out))
    print(f"{base.name}: loss {ours['loss']:.8f}, with PEFT {loss.item():.8f}")
    assert abs(ours["loss"] - loss.item()) < 1e-5, ours
    moments, worst = load_file(out / "checkpoints/step-1/optimizer.safetensors"), 0
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            worst = max(worst, gap(moments.pop(name.replace(".default", "") + ".exp_avg") / (1 - 0.9), parameter.grad))
    assert not [left for left in moments if left.endswith("exp_avg")], "a gradient that PEFT does not have"
    print(f"{base.name}: gradients, largest relative difference {worst:.2e}")
    assert worst < 1e-5
    ids = torch.randint(5, load(out / "model").config.vocab_size, (1, 12))
    with torch.no_grad():
        merged = load(out / "model")(ids).logits
        adapted = PeftModel.from_pretrained(packed(base), out / "adapter").train()(ids).logits
        before = packed(base)(ids).logits
    print(f"{base.name}: logits, adapter in PEFT against merged model {gap(merged, adapted):.2e}, moved {gap(before, adapted):.2e}")
    assert gap(merged, adapted) < 1e-5 < gap(before, adapted)
    assert "quantization_config" not in json.loads((out / "model/config.json").read_text())
    # The same by the command for adapters without a run.
    run(trainer, "export", out / "adapter", "--merge", "--model", base, "--out", folder / f"merged-{base.name}")
    again = load(folder / f"merged-{base.name}").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in load(out / "model").state_dict().items())
    return out


def refusal(trainer, job):
    path = pathlib.Path(job["output"]).with_suffix(".yaml")
    path.write_text(json.dumps(job))
    done = subprocess.run([trainer, "run", "--job", path, "--out", job["output"]], capture_output=True, text=True)
    assert done.returncode != 0, job
    print(f"refused: {done.stderr.strip()[:150]}")
    return done.stderr


def main():
    trainer = check.program("fpo-train")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        run(check.ROOT / "examples/tiny/prepare.sh", folder, trainer)
        torch.manual_seed(5)
        vocabulary = json.loads((folder / "base/config.json").read_text())["vocab_size"]
        draw = lambda count: torch.randint(5, vocabulary, (count,)).tolist()
        pairs = [{"prompt_ids": draw(5), "chosen_ids": draw(7), "rejected_ids": draw(4)} for _ in range(PAIRS)]
        (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
        for word, twice in (("nf4", False), ("nf4-double", True)):
            quantised(folder / "base", bnb_4bit_use_double_quant=twice).save_pretrained(folder / word)
        start = get_peft_model(load(folder / "base"), LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS, task_type="CAUSAL_LM"))
        for parameter_name, parameter in start.named_parameters():
            if "lora_B" in parameter_name:
                torch.nn.init.normal_(parameter, std=0.1)
        start.save_pretrained(folder / "start")

        outs = [compare(trainer, folder, folder / word, pairs) for word in ("nf4", "nf4-double")]
        # Quantised here, of the full base: bit for bit what bitsandbytes made of it.
        train(trainer, job_of(folder / "base", folder, folder / "run-own", double_quantization=False))
        same = lambda one, other, file: (one / file).read_bytes() == (other / file).read_bytes()
        for file in ("adapter/adapter_model.safetensors", "model/model.safetensors"):
            assert same(folder / "run-own", outs[0], file), file
        twice = train(trainer, job_of(folder / "base", folder, folder / "run-twice"))
        assert not same(folder / "run-twice", outs[0], "model/model.safetensors"), twice

        full = job_of(folder / "nf4", folder, folder / "refused", path="")
        full.pop("adapter")
        assert "adapter.kind: qlora" in refusal(trainer, full)
        quantised(folder / "base", bnb_4bit_quant_type="fp4").save_pretrained(folder / "fp4")
        assert "fp4" in refusal(trainer, job_of(folder / "fp4", folder, folder / "refused"))
        quantised(folder / "base", load_in_4bit=False, load_in_8bit=True).save_pretrained(folder / "int8")
        assert "8 bits" in refusal(trainer, job_of(folder / "int8", folder, folder / "refused"))
    print("ok")


if __name__ == "__main__":
    main()
