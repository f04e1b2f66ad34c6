#!/usr/bin/env python3
"""fpo.Client against real services: jobs from submit to download, every kind of error, lost connections, tokens.

usage: client_test.py       (FPO_PYTHON_TOOLS: a venv of requirements.txt; FPO_BIN_DIR: the programs; exit code 77: skipped)
"""
import concurrent.futures
import hashlib
import io
import json
import os
import pathlib
import threading
import time
import uuid
import warnings

import python_check as check


def check_life(fpo, client, folder, findings):
    """A job from submit to its files, compared with what lies in its output folder."""
    expect = findings.expect
    job = check.short_sft(client, folder)
    expect(job.name == "short" and not job.state.is_terminal, f"a new job is {job!r}")
    expect(job.config["model"]["path"] == str(folder / "tiny/base"), f"paths are not absolute: {job.config['model']}")
    late = check.raised(fpo.WaitTimeout, lambda: job.wait(timeout=0.05))
    expect(isinstance(late, TimeoutError) and late.ids == (job.id,), f"waiting in vain: {late!r}")
    followed = list(job.logs(follow=True))
    expect(job.wait(timeout=check.PATIENCE_S) is job and job.state == fpo.JobState.SUCCEEDED == "SUCCEEDED", f"it ended as {job!r}")
    expect(any("done: " in str(line) for line in followed), f"its log says {[str(line) for line in followed]}")
    lines = list(job.logs())
    expect([line.text for line in lines][:len(followed)] == [line.text for line in followed], "following printed other lines")
    expect([line.text for line in job.logs(tail=2)] == [line.text for line in lines][-2:], "tail is not the end")
    expect(lines[0].time.tzinfo is not None and lines[0].stream in ("stdout", "stderr", "agent"), f"a line is {lines[0]!r}")
    rows = [json.loads(line) for line in (folder / "runs/short/metrics.jsonl").read_text().splitlines()]
    losses = {row["step"]: row["loss"] for row in rows if "loss" in row}
    loss = job.metrics("loss")["loss"]
    expect(dict(zip(loss.steps, loss.values)) == losses and len(loss) == 6 and loss.last == losses[6], f"the losses are {loss.values}")
    expect("eval_loss" in job.metrics(), "all metrics do not include eval_loss")
    events = list(job.events())
    expect([event.cursor for event in events] == sorted(event.cursor for event in events) and any(
        event.data.get("phase") == "train" for event in events), "its events are out of order")
    expect(list(job.events(after=events[-2].cursor)) == events[-1:], "events do not go on after a cursor")
    expect([checkpoint.step for checkpoint in job.checkpoints()] == [6, 3], f"its checkpoints are {job.checkpoints()}")
    expect(job.result["eval_pairs"] == 20 and isinstance(job.result["device_name"], str), f"its result is {job.result}")
    expect(job.explain().word == "succeeded" and job.kind == "train" and job.ended > job.started > job.submitted, "its times are wrong")
    check_files(job, folder, expect)
    expect([each.id for each in client.jobs("SUCCEEDED", name="short")] == [job.id] and not list(client.jobs(["FAILED", "HELD"])),
           "jobs() finds others")
    expect(client.job("short").id == job.id and next(client.jobs()).config == job.config, "it is not found by name")
    return job


def check_files(job, folder, expect):
    place = pathlib.Path(job.download(folder / "model", model=True))
    for file in (folder / "runs/short/model").iterdir():
        here = place / file.name
        expect(here.exists() and hashlib.sha256(here.read_bytes()).digest() == hashlib.sha256(file.read_bytes()).digest(),
               f"{file.name} was not downloaded as it is")
    expect(job.download(folder / "model", model=True) == str(place), "a second download differs")
    expect((pathlib.Path(job.download(folder / "step", step=3)) / "manifest.json").exists(), "a checkpoint has no manifest")


