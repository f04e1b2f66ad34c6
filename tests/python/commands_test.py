#!/usr/bin/env python3
"""The commands of docs/clients.md for fpo-openai and fpo-track, run as written but for an address and a folder that are free here.

usage: commands_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import contextlib
import io
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import python_check as check
from openai_endpoint import write_preferences
from track_tools import TrackioFolder, free_port


def blocks(section, *kinds):
    """The blocks of a section, of these kinds."""
    for part in (check.ROOT / "docs/clients.md").read_text().split("\n## ")[1:]:
        if part.startswith(f"{section}\n"):
            return [re.findall(rf"^```{kind}\n(.*?)^```$", part, re.DOTALL | re.MULTILINE) for kind in kinds]
    sys.exit(f"FAILED: docs/clients.md has no section {section}")


def put_programs(folder):
    """fpo-openai and fpo-track as the wheel's entry points start them."""
    entries = dict(re.findall(r"^(fpo-\S+) = (fpo\.\w+\.__main__):main$", (check.ROOT / "deploy/package/entry_points.txt").read_text(), re.MULTILINE))
    (folder / "bin").mkdir()
    for name, module in entries.items():
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; from {module} import main; sys.exit(main())" "$@"\n')
        program.chmod(0o755)
    os.environ["PATH"] = f"{folder / 'bin'}:{os.environ['PATH']}"
    return sorted(entries)


def check_openai(expect, folder):
    (models,), (command,), (code,) = blocks("OpenAI-shaped endpoint", "yaml", "bash", "python")
    address = f"127.0.0.1:{free_port()}"
    expect("/models/gemma" in models and "127.0.0.1:8000" in command and "127.0.0.1:8000" in code, "the page has other names than this test")
    (folder / "models.yaml").write_text(models.replace("/models/gemma", f"{folder}/tiny/base"))
    write_preferences(folder, "train", 24).rename(folder / "preferences.jsonl")
    log = open(folder / "openai.log", "wb")
    server = subprocess.Popen(["bash", "-c", f"exec {command.strip().replace('127.0.0.1:8000', address)}"], stdout=log, stderr=log)
    try:
        end = time.monotonic() + check.PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/healthz", timeout=5).read()
                break
            except (urllib.error.URLError, OSError):
                if server.poll() is not None or time.monotonic() > end:
                    sys.exit(f"FAILED: fpo-openai did not start:\n{(folder / 'openai.log').read_text()[-2000:]}")
                time.sleep(0.1)
        out = io.StringIO()
        names = {}
        with contextlib.redirect_stdout(out):
            exec(compile(code.replace("127.0.0.1:8000", address), "docs/clients.md", "exec"), names)  # noqa: S102
        said = out.getvalue()
        print(said)
        expect(re.match(r"succeeded ft:gemma:fpo:style:j-\w+\nThe job has successfully completed\n", said), f"it printed {said[:300]}")
    finally:
        server.terminate()
        server.wait(check.PATIENCE_S)


def check_track(expect, client, folder):
    ((commands,),) = blocks("MLflow, Weights & Biases, trackio", "bash")
    job = check.short_sft(client, folder, name="my-dpo", set=["labels.team=align"])
    job.wait(timeout=check.PATIENCE_S)
    os.environ["WANDB_SILENT"] = "true"
    trackio = TrackioFolder(folder)
    for command in commands.strip().splitlines():
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)
        expect(done.returncode == 0 and "SUCCEEDED" in done.stderr, f"{command}: {done.returncode}: {done.stderr[-1000:]}")
    expect((folder / "mlflow.db").exists(), "MLflow's database is elsewhere")
    expect(len(list(folder.glob(f"wandb/offline-run-*-fpo-{job.id}"))) == 1, "there is no folder to sync")
    expect(trackio.state(job.id) == "SUCCEEDED", "trackio has another state")


def main():
    check.enter("openai", "starlette", "uvicorn", "python_multipart", "yaml", "mlflow", "trackio", "wandb")
    import fpo

    findings = check.Findings()
    with check.services() as (folder, _):
        os.chdir(folder)
        findings.expect(put_programs(folder) == ["fpo-openai", "fpo-track"], "the wheel has other programs")
        check_openai(findings.expect, folder)
        check_track(findings.expect, fpo.Client(), folder)
    findings.end()


if __name__ == "__main__":
    main()
