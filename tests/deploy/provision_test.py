#!/usr/bin/env python3
"""Grows a fleet from nothing: a real coordinator asks a scripted Slurm, a scripted kubectl and a command for workers, which are real.

For each engine a job is submitted while no worker runs; the engine is asked once, its workers register, train the job and leave when they are
idle; the next job asks again. A restarted coordinator asks for nothing twice, and what a cancelled job asked for is called off.

usage: provision_test.py         (FPO_BIN_DIR: the programs; FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
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

PATIENCE_S = 120

# One program is all engines, by the name that it is called by. What it is asked is kept in CALLS, what runs in a folder for each allocation.
ENGINE = r'''#!@PYTHON@
import json, os, pathlib, signal, subprocess, sys

ME = pathlib.Path(__file__).name
SITE = pathlib.Path(__file__).parent
STATE = SITE / "allocations"
words = sys.argv[1:]
with open(SITE / "calls", "a") as calls:
    print(ME, *words, file=calls)


def option(name):
    return next((word.split("=", 1)[1] for word in words if word.startswith(name + "=")), "")


def alive(folder):
    try:
        os.kill(int((folder / "pid").read_text()), 0)
    except (OSError, ValueError):
        return False
    return not (folder / "ended").exists()


def find(name):
    for folder in sorted(STATE.glob("*")):
        if (folder / "name").read_text() == name and (alive(folder) or (folder / "queued").exists()):
            return folder
    return None


def start(name, script, environment=None):
    """A new allocation; HOLD leaves it in the queue."""
    number = 1 + len(list(STATE.glob("*")))
    folder = STATE / f"{number:04}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(name)
    (folder / "script").write_text(script)
    if (SITE / "hold").exists():
        (folder / "queued").touch()
        return number
    log = open(folder / "log", "ab")
    wrapper = f"bash '{folder}/script'; touch '{folder}/ended'"
    child = subprocess.Popen(["bash", "-c", wrapper], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                             env={**os.environ, "SLURM_JOB_ID": str(number), **(environment or {})})
    (folder / "pid").write_text(str(child.pid))
    return number


def end(folder):
    (folder / "queued").unlink(missing_ok=True)
    if alive(folder):
        os.killpg(int((folder / "pid").read_text()), signal.SIGTERM)


def refuse():
    if (SITE / "refuse").exists():
        sys.exit(f"{ME}: error: the cluster is full")


if ME == "sbatch":
    refuse()
    script = sys.stdin.read()
    name = next(line.split("=", 1)[1] for line in script.splitlines() if line.startswith("#SBATCH --job-name="))
    number = start(name, script)
    print(f"{number};cluster")
elif ME == "squeue":
    folder = find(option("--name"))
    if folder:
        print(f"{int(folder.name)}|{'PENDING' if (folder / 'queued').exists() else 'RUNNING'}")
elif ME == "scancel":
    folder = find(option("--name"))
    if folder:
        end(folder)
elif ME == "kubectl":
    if words[0] == "create":
        refuse()
        manifest = json.load(sys.stdin)
        (SITE / "manifest.created").write_text(json.dumps(manifest))
        job = manifest["spec"]["replicatedJobs"][0]["template"]["spec"]
        args = job["template"]["spec"]["containers"][0]["args"]
        name = manifest["metadata"]["name"]
        lines = []
        for index in range(job["parallelism"]):
            own = [word.replace("$(POD_NAME)", f"{name}-{index}").replace("$(POD_IP)", "127.0.0.1") for word in args]
            own = [f"{word}/{index}" if word.startswith("--work-dir=") else word for word in own]
            lines.append(" ".join(f"'{word}'" for word in own) + " &")
        start(name, "\n".join(lines + ["wait"]))
        print(f"jobset/{name} created")
    elif words[0] == "get":
        folder = find(words[2])
        if folder:
            ready = 0 if (folder / "queued").exists() else 1
            print(json.dumps({"kind": "JobSet", "status": {"replicatedJobsStatus": [{"name": "w", "ready": ready}]}}))
    else:
        folder = find(words[2])
        if folder:
            end(folder)
else:
    request = json.load(sys.stdin)
    folder = find(request["name"])
    verb = words[-1]
    if verb == "ask":
        refuse()
        if not folder:
            labels = " ".join(f"'--label={name}={value}'" for name, value in request["labels"].items())
            flags = f"--slots={request['slots_per_worker']} --exit-when-idle={request['exit_when_idle_seconds']}s {labels} @FLAGS@"
            start(request["name"], "\n".join([f"fpo-worker --name={request['name']}-{i} --work-dir='{SITE}/work/{request['name']}-{i}' {flags} &"
                                              for i in range(request["workers"])] + ["wait"]))
        print("vm-" + request["id"])
    elif verb == "look":
        print("gone" if not folder else "queued" if (folder / "queued").exists() else "running")
    elif folder:
        end(folder)
'''
# As in slurm_test.py: a task on each node, signals passed on, the highest exit code kept.
SRUN = r"""#!/bin/bash
while [[ $1 == --* ]]; do shift; done
tasks=()
nodes=$(sed -n 's/^#SBATCH --nodes=//p' script)
for ((node = 0; node < nodes; ++node)); do
  SLURM_NODEID=$node SLURMD_NODENAME=127.0.0.1 "$@" &
  tasks+=($!)
