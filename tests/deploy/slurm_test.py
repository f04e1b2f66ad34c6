#!/usr/bin/env python3
"""Runs the script of `fpoctl workers slurm-script` without Slurm: srun and scontrol are scripts here, everything else is real.

A job trains on the agents of two "nodes", the warning comes, and the Slurm job is requeued; run again, it ends what it had begun.

usage: slurm_test.py         (FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import deploy_check as check

STEPS = 240  # so many that a warning on a busy machine still finds the job training
PATIENCE_S = 90

# As srun does with --ntasks-per-node=1: one task on each node, signals passed on, the highest exit code kept.
SRUN = r"""#!/bin/bash
while [[ $1 == --* ]]; do shift; done
tasks=()
for node in 0 1; do
  SLURM_NODEID=$node SLURMD_NODENAME=127.0.0.1 "$@" &
  tasks+=($!)
done
for signal in USR1 TERM; do trap "kill -$signal ${tasks[*]}" $signal; done
worst=0
for task in "${tasks[@]}"; do
  while :; do
    wait "$task"
    status=$?
    [ $status -gt 128 ] && kill -0 "$task" 2>/dev/null || break
  done
  [ $status -le $worst ] || worst=$status
done
exit $worst
"""
SCONTROL = r"""#!/bin/bash
echo "$*" >>"$SCONTROL_CALLS"
"""


class Site:
    """Coordinator and cache on free ports, a fake Slurm, and what the script may use."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.services = []
        self.batches = []
        self.calls = self.folder / "scontrol.calls"
        self.environment = {**os.environ, "SCONTROL_CALLS": str(self.calls), "SLURM_JOB_ID": "77",
                            "PATH": f"{self.folder}:{os.environ['FPO_BIN_DIR']}:{os.environ['PATH']}"}
        for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)

    def start(self, name):
        ports = self.folder / f"{name}.json"
        log = open(self.folder / f"{name}.log", "ab")
        self.services.append(subprocess.Popen(
            [check.program(f"fpo-{name}"), "--data", str(self.folder / name), "--listen=127.0.0.1:0", "--http=127.0.0.1:0",
             f"--port-file={ports}"], stderr=log))
        self.wait(f"{name} listens", ports.exists)
        return json.loads(ports.read_text())["grpc"]

    def wait(self, what, holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                sys.exit(f"FAILED: not within {PATIENCE_S} s: {what}\n{self.log()}")
            time.sleep(0.1)

    def log(self):
        return (self.folder / "workers.log").read_text(errors="replace")[-4000:] if (self.folder / "workers.log").exists() else ""

    def fpoctl(self, *words):
        return check.output_of(check.program("fpoctl"), *words, env=self.environment)

    def sbatch(self, script):
        log = open(self.folder / "workers.log", "ab")
        self.batches.append(subprocess.Popen(["bash", str(script)], env=self.environment, stdout=log, stderr=log, cwd=self.folder))
        return self.batches[-1]

    def job(self, name):
        return json.loads(self.fpoctl("describe", name, "--json"))["job"]

    def stop(self):
        for process in self.batches + self.services[::-1]:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def write_script(site, *more):
    script = site.folder / "workers.sh"
    script.write_text(site.fpoctl("workers", "slurm-script", "--nodes=2", "--gpus=0", "--time=1:00:00", "--partition=cpu", "--notice=2m",
                                  f"--work-dir={site.folder}/work", f"--root={site.folder}", f"--output-root={site.folder}", *more))
    return script


def check_text(script, findings):
    check.output_of("bash", "-n", str(script))
    if not check.has("shellcheck"):
        print("shellcheck is missing: the script was not linted")
        return
    linted = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True)
    findings.expect(linted.returncode == 0, f"shellcheck: {linted.stdout}")


def check_warning(site, script, findings):
    """The warning drains both agents while they train one job, which ends after the requeue."""
    check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), str(site.folder), check.program("fpo-train"))
    batch = site.sbatch(script)
    workers = ["slurm-77-0", "slurm-77-1"]
    site.wait("both agents are there", lambda: site.fpoctl("workers", "list", "-q").split() == workers)
    site.fpoctl("submit", str(site.folder / "sft.yaml"), "--set", "resources.slots=2", "--set", f"max_steps={STEPS}", "--set", "epochs=50", "--set",
                "evaluate.every_steps=1000")
    site.wait("the job trains", lambda: int(site.job("tiny-sft").get("progress", {}).get("step", 0)) >= 3)
    batch.send_signal(signal.SIGUSR1)
    status = batch.wait(timeout=PATIENCE_S)
    findings.expect(status == 0, f"after the warning the script ended with {status}: {site.log()}")
    findings.expect(site.calls.exists() and site.calls.read_text() == "requeue 77\n", "the Slurm job was not requeued")
    waiting = site.job("tiny-sft")
    findings.expect(waiting["state"] == "QUEUED", f"the job is {waiting['state']}")
    findings.expect(list(site.folder.glob("runs/sft/checkpoints/step-*")), "no checkpoint was written")
    site.calls.unlink(missing_ok=True)

    batch = site.sbatch(script)
    site.fpoctl("wait", "tiny-sft", "--timeout=3m")
    ended = site.job("tiny-sft")
    findings.expect(ended["state"] == "SUCCEEDED" and int(ended.get("restarts", 0)) == 0, f"then it {ended['state']}: {ended}")
    steps = [json.loads(line).get("step") for line in (site.folder / "runs/sft/metrics.jsonl").read_text().splitlines()]
    steps = [step for step in steps if step]
    findings.expect(steps[-1] == STEPS and sorted(set(steps)) == list(range(1, STEPS + 1)), f"the steps are {steps}")
    batch.send_signal(signal.SIGTERM)
    findings.expect(batch.wait(timeout=PATIENCE_S) == 0, f"SIGTERM: {site.log()}")
    findings.expect(not site.calls.exists(), "a job that was cancelled was requeued")


def check_mistake(site, findings):
    """What would go wrong again is not tried again."""
    batch = site.sbatch(write_script(site, "--root=/nowhere"))
    status = batch.wait(timeout=PATIENCE_S)
    findings.expect(status == 2, f"with a root that is no folder the script ended with {status}: {site.log()}")
    findings.expect(not site.calls.exists(), "a job with a mistake was requeued")


def main():
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    if not check.has("spm_train"):
        check.skip("spm_train is missing: scripts/setup.sh installs it")
    os.environ["FPO_BIN_DIR"] = str(pathlib.Path(check.program("fpo-train")).parent)
    for name in ("fpoctl", "fpo-worker", "fpo-coordinator", "fpo-cache"):
        check.program(name)
    findings = check.Findings()
    folder = tempfile.mkdtemp(prefix="fpo-slurm-")
    site = Site(folder)
    try:
        site.environment["FPO_SERVER"] = site.start("coordinator")
        site.environment["FPO_CACHE_SERVER"] = site.start("cache")
        script = write_script(site)
        check_text(script, findings)
        check_warning(site, script, findings)
        check_mistake(site, findings)
    finally:
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)
    findings.end()


main()
