#!/usr/bin/env python3
"""What fpo-track wrote is what metrics.jsonl says, each number once: after kills, restarts and a retry, and with NaN. The tools' own means say it.

usage: track_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import json
import math
import os
import subprocess
import sys
import time

import python_check as check
from track_tools import MlflowServer, TrackioFolder, WandbOffline, logged


def track(tool, *words):
    return subprocess.run([sys.executable, "-m", "fpo.track", tool, *words], capture_output=True, text=True, timeout=300)


def start(folder, tool, *words):
    """A follower, and the file with what it says."""
    log = folder / f"track-{tool}.log"
    with open(log, "wb") as file:
        return subprocess.Popen([sys.executable, "-m", "fpo.track", tool, *words], stdout=file, stderr=file), log


def compare(expect, what, found, expected):
    """``found`` has every number of ``expected`` once."""
    twice = [key for key, values in found.items() if len(values) != 1]
    expect(not twice, f"{what}: more than once: {twice[:5]}")
    ours = {key: values[0] for key, values in found.items() if key[0].startswith(("train/", "eval/")) and key[0] != "train/epoch"}
    expect(set(ours) == set(expected), f"{what}: differ: {sorted(set(ours) ^ set(expected))[:6]} of {len(expected)}")
    wrong = [key for key in set(ours) & set(expected) if ours[key] != expected[key] and not (math.isnan(ours[key]) and math.isnan(expected[key]))]
    expect(not wrong, f"{what}: other values: {[(key, ours[key], expected[key]) for key in wrong[:3]]}")


def check_whole(expect, tools, job, output):
    """One job, written twice."""
    for tool in tools:
        for which in ("first", "second"):
            done = track(tool.name, job.id)
            expect(done.returncode == 0, f"{tool.name}, {which}: {done.returncode}: {done.stderr[-1500:]}")
            compare(expect, f"{tool.name}, {which}", tool.history(job.id), logged(output))
            expect(len(tool.runs(job.id)) == 1, f"{tool.name}, {which}: runs {tool.runs(job.id)}")
            expect(tool.state(job.id) == "SUCCEEDED", f"{tool.name}: the state is {tool.state(job.id)}")


def numbers_of(*jobs):
    """{(name, step): value} of their events, each as it was first."""
    found = {}
    for job in jobs:
        for event in job.events():
            if event.data["kind"] in ("step", "evaluation"):
                for name, value in event.data["metrics"].items():
                    key = (f"eval/{name[5:]}" if name.startswith("eval_") else f"train/{name}", event.data["step"])
                    found.setdefault(key, math.nan if value is None else value)
    return {key: value for key, value in found.items() if key[0] != "train/epoch"}


def until_step(job, step):
    end = time.monotonic() + check.PATIENCE_S
    while not any(event.data["kind"] == "step" and event.data["step"] >= step for event in job.events()) and time.monotonic() < end:
        time.sleep(0.05)


def check_retry(expect, tools, client, folder):
    """A retry goes on in the same run, and repeats nothing there; with other settings it would be another run."""
    first = check.short_sft(client, folder, steps=60, name="cut", set=["checkpoint.every_steps=20"])
    until_step(first, 25)
    first.cancel(now=True)
    check.raised(type(None), lambda: first.wait(timeout=check.PATIENCE_S))
    for tool in tools:
        expect(track(tool.name, first.id).returncode == 0 and tool.state(first.id) == "CANCELLED", f"{tool.name}: a cancelled job")
        compare(expect, f"{tool.name}, cut", tool.history(first.id), numbers_of(first))
    retry = first.retry()
    changed = client.submit(first.config, name="changed", set=["seed=8", "max_steps=6", f"output={folder}/runs/changed"])
    for job in (retry, changed):
        job.wait(timeout=check.PATIENCE_S)
    whole = numbers_of(first, retry)
    repeated = len(numbers_of(first)) + len(numbers_of(retry)) - len(whole)
    expect(retry.retry_of == first.id and repeated > 0, "the retry repeated no step: nothing was tested")
    expect({step for name, step in whole if name == "train/loss"} == set(range(1, 61)), "the retry left out a step")
    losses = {key: value for key, value in logged(folder / "runs/cut").items() if key[0] == "train/loss"}
    expect(losses == {key: value for key, value in whole.items() if key[0] == "train/loss"}, "a repeated step has another loss")
    for tool in tools:
        for which in ("once", "again"):
            done = track(tool.name, "--all", "--once")
            expect(done.returncode == 0, f"{tool.name}, retry, {which}: {done.stderr[-1500:]}")
            compare(expect, f"{tool.name}, retry, {which}", tool.history(first.id), whole)
            expect(tool.state(first.id) == "SUCCEEDED", f"{tool.name}: after the retry the state is {tool.state(first.id)}")
            expect(not tool.runs(retry.id), f"{tool.name}: an unchanged retry has a run of its own")
            compare(expect, f"{tool.name}, another job, {which}", tool.history(changed.id), logged(folder / "runs/changed"))
        expect(" rows" not in done.stderr, f"{tool.name}: something was written again: {done.stderr[-800:]}")


def check_killed(expect, tools, client, folder):
    """Followers that are killed while a job trains, are stopped while it trains, and come back."""
    job = check.short_sft(client, folder, steps=200_000, name="long", set=["epochs=10000", "evaluate.every_steps=100", "checkpoint.every_steps=1000"])
    for words, end in (([job.id], subprocess.Popen.kill), (["--all"], subprocess.Popen.terminate)):
        followers = {tool.name: start(folder, tool.name, *words, "--interval", "0.1") for tool in tools}
        for name, (follower, log) in followers.items():
            until = time.monotonic() + check.PATIENCE_S
            while not any(f"({job.id})" in line and " rows" in line for line in log.read_text().splitlines()) and time.monotonic() < until:
                time.sleep(0.05)
            expect(follower.poll() is None and time.monotonic() < until, f"{name} wrote nothing of a job that trains: {log.read_text()[:3000]}")
            end(follower)
            expect(follower.wait(check.PATIENCE_S) in (0, -9), f"{name}: SIGTERM ended it with {follower.returncode}")
        expect(not job.refresh().state.is_terminal, "the job was over before its followers ended")
    job.cancel(now=True)
    check.raised(type(None), lambda: job.wait(timeout=check.PATIENCE_S))
    for tool in tools:
        done = track(tool.name, job.id)
        expect(done.returncode == 0, f"{tool.name}, killed: {done.stderr[-1500:]}")
        compare(expect, f"{tool.name}, killed", tool.history(job.id), numbers_of(job))
        expect(tool.state(job.id) == "CANCELLED", f"{tool.name}: the state of a cancelled job is {tool.state(job.id)}")


def check_details(expect, tools, job):
    """Parameters, tags and status as MLflow and trackio show them."""
    mlflow, trackio, wandb = tools
    (run,) = mlflow.runs(job.id)
    params, tags = run.data.params, run.data.tags
    config = job.config
    expect(params["optimizer.lr"] == str(config["optimizer"]["lr"]) and params["data.train"] == str(config["data"]["train"]), f"params: {params}")
    expect(run.info.status == "FINISHED" and run.info.run_name == "short", run.info)
    expect(tags["fpo.report"] == f"{config['output']}/report.html" and os.path.exists(tags["fpo.report"]), f"tags: {tags}")
    expect(tags["fpo.label.team"] == "tests" and "fpo.result.device_name" in tags, f"tags: {tags}")
    result = {name: value for name, value in run.data.metrics.items() if name.startswith("result/")}
    numbers = {f"result/{name}": value for name, value in job.result.items() if not isinstance(value, str)}
    expect(result == numbers and numbers, f"result: {result} and {numbers}")
    import trackio as package

    (shown,) = [each for each in package.Api().runs("fpo") if each.name.endswith(f".{job.id}")]
    expect(shown.config["optimizer"]["lr"] == config["optimizer"]["lr"] and shown.config["fpo.label.team"] == "tests", f"config: {shown.config}")
    configured = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for record in wandb.records(job.id)
                  if record.WhichOneof("record_type") == "run" for item in record.run.config.update}
    expect(configured.get("optimizer", {}).get("lr") == config["optimizer"]["lr"], f"wandb's config: {configured}")


def check_not_finite(expect, tools, job):
    """A NaN is a NaN in each tool, between numbers that stay."""
    from fpo.job import Event, Job
    from fpo.track import mlflow_runs, trackio_runs, wandb_runs
    from fpo.track.runs import Subject, row_of

    for tool, kind in zip(tools, (mlflow_runs.Mlflow, trackio_runs.Trackio, wandb_runs.Wandb)):
        message = type(job._message)()
        message.CopyFrom(job._message)
        message.job_id = "j-nan"
        subject = Subject((Job(None, message),))
        run = kind("fpo").open(subject)
        run.begin(subject)
        rows = [row_of("j-nan", Event(step, 1, 0, {"kind": "step", "step": step, "t": 1e9 + step, "metrics": {"loss": loss, "lr": 0.5}}))
                for step, loss in ((1, 0.25), (2, None), (3, 0.125))]
        expect(run.write(rows) == 3 and run.write(rows) == 0, f"{tool.name}: rows are written twice")
        run.end(subject)
        compare(expect, f"{tool.name}, NaN", tool.history("j-nan"), {
            ("train/loss", 1): 0.25, ("train/loss", 2): math.nan, ("train/loss", 3): 0.125, **{("train/lr", step): 0.5 for step in (1, 2, 3)}})


def check_position(expect):
    """W&B goes on behind the newest event that it has: also of a retry, whose earlier job it has whole."""
    from fpo.track.runs import Row
    from fpo.track.wandb_runs import WandbRun

    run = WandbRun.__new__(WandbRun)
    run.last, run._chain = {}, ["j-1", "j-2"]
    events = (("j-1", 5), ("j-1", 6), ("j-2", 5), ("j-2", 6))
    for position, has in (({}, [False] * 4), ({"job": "j-1", "cursor": 5}, [True, False, False, False]),
                          ({"job": "j-2", "cursor": 5}, [True, True, True, False])):
        run.last, run._position = {}, position
        found = [not run._fresh(Row(job, cursor, step, 0.0, {"train/loss": 1.0})).values for step, (job, cursor) in enumerate(events)]
        expect(found == has, f"W&B at {position} has {found}")


def check_errors(expect, job):
    for words, code, said in ((["mlflow"], 2, "name the jobs"), (["mlflow", job.id, "--all"], 2, "name the jobs"),
                              (["mlflow", "j-none"], 1, "j-none"), (["trackio", job.id, "--label", "a=b"], 2, "--all")):
        done = track(*words)
        expect(done.returncode == code and said in done.stderr and "Traceback" not in done.stderr, f"{words}: {done.returncode} {done.stderr[-500:]}")
    os.environ["TRACKIO_SPACE_ID"] = "someone/space"
    done = track("trackio", job.id)
    del os.environ["TRACKIO_SPACE_ID"]
    expect(done.returncode == 1 and "TRACKIO_SPACE_ID" in done.stderr, f"a Space: {done.returncode} {done.stderr[-500:]}")


def main():
    check.enter("mlflow", "trackio", "wandb")
    import fpo

    findings = check.Findings()
    expect = findings.expect
    with check.services() as (folder, _):
        client = fpo.Client()
        job = check.short_sft(client, folder, steps=9, set=["labels.team=tests"])
        tools = [MlflowServer(folder), TrackioFolder(folder), WandbOffline(folder)]
        try:
            job.wait(timeout=check.PATIENCE_S)
            output = folder / "runs/short"
            began = time.monotonic()
            for part in (lambda: check_whole(expect, tools, job, output), lambda: check_details(expect, tools, job),
                         lambda: check_retry(expect, tools, client, folder), lambda: check_killed(expect, tools, client, folder),
                         lambda: check_errors(expect, job),
                         lambda: check_not_finite(expect, tools, job)):  # last: programs started later would share its wandb service
                part()
                print(f"{time.monotonic() - began:.0f} s", flush=True)
            check_position(expect)
        finally:
            tools[0].stop()
    findings.end()


if __name__ == "__main__":
    main()