def check_changes(fpo, client, folder, findings):
    expect = findings.expect
    request = str(uuid.uuid4())
    job = check.short_sft(client, folder, name="held", hold=True, request_id=request)
    again = check.short_sft(client, folder, name="held", hold=True, request_id=request)
    expect(again.id == job.id, "the same request made another job")
    reused = check.raised(fpo.Conflict, lambda: check.short_sft(client, folder, name="other", hold=True, request_id=request))
    expect(getattr(reused, "reason", "") == "REQUEST_ID_REUSED", f"another job by the same request: {reused!r}")
    expect(job.state == "HELD" and job.release().state != "HELD", f"released, it is {job!r}")
    job.cancel(now=True)
    ended = check.raised(fpo.JobCancelled, lambda: job.wait(timeout=check.PATIENCE_S))
    expect(isinstance(ended, fpo.JobFailed) and ended.job is job and ended.reason == "CANCELLED", f"cancelled: {ended!r}")
    wrong = check.raised(fpo.Conflict, job.hold)
    expect(getattr(wrong, "reason", "") == "JOB_TERMINAL", f"holding what ended: {wrong!r}")
    retried = job.retry()
    expect(retried.id != job.id and retried.wait(timeout=check.PATIENCE_S).state == "SUCCEEDED", f"retried: {retried!r}")
    paused = check.short_sft(client, folder, steps=400, name="paused")
    end = time.monotonic() + check.PATIENCE_S
    while paused.refresh().progress.step < 1 and time.monotonic() < end:
        time.sleep(0.05)
    paused.pause()
    while paused.refresh().state != "PAUSED" and time.monotonic() < end:
        time.sleep(0.05)
    expect(paused.state == "PAUSED" and not paused.resume().state.is_terminal, f"paused: {paused!r}")
    paused.cancel(now=True)


def check_errors(fpo, client, folder, findings):
    expect = findings.expect
    wrong = check.raised(fpo.InvalidJob, lambda: client.submit({"kind": "train", "methd": {}, "output": "x"}))
    expect('did you mean "method"' in str(wrong) and "name: is missing" in str(wrong) and wrong.reason == "INVALID_JOB" and "fpoctl schema" in wrong.hint
           and "standard input" not in str(wrong), f"an invalid mapping: {wrong}")
    lines = (folder / "tiny/sft.yaml").read_text().replace("epochs: 2", "epochs: two")
    (folder / "tiny/wrong.yaml").write_text(lines)
    wrong = check.raised(fpo.InvalidJob, lambda: client.submit(folder / "tiny/wrong.yaml"))
    expect("wrong.yaml:" in str(wrong) and wrong.field == "epochs", f"an invalid file: {wrong!r}")
    expect(client.validate(folder / "tiny/wrong.yaml").problems and not client.validate(folder / "tiny/wrong.yaml").ok, "it is called valid")
    fine = client.validate(folder / "tiny/sft.yaml")
    expect(fine.ok and "w1" in fine.fit, f"a valid job: {fine}")
    missing = check.raised(fpo.NotFound, lambda: client.submit("no-such.yaml"))
    expect(missing.reason == "FILE_UNREADABLE", f"a missing file: {missing!r}")
    unknown = check.raised(fpo.NotFound, lambda: client.job("no-such-job"))
    expect(unknown.reason == "JOB_NOT_FOUND" and unknown.code == "NOT_FOUND" and "no-such-job" in str(unknown), f"an unknown job: {unknown!r}")
    (folder / "empty.jsonl").write_text('{"prompt": "a", "chosen": "b", "rejected": "b"}\n')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        failing = check.short_sft(client, folder, name="failing", set=[f'data.train=["{folder}/empty.jsonl"]', "method.name=dpo", "method.beta=0.1"])
    expect(any(issubclass(each.category, fpo.FpoWarning) and each.filename == check.__file__ for each in caught),
           f"what was wrong on this machine was no warning at the call: {[str(each.message) for each in caught]}")
    failed = check.raised(fpo.JobFailed, lambda: failing.wait(timeout=check.PATIENCE_S))
    expect(failing.id in str(failed) and "identical_pair" in str(failed) and failed.job.state == "FAILED", f"a failed job: {failed}")
    nonsense = check.raised(fpo.FpoError, lambda: list(client.jobs("DONE")))
    expect(getattr(nonsense, "reason", "") == "BAD_STATE" and "SUCCEEDED" in nonsense.hint, f"an unknown state: {nonsense!r}")
    nobody = fpo.Client(server="127.0.0.1:1", cache="127.0.0.1:1")
    for call, name in ((lambda: nobody.job("x"), "coordinator"), (nobody.cache_stats, "cache")):
        start = time.monotonic()
        lost = check.raised(fpo.Unreachable, call)
        expect(f"the {name} at 127.0.0.1:1 cannot be reached" in str(lost) and lost.reason == "UNREACHABLE" and time.monotonic() - start < 5,
               f"no service: {lost}")


