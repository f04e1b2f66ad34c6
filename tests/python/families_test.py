#!/usr/bin/env python3
"""Tiny models of Llama 3 and Qwen 3 that transformers wrote, with tokenizers of their kind: the same scores, a training run, and an export
that transformers reads and that answers the same.

usage: families_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)

With FPO_VOCABULARIES=DIR also with the published vocabularies, on real text (FPO_SHARED_DATA). DIR holds two files of PyPI's packages,
which may not be copied here: pip download --no-deps llama-models dashscope; unzip -j llama_models*.whl llama_models/llama3/tokenizer.model;
unzip -j dashscope*.whl dashscope/resources/qwen.tiktoken
"""
import base64
import json
import os
import pathlib
import sys
import tempfile

import python_check as check

VOCABULARIES = os.environ.get("FPO_VOCABULARIES")
SHARED = os.environ.get("FPO_SHARED_DATA") or check.ROOT.parent / "shared/data"
check.enter("torch", "transformers", "tokenizers")
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import AddedToken, Tokenizer, models, normalizers  # noqa: E402

GOLDEN = check.ROOT / "tests/golden"
SIZES = dict(num_hidden_layers=3, hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48, max_position_embeddings=512)
LLAMA_ROPE = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64}
ROWS = [([("user", "What is 12 + 345?")], "It's 357.", "I don't know…"),
        ([("system", "Be brief."), ("user", "Grüße aus Köln!\n\n  – e\u0301")], "Hallo zurück 👍🏽", "No.  \n"),
        ([("user", "日本語で?")], "はい、どうぞ。", "no"),
        ([("user", "First"), ("assistant", "Second, 1234567"), ("user", "Third\tx")], "Fourth!", " fifth ")]


def run(*words):
    return check.output_of(*map(str, words))


def tokenizer_of(family, fast=None):
    """The golden tokenizers have the parts of the published ones."""
    if fast is None:
        lines = (GOLDEN / "byte_level_tokenizers.jsonl").read_text().splitlines()
        fast = Tokenizer.from_str(json.dumps(json.loads(lines[0 if family == "llama" else 1])["tokenizer"]))
    names = ({"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|finetune_right_pad_id|>"} if family == "llama"
             else {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"})
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=fast, **names)
    templates = json.loads((GOLDEN / "chat_texts.jsonl").read_text().split("\n")[0])["templates"]
    made.chat_template = templates["llama3_1" if family == "llama" else "qwen3"]
    return made


def config_of(family, tied, tokenizer):
    more = dict(SIZES, vocab_size=len(tokenizer), tie_word_embeddings=tied, bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    if family == "llama":
        return transformers.LlamaConfig(rope_parameters=LLAMA_ROPE, **more)
    sliding = dict(use_sliding_window=True, sliding_window=9, max_window_layers=2) if tied else {}
    return transformers.Qwen3Config(head_dim=16, rope_parameters={"rope_type": "default", "rope_theta": 1e6}, **sliding, **more)


def published_tokenizer(family):
    """The ranks of a .tiktoken file as a tokenizer.json, as transformers converts them."""
    sys.path.insert(0, str(GOLDEN))
    import make_byte_level_goldens as goldens
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    file = pathlib.Path(VOCABULARIES) / ("tokenizer.model" if family == "llama" else "qwen.tiktoken")
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in file.read_bytes().splitlines() if line)}
    table = bytes_to_unicode()
    spelled = lambda token: "".join(table[byte] for byte in token)
    merges = []
    for token, rank in ranks.items():
        parts = [(token[:i], token[i:]) for i in range(1, len(token))]
        found = [(ranks[a], ranks[b], a, b) for a, b in parts if a in ranks and b in ranks]
        merges += [(rank, spelled(a), spelled(b)) for _, _, a, b in sorted(found)]
    fast = goldens.empty(3 if family == "llama" else 1, None if family == "llama" else normalizers.NFC())
    pieces = {spelled(token): rank for token, rank in ranks.items()}
    fast.model = models.BPE(pieces, [merge[1:] for merge in sorted(merges, key=lambda merge: merge[0])], ignore_merges=family == "llama")
    fast.add_tokens([AddedToken(token, special=True, normalized=False) for token in (goldens.LLAMA if family == "llama" else goldens.QWEN)])
    return fast


