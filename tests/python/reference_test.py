#!/usr/bin/env python3
"""fpo.reference.fill and fpo.trl.DPOTrainer against the real TRL: the same losses as with TRL's own reference pass, and no second pass.

Features are compared with those of transformers' hidden states and an SAE in NumPy.

usage: reference_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import json
import logging
import math
import os

import python_check as check

MAX_LENGTH = 64
LOSS_TOLERANCE = 1e-5  # a pair
FEATURES = 800
LAYER = 2
# Turns as Gemma's, and a generation prompt that a full conversation does not contain: TRL then begins the response earlier.
TEMPLATE = ("{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}"
            "{% if add_generation_prompt %}<start_of_turn>assistant\n(thinking){% endif %}")


def texts(folder, count, first=0):
    return [json.loads(line) for line in (folder / "tiny/data/train.jsonl").read_text().splitlines()[first:first + count]]


def conversations(folder, count):
    return [{"prompt": [{"role": "user", "content": row["prompt"]}],
             **{side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}} for row in texts(folder, count)]


def config(folder, **more):
    import trl

    return trl.DPOConfig(**{**dict(output_dir=str(folder / "trl"), per_device_train_batch_size=1, per_device_eval_batch_size=1, report_to=[],
                                   use_cpu=True, bf16=False, max_length=MAX_LENGTH, beta=0.1, max_steps=2, logging_steps=1, disable_tqdm=True),
                            **more})


def pair_losses(trainer):
    """The loss of each pair before any step, in the order of the dataset."""
    import torch

    trainer.model.eval()
    with torch.no_grad():
        return [trainer.compute_loss(trainer.model, trainer.data_collator([row])).item() for row in trainer.train_dataset]


def passes(client, before):
    stats = client.cache_stats()
    return {name: stats[name] - before[name] for name in ("hits", "misses", "stored")}


def check_losses(fpo, trl, client, folder, policy, reference, rows, findings, **more):
    """Losses with a policy that is not the reference, with TRL's own pass and with ours; then a second user's run."""
    import transformers
    from datasets import Dataset

    dataset = Dataset.from_list(rows)
    tokenizer = transformers.AutoTokenizer.from_pretrained(policy)
    tokenizer.chat_template = more.pop("chat_template", None)
    own = trl.DPOTrainer(policy, transformers.AutoModelForCausalLM.from_pretrained(reference, dtype="float32"), processing_class=tokenizer,
                         args=config(folder, precompute_ref_log_probs=True), train_dataset=dataset)
    before = client.cache_stats()
    filled = fpo.reference.fill(dataset, reference, client=client, tokenizer=tokenizer, max_length=MAX_LENGTH)
    first = passes(client, before)
    findings.expect(first["stored"] == first["misses"] > 0, f"a first run stored {first}")
    ours = fpo.trl.DPOTrainer(policy, args=config(folder), processing_class=tokenizer, train_dataset=filled)
    findings.expect(len(ours.train_dataset) == len(own.train_dataset) == len(rows), "pairs are missing")
    findings.expect(ours.ref_model is None, "it keeps a reference model")
    expected, actual = pair_losses(own), pair_losses(ours)
    worst = max(abs(a - b) for a, b in zip(expected, actual))
    print(f"{len(rows)} pairs: losses {min(expected):.4f} to {max(expected):.4f}, ours differ from TRL's by at most {worst:.1e}")
    findings.expect(worst < LOSS_TOLERANCE, f"losses differ by {worst}: {list(zip(expected, actual))[:4]}")
    findings.expect(max(abs(loss - math.log(2)) for loss in expected) > 0.05, f"the losses say nothing: {expected}")
    before = client.cache_stats()
    second = fpo.Client()
    again = fpo.reference.fill(Dataset.from_list(rows), reference, client=second, tokenizer=tokenizer, max_length=MAX_LENGTH)
    findings.expect(again[:] == filled[:], "a second fill has other values")
    findings.expect(passes(client, before) == {"hits": first["misses"], "misses": 0, "stored": 0}, f"a second fill: {passes(client, before)}")
    job = next(client.jobs("SUCCEEDED"))
    findings.expect(job.cache.records_computed == 0 and job.cache.records_hit == first["misses"], f"the second job used {job.cache}")
    return filled, ours, tokenizer


def check_training(fpo, trl, folder, ours, filled, policy, tokenizer, findings):
    """It trains, evaluates on a filled dataset, and refuses tokens that the reference did not see."""
    ours.train()
    losses = [row["loss"] for row in ours.state.log_history if "loss" in row]
    findings.expect(len(losses) == 2 and all(map(math.isfinite, losses)), f"two steps have the losses {losses}")

    def trainer(dataset, **more):
        return fpo.trl.DPOTrainer(policy, args=config(folder, **more), processing_class=tokenizer, train_dataset=dataset)

    evaluated = fpo.trl.DPOTrainer(policy, args=config(folder), processing_class=tokenizer, train_dataset=filled, eval_dataset=filled).evaluate()
    findings.expect(math.isfinite(evaluated["eval_loss"]), f"evaluation: {evaluated}")
    cut = check.raised(fpo.Conflict, lambda: trainer(filled, max_length=24))
    findings.expect(cut.args and "other tokens than those that the reference scored" in str(cut) and "max_length (24)" in str(cut),
                    f"another max_length: {cut}")

    def change(row, i):
        return {"chosen": row["chosen"] + " Indeed." if i == 1 else row["chosen"]}

    changed = check.raised(fpo.Conflict, lambda: trainer(filled.map(change, with_indices=True)))
    findings.expect(f"1 of {len(filled)} pairs" in str(changed) and "pair 1: chosen has" in str(changed), f"a changed text: {changed}")
    stripped = check.raised(fpo.Conflict, lambda: trainer(filled.remove_columns("ref_tokens_sha256")))
    findings.expect("ref_tokens_sha256" in str(stripped), f"without digests: {stripped}")
    findings.expect(isinstance(check.raised(fpo.Conflict, lambda: trainer(filled, ld_alpha=0.5)), fpo.Conflict), "ld_alpha is accepted")
    same = trainer(filled.shuffle(seed=1))
    findings.expect(len(same.train_dataset) == len(filled), "a shuffled dataset is refused")


def check_refused(fpo, client, folder, reference, findings):
    from datasets import Dataset

    rows = texts(folder, 4, first=100)
    rows[1]["rejected"] = rows[1]["chosen"]
    rows[2]["prompt"] = rows[2]["prompt"] * 40  # alone longer than max_length
    dataset = Dataset.from_list(rows)
    wrong = check.raised(fpo.InvalidJob, lambda: fpo.reference.fill(dataset, reference, client=client, max_length=MAX_LENGTH))
    findings.expect("2 of 4 rows" in str(wrong) and "row 1: chosen and rejected are the same" in str(wrong)
                    and "row 2: nothing of its chosen response" in str(wrong), f"refused rows: {wrong}")
    said = []

    class Listener(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    logging.getLogger("fpo").addHandler(Listener())
    rest = fpo.reference.fill(dataset, reference, client=client, max_length=MAX_LENGTH, refused="drop")
    findings.expect(rest["id"] == [rows[0]["id"], rows[3]["id"]], f"left are {rest['id']}")
    findings.expect(any("row 1:" in line and "row 2:" in line for line in said), f"it said {said}")
    twice = check.raised(fpo.Conflict, lambda: fpo.reference.fill(rest, reference, client=client))
    findings.expect("remove_columns" in str(twice), f"filled twice: {twice}")
    bare = check.raised(fpo.InvalidJob, lambda: fpo.reference.fill(dataset.remove_columns("prompt"), reference, client=client))
    findings.expect("neither prompt" in str(bare), f"no prompt: {bare}")
    ids = Dataset.from_list([{"prompt_ids": [2, 5], "chosen_ids": [7, 1], "rejected_ids": [10 ** 6, 1]},
                             {"prompt_ids": [2, 5], "chosen_ids": [7, 1], "rejected_ids": [8, 1]}])
    outside = check.raised(fpo.InvalidJob, lambda: fpo.reference.fill(ids, reference, client=client))
    findings.expect("left out 1 of 2 rows: 0" in str(outside) and "fpoctl logs" in str(outside), f"an id beyond the vocabulary: {outside}")
    findings.expect(not list((folder / "fpo-reference").iterdir()), "rows were left behind")


def check_features(fpo, client, folder, reference, findings):
    import numpy as np
    import torch
    import transformers
    from datasets import Dataset

    model = transformers.AutoModelForCausalLM.from_pretrained(reference, dtype="float32", attn_implementation="eager").eval()
    width = model.config.hidden_size
    random = np.random.default_rng(7)
    sae = {"W_enc": random.normal(size=(width, FEATURES)), "b_enc": random.normal(size=FEATURES), "W_dec": random.normal(size=(FEATURES, width)),
           "b_dec": np.zeros(width), "threshold": np.abs(random.normal(size=FEATURES))}
    sae["threshold"][200:500] = 1e6  # a gap of indices, and more values than one byte counts
    np.savez(folder / "params.npz", **{name: value.astype(np.float32) for name, value in sae.items()})
    dataset = Dataset.from_list(texts(folder, 3, first=200))
    filled = fpo.reference.fill(dataset, reference, {"path": str(folder / "params.npz"), "layer": LAYER, "site": "resid_post"}, client,
                                max_length=MAX_LENGTH)
    tokenizer = transformers.AutoTokenizer.from_pretrained(reference)
    from fpo._tokens import PairTokenizer

    worst = 0.0
    for row in filled:
        pair = PairTokenizer(tokenizer)(row).cut(MAX_LENGTH)
        for side, response in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            with torch.no_grad():
                states = model(torch.tensor([pair.prompt + response]), output_hidden_states=True).hidden_states[LAYER + 1][0].double().numpy()
            pre = states[len(pair.prompt):] @ sae["W_enc"] + sae["b_enc"]
            expected = np.where(pre > np.maximum(sae["threshold"], 0), pre, 0).mean(0)
            actual = np.zeros(FEATURES)
            actual[row[f"ref_{side}_feature_indices"]] = row[f"ref_{side}_feature_values"]
            worst = max(worst, float(np.abs(actual - expected).max() / np.abs(expected).max()))
            findings.expect(len(row[f"ref_{side}_feature_indices"]) == np.count_nonzero(expected), "zeros are stored or values are missing")
    print(f"features differ from transformers' by at most {worst:.1e} of the largest")
    findings.expect(worst < 1e-5, f"features differ by {worst}")
    before = client.cache_stats()
    fpo.reference.fill(dataset, reference, client=client, max_length=MAX_LENGTH)
    findings.expect(passes(client, before)["stored"] == 0, "log-probs are computed again where records with features exist")


def check_half(fpo, client, folder, reference, findings):
    """Records whose features are stored as float16 have their nearest values."""
    import numpy as np
    from datasets import Dataset

    sae = {"path": str(folder / "params.npz"), "layer": LAYER, "site": "resid_post"}
    dataset = Dataset.from_list(texts(folder, 2, first=200))
    full, half = (fpo.reference.fill(dataset, reference, sae, client, max_length=MAX_LENGTH, set=changes)
                  for changes in ((), ["reference.values=float16"]))
    for side in ("chosen", "rejected"):
        name = f"ref_{side}_feature_values"
        findings.expect(all(np.array_equal(np.float32(a).astype(np.float16), np.float16(b)) for a, b in zip(full[name], half[name])),
                        f"{name} are not those of float16")
        findings.expect(full[f"ref_{side}_logps"] == half[f"ref_{side}_logps"], "log-probs depend on how features are stored")


def check_hub(fpo, client, folder, reference, findings):
    """A model by its name on the Hub is the folder in Hugging Face's cache; one that is nowhere is an error that says so."""
    import pathlib

    from datasets import Dataset

    home = pathlib.Path(os.environ["HF_HUB_CACHE"]) / "models--tiny--gemma"
    (home / "refs").mkdir(parents=True)
    (home / "refs/main").write_text("0" * 40)
    (home / "snapshots").mkdir()
    (home / "snapshots" / ("0" * 40)).symlink_to(reference)
    before = client.cache_stats()
    dataset = Dataset.from_list(texts(folder, 12))
    filled = fpo.reference.fill(dataset, "tiny/gemma", client=client, max_length=MAX_LENGTH)
    findings.expect(passes(client, before)["stored"] == 0 and len(filled) == 12, "a model by its name on the Hub is another one")
    nowhere = check.raised(fpo.NotFound, lambda: fpo.reference.fill(dataset, "tiny/nowhere", client=client))
    findings.expect("tiny/nowhere" in str(nowhere) and "absolute path" in nowhere.hint, f"a model that is nowhere: {nowhere}")


