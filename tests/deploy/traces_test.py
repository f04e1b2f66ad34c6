#!/usr/bin/env python3
"""Traces of real jobs, as OpenTelemetry's own Python package reads them: names, parents, times, and what happens without a collector.

A job that is paused and resumed is one trace of two attempts below the span of whoever submitted it. While the collector is away jobs run as
ever, tries are counted, and the traces come when it is back.

usage: traces_test.py         (FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import deploy_check as check

PATIENCE_S = 90
CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
SECRET = "geheim-42"


class Collector:
    """Takes OTLP over HTTP; answers with 503 while it is away."""

    def __init__(self, request_type):
        self.away = threading.Event()
        self.spans = []
        self.resources = []
        self.headers = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.headers.append((self.path, dict(self.headers)))
                if collector.away.is_set():
                    self.send_error(503)
                    return
                request = request_type.FromString(body)
                for part in request.resource_spans:
                    collector.resources.append({item.key: item.value.string_value for item in part.resource.attributes})
                    for scope in part.scope_spans:
                        collector.spans += scope.spans
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, trace_id):
        return [span for span in self.spans if span.trace_id.hex() == trace_id]


class Site:
    """Coordinator, cache and a worker on free ports."""

    def __init__(self, folder, collector):
        self.folder = pathlib.Path(folder)
        self.processes = []
        self.environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_SERVICE_NAME": "fpo-test",
                            "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={SECRET}", "OTEL_RESOURCE_ATTRIBUTES": "site=here"}
        self.ports = {}
        self.start("coordinator", "--data", str(self.folder / "coordinator"), "--listen=127.0.0.1:0")
        self.start("cache", "--data", str(self.folder / "cache"), "--listen=127.0.0.1:0")
        self.environment["FPO_SERVER"] = self.ports["coordinator"]["grpc"]
        self.start("worker", "--work-dir", str(self.folder / "work"), "--coordinator", self.ports["coordinator"]["grpc"], "--cache",
                   self.ports["cache"]["grpc"], "--allow-root", "--device=cpu")

    def start(self, name, *flags):
        ports = self.folder / f"{name}.json"
        log = open(self.folder / f"{name}.log", "ab")
        self.processes.append(subprocess.Popen([check.program(f"fpo-{name}"), *flags, "--http=127.0.0.1:0", f"--port-file={ports}"],
                                               stderr=log, env=self.environment))
        self.wait(f"{name} listens", ports.exists)
        self.ports[name] = json.loads(ports.read_text())

    def wait(self, what, holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                sys.exit(f"FAILED: not within {PATIENCE_S} s: {what}\n{self.log('coordinator')[-3000:]}{self.log('worker')[-3000:]}")
            time.sleep(0.1)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def fpoctl(self, *words, **environment):
        return check.output_of(check.program("fpoctl"), *words, env={**self.environment, **environment})

    def submit(self, name, steps, form="sft", settings=(), **environment):
        settings = [f"name={name}", f"max_steps={steps}", f"output={self.folder}/runs/{name}", "checkpoint.every_steps=10",
                    "evaluate.every_steps=10", *settings]
        self.fpoctl("submit", str(self.folder / f"{form}.yaml"), *[f"--set={setting}" for setting in settings], **environment)

    def job(self, name):
        return json.loads(self.fpoctl("describe", name, "--json"))["job"]

    def number(self, series):
        text = urllib.request.urlopen(f"http://{self.ports['coordinator']['http']}/metrics", timeout=20).read().decode()
        return float(re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)[1])

    def stop(self):
        for process in self.processes[::-1]:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


def attributes(span):
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in span.attributes}


def check_nesting(spans, findings):
    by_id = {span.span_id: span for span in spans}
    findings.expect(len(by_id) == len(spans), "two spans have one id")
    for span in spans:
        findings.expect(span.start_time_unix_nano <= span.end_time_unix_nano, f"{span.name} ends before it begins")
        above = by_id.get(span.parent_span_id)
        if above is None:
            findings.expect(span.name == "job", f"{span.name} is below nothing")
            continue
        inside = above.start_time_unix_nano <= span.start_time_unix_nano and span.end_time_unix_nano <= above.end_time_unix_nano
        findings.expect(inside, f"{span.name} is not within {above.name}")


def check_resumed(site, collector, findings):
    """Paused while it trains, then resumed: one trace, below the caller's span."""
    site.submit("resumed", 60, TRACEPARENT=f"00-{CALLER[0]}-{CALLER[1]}-01")
    site.wait("the job trains", lambda: int(site.job("resumed").get("progress", {}).get("step", 0)) >= 12)
    site.fpoctl("pause", "resumed")
    site.wait("it is paused", lambda: site.job("resumed")["state"] == "PAUSED")
    site.fpoctl("resume", "resumed")
    site.fpoctl("wait", "resumed", "--timeout=3m")
    site.wait("its trace comes", lambda: collector.of(CALLER[0]))
    spans = collector.of(CALLER[0])
    names = [span.name for span in spans]
    for name, number in (("job", 1), ("queue", 2), ("attempt", 2), ("assign", 2), ("train", 2), ("finish", 1)):
        findings.expect(names.count(name) == number, f"{names.count(name)} spans {name}, not {number}: {names}")
    for name in ("prepare", "steps", "checkpoint", "evaluate"):
        findings.expect(name in names, f"there is no span {name}: {names}")
    root = spans[names.index("job")]
    findings.expect(root.parent_span_id.hex() == CALLER[1], "the job is not below its caller's span")
    findings.expect(attributes(root)["fpo.job.state"] == "SUCCEEDED", f"the job's span says {attributes(root)}")
    findings.expect(site.job("resumed")["trace_id"] == CALLER[0], "fpoctl describe does not say the trace")
    below = {span.span_id: span.name for span in spans}
    for name, above in (("queue", "job"), ("attempt", "job"), ("train", "attempt"), ("steps", "train"), ("evaluate", "train")):
        where = {below[span.parent_span_id] for span in spans if span.name == name}
        findings.expect(where == {above}, f"{name} is below {where}")
    steps = [attributes(span) for span in spans if span.name == "steps"]
    findings.expect(max(step["fpo.step.last"] for step in steps) == 60, f"the steps end with {steps[-1]}")
    check_nesting(spans, findings)
    findings.expect(collector.resources[-1].get("service.name") == "fpo-test" and collector.resources[-1].get("site") == "here",
                    f"the resource is {collector.resources[-1]}")
    path, headers = collector.headers[-1]
    findings.expect(path == "/v1/traces" and headers.get("api-key") == SECRET, f"the call was {path} with {sorted(headers)}")
    for program in ("coordinator", "worker"):
        findings.expect(f'"trace_id":"{CALLER[0]}"' in site.log(program), f"the log of the {program} does not name the trace")