def make_model(family, tied, folder, fast=None):
    tokenizer = tokenizer_of(family, fast)
    model = transformers.AutoModelForCausalLM.from_config(config_of(family, tied, tokenizer)).float()
    torch.manual_seed(11)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.25) if parameter.dim() > 1 else parameter.normal_(1, 0.2)
    other = "<|end_of_text|>" if family == "llama" else "<|endoftext|>"
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(other)]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def messages_of(turns):
    return [{"role": role, "content": content} for role, content in turns]


def prompt_of(tokenizer, turns):
    return tokenizer.apply_chat_template(messages_of(turns), tokenize=False, add_generation_prompt=True)


def transformers_scores(folder, rows=ROWS):
    """Of each response: how many tokens, and the sum of their log-probs, from the texts of apply_chat_template."""
    model, tokenizer = load(folder)
    scores = []
    for turns, chosen, rejected in rows:
        for answer in (chosen, rejected):
            prompt = prompt_of(tokenizer, turns)
            whole = tokenizer.apply_chat_template(messages_of(turns) + [{"role": "assistant", "content": answer}], tokenize=False)
            whole = whole.rstrip("\n")  # what stands behind the end mark is the template's
            assert whole.startswith(prompt)
            ids = tokenizer(whole, add_special_tokens=False, return_tensors="pt")["input_ids"]
            first = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
            with torch.no_grad():
                logp = model(ids).logits[0, :-1].double().log_softmax(-1).gather(1, ids[0, 1:, None])[first - 1:]
            scores.append((len(logp), logp.sum().item()))
    return scores