def check_interruption(fpo, client, folder, reference, findings):
    """Ctrl-C while the job waits: it is cancelled, and its rows are gone."""
    from datasets import Dataset

    watch = fpo.Job._watch

    def interrupted(job, timeout):
        yield next(watch(job, timeout))
        raise KeyboardInterrupt

    fpo.Job._watch = interrupted
    dataset = Dataset.from_list(texts(folder, 2, first=300))
    stopped = check.raised(KeyboardInterrupt, lambda: fpo.reference.fill(
        dataset, reference, client=client, max_length=MAX_LENGTH, set=["resources.slots=64"]))  # more than its worker has
    fpo.Job._watch = watch
    job = next(client.jobs())
    findings.expect(isinstance(stopped, KeyboardInterrupt), f"the interrupt: {stopped!r}")
    findings.expect(job.config["resources"]["slots"] == 64 and job.state == "CANCELLED", f"its job is {job!r}")
    findings.expect(not list((folder / "fpo-reference").iterdir()), "rows of an interrupted fill were left behind")


def check_damage(fpo, client, findings):
    """What the cache sends is used only if every digest is right."""
    from fpo import _records

    manifest = bytes.fromhex(next(client.jobs("SUCCEEDED")).cache.manifest_id)
    intact = list(_records.pull_records(client._cache, manifest))
    findings.expect(len(intact) > 0 and all(len(key) == 32 for key, _ in intact), "no records to damage")

    class Damaging:
        def __init__(self, damage):
            self.damage = damage

        def stream(self, method, request):
            for frame in client._cache.stream(method, request):
                self.damage(frame)
                yield frame

    def flip(frame):
        frame.packed = frame.packed[:-1] + bytes([frame.packed[-1] ^ 1]) if frame.packed else b""

    def drop(frame):
        first = 68 + int.from_bytes(frame.packed[64:68], "little")
        frame.packed = frame.packed[first:]

    def shorten(frame):
        frame.packed = frame.packed[:-3]

    for damage in (flip, drop, shorten):
        found = check.raised(fpo.FpoError, lambda: list(_records.pull_records(Damaging(damage), manifest)))
        findings.expect(getattr(found, "reason", "") == "RECORD_DAMAGED", f"{damage.__name__}: {found!r}")
    for data in (b"", b"\x01", b"\x03" + bytes(10), b"\x01" + bytes(8) + b"\x05\x00\x00", b"\x01" + bytes(8) + b"\x05\x01\x02\x01\x01" + bytes(7)):
        wrong = check.raised(fpo.FpoError, lambda: _records.decode_record(data))
        findings.expect(getattr(wrong, "reason", "") == "RECORD_DAMAGED", f"{data!r}: {wrong!r}")