done
trap "kill -TERM ${tasks[*]}" TERM
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
FLAGS = ["--coordinator=@COORDINATOR@", "--cache=@CACHE@", "--http=127.0.0.1:0", "--root=@SITE@", "--output-root=@SITE@"]
JOBSET = {
    "apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet",
    "metadata": {"name": "fpo-worker", "labels": {"kueue.x-k8s.io/queue-name": "team-a"}},
    "spec": {"replicatedJobs": [{"name": "w", "replicas": 1, "template": {"spec": {"backoffLimit": 0, "template": {"spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "worker", "image": "fpo-trainer:1", "args": [
            "fpo-worker", "--name=$(POD_NAME)", "--host=$(POD_IP)", "--work-dir=@SITE@/work", *FLAGS]}]}}}}}]}}
POOL = """  - name: {name}
    engine: {engine}
    max_workers: 4
    slots_per_worker: 1
    idle: 2s
    ask_after: 0s
    look_every: 300ms
    {engine}:
"""
ENGINES = {
    "slurm": """      coordinator: @COORDINATOR@
      cache: @CACHE@
      work_dir: @SITE@/work
      root: [@SITE@]
      output_root: [@SITE@]
      notice: 2m
      options: [--qos=low]
""",
    "kubernetes": "      manifest: jobset.json\n      namespace: lab\n",
    "command": "      argv: [attach, --site=b]\n",
}


