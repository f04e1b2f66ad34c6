#!/usr/bin/env python3
"""The Python of docs/clients.md, run as written in one folder with a job, a model and data of the names that it uses.

usage: documents_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import contextlib
import io
import os
import re
import warnings

import python_check as check

SECTIONS = ("Submit, wait, look", "Errors", "TRL")


def blocks():
    """[(section, code)] of the sections above, which need no other service."""
    found = []
    for section in (check.ROOT / "docs/clients.md").read_text().split("\n## ")[1:]:
        title = section.split("\n", 1)[0]
        if title in SECTIONS:
            found += [(title, code) for code in re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)]
    return found


def set_up(folder):
    """job.yaml, train.jsonl and models/gemma, which a short SFT made."""
    import fpo

    check.short_sft(fpo.Client(), folder, name="first").wait()
    (folder / "models").mkdir()
    (folder / "models/gemma").symlink_to(folder / "runs/first/model")
    (folder / "train.jsonl").write_text("".join((folder / "tiny/data/train.jsonl").read_text().splitlines(keepends=True)[:8]))
    (folder / "job.yaml").write_text(f"""
name: dpo
kind: train
model: {{path: models/gemma, dtype: float32}}
data: {{train: [train.jsonl], eval: [train.jsonl], max_length: 128, max_prompt_length: 64}}
method: {{name: dpo, beta: 0.1}}
max_steps: 2
batch: {{pairs: 4}}
output: {folder}/runs/dpo
""")


def main():
    check.enter("trl", "datasets", "torch", "transformers")
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    findings = check.Findings()
    with check.services() as (folder, _):
        os.chdir(folder)
        os.environ["HF_DATASETS_CACHE"] = str(folder / "datasets")
        set_up(folder)
        names = {}
        said = {}
        for section, code in blocks():
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, f"docs/clients.md, {section}", "exec"), names)  # noqa: S102
            said[section] = out.getvalue()
            print(f"== {section}\n{out.getvalue()}")
        findings.expect(tuple(said) == SECTIONS, f"blocks of {tuple(said)} were run")
        findings.expect(re.match(r"\S+ \S+\n(.*\n){3}", said["Submit, wait, look"]), "it printed no loss and three lines")
        findings.expect((folder / "beta-2/config.json").exists(), "no model was downloaded")
        findings.expect('did you mean "method"' in said["Errors"] and "INVALID_JOB" in said["Errors"], "the error was not shown")
        losses = [row["loss"] for row in names["trainer"].state.log_history if "loss" in row]
        findings.expect(names["trainer"].state.global_step == 2 and "ref_chosen_logps" in names["dataset"].column_names, f"TRL: {losses}")
    findings.end()


if __name__ == "__main__":
    main()