def main():
    check.enter("trl", "datasets", "torch", "transformers")
    os.environ["HF_HUB_OFFLINE"] = "1"
    hub = check.tempfile.mkdtemp(prefix="fpo-hub-")
    check.atexit.register(check.shutil.rmtree, hub, ignore_errors=True)
    os.environ["HF_HUB_CACHE"] = hub
    import warnings

    import fpo

    warnings.simplefilter("ignore")
    import trl

    findings = check.Findings()
    with check.services() as (folder, _):
        os.chdir(folder)
        os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets")
        client = fpo.Client()
        reference, policy = (str(folder / f"runs/{name}/model") for name in ("reference", "policy"))
        for name, seed in (("reference", 1), ("policy", 2)):  # the policy is another one, so that losses differ
            check.short_sft(client, folder, name=name, set=[f"seed={seed}", f"optimizer.lr={seed * 2e-3}"]).wait()
        filled, ours, tokenizer = check_losses(fpo, trl, client, folder, policy, reference, texts(folder, 12), findings)
        check_training(fpo, trl, folder, ours, filled, policy, tokenizer, findings)
        check_losses(fpo, trl, client, folder, policy, reference, conversations(folder, 6), findings, chat_template=TEMPLATE)
        check_refused(fpo, client, folder, reference, findings)
        check_features(fpo, client, folder, reference, findings)
        check_half(fpo, client, folder, reference, findings)
        check_damage(fpo, client, findings)
        check_interruption(fpo, client, folder, reference, findings)
        check_hub(fpo, client, folder, reference, findings)
    findings.end()


if __name__ == "__main__":
    main()