def check_lost_connections(fpo, client, site, folder, findings):
    """A coordinator that is killed and comes back: waiting and following go on, and a submit stores one job."""
    job = check.short_sft(client, folder, steps=60, name="survivor")
    lines = []
    begun = threading.Event()

    def read():
        for line in job.logs(follow=True):
            lines.append(line)
            begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    findings.expect(begun.wait(check.PATIENCE_S), "no line came")
    waiter = threading.Thread(target=lambda: client.job(job.id).wait())
    waiter.start()
    site.kill("coordinator")
    answers = []
    submitter = threading.Thread(target=lambda: answers.append(check.short_sft(client, folder, name="while-away", hold=True)))
    submitter.start()
    time.sleep(1)  # the outage that all three meet
    site.start_coordinator()
    for thread in (reader, waiter, submitter):
        thread.join(timeout=check.PATIENCE_S)
        findings.expect(not thread.is_alive(), "a call did not go on after the coordinator came back")
    findings.expect(job.refresh().state == "SUCCEEDED", f"the job is {job!r}")
    cursors = [line.cursor for line in lines]
    findings.expect(cursors == sorted(set(cursors)) and len(cursors) == len(list(job.logs())), "lines were lost or came twice")
    findings.expect(len(answers) == 1 and [each.id for each in client.jobs(name="while-away")] == [answers[0].id], f"the submit: {answers}")