def write_rows(rows, path):
    path.write_text("".join(json.dumps({
        "prompt": messages_of(turns), "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}]}) + "\n" for turns, chosen, rejected in rows))
    return path


def our_scores(trainer, folder, rows, out):
    run(trainer, "score", "--model", folder, "--data", rows, "--out", out, "--threads", 1, "--max-length", 4096, "--max-prompt-length", 2048)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    return [(line[side]["tokens"], line[side]["sum_logp"]) for line in lines for side in ("chosen", "rejected")]


def compare(what, ours, theirs):
    assert [n for n, _ in ours] == [n for n, _ in theirs], (ours, theirs)
    worst = max(abs(a - b) / abs(b) for (_, a), (_, b) in zip(ours, theirs))
    print(f"  {what}: {len(ours)} responses, log-probs within {worst:.1e} relative")
    assert worst < 2e-5, (ours, theirs)


def write_llama_scope(folder):
    """A folder as Llama Scope's, of random numbers, for layer 1."""
    generator, width, features = torch.Generator().manual_seed(3), SIZES["hidden_size"], 64
    (folder / "checkpoints").mkdir(parents=True)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    save_file({"encoder.weight": draw(features, width), "encoder.bias": draw(features) * 0.1, "decoder.weight": draw(width, features),
               "decoder.bias": draw(width) * 0.1}, folder / "checkpoints/final.safetensors")
    hook = "blocks.1.hook_resid_post"
    (folder / "hyperparams.json").write_text(json.dumps({
        "hook_point_in": hook, "hook_point_out": hook, "d_model": width, "d_sae": features, "act_fn": "jumprelu", "jump_relu_threshold": 0.05,
        "norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": 6.0, "out": 6.0}}))


def train(trainer, folder, rows):
    write_llama_scope(folder / "sae")
    job = {"name": "family", "model": {"path": str(folder / "model"), "dtype": "float32"}, "sae": {"path": str(folder / "sae")},
           "data": {"train": [str(rows)]}, "method": {"name": "fpo", "beta": 1, "alpha": 0.01, "top_k": 8}, "optimizer": {"lr": 1e-3},
           "schedule": {"warmup_steps": 0}, "batch": {"pairs": 2}, "max_steps": 3, "output": str(folder / "run")}
    (folder / "job.yaml").write_text(json.dumps(job))
    plan = run(trainer, "plan", "--job", folder / "job.yaml", "--threads", 1)
    assert "memory" in plan, plan
    run(trainer, "run", "--job", folder / "job.yaml", "--out", folder / "run", "--threads", 1)
    steps = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines() if '"loss"' in line]
    assert abs(steps[0]["loss"] - 0.693147) < 1e-4, steps[0]  # the policy is the reference then
    assert steps[-1]["loss"] != steps[0]["loss"]
    print(f"  trained: {len(steps)} steps of fpo with a Llama Scope folder, loss {steps[0]['loss']:.6f} to {steps[-1]['loss']:.6f}")


def compare_answers(trainer, folder, out):
    prompts = out.with_suffix(".prompts.jsonl")
    prompts.write_text("".join(json.dumps({"messages": messages_of(turns)}) + "\n" for turns, _, _ in ROWS))
    run(trainer, "generate", "--model", folder, "--prompts", prompts, "--out", out, "--max-new-tokens", 24, "--temperature", 0, "--threads", 1)
    model, tokenizer = load(folder)
    lines = out.read_text().splitlines()
    for line, (turns, _, _) in zip(lines, ROWS, strict=True):
        ids = tokenizer(prompt_of(tokenizer, turns), add_special_tokens=False, return_tensors="pt")
        made = model.generate(**ids, max_new_tokens=24, do_sample=False)[0, ids["input_ids"].shape[1]:]
        text = tokenizer.decode(made, skip_special_tokens=True)
        assert json.loads(line)["output"] == text, (line, text)
    print(f"  answers: {len(lines)} equal")


def real_rows():
    """Neighbouring lines of real texts."""
    rows = []
    for name, every in (("wiki_demo.txt", 400), ("war-and-peace.txt", 6000), ("gsm8k.train.jsonl", 900), ("c4_demo.jsonl", 60)):
        lines = [line[:600] for line in (pathlib.Path(SHARED) / "text" / name).read_text(encoding="utf-8").split("\n") if line.strip()]
        rows += [([("user", lines[i])], lines[i + 1].strip(), lines[i + 2].strip()) for i in range(0, len(lines) - 2, every)]
    return [row for row in rows if row[1] != row[2]]


def compare_published(trainer):
    for family in ("llama", "qwen3"):
        with tempfile.TemporaryDirectory() as name:
            folder, rows = pathlib.Path(name), real_rows()
            make_model(family, True, folder / "model", published_tokenizer(family))
            ours = our_scores(trainer, folder / "model", write_rows(rows, folder / "rows.jsonl"), folder / "a.jsonl")
            compare(f"{family}, published vocabulary, {sum(tokens for tokens, _ in ours)} tokens", ours, transformers_scores(folder / "model", rows))


def main():
    trainer = check.program("fpo-train")
    if VOCABULARIES:
        compare_published(trainer)
    else:
        print("without the published vocabularies: see FPO_VOCABULARIES")
    for family in ("llama", "qwen3"):
        for tied in (False, True):
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                make_model(family, tied, folder / "model")
                rows = write_rows(ROWS, folder / "rows.jsonl")
                print(f"{family}, {'tied' if tied else 'a head of its own'}")
                compare("given", our_scores(trainer, folder / "model", rows, folder / "a.jsonl"), transformers_scores(folder / "model"))
                train(trainer, folder, rows)
                compare("exported", our_scores(trainer, folder / "run/model", rows, folder / "b.jsonl"), transformers_scores(folder / "run/model"))
                compare_answers(trainer, folder / "run/model", folder / "answers.jsonl")
                run(trainer, "init-model", "--config", folder / "model/config.json", "--tokenizer", folder / "model/tokenizer.json", "--out",
                    folder / "fresh")
                fresh = transformers.AutoModelForCausalLM.from_pretrained(folder / "fresh")
                assert fresh.config.tie_word_embeddings == tied and fresh.model.norm.weight.eq(1).all()
    print("ok")


if __name__ == "__main__":
    main()
