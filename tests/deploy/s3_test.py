#!/usr/bin/env python3
"""Jobs whose inputs and outputs are in a bucket, on workers that share no folder; the server is moto's, which checks every signature.

usage: s3_test.py            (FPO_BIN_DIR: the programs; FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
"""
import hashlib
import json
import logging
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import deploy_check as check

PATIENCE_S = 120
BUCKET = "training"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHORT = ["max_steps=12", "checkpoint.every_steps=4", "evaluate.every_steps=12", "evaluate.pairs=8", "data.max_pairs=200"]


def start_server():
    """moto with an IAM user, and from then on no call that is not signed by that user. Its client, endpoint and keys."""
    os.environ.update(INITIAL_NO_AUTH_ACTION_COUNT="3", AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        os.environ.pop(name, None)
    try:
        import boto3
        import moto.server
    except ImportError:
        check.skip(f"moto[server] and boto3 are not here: {check.HOW}")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = moto.server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    iam = boto3.client("iam", endpoint_url=endpoint)
    iam.create_user(UserName="worker")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="worker", PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    s3.create_bucket(Bucket=BUCKET)
    return server, s3, endpoint, key


class Site:
    """Coordinator, cache and workers, each worker with a folder of its own; the cache has a bucket or none."""

    def __init__(self, folder, endpoint, key, bucket=None):
        self.folder = folder
        self.endpoint, self.key = endpoint, key
        self.running = {}
        self.ports = {}
        for name in ("coordinator", "cache"):
            more = ["--lease=2s", "--beat=200ms", "--reattach=2s"] if name == "coordinator" else [f"--bucket={bucket}"] if bucket else []
            self.start(name, ["--data", str(folder / name), "--listen=127.0.0.1:0", *more], self.credentials() if bucket else None)

    def start(self, name, words, environment=None):
        ports = self.folder / f"{name}.json"
        ports.unlink(missing_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self.running[name] = subprocess.Popen(
            [check.program("fpo-worker" if name.startswith("w") else f"fpo-{name}"), *words, "--http=127.0.0.1:0", f"--port-file={ports}"],
            stderr=open(self.folder / f"{name}.log", "ab"), env={**clean, **(environment or {})})
        self.wait(f"{name} listens", lambda: ports.exists() or self.running[name].poll() is not None)
        self.ports[name] = json.loads(ports.read_text())

    def credentials(self, secret=None):
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": self.key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": secret or self.key["SecretAccessKey"]}

    def start_worker(self, name, secret=None, more=()):
        environment = {**self.credentials(secret), "HF_HUB_CACHE": str(self.folder / "hub")}
        self.start(name, ["--coordinator", self.ports["coordinator"]["grpc"], "--cache", self.ports["cache"]["grpc"], "--name", name, "--device=cpu",
                          "--work-dir", str(self.folder / name), "--label", f"at={name}", "--grace=5s", *more], environment)

    def wait(self, what, holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                self.stop()
                sys.exit(f"FAILED: not within {PATIENCE_S} s: {what}\n{self.logs()}")
            time.sleep(0.1)

    def logs(self):
        return "".join(f"-- {path.name}\n{path.read_text(errors='replace')[-2500:]}\n" for path in sorted(self.folder.glob("*.log")))

    def fpoctl(self, *words):
        addresses = ["--server", self.ports["coordinator"]["grpc"], "--cache-server", self.ports["cache"]["grpc"]]
        return subprocess.run([check.program("fpoctl"), *words, *addresses], capture_output=True, text=True)

    def submit(self, name, *changes, at=None):
        words = [word for change in [f"name={name}", *changes] for word in ("--set", change)]
        if at:
            words += ["--set", f"resources.require=[at={at}]"]
        done = self.fpoctl("submit", "-q", str(self.folder / "inputs/dpo.yaml"), *words)
        if done.returncode != 0:
            sys.exit(f"FAILED: submit {name}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def run(self, name, *changes, at=None):
        job = self.submit(name, *changes, at=at)
        self.fpoctl("wait", job)
        return job

    def job(self, job):
        return json.loads(self.fpoctl("describe", job, "--json").stdout)["job"]

    def log(self, job):
        return self.fpoctl("logs", job).stdout

    def stop(self):
        for process in list(self.running.values())[::-1]:
            process.terminate()
        for process in self.running.values():
            process.wait(timeout=PATIENCE_S)


def upload(s3, folder, prefix):
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(folder)}")


def keys_below(s3, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {each["Key"].removeprefix(prefix): each["Size"] for page in pages for each in page.get("Contents", [])}


def body_of(s3, key):
    return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def make_hub(folder, model):
    """The model as the Hugging Face libraries cache it."""
    repository = folder / "models--tiny--base"
    snapshot = repository / "snapshots" / COMMIT
    for made in (repository / "blobs", repository / "refs", snapshot):
        made.mkdir(parents=True)
    (repository / "refs/main").write_text(COMMIT)
    for path in model.iterdir():
        blob = hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, repository / "blobs" / blob)
        (snapshot / path.name).symlink_to(f"../../blobs/{blob}")
    return repository


def records_of(job):
    use = job.get("progress", {}).get("cache", {})
    return int(use.get("records_hit", 0)), int(use.get("records_computed", 0))


def succeeds(site, findings, name, job):
    state = site.job(job)
    findings.expect(state["state"].endswith("SUCCEEDED"), f"{name}: {state['state']}: {site.log(job)[-3000:]}")
    return state


def check_output(s3, findings, prefix):
    """Everything that output.json names is there, with those bytes."""
    index = json.loads(body_of(s3, f"{prefix}/output.json"))["files"]
    for name in ("model/config.json", "model/model.safetensors", "run.json", "job.yaml", "metrics.jsonl", "inputs.json"):
        findings.expect(name in index, f"{prefix}: output.json does not name {name}")
    for name, entry in index.items():
        body = body_of(s3, f"{prefix}/{name}")
        findings.expect(len(body) == entry["bytes"] and hashlib.sha256(body).hexdigest() == entry["sha256"], f"{prefix}/{name} is not as output.json says")
    others = set(keys_below(s3, f"{prefix}/")) - set(index) - {"output.json", ".attempt.json"}
    findings.expect(not others, f"{prefix}: output.json does not name {others}")


def check_sharing(site, s3, findings, urls):
    """One job from folders, then others from the bucket and the Hub's cache: only the first computes."""
    first = succeeds(site, findings, "folder", site.run("folder", *SHORT, f"output={site.folder}/runs/folder", at="wa"))
    hits, computed = records_of(first)
    findings.expect(computed > 0 and hits == 0, f"folder: {hits} hits, {computed} computed")
    for name, at, model in (("from-s3", "wb", urls[0]), ("again", "wb", urls[0]), ("from-hub", "wb", "model.path=hf://tiny/base")):
        job = site.run(name, *SHORT, model, *urls[1:], f"output=s3://{BUCKET}/runs/{name}", at=at)
        hits, computed = records_of(succeeds(site, findings, name, job))
        findings.expect(computed == 0 and hits > 0, f"{name}: {hits} hits, {computed} computed; its recipe is another one")
        check_output(s3, findings, f"runs/{name}")
        fetched = [float(each) for each in re.findall(r"input s3://.* ([\d.]+) MiB fetched", site.log(job))]
        findings.expect(fetched and (name == "from-s3") == (sum(fetched) > 0), f"{name}: {fetched} MiB fetched")
        same = body_of(s3, f"runs/{name}/model/model.safetensors") == (site.folder / "runs/folder/model/model.safetensors").read_bytes()
        findings.expect(same, f"{name}: the model is not that of the job from folders")
    got = site.fpoctl("download", job, "--to", str(site.folder / "got"))
    findings.expect(got.returncode == 0 and any((site.folder / "got").rglob("model.safetensors")), f"download: {got.stdout}{got.stderr}")
    done = site.run("from-hub", *SHORT, "model.path=hf://tiny/base", *urls[1:], f"output=s3://{BUCKET}/runs/from-hub", at="wa")
    findings.expect("nothing was trained" in site.log(done), f"a finished run on another host: {site.log(done)[-1500:]}")
    check_output(s3, findings, "runs/from-hub")


def check_restart_elsewhere(site, s3, findings, urls):
    """The worker of a run is killed; another one goes on from the newest checkpoint in the bucket."""
    prefix = "runs/moved"
    job = site.submit("moved", *urls, "max_steps=60", "checkpoint.every_steps=5", "evaluate.every_steps=100", "data.max_pairs=200", "epochs=20",
                      f"output=s3://{BUCKET}/{prefix}")
    site.wait("a checkpoint is in the bucket", lambda: any(re.match(r"checkpoints/step-\d+/manifest.json", key) for key in keys_below(s3, f"{prefix}/")))
    at = site.job(job)["attempts"][-1]["workers"][0]
    site.running[at].send_signal(signal.SIGKILL)
    site.running.pop(at).wait()
    site.fpoctl("wait", job)
    state = succeeds(site, findings, "moved", job)
    log = site.log(job)
    resumed = re.findall(r"the checkpoint of step (\d+) is here", log)
    findings.expect(len(state["attempts"]) == 2 and resumed, f"moved: {len(state['attempts'])} attempts: {log[-3000:]}")
    check_output(s3, findings, prefix)
    steps = [json.loads(line)["step"] for line in body_of(s3, f"{prefix}/metrics.jsonl").decode().splitlines() if "loss" in line and "eval_loss" not in line]
    findings.expect(steps == list(range(1, 61)), f"moved: metrics.jsonl has the steps {steps}")
    left = {key.split("/")[1] for key in keys_below(s3, f"{prefix}/") if key.startswith("checkpoints/")}
    findings.expect(len(left) <= 3, f"moved: checkpoints that retention removed are still there: {left}")
    site.start_worker(at)


def check_errors(site, s3, findings, urls):
    """Each fault ends the job at once, with what is wrong."""
    def refused(name, words, *changes, at="wb"):
        job = site.run(name, *SHORT, *urls, *changes, at=at)
        shown = site.fpoctl("explain", job).stdout + site.fpoctl("watch", job).stdout
        findings.expect(site.job(job)["state"].endswith("FAILED"), f"{name}: {site.job(job)['state']}")
        for word in words:
            findings.expect(word in re.sub(r"\s+", " ", shown), f"{name}: explain and watch do not say \"{word}\": {shown}")

    refused("no-object", ["data.train", f"s3://{BUCKET}/data/nowhere.jsonl", "there is no object"], f"data.train=[s3://{BUCKET}/data/nowhere.jsonl]")
    refused("no-bucket", ["model.path", "s3://nowhere-at-all/base", "NoSuchBucket"], "model.path=s3://nowhere-at-all/base")
    refused("no-output", ["output: s3://nowhere-at-all/runs", "NoSuchBucket"], "output=s3://nowhere-at-all/runs")
    refused("wrong-key", ["credentials of this worker are wrong", "AWS_SECRET_ACCESS_KEY"], at="wc")
    refused("no-hub", ["tiny/other", "hf download tiny/other"], "model.path=hf://tiny/other")
    incomplete = site.folder / "hub/models--tiny--base/blobs/abc.incomplete"
    incomplete.write_text("")
    refused("half-hub", ["is not complete", "hf download tiny/base"], "model.path=hf://tiny/base")
    incomplete.unlink()
    whole = (site.folder / "inputs/data/train.jsonl").read_bytes()
    s3.put_object(Bucket=BUCKET, Key="data/cut.jsonl", Body=whole[:1000], Metadata={"fpo-sha256": hashlib.sha256(whole).hexdigest()})
    refused("cut", ["data.train", "its bytes have the SHA-256", "it states"], f"data.train=[s3://{BUCKET}/data/cut.jsonl]")
    refused("closed", ["is not below a place that this worker opens"], f"data.train=[s3://{BUCKET}/data/train.jsonl]",
            f"output=s3://{BUCKET}/elsewhere", at="wd")
    shown = site.fpoctl("validate", str(site.folder / "inputs/dpo.yaml"), "--set", "model.path=s3://KEY:SECRETTEXT@bucket/base")
    findings.expect(shown.returncode != 0 and "SECRETTEXT" not in shown.stdout + shown.stderr, f"validate: {shown.stdout}{shown.stderr}")


def check_changed_input(site, s3, findings, urls):
    """A run that goes on must not do so with other data."""
    changes = [*urls, f"data.train=[s3://{BUCKET}/data/moving.jsonl]", f"output=s3://{BUCKET}/runs/moving", *SHORT[1:]]
    whole = (site.folder / "inputs/data/train.jsonl").read_bytes()
    s3.put_object(Bucket=BUCKET, Key="data/moving.jsonl", Body=whole)
    succeeds(site, findings, "moving", site.run("moving", "max_steps=4", *changes, at="wb"))
    s3.put_object(Bucket=BUCKET, Key="data/moving.jsonl", Body=whole[whole.index(b"\n") + 1:])
    job = site.run("moving", "max_steps=8", *changes, at="wa")
    findings.expect(site.job(job)["state"].endswith("FAILED") and "changed since the job began to read it" in site.log(job), f"moving: {site.log(job)[-1500:]}")


def check_secrets(site, findings):
    """The key's secret is in no file that a program wrote, whatever went wrong."""
    for path in site.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            findings.expect(site.key["SecretAccessKey"].encode() not in path.read_bytes(), f"{path} contains the secret")


def main():
    check.enter_tools()
    server, s3, endpoint, key = start_server()
    findings = check.Findings()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), str(folder / "inputs"), check.program("fpo-train"))
        job_file = folder / "inputs/dpo.yaml"
        job_file.write_text(job_file.read_text().replace("runs/sft/model", "base"))
        make_hub(folder / "hub", folder / "inputs/base")
        upload(s3, folder / "inputs/base", "models/base")
        upload(s3, folder / "inputs/data", "data")
        urls = [f"model.path=s3://{BUCKET}/models/base", f"data.train=[s3://{BUCKET}/data/train.jsonl]", f"data.eval=[s3://{BUCKET}/data/ev*.jsonl]"]
        site = Site(folder, endpoint, key)
        try:
            for worker in ("wa", "wb"):
                site.start_worker(worker)
            site.start_worker("wc", secret="another-secret")
            site.start_worker("wd", more=[f"--root=s3://{BUCKET}", f"--output-root=s3://{BUCKET}/runs"])
            check_sharing(site, s3, findings, urls)
            check_errors(site, s3, findings, urls)
            check_changed_input(site, s3, findings, urls)
            for worker in ("wc", "wd"):
                site.running[worker].terminate()
                site.running.pop(worker).wait()
            check_restart_elsewhere(site, s3, findings, urls)
            check_secrets(site, findings)
        finally:
            site.stop()
            server.stop()
        if findings.found:
            print(site.logs())
    findings.end()


if __name__ == "__main__":
    main()
