#!/usr/bin/env python3
"""Runs deploy/compose/compose.yaml without Docker: its command lines, read from the file, as plain processes.

They see a network of their own in which the names of the services are addresses of loopback, run as another user than root, and have
folders of this machine where the file names volumes. A job goes through them; Prometheus, where it is installed, finds its targets.

usage: compose_test.py       (FPO_BIN_DIR: the programs; FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import deploy_check as check

FILE = check.ROOT / "deploy/compose/compose.yaml"
OURS = ("fpo-coordinator", "fpo-cache", "fpo-worker", "fpoctl")
PATIENCE_S = 60


def read_services():
    text = check.output_of(check.tool("docker-compose"), "-f", str(FILE), "--profile", "client", "config", "--format", "json")
    return json.loads(text)["services"]


def check_file(services, findings):
    """What holds for every service, whether it is run below or not."""
    for name, service in services.items():
        for port in service.get("ports", []):
            findings.expect(port.get("host_ip") == "127.0.0.1", f"{name}: port {port['published']} is open to other machines")
        for volume in service.get("volumes", []):
            findings.expect(volume["type"] == "volume" or pathlib.Path(volume["source"]).exists(),
                            f"{name}: mounts {volume['source']}, which is not there")
        findings.expect(service.get("read_only"), f"{name}: its root file system can be written")
        findings.expect(service.get("cap_drop") == ["ALL"], f"{name}: keeps capabilities")
        if name not in ("first-start", "client"):
            findings.expect("healthcheck" in service, f"{name}: has no health check")
        command = service.get("command") or ["-"]
        if command[0] in OURS[:3]:
            findings.expect(not check.unknown_flags(command), f"{name}: {command[0]} has no {check.unknown_flags(command)}")


def check_grafana(services, findings):
    """All dashboards are mounted where the provider looks, the one of the first page among them; their source is there."""
    import yaml
    folder = check.ROOT / "deploy/compose/grafana"
    provider = yaml.safe_load((folder / "dashboards/fpo.yaml").read_text())["providers"][0]
    source = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"][0]
    mounted = {volume["target"]: volume.get("source", "") for volume in services["grafana"]["volumes"]}
    home = pathlib.PurePath(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    boards = pathlib.Path(mounted.get(provider["options"]["path"], ""))
    findings.expect(boards == check.ROOT / "deploy/grafana", "grafana: the provider looks elsewhere than the dashboards are mounted")
    findings.expect(str(home.parent) == provider["options"]["path"] and (boards / home.name).is_file(), f"grafana: {home} is not mounted")
    findings.expect(source["url"] == "http://prometheus:9090" and "prometheus" in services, f"grafana: asks {source['url']}")


class Host:
    """Stands for the machine: processes in place of containers."""

    def __init__(self, services, folder):
        self.services = services
        self.folder = folder
        self.running = {}

    def place_of(self, volume):
        return volume["source"] if volume["type"] == "bind" else f"{self.folder}/volumes/{volume['source']}"

    def local(self, name, text):
        """A word of a service, with the path of a volume as it is called here."""
        for volume in sorted(self.services[name].get("volumes", []), key=lambda each: -len(each["target"])):
            text, found = re.subn(f"(?<![^=]){re.escape(volume['target'])}(?![^/])", self.place_of(volume), text)
            if found:
                break
        return text

    def command_of(self, name, words):
        return [self.local(name, word) for word in words]

    def environment_of(self, name):
        own = {key: self.local(name, value) for key, value in (self.services[name].get("environment") or {}).items()}
        path = f"{os.environ['FPO_BIN_DIR']}:{check.ROOT}/deploy/docker:{os.environ['PATH']}"
        return {"PATH": path, "HOME": self.folder, "LANG": "C.UTF-8", **own}

    def start(self, name, words):
        for volume in self.services[name].get("volumes", []):
            if volume["type"] == "volume":
                os.makedirs(self.place_of(volume), exist_ok=True)
        log = open(f"{self.folder}/{name}.log", "ab")
        as_user = ["unshare", "--user", "--map-user=10001", "--map-group=10001"]
        return subprocess.Popen(as_user + self.command_of(name, words), env=self.environment_of(name), stdin=subprocess.DEVNULL,
                                stdout=log, stderr=log, cwd=self.folder)

    def log_of(self, name):
        return pathlib.Path(f"{self.folder}/{name}.log").read_text(errors="replace")

    def fail(self, name, what):
        sys.exit(f"FAILED: {name}: {what}\n{self.log_of(name)[-3000:]}")

    def run(self, name, words):
        status = self.start(name, words).wait(timeout=300)
        if status != 0:
            self.fail(name, f"{' '.join(words)} ended with {status}")
        return self.log_of(name)

    def up(self, name, words):
        self.running[name] = self.start(name, words)
        healthy = self.services[name]["healthcheck"]["test"]
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run(healthy[1:], env=self.environment_of(name), capture_output=True).returncode != 0:
            if self.running[name].poll() is not None or time.monotonic() > deadline:
                self.fail(name, f"is not healthy by {' '.join(healthy[1:])}")
            time.sleep(0.2)
        print(f"{name} is healthy")

    def down(self, findings):
        for name, process in reversed(self.running.items()):
            process.terminate()
            try:
                status = process.wait(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                status = "no status within a minute"
            findings.expect(status == 0, f"{name}: SIGTERM ended it with {status}\n{self.log_of(name)[-1500:]}")


def enter_namespaces():
    """Goes on in a user, mount and network namespace of its own, where this process may name hosts and use any port."""
    if os.environ.get("FPO_IN_NAMESPACE"):
        return
    unshare = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if not check.has("ip") or subprocess.run(unshare + ["true"], capture_output=True).returncode != 0:
        check.skip("this machine gives no namespaces to unshare(1), or has no ip(8)")
    os.environ["FPO_IN_NAMESPACE"] = "1"
    os.execvp(unshare[0], unshare + [sys.executable, *sys.argv])


def name_hosts(services, folder):
    check.output_of("ip", "link", "set", "lo", "up")
    hosts = pathlib.Path(folder, "hosts")
    names = [f"127.0.0.{10 + i} {service.get('hostname', name)}" for i, (name, service) in enumerate(services.items())]
    hosts.write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
    check.output_of("mount", "--bind", str(hosts), "/etc/hosts")


def check_targets(host, findings):
    host.up("prometheus", ["prometheus", *host.services["prometheus"]["command"]])
    deadline = time.monotonic() + 30
    health = {}
    while time.monotonic() < deadline and set(health.values()) != {"up"}:
        time.sleep(0.5)
        with urllib.request.urlopen("http://127.0.0.1:9090/api/v1/targets", timeout=5) as answer:
            health = {each["labels"]["job"]: each["health"] for each in json.load(answer)["data"]["activeTargets"]}
    findings.expect(set(health) == {"fpo-coordinator", "fpo-cache", "fpo-worker"} and set(health.values()) == {"up"},
                    f"prometheus: its targets are {health}")


def run_job(host, findings):
    """A few steps of the tiny example, sent by the client from the volume that it shares with the worker."""
    jobs = host.place_of({"type": "volume", "source": "jobs"})
    os.makedirs(jobs, exist_ok=True)
    check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), jobs, check.program("fpo-train"))
    said = host.run("client", ["fpoctl", "submit", "/srv/fpo/sft.yaml", "--set", "max_steps=4", "--wait"])
    print(said)
    findings.expect(pathlib.Path(jobs, "runs/sft/model/config.json").exists(), "the job left no model")
    listed = host.run("client", ["fpoctl", "workers", "list", "-q"])
    findings.expect("fpo-worker" in listed.split(), f"workers list says: {listed}")


def check_strangers(host, findings):
    """Without a token or without TLS nobody gets in."""
    environment = host.environment_of("client")
    for leave_out, ends_with in (("FPO_TOKEN_FILE", 6), ("FPO_TLS_CA", 2)):
        less = {key: value for key, value in environment.items() if key != leave_out}
        done = subprocess.run(["fpoctl", "list"], env=less, capture_output=True, text=True, timeout=120)
        findings.expect(done.returncode == ends_with, f"client: without {leave_out}, fpoctl list ended with {done.returncode}: {done.stderr}")


def main():
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    check.enter_tools()
    os.environ["FPO_BIN_DIR"] = str(pathlib.Path(check.program("fpo-train")).parent)
    for name in (*OURS, "fpo-worker"):
        check.program(name)
    for name in ("openssl", "spm_train", "wget"):
        if not check.has(name):
            check.skip(f"{name} is missing")
    enter_namespaces()
    services = read_services()
    findings = check.Findings()
    check_file(services, findings)
    check_grafana(services, findings)
    if findings.found:
        findings.end()
    folder = tempfile.mkdtemp(prefix="fpo-compose-")
    try:
        name_hosts(services, folder)
        host = Host(services, folder)
        host.run("first-start", services["first-start"]["command"])
        for name in ("coordinator", "cache", "worker"):
            host.up(name, services[name]["command"])
        check_strangers(host, findings)
        run_job(host, findings)
        if check.has("prometheus") and check.has("promtool"):
            check_targets(host, findings)
        else:
            print("prometheus is not installed: its command line was not run")
        host.down(findings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    findings.end()


main()
