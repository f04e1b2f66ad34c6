#!/usr/bin/env python3
"""fpo-openai as the openai package sees it, in front of real services that train a tiny model."""
import csv
import functools
import io
import json
import os
import stat
import time

import python_check as check
from openai_endpoint import Endpoint, tiny_models, write_conversations, write_preferences

ENDED = ("succeeded", "failed", "cancelled")


def until(ask, holds):
    """What ask() returns once that holds, which it does within the patience."""
    end = time.monotonic() + check.PATIENCE_S
    while True:
        found = ask()
        if holds(found) or time.monotonic() > end:
            return found
        time.sleep(0.2)


def dpo(**numbers):
    return {"type": "dpo", "dpo": {"hyperparameters": numbers}}


def check_files(expect, client, folder):
    import openai

    path = write_preferences(folder, "train", 40)
    file = client.files.create(file=open(path, "rb"), purpose="fine-tune")
    expect((file.filename, file.bytes, file.purpose, file.status) == (path.name, path.stat().st_size, "fine-tune", "processed"), f"uploaded: {file}")
    expect(client.files.content(file.id).read() == path.read_bytes(), "the content is not what was uploaded")
    expect(client.files.retrieve(file.id) == file, "a file is retrieved as another one")
    more = [client.files.create(file=("part.jsonl", path.read_bytes()), purpose="fine-tune") for _ in range(2)]
    page = client.files.list(limit=2)
    expect((len(page.data), page.has_more) == (2, True), f"a page of two: {page}")
    listed = [each.id for each in client.files.list(limit=1)]  # three pages
    expect(sorted(listed) == sorted([file.id, *(each.id for each in more)]), f"listed: {listed}")
    expect(client.files.delete(more[0].id).deleted, "a file was not deleted")
    gone = check.raised(openai.NotFoundError, lambda: client.files.retrieve(more[0].id))
    expect(getattr(gone, "code", "") == "file_not_found", gone)
    bad = path.read_bytes() + b'{"input": {"messages": []}, "preferred_output": [], "non_preferred_output": []}\n'
    wrong = check.raised(openai.BadRequestError, lambda: client.files.create(file=bad, purpose="fine-tune"))
    expect("line 41" in str(wrong) and getattr(wrong, "param", "") == "file" and wrong.code == "invalid_file_format", wrong)
    large = check.raised(openai.APIStatusError, lambda: client.files.create(file=b"x" * (2 << 20), purpose="fine-tune"))
    expect(getattr(large, "status_code", 0) == 413 and "--file-mib" in str(large), large)
    purpose = check.raised(openai.BadRequestError, lambda: client.files.create(file=path.read_bytes(), purpose="batch"))
    expect(getattr(purpose, "param", "") == "purpose", purpose)
    after = check.raised(openai.BadRequestError, lambda: client.files.list(after="file-none"))
    expect(getattr(after, "param", "") == "after", after)
    return file.id


