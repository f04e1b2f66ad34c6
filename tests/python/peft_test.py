#!/usr/bin/env python3
"""An adapter that PEFT made goes on here, and one made here is read by PEFT: the same gradients, the same logits.

usage: peft_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import json
import pathlib
import tempfile

import python_check as check

check.enter("peft", "torch", "transformers")
import torch  # noqa: E402
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402

BETA, RANK, ALPHA, PAIRS = 0.1, 4, 8, 6


def run(*words):
    check.output_of(*map(str, words))


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def log_prob(model, prompt, response):
    logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(response)[:, None]).sum()


def dpo_loss(model, pairs):
    total = 0
    for pair in pairs:
        sides = []
        for side in ("chosen_ids", "rejected_ids"):
            with torch.no_grad(), model.disable_adapter():
                reference = log_prob(model, pair["prompt_ids"], pair[side])
            sides.append(log_prob(model, pair["prompt_ids"], pair[side]) - reference)
        total = total - torch.nn.functional.logsigmoid(BETA * (sides[0] - sides[1]))
    return total / len(pairs)


def gap(ours, theirs):
    return ((ours - theirs).norm() / theirs.norm()).item()


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

        targets = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
        start = get_peft_model(load(folder / "base"), LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets,
                                                                 task_type="CAUSAL_LM"))
        for parameter_name, parameter in start.named_parameters():
            if "lora_B" in parameter_name:
                torch.nn.init.normal_(parameter, std=0.1)
        start.save_pretrained(folder / "start")
        job = {
            "name": "peft", "model": {"path": str(folder / "base"), "dtype": "float32"},
            "adapter": {"kind": "lora", "rank": RANK, "alpha": ALPHA, "targets": targets, "path": str(folder / "start")},
            "data": {"train": [str(folder / "pairs.jsonl")], "format": "ids"}, "method": {"name": "dpo", "beta": BETA},
            "optimizer": {"lr": 1e-3, "max_grad_norm": 0}, "schedule": {"warmup_steps": 0}, "batch": {"pairs": PAIRS},
            "max_steps": 1, "checkpoint": {"every_steps": 1}, "output": str(folder / "run"),
        }
        (folder / "job.yaml").write_text(json.dumps(job))
        run(trainer, "run", "--job", folder / "job.yaml", "--out", folder / "run")

        loss = dpo_loss(start, pairs)
        loss.backward()
        ours = json.loads((folder / "run/metrics.jsonl").read_text().splitlines()[0])
        print(f"loss {ours['loss']:.8f}, with PEFT {loss.item():.8f}")
        assert abs(ours["loss"] - loss.item()) < 1e-5, ours
        moments = load_file(folder / "run/checkpoints/step-1/optimizer.safetensors")
        worst = 0
        for parameter_name, parameter in start.named_parameters():
            if parameter.grad is None:
                continue
            moment = moments.pop(parameter_name.replace(".default", "") + ".exp_avg")
            worst = max(worst, gap(moment / (1 - 0.9), parameter.grad))
        assert not [left for left in moments if left.endswith("exp_avg")], "a gradient that PEFT does not have"
        print(f"gradients: largest relative difference {worst:.2e}")
        assert worst < 1e-5

        ids = torch.tensor([draw(12)])
        with torch.no_grad():
            merged = load(folder / "run/model")(ids).logits
            adapted = PeftModel.from_pretrained(load(folder / "base"), folder / "run/adapter")(ids).logits
            base = load(folder / "base")(ids).logits
        print(f"logits: adapter in PEFT against merged model {gap(merged, adapted):.2e}, moved {gap(base, adapted):.2e}")
        assert gap(merged, adapted) < 1e-5 < gap(base, adapted)

        step = folder / "run/checkpoints/step-1"
        run(trainer, "export", step, "--out", folder / "exported")
        run(trainer, "export", step, "--out", folder / "merged", "--merge")
        same = lambda one, other: (folder / one).read_bytes() == (folder / other).read_bytes()
        assert same("exported/adapter_model.safetensors", "run/adapter/adapter_model.safetensors")
        assert same("merged/model.safetensors", "run/model/model.safetensors")
    print("ok")


if __name__ == "__main__":
    main()