def check_lost_answers(fpo, folder, findings):
    """A coordinator that breaks the connection after it stored the job is asked again with the same request id."""
    import grpc
    from fpo._proto import coordinator_pb2, coordinator_pb2_grpc, job_pb2

    class Breaking(coordinator_pb2_grpc.CoordinatorServicer):
        requests = []

        def Submit(self, request, context):
            self.requests.append(request)
            if len(self.requests) == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            return coordinator_pb2.SubmitResponse(job_id="j-1", warnings=["look at it"])

        def GetJob(self, request, context):
            if self.requests[-1].hold:
                context.abort(grpc.StatusCode.INTERNAL, "its disk is on fire")
            return coordinator_pb2.GetJobResponse(job=job_pb2.Job(job_id=request.job_id, name="of-the-future", state=77))

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    coordinator_pb2_grpc.add_CoordinatorServicer_to_server(Breaking(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with fpo.Client(server=f"127.0.0.1:{port}") as client, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        job = check.short_sft(client, folder)
        burnt = check.raised(fpo.FpoError, lambda: check.short_sft(client, folder, hold=True))
        findings.expect("on fire (job j-1 is stored)" in str(burnt), f"stored, but not shown: {burnt}")
    server.stop(None)
    first, second = (Breaking.requests + [None, None])[:2]
    findings.expect(first == second and len(first.request_id) == 36, f"after a lost answer it sent {second}")
    findings.expect(job.state == fpo.JobState.UNKNOWN, f"a state of the future is {job.state!r}")
    findings.expect("look at it" in [str(each.message) for each in caught], "the coordinator's warnings are lost")


def check_progress(fpo, client, folder, findings):
    from fpo._progress import ProgressLine, progress_text

    job = client.job("short")
    shown = io.StringIO()
    with ProgressLine(shown) as line:
        line.show(job)
    findings.expect(shown.getvalue().endswith("short SUCCEEDED\n"), f"the line is {shown.getvalue()!r}")
    job._message.name = "a\x1b[31mb"
    job._message.reason = "x\x1b]0;title\x07"
    findings.expect("\x07" not in progress_text(job) and "\x1b]" not in progress_text(job), "a job controls the terminal")


def check_access(fpo, folder, findings):
    """With --access: who has no token is told, and the token is in no text."""
    expect = findings.expect
    fpoctl = check.program("fpoctl")
    place = folder / "guarded"
    place.mkdir()
    check.output_of(fpoctl, "token", "create", "ana", f"--access={place}/access.json", f"--out={place}/ana.token")
    token = (place / "ana.token").read_text().strip()
    site = check.Services(place, worker=False, coordinator=[f"--access={place}/access.json"])
    try:
        refused = check.raised(fpo.AccessDenied, lambda: list(fpo.Client().jobs()))
        expect(getattr(refused, "reason", "") == "UNAUTHENTICATED" and refused.hint, f"without a token: {refused!r}")
        client = fpo.Client(token_file=place / "ana.token")
        expect(list(client.jobs()) == [], "with a token")
        job = check.short_sft(client, folder, name="hers", hold=True)
        expect(job.owner == "ana" and token not in repr(client) + str(job.config), "the token shows")
        os.environ["FPO_TOKEN_FILE"] = str(place / "ana.token")
        expect([each.id for each in fpo.Client().jobs()] == [job.id], "FPO_TOKEN_FILE is not used")
        del os.environ["FPO_TOKEN_FILE"]
        check.output_of(fpoctl, "context", "set", "site", f"--server={site.server}", f"--token-file={place}/ana.token")
        check.output_of(fpoctl, "context", "use", "site")
        del os.environ["FPO_SERVER"]
        expect([each.id for each in fpo.Client().jobs()] == [job.id], "the current context is not used")
        (place / "wrong.token").write_text("fpo_" + "0" * 64 + "\n")
        (place / "wrong.token").chmod(0o600)
        wrong = check.raised(fpo.AccessDenied, lambda: list(fpo.Client(token_file=place / "wrong.token").jobs()))
        expect("0000" not in f"{wrong}{wrong!r}", f"a wrong token is shown: {wrong}")
        (place / "ana.token").chmod(0o644)
        open_to_all = check.raised(fpo.AccessDenied, lambda: fpo.Client())
        expect("chmod 600" in str(open_to_all) and token not in str(open_to_all), f"a token that all may read: {open_to_all}")
        (place / "ana.token").chmod(0o600)
        far = check.raised(fpo.AccessDenied, lambda: fpo.Client(server="example.com:7070", token_file=place / "ana.token"))
        expect("only over TLS" in str(far) and token not in str(far), f"a token in the open: {far}")
    finally:
        site.stop()


def check_tls(fpo, folder, findings):
    """A service with TLS: its CA is enough, another one or none is an error that says so."""
    place = folder / "tls"
    place.mkdir()
    for name in ("own", "other"):
        check.output_of("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", f"{place}/{name}.key", "-out", f"{place}/{name}.pem", "-days", "2")
    site = check.Services(place, worker=False, coordinator=[f"--tls-cert={place}/own.pem", f"--tls-key={place}/own.key"])
    try:
        findings.expect(list(fpo.Client(tls_ca=place / "own.pem").jobs()) == [], "with TLS")
        wrong = check.raised(fpo.Unreachable, lambda: list(fpo.Client(tls_ca=place / "other.pem").jobs()))
        findings.expect("not from the CA" in str(wrong) and "tls_ca" in wrong.hint, f"another CA: {wrong}")
        bare = check.raised(fpo.Unreachable, lambda: list(fpo.Client().jobs()))
        findings.expect("tls_ca" in getattr(bare, "hint", ""), f"without TLS: {bare}")
        none = check.raised(fpo.NotFound, lambda: fpo.Client(tls_ca=place / "no-such.pem"))
        findings.expect("no-such.pem" in str(none), f"no CA: {none!r}")
    finally:
        site.stop()


def main():
    check.enter()
    import fpo

    warnings.simplefilter("ignore", fpo.FpoWarning)
    findings = check.Findings()
    with check.services() as (folder, site):
        with fpo.Client() as client:
            check_life(fpo, client, folder, findings)
            check_changes(fpo, client, folder, findings)
            check_errors(fpo, client, folder, findings)
            check_progress(fpo, client, folder, findings)
            check_lost_answers(fpo, folder, findings)
            check_lost_connections(fpo, client, site, folder, findings)
        if check.shutil.which("openssl"):
            check_tls(fpo, folder, findings)
        check_access(fpo, folder, findings)
    findings.end()


if __name__ == "__main__":
    main()