def check_dpo(expect, client, folder, training):
    """A DPO job from its creation to its results, as the coordinator and metrics.jsonl have them."""
    import fpo

    validation = client.files.create(file=open(write_preferences(folder, "eval", 16), "rb"), purpose="fine-tune").id
    metadata = {"team": "align ünit", "long": "x" * 512}
    job = client.fine_tuning.jobs.create(model="tiny", training_file=training, validation_file=validation, suffix="Style.1", seed=5, metadata=metadata,
                                         method=dpo(beta=0.2, n_epochs=2, batch_size=8, learning_rate_multiplier=0.5))
    expect(job.status not in ENDED and job.fine_tuned_model is None and job.metadata == metadata, f"created: {job}")
    done = until(lambda: client.fine_tuning.jobs.retrieve(job.id), lambda job: job.status in ENDED)
    expect(done.status == "succeeded" and done.error is None, f"ended: {done}")
    expect(done.fine_tuned_model == f"ft:tiny:fpo:Style.1:{job.id}" and (done.seed, done.metadata) == (5, metadata), f"ended: {done}")
    numbers = done.method.dpo.hyperparameters
    expect((numbers.beta, numbers.n_epochs, numbers.batch_size, numbers.learning_rate_multiplier) == (0.2, 2, 8, 0.5), numbers)
    ours = fpo.Client().job(job.id)
    config = ours.config
    expect((config["optimizer"]["lr"], config["method"]["name"], config["schedule"]["warmup_steps"]) == (5e-5, "dpo", 1), config)
    expect(done.finished_at == int(ours.ended.timestamp()), "another end")

    with open(f"{config['output']}/metrics.jsonl", encoding="utf-8") as file:
        logged = [json.loads(line) for line in file]
    events = list(client.fine_tuning.jobs.list_events(job.id, limit=7))
    ids = [event.id for event in events]
    expect(len(ids) == len(set(ids)), "an event is on two pages")
    expect(events[-1].message == f"Created fine-tuning job: {job.id}" and "successfully" in events[0].message, [events[0], events[-1]])
    losses = {event.data["step"]: event.data["train_loss"] for event in events if event.type == "metrics" and "train_loss" in event.data}
    expect(losses == {row["step"]: row["loss"] for row in logged if "loss" in row} and len(losses) == 10, f"losses: {losses}")
    expect(sorted(losses, reverse=True) == [event.data["step"] for event in events if event.type == "metrics" and "train_loss" in event.data],
           "the events are not newest first")
    valid = {event.data["step"]: event.data["valid_loss"] for event in events if event.type == "metrics" and "valid_loss" in event.data}
    expect(valid == {row["step"]: row["eval_loss"] for row in logged if "eval_loss" in row} and {0, 5, 10} <= set(valid), f"validation: {valid}")

    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id, limit=1))
    expect([each.step_number for each in checkpoints] == [10, 5], f"checkpoints: {checkpoints}")
    for each in checkpoints:
        step = each.step_number
        expect((each.metrics.step, each.metrics.train_loss, each.metrics.valid_loss) == (step, losses[step], valid[step]), f"metrics of {each}")
        expect(each.fine_tuned_model_checkpoint == f"{done.fine_tuned_model}:ckpt-step-{each.step_number}", each)

    expect(len(done.result_files) == 1, done.result_files)
    content = client.files.content(done.result_files[0]).read()
    table = {int(row["step"]): row for row in csv.DictReader(io.StringIO(content.decode()))}
    for row in logged:
        for name in set(row) - {"step", "epoch"}:  # events have no epoch of an evaluation
            cell = table[row["step"]][name]
            expect((float(cell) if cell else None) == row[name], f"{name} of step {row['step']}: {cell!r} and {row[name]}")
    file = client.files.retrieve(done.result_files[0])
    expect((file.purpose, file.bytes) == ("fine-tune-results", len(content)), file)
    expect([model.id for model in client.models.list()] == ["tiny", done.fine_tuned_model], "models")
    expect(client.models.retrieve(done.fine_tuned_model).id == done.fine_tuned_model, "the model of a job is not found")
    return done