class Site:
    """Coordinator and cache on free ports, with fake engines on their PATH."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.services = {}
        self.environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['FPO_BIN_DIR']}:{os.environ['PATH']}"}
        self.words = {"@SITE@": str(self.folder), "@PYTHON@": sys.executable}
        self.write("srun", SRUN)
        (self.folder / "srun").chmod(0o755)
        self.words["@CACHE@"] = self.start("cache", "127.0.0.1:0")

    def write(self, name, text):
        for word, value in self.words.items():
            text = text.replace(word, value)
        (self.folder / name).write_text(text)

    def start(self, name, address, *flags):
        ports = self.folder / f"{name}.json"
        ports.unlink(missing_ok=True)
        log = open(self.folder / f"{name}.log", "ab")
        self.services[name] = subprocess.Popen(
            [check.program(f"fpo-{name}"), "--data", str(self.folder / name), f"--listen={address}", "--http=127.0.0.1:0",
             f"--port-file={ports}", *flags], stderr=log, env=self.environment)
        self.wait(f"{name} listens", ports.exists)
        return json.loads(ports.read_text())["grpc"]

    def start_coordinator(self, engine):
        """On an address that workers know before it has pools: at first without them."""
        if "@COORDINATOR@" not in self.words:
            self.words["@COORDINATOR@"] = self.environment["FPO_SERVER"] = self.start("coordinator", "127.0.0.1:0")
            self.stop("coordinator")
            flags = " ".join(FLAGS)
            for name in ("sbatch", "squeue", "scancel", "kubectl", "attach"):
                self.write(name, ENGINE.replace("@FLAGS@", flags))
                (self.folder / name).chmod(0o755)
            self.write("jobset.json", json.dumps(JOBSET))
        self.write("pools.yaml", "pools:\n" + POOL.format(name=engine[:4], engine=engine) + ENGINES[engine])
        self.start("coordinator", self.words["@COORDINATOR@"], f"--provision={self.folder}/pools.yaml", "--reattach=15s")

    def stop(self, name):
        process = self.services.pop(name)
        process.terminate()
        process.wait(timeout=PATIENCE_S)

    def wait(self, what, holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                sys.exit(f"FAILED: not within {PATIENCE_S} s: {what}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self):
        texts = [(path, path.read_text(errors="replace")[-3000:]) for path in (self.folder / "coordinator.log", *self.folder.glob("allocations/*/log"))
                 if path.exists()]
        return "\n".join(f"--- {path}\n{text}" for path, text in texts)

    def fpoctl(self, *words):
        return check.output_of(check.program("fpoctl"), *words, env=self.environment)

    def submit(self, name, slots):
        self.fpoctl("submit", str(self.folder / "sft.yaml"), "--set", f"name={name}", "--set", f"output={self.folder}/runs/{name}", "--set",
                    f"resources.slots={slots}", "--set", "max_steps=4", "--set", "evaluate.every_steps=1000")

    def state(self, name):
        return json.loads(self.fpoctl("describe", name, "--json"))["job"]["state"]

    def explain(self, name):
        return json.loads(self.fpoctl("explain", name, "--json"))

    def workers(self):
        return self.fpoctl("workers", "list", "-q").split()

    def calls(self, *begin):
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(begin)]

    def clear(self):
        (self.folder / "calls").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "allocations", ignore_errors=True)

    def end(self):
        for pid in self.folder.glob("allocations/*/pid"):
            try:
                os.killpg(int(pid.read_text()), signal.SIGKILL)
            except (OSError, ValueError):
                pass
        for name in list(self.services):
            self.stop(name)


ASKS = {"slurm": ("sbatch ",), "kubernetes": ("kubectl create",), "command": ("attach --site=b ask",)}
CALL_OFFS = {"slurm": ("scancel ",), "kubernetes": ("kubectl delete",), "command": ("attach --site=b call-off",)}


def check_growth(site, engine, findings):
    """From no worker to a trained job on a gang of two, and back to no worker; then again."""
    for number in (1, 2):
        name = f"{engine}-{number}"
        site.submit(name, 2)
        site.wait(f"{name}: {engine} is asked", lambda: len(site.calls(*ASKS[engine])) >= number)
        site.fpoctl("wait", name, "--timeout=3m")
        findings.expect(site.state(name) == "SUCCEEDED", f"{name} is {site.state(name)}: {site.logs()}")
        asked = site.calls(*ASKS[engine])
        findings.expect(len(asked) == number, f"{engine}: for {number} jobs it was asked {asked}")
        site.wait(f"{name}: the workers leave when they are idle", lambda: not site.workers())
        last = sorted(site.folder.glob("allocations/*"))[-1]
        site.wait(f"{name}: their allocation ends", (last / "ended").exists)
    log = (site.folder / "coordinator.log").read_text()
    findings.expect("the lease of a worker ran out" not in log, f"{engine}: a worker that left was lost")
    findings.expect(not site.calls(*CALL_OFFS[engine]), f"{engine}: workers at work were called off")


def check_slurm_words(site, findings):
    sbatch = site.calls("sbatch")[0]
    findings.expect(sbatch == "sbatch --parsable --qos=low", f"sbatch was called as: {sbatch}")
    script = sorted(site.folder.glob("allocations/*/script"))[0]
    text = script.read_text()
    for part in ("#SBATCH --nodes=2", "--exit-when-idle='2s'", "--label='pool=slur'", "--label='fpo-request="):
        findings.expect(part in text, f"the script lacks {part}:\n{text}")
    if check.has("shellcheck"):
        linted = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True)
        findings.expect(linted.returncode == 0, f"shellcheck: {linted.stdout}")


def check_manifest(site, findings):
    """What kubectl was given: one JobSet for the gang; its Job, as Kubernetes' own schema has it."""
    manifest = json.loads((site.folder / "manifest.created").read_text())
    findings.expect(manifest["metadata"]["namespace"] == "lab", f"metadata: {manifest['metadata']}")
    findings.expect(manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a", "Kueue's queue is not passed on")
    replicated = manifest["spec"]["replicatedJobs"]
    findings.expect(len(replicated) == 1 and replicated[0]["template"]["spec"]["parallelism"] == 2, f"replicatedJobs: {replicated}")
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": manifest["metadata"]["name"]}, "spec": replicated[0]["template"]["spec"]}
    check_job_schema(job, findings)
    unknown = check.unknown_flags(job["spec"]["template"]["spec"]["containers"][0]["args"])
    findings.expect(not unknown, f"fpo-worker has no {unknown}")


def check_job_schema(job, findings):
    try:
        import kubernetes_validate
    except ImportError:
        print(f"kubernetes-validate is missing: the manifest was not compared with Kubernetes' schema ({check.HOW})")
        return
    for version in ("1.27", "1.37"):
        try:
            kubernetes_validate.validate(job, version, strict=True)
            findings.expect(True, "")
        except kubernetes_validate.ValidationError as error:
            findings.expect(False, f"Kubernetes {version}: {'.'.join(str(part) for part in error.path)}: {error.message}")


def check_queue_and_cancel(site, engine, findings):
    """What waits in the engine's queue is explained, survives a restart, and is called off with its job."""
    site.clear()
    (site.folder / "hold").touch()
    site.submit(f"{engine}-held", 2)
    site.wait(f"{engine} is asked", lambda: site.calls(*ASKS[engine]))

    def asked():
        return [line for line in site.explain(f"{engine}-held").get("details", []) if line.startswith("asked ") and "queued there" in line]

    site.wait("explain says so", asked)
    found = site.explain(f"{engine}-held")
    findings.expect("for 2 workers at 20" in found["text"] and "; fails at" not in found["text"], f"explain: {found['text']}")
    findings.expect(f"of pool {engine[:4]}" in asked()[0] and " ago: request " in asked()[0], f"explain: {asked()}")
    queue = site.fpoctl("queue")
    findings.expect("no-worker-fits" in site.fpoctl("explain", f"{engine}-held"), f"queue: {queue}")
    site.stop("coordinator")
    site.start_coordinator(engine)
    site.wait("explain says so after a restart", asked)
    findings.expect(len(site.calls(*ASKS[engine])) == 1, f"after a restart: {site.calls(*ASKS[engine])}")
    site.fpoctl("cancel", f"{engine}-held")
    site.wait("what it asked for is called off", lambda: site.calls(*CALL_OFFS[engine]))
    audit = site.fpoctl("audit")
    findings.expect("AskForWorkers" in audit and "CallWorkersOff" in audit, f"audit: {audit}")
    (site.folder / "hold").unlink()


def check_refusal(site, engine, findings):
    """An engine that refuses is left alone for a while, and a job that waits for it does not fail; held jobs ask for nothing."""
    site.clear()
    (site.folder / "refuse").touch()
    site.fpoctl("submit", str(site.folder / "sft.yaml"), "--hold", "--set", f"name={engine}-hold", "--set", f"output={site.folder}/runs/hold")
    site.submit(f"{engine}-refused", 2)
    site.wait("explain says why", lambda: "the cluster is full" in site.explain(f"{engine}-refused")["text"])
    text = site.explain(f"{engine}-refused")["text"]
    findings.expect("is asked again at 20" in text, f"explain: {text}")
    findings.expect(len(site.calls(*ASKS[engine])) == 1, f"it was asked {site.calls(*ASKS[engine])}")
    site.fpoctl("cancel", f"{engine}-refused")
    site.fpoctl("cancel", f"{engine}-hold")
    (site.folder / "refuse").unlink()


def check_file(site, findings):
    """A wrong file is refused at the start, with line and key."""
    site.write("wrong.yaml", "pools:\n  - {name: a, engine: slurm, max_worker: 4}\n")
    done = subprocess.run([check.program("fpo-coordinator"), "--data=/nowhere", f"--provision={site.folder}/wrong.yaml", "--check-config"],
                          capture_output=True, text=True)
    findings.expect(done.returncode == 2 and "wrong.yaml:2: pools.a.max_workers is missing" in done.stderr, f"{done.returncode}: {done.stderr}")


def main():
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    if os.environ.get("FPO_DEPLOY_TOOLS"):
        check.enter_tools()
    if not check.has("spm_train"):
        check.skip("spm_train is missing: scripts/setup.sh installs it")
    os.environ["FPO_BIN_DIR"] = str(pathlib.Path(check.program("fpo-train")).parent)
    for name in ("fpoctl", "fpo-worker", "fpo-coordinator", "fpo-cache"):
        check.program(name)
    findings = check.Findings()
    folder = tempfile.mkdtemp(prefix="fpo-provision-")
    site = Site(folder)
    try:
        check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), folder, check.program("fpo-train"))
        check_file(site, findings)
        for engine in ENGINES:
            site.clear()
            site.start_coordinator(engine)
            check_growth(site, engine, findings)
            if engine == "slurm":
                check_slurm_words(site, findings)
            if engine == "kubernetes":
                check_manifest(site, findings)
            check_queue_and_cancel(site, engine, findings)
            check_refusal(site, engine, findings)
            site.stop("coordinator")
    finally:
        site.end()
        shutil.rmtree(folder, ignore_errors=True)
    findings.end()


main()