def check_reference(site, collector, findings):
    """Time in the reference pass is a phase, with what the cache had."""
    site.submit("reference", 4, form="dpo", settings=[f"model.path={site.folder}/base", f"reference.path={site.folder}/base"])
    site.fpoctl("wait", "reference", "--timeout=3m")
    trace_id = site.job("reference")["trace_id"]
    site.wait("its trace comes", lambda: collector.of(trace_id))
    spans = collector.of(trace_id)
    phases = [span for span in spans if span.name in ("assign", "prepare", "reference", "train", "finish")]
    names = [span.name for span in sorted(phases, key=lambda span: span.start_time_unix_nano)]
    findings.expect(names == ["assign", "prepare", "reference", "train", "finish"], f"the phases are {names}")
    reference = [attributes(span) for span in spans if span.name == "reference"]
    findings.expect(reference and reference[0].get("fpo.records_computed", 0) > 0, f"the reference pass says {reference}")
    check_nesting(spans, findings)


def check_own_trace(site, collector, findings):
    """Nobody gave a trace, so the job has one of its own; an invalid one is ignored."""
    site.submit("own", 4, TRACEPARENT="00-not-a-trace")
    site.fpoctl("wait", "own", "--timeout=3m")
    trace_id = site.job("own").get("trace_id", "")
    findings.expect(re.fullmatch("[0-9a-f]{32}", trace_id), f"its trace is '{trace_id}'")
    site.wait("its trace comes", lambda: collector.of(trace_id))
    roots = [span for span in collector.of(trace_id) if not span.parent_span_id]
    findings.expect([span.name for span in roots] == ["job"], f"the roots are {[span.name for span in roots]}")
    site.submit("unsampled", 4, TRACEPARENT=f"00-{'9' * 32}-{CALLER[1]}-00")
    site.fpoctl("wait", "unsampled", "--timeout=3m")


def check_away(site, collector, findings):
    """Without a collector jobs run, tries are counted, and the trace comes later."""
    collector.away.set()
    before = site.number("fpo_trace_send_failures_total")
    site.submit("away", 4)
    site.fpoctl("wait", "away", "--timeout=3m")
    findings.expect(site.job("away")["state"] == "SUCCEEDED", "the job needs a collector")
    site.wait("tries are counted", lambda: site.number("fpo_trace_send_failures_total") >= before + 2)
    findings.expect(site.number("fpo_traces_waiting") == 1, "the trace does not wait")
    collector.away.clear()
    trace_id = site.job("away")["trace_id"]
    site.wait("the trace comes when the collector is back", lambda: collector.of(trace_id))
    findings.expect(site.number('fpo_traces_dropped_total{reason="gave_up"}') == 0, "a trace was dropped")
    findings.expect(not collector.of("9" * 32), "a trace came that its caller does not record")


def main():
    if sys.argv[1:]:
        print(__doc__)
        sys.exit(0 if sys.argv[1] in ("-h", "--help") else 2)
    check.enter_tools()
    try:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        check.skip(f"opentelemetry-proto is not here: {check.HOW}")
    if not check.has("spm_train"):
        check.skip("spm_train is missing: scripts/setup.sh installs it")
    for name in ("fpoctl", "fpo-train", "fpo-worker", "fpo-coordinator", "fpo-cache"):
        check.program(name)
    findings = check.Findings()
    folder = tempfile.mkdtemp(prefix="fpo-traces-")
    collector = Collector(ExportTraceServiceRequest)
    site = None
    try:
        check.output_of(str(check.ROOT / "examples/tiny/prepare.sh"), folder, check.program("fpo-train"))
        site = Site(folder, collector)
        check_resumed(site, collector, findings)
        check_reference(site, collector, findings)
        check_own_trace(site, collector, findings)
        check_away(site, collector, findings)
        logs = "".join(site.log(name) for name in ("coordinator", "worker"))
        findings.expect(SECRET not in logs, "a header is in a log")
    finally:
        if site is not None:
            site.stop()
        shutil.rmtree(folder, ignore_errors=True)
    findings.end()


if __name__ == "__main__":
    main()