def check_more_methods(expect, client, folder, tuned):
    """Supervised, from what another job made; and FPO, which OpenAI does not have."""
    import fpo

    file = client.files.create(file=open(write_conversations(folder, "train", 24), "rb"), purpose="fine-tune").id
    job = client.fine_tuning.jobs.create(model=tuned.fine_tuned_model, training_file=file, method={
        "type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 12}}})
    older = client.fine_tuning.jobs.create(model="tiny", training_file=file, hyperparameters={"n_epochs": 1, "batch_size": 24})
    for each in (job.id, older.id):
        done = until(functools.partial(client.fine_tuning.jobs.retrieve, each), lambda job: job.status in ENDED)
        expect(done.status == "succeeded" and done.method.type == "supervised", f"supervised: {done}")
    config = fpo.Client().job(job.id).config
    expect(config["model"]["path"] == f"{fpo.Client().job(tuned.id).config['output']}/model", config["model"])
    expect((config["optimizer"]["lr"], config["method"]["name"]) == (1e-5, "sft"), config["optimizer"])
    expect(client.fine_tuning.jobs.retrieve(job.id).fine_tuned_model == f"ft:tiny:fpo::{job.id}", "a model of a model has another name")
    # FPO needs an SAE, of which this model's entry says nothing: the service's own words name what is missing.
    import openai

    wrong = check.raised(openai.BadRequestError, lambda: client.fine_tuning.jobs.create(
        model="tiny", training_file=tuned.training_file, method={"type": "fpo", "fpo": {"hyperparameters": {"alpha": 0.1, "top_k": 8}}}))
    expect("sae" in str(wrong), wrong)


def check_refusals(expect, client, folder, tuned, training):
    import openai

    create = client.fine_tuning.jobs.create
    talk = client.files.create(file=open(write_conversations(folder, "eval", 2), "rb"), purpose="fine-tune").id
    for kind, code, param, call in (
            (openai.BadRequestError, "invalid_file_format", "training_file", lambda: create(model="tiny", training_file=talk, method=dpo())),
            (openai.BadRequestError, "invalid_file_format", "validation_file",
             lambda: create(model="tiny", training_file=training, validation_file=talk, method=dpo())),
            (openai.NotFoundError, "file_not_found", "training_file", lambda: create(model="tiny", training_file="file-none", method=dpo())),
            (openai.NotFoundError, "model_not_found", "model", lambda: create(model="gpt-4o", training_file=training, method=dpo())),
            (openai.NotFoundError, "model_not_found", "model",
             lambda: create(model=f"{tuned.fine_tuned_model}:ckpt-step-5", training_file=training, method=dpo())),
            (openai.BadRequestError, "unsupported_method", "method.type",
             lambda: create(model="tiny", training_file=training, method={"type": "reinforcement"})),
            (openai.BadRequestError, "invalid_value", "method.dpo.hyperparameters.beta",
             lambda: create(model="tiny", training_file=training, method=dpo(beta=-1))),
            (openai.BadRequestError, "job_terminal", None, lambda: client.fine_tuning.jobs.cancel(tuned.id)),
            (openai.NotFoundError, "fine_tune_not_found", "fine_tuning_job_id", lambda: client.fine_tuning.jobs.retrieve(tuned.id[:-1])),
            (openai.NotFoundError, "unknown_url", None, lambda: client.chat.completions.create(model="tiny", messages=[]))):
        error = check.raised(kind, call)
        expect((getattr(error, "code", ""), getattr(error, "param", "")) == (code, param), f"{code}: {error!r} param {getattr(error, 'param', '')}")


def check_changes(expect, client, training):
    """Pause, resume, cancel and lists, of a job that would run for long."""
    import openai

    jobs = client.fine_tuning.jobs
    options = {"model": "tiny", "training_file": training, "method": dpo(n_epochs=100_000, batch_size=8), "metadata": {"which": "long"}}
    key = {"Idempotency-Key": "the same"}
    job = jobs.create(**options, extra_headers=key)
    expect(jobs.create(**options, extra_headers=key).id == job.id, "the same request made two jobs")
    other = check.raised(openai.BadRequestError, lambda: jobs.create(**{**options, "seed": 1}, extra_headers=key))
    expect(getattr(other, "code", "") == "request_id_reused", other)
    used = check.raised(openai.BadRequestError, lambda: client.files.delete(training))
    expect(getattr(used, "code", "") == "file_in_use" and job.id in str(used), used)
    until(lambda: list(jobs.list_events(job.id)), lambda events: any("training loss" in event.message for event in events))
    expect(jobs.retrieve(job.id).status == "running", "a job with steps does not run")
    waiting = jobs.create(**{**options, "metadata": {}})
    expect(jobs.pause(waiting.id).status == "paused", "a waiting job was not paused")
    jobs.pause(job.id)
    paused = until(lambda: jobs.retrieve(job.id), lambda job: job.status == "paused")
    expect(paused.status == "paused", f"paused: {paused.status}")
    expect(jobs.resume(job.id).status in ("queued", "running"), "a paused job was not resumed")
    expect([each.id for each in jobs.list(metadata={"which": "long"}, limit=1)] == [job.id], "the list by metadata")
    expect([each.id for each in jobs.list(limit=2)][:2] == [waiting.id, job.id], "the list is not newest first")
    expect(jobs.cancel(waiting.id).status == "cancelled", "a paused job was not cancelled")
    return job.id


def check_keys(expect, folder, models):
    """Callers' own keys, and what a server without keys refuses."""
    import httpx2 as http  # what the openai package uses
    import openai

    keys = folder / "keys"
    keys.write_text("# ours\nthe-first-key-of-two\n")
    os.chmod(keys, stat.S_IRUSR | stat.S_IWUSR)
    (folder / "guarded").mkdir()
    endpoint = Endpoint(folder / "guarded", "--api-keys", str(keys), models=models)
    try:
        good = openai.OpenAI(base_url=endpoint.url, api_key="the-first-key-of-two")
        expect([model.id for model in good.models.list()][0] == "tiny", "a good key was refused")
        for call in (lambda: openai.OpenAI(base_url=endpoint.url, api_key="the-first-key-of-tw").models.list(),
                     lambda: openai.OpenAI(base_url=endpoint.url, api_key="x").files.create(file=b"{}", purpose="fine-tune")):
            error = check.raised(openai.AuthenticationError, call)
            expect(getattr(error, "code", "") == "invalid_api_key", error)
        keys.write_text("the-next-key-of-many\n")
        until(lambda: check.raised(openai.AuthenticationError, lambda: good.models.list()), lambda error: isinstance(error, openai.AuthenticationError))
        expect(openai.OpenAI(base_url=endpoint.url, api_key="the-next-key-of-many").models.list().data[0].id == "tiny", "a new key was refused")
        expect("key-of" not in endpoint.log(), "a key is in the log")
    finally:
        endpoint.stop()
    return http


def check_tokens(expect, folder):
    """Callers' keys are their tokens of a coordinator with an access list: jobs are theirs, and others may not stop them."""
    import openai

    access = str(folder / "access.json")
    tokens = {}
    for name in ("ana", "bob"):
        file = folder / f"{name}.token"
        check.output_of(check.program("fpoctl"), "token", "create", name, "--access", access, "--out", str(file))
        tokens[name] = file.read_text().strip()
    site = check.Services(folder, worker=False, coordinator=[f"--access={access}"])
    try:
        endpoint = Endpoint(folder, "--pass-tokens", models=tiny_models(folder.parent))
        ana, bob = (openai.OpenAI(base_url=endpoint.url, api_key=tokens[name]) for name in ("ana", "bob"))
        file = ana.files.create(file=open(write_preferences(folder.parent, "train", 8), "rb"), purpose="fine-tune").id
        job = ana.fine_tuning.jobs.create(model="tiny", training_file=file, method=dpo())
        expect((job.organization_id, job.status) == ("ana", "queued"), f"whose job: {job}")
        expect([each.id for each in bob.fine_tuning.jobs.list()] == [job.id], "a user may see others' jobs")
        error = check.raised(openai.PermissionDeniedError, lambda: bob.fine_tuning.jobs.cancel(job.id))
        expect(getattr(error, "code", "") == "not_yours", error)
        expect(ana.fine_tuning.jobs.cancel(job.id).status == "cancelled", "a user's own job was not cancelled")
        error = check.raised(openai.AuthenticationError, lambda: openai.OpenAI(base_url=endpoint.url, api_key="f" * 43).files.list())
        expect(getattr(error, "code", "") == "invalid_api_key", error)
        for name, token in tokens.items():
            expect(token not in endpoint.log(), f"{name}'s token is in the log")
        endpoint.stop()
    finally:
        site.stop()


def check_browsers(expect, http, url):
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        expect(http.get(f"{url}/files", headers=headers).status_code == 403, f"{headers} was answered")
    expect(http.get(f"{url}/files").status_code == 200, "a program of this machine was refused")


def main():
    check.enter("openai", "starlette", "uvicorn", "python_multipart", "yaml")
    import openai

    findings = check.Findings()
    expect = findings.expect
    with check.services() as (folder, _):
        endpoint = Endpoint(folder, "--file-mib", "1", models=tiny_models(folder))
        client = openai.OpenAI(base_url=endpoint.url, api_key="any")
        training = check_files(expect, client, folder)
        tuned = check_dpo(expect, client, folder, training)
        check_more_methods(expect, client, folder, tuned)
        check_refusals(expect, client, folder, tuned, training)
        check_browsers(expect, check_keys(expect, folder, tiny_models(folder)), endpoint.url)
        long = check_changes(expect, client, training)
        # The endpoint dies while a job runs, and another takes its place.
        before = client.fine_tuning.jobs.list().data
        endpoint.kill()
        again = Endpoint(folder, "--file-mib", "1")
        client = openai.OpenAI(base_url=again.url, api_key="any")
        expect([job.id for job in client.fine_tuning.jobs.list().data] == [job.id for job in before], "jobs are lost after a restart")
        expect(client.fine_tuning.jobs.retrieve(tuned.id) == tuned, "a job is another one after a restart")
        expect(client.files.content(training).read() == (folder / "train-preferences.jsonl").read_bytes(), "a file is lost after a restart")
        expect(client.fine_tuning.jobs.retrieve(long).status in ("queued", "running"), "the job did not go on")
        client.fine_tuning.jobs.cancel(long)
        ended = until(lambda: client.fine_tuning.jobs.retrieve(long), lambda job: job.status in ENDED)
        expect(ended.status == "cancelled" and ended.fine_tuned_model is None, f"cancelled: {ended}")
        expect(client.files.delete(training).deleted, "a file that no job waits for was not deleted")
        expect(again.stop() == 0, "SIGTERM did not end it well")
        (folder / "tokens").mkdir()
        check_tokens(expect, folder / "tokens")
        expect("Traceback" not in again.log(), again.log()[-2000:])
    findings.end()


if __name__ == "__main__":
    main()
