"""Writes generated.jsonl: what transformers generates from the tiny models of gemma2.safetensors and gemma3.safetensors, at every token the
most likely one that did not occur before (greedily alone, such models repeat one token).

Needs torch, transformers and safetensors (any recent versions; made with torch 2.11, transformers 5.23). Run it in this folder:
python make_generate_goldens.py. Every prompt is generated for alone, without padding. Only prompts at whose every token the two best logits
are further apart than rounding can bring together are kept.
"""
import json

import torch
import transformers
from safetensors import safe_open

import make_goldens

NEW_TOKENS, PROMPTS, GAP = 24, 8, 1e-3


class OnlyNew(transformers.LogitsProcessor):
    def __call__(self, ids, scores):
        return scores.scatter(1, ids, float("-inf"))


def load(architecture):
    config = make_goldens.hf_config(architecture)
    model = make_goldens.random_model(config)
    with safe_open(f"{architecture}.safetensors", "pt") as file, torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(file.get_tensor(name))
    return model


def main():
    generator = torch.Generator().manual_seed(5)
    with open("generated.jsonl", "w") as out:
        for architecture in ("gemma2", "gemma3"):
            model = load(architecture)
            kept = 0
            while kept < PROMPTS:
                size = int(torch.randint(1, 14, (1,), generator=generator))
                prompt = [2] + torch.randint(3, 61, (size,), generator=generator).tolist()
                with torch.no_grad():
                    found = model.generate(torch.tensor([prompt]), max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None,
                                           pad_token_id=0, output_scores=True, return_dict_in_generate=True,
                                           logits_processor=transformers.LogitsProcessorList([OnlyNew()]))
                best = torch.stack([scores[0].topk(2).values for scores in found.scores])
                if (best[:, 0] - best[:, 1]).min() < GAP:
                    continue
                kept += 1
                row = {"architecture": architecture, "prompt": prompt, "tokens": found.sequences[0, len(prompt):].tolist()}
                out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
