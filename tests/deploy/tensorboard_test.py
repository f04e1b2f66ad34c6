#!/usr/bin/env python3
"""What TensorBoard reads of a run is what metrics.jsonl says, each step once, also of a run that was resumed.

An earlier attempt's later steps, which the resumed run repeats, must not be shown beside them.
"""
import json
import math
import pathlib
import shutil
import subprocess
import tempfile

import deploy_check as check


def train(folder, *more):
    done = subprocess.run(
        [check.program("fpo-train"), "run", "--job", str(folder / "short.yaml"), "--out", str(folder / "run"), "--threads", "1",
         "--device", "cpu", *more], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"fpo-train ended with {done.returncode}: {done.stderr[-2000:]}")


def write_job(folder):
    lines = [line for line in (folder / "sft.yaml").read_text().splitlines() if not line.startswith(("max_steps", "epochs", "checkpoint", "evaluate", "output"))]
    lines += ["epochs: 1", "max_steps: 8", "checkpoint: {every_steps: 2, keep_last: 8}", "evaluate: {every_steps: 2, pairs: 8}"]
    (folder / "short.yaml").write_text("\n".join(lines) + "\n")


def logged(folder):
    """{(tag, step): value} of metrics.jsonl."""
    values = {}
    for line in (folder / "run/metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name in ("step", "epoch"):
                continue
            tag = f"eval/{name[5:]}" if name.startswith("eval_") else f"train/{name}"
            values[tag, row["step"]] = math.nan if value is None else value
    return values


def main():
    check.enter_tools()
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError:
        check.skip(f"tensorboard is not here: {check.HOW}")
    findings = check.Findings()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), str(folder), check.program("fpo-train"))
        write_job(folder)
        train(folder)
        # As if it had been killed when step 4 was the newest that was kept: the steps after it come again.
        for later in ("step-6", "step-8"):
            shutil.rmtree(folder / "run/checkpoints" / later, ignore_errors=True)
        shutil.rmtree(folder / "run/model")
        (folder / "run/run.json").unlink()
        train(folder, "--resume")
        files = sorted((folder / "run/tensorboard").iterdir())
        findings.expect(len(files) == 2, f"two attempts have {len(files)} files")
        board = event_accumulator.EventAccumulator(str(folder / "run/tensorboard"), size_guidance={event_accumulator.SCALARS: 0})
        board.Reload()
        shown = {}
        for tag in board.Tags()["scalars"]:
            for event in board.Scalars(tag):
                findings.expect((tag, event.step) not in shown, f"{tag} of step {event.step} is shown twice")
                shown[tag, event.step] = event.value
        expected = logged(folder)
        findings.expect(set(shown) == set(expected), f"differ: {sorted(set(shown) ^ set(expected))[:8]}")
        for key in set(shown) & set(expected):
            near = math.isclose(shown[key], expected[key], rel_tol=1e-6, abs_tol=1e-30)
            findings.expect(near or math.isnan(expected[key]), f"{key}: {shown[key]} in TensorBoard, {expected[key]} in metrics.jsonl")
        findings.expect({step for tag, step in shown if tag == "train/loss"} == set(range(1, 9)), "steps are missing")
    findings.end()


if __name__ == "__main__":
    main()
