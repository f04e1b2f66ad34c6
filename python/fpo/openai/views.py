"""Jobs, checkpoints, events and results of the coordinator in the words of OpenAI's API."""
from __future__ import annotations

import csv
import io
import math
from datetime import datetime
from typing import Any, Iterable, Iterator, Mapping

from ..job import Checkpoint, Event, Job, JobState
from .models import tuned_name
from .requests import BASE, ENDPOINT, KIND, METHOD, MODEL, MULTIPLIER, SUFFIX, TRAINING_FILE, VALIDATION_FILE, metadata_of

_STATUS = {
    JobState.QUEUED: "queued", JobState.RESERVED: "queued", JobState.STARTING: "queued", JobState.HELD: "paused", JobState.PAUSED: "paused",
    JobState.SUCCEEDED: "succeeded", JobState.FAILED: "failed", JobState.CANCELLED: "cancelled",
}  # the others hold slots, also while they stop: running
RESULT_SUFFIX = "-results"
_WINDOW = 1000  # events that one call of the coordinator returns

# OpenAI's names of numbers in events, checkpoints and results, and those of metrics.jsonl.
_METRICS = {
    "train_loss": "loss", "train_accuracy": "rewards/accuracies", "valid_loss": "eval_loss", "valid_accuracy": "eval_rewards/accuracies",
}


def is_ours(job: Job) -> bool:
    return job.labels.get(ENDPOINT) == KIND


def tuned_name_of(job: Job) -> str:
    labels = job.labels
    return tuned_name(labels.get(BASE, ""), labels.get(SUFFIX, ""), job.id)


def result_file_of(job: Job) -> str:
    return f"file-{job.id}{RESULT_SUFFIX}"


def job_of_result_file(file_id: str) -> str | None:
    name = file_id.removeprefix("file-").removesuffix(RESULT_SUFFIX)
    return name if file_id == f"file-{name}{RESULT_SUFFIX}" and name else None


def seconds_of(time: datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def job_view(job: Job) -> dict[str, Any]:
    labels, config = job.labels, job.config
    method = labels.get(METHOD, "")
    known: dict[str, Any] = {"n_epochs": config["epochs"], "batch_size": config["batch"]["pairs"],
                             "learning_rate_multiplier": _number(labels.get(MULTIPLIER))}
    full = dict(known)
    if method != "supervised":
        full["beta"] = config["method"]["beta"]
    if method == "fpo":
        full.update(alpha=config["method"]["alpha"], top_k=config["method"]["top_k"])
    done = job.state == JobState.SUCCEEDED
    return {
        "id": job.id, "object": "fine_tuning.job", "created_at": seconds_of(job.submitted), "finished_at": seconds_of(job.ended),
        "model": labels.get(MODEL, ""), "fine_tuned_model": tuned_name_of(job) if done else None, "organization_id": job.owner or "fpo",
        "status": _STATUS.get(job.state, "running"), "error": _error_of(job), "hyperparameters": known,
        "method": {"type": method, method: {"hyperparameters": full}}, "seed": config["seed"], "training_file": labels.get(TRAINING_FILE, ""),
        "validation_file": labels.get(VALIDATION_FILE), "result_files": [result_file_of(job)] if done else [],
        "trained_tokens": None, "estimated_finish": None, "integrations": [], "metadata": metadata_of(labels),
    }


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _error_of(job: Job) -> dict[str, Any] | None:
    if job.state != JobState.FAILED:
        return None
    return {"code": "training_failed", "message": job.reason or "no reason was given", "param": None}


def checkpoint_view(job: Job, checkpoint: Checkpoint, numbers: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
    metrics = {name: _finite(numbers.get(ours, {}).get(checkpoint.step)) for name, ours in _METRICS.items()}
    return {
        "id": f"ftckpt-{job.id}-{checkpoint.step}", "object": "fine_tuning.job.checkpoint", "created_at": seconds_of(checkpoint.accepted) or 0,
        "fine_tuned_model_checkpoint": f"{tuned_name_of(job)}:ckpt-step-{checkpoint.step}", "fine_tuning_job_id": job.id,
        "step_number": checkpoint.step,
        "metrics": {"step": checkpoint.step, **{name: value for name, value in metrics.items() if value is not None}},
    }


def checkpoint_views(job: Job) -> list[dict[str, Any]]:
    """Newest first; only those that still exist."""
    checkpoints = job.checkpoints()
    if not checkpoints:
        return []
    series = job.metrics(*_METRICS.values())
    numbers = {name: dict(zip(each.steps, each.values)) for name, each in series.items()}
    return [checkpoint_view(job, checkpoint, numbers) for checkpoint in checkpoints]


def _finite(value: Any) -> float | None:
    """None for what JSON cannot say."""
    return value if isinstance(value, (int, float)) and math.isfinite(value) else None


# Events. Ids are job and cursor; the first and the last message have none of the coordinator's.
_CREATED, _ENDED = "created", "ended"


def event_id(job: Job, place: int | str) -> str:
    return f"ftevent-{job.id}-{place}"


def _message(job: Job, place: int | str, at: int, level: str, text: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"id": event_id(job, place), "object": "fine_tuning.job.event", "created_at": at, "level": level, "message": text,
            "type": "metrics" if data else "message", "data": dict(data) if data else {}}


def event_view(job: Job, event: Event) -> dict[str, Any] | None:
    """None: it says nothing that a user of this API waits for."""
    data = event.data
    kind, at, step, total = data.get("kind"), int(data.get("t", 0)), data.get("step", 0), data.get("total", 0)
    of = f"step {step}/{total}" if total else f"step {step}"
    if kind in ("step", "evaluation"):
        numbers = {name: _finite(value) for name, value in (data.get("metrics") or {}).items()}
        named = {name: numbers[ours] for name, ours in _METRICS.items() if ours in numbers}
        loss = numbers.get("loss" if kind == "step" else "eval_loss")
        what = "training" if kind == "step" else "validation"
        return _message(job, event.cursor, at, "info", f"{of.capitalize()}: {what} loss={'none' if loss is None else f'{loss:.4g}'}",
                        {"step": step, "total_steps": total or None, **named, "metrics": numbers})
    if kind == "phase":
        text = data.get("message") or _PHASES.get(str(data.get("phase")))
        return _message(job, event.cursor, at, "info", text) if text else None
    if kind == "checkpoint":
        return _message(job, event.cursor, at, "info", f"New checkpoint created at {of}")
    if kind == "warning":
        return _message(job, event.cursor, at, "warn", str(data.get("message", "")))
    if kind == "checkpoint_bad":
        return _message(job, event.cursor, at, "warn", f"The checkpoint of {of} cannot be used: {data.get('message', '')}")
    if kind == "error":
        return _message(job, event.cursor, at, "error", str(data.get("message", "")))
    return None


_PHASES = {"prepare": "Reading the training data", "reference": "Computing what the reference model says of it", "train": "Fine-tuning job started"}


def events_newest_first(job: Job, after: str = "") -> Iterator[dict[str, Any]]:
    """From the newest, or from the one behind ``after``, back to the creation of the job."""
    place = after.removeprefix(f"ftevent-{job.id}-") if after else ""
    if not place and job.state.is_terminal:
        texts = {JobState.SUCCEEDED: ("info", "The job has successfully completed"), JobState.CANCELLED: ("warn", "The job was cancelled")}
        level, text = texts.get(job.state, ("error", f"The job failed: {job.reason}"))
        yield _message(job, _ENDED, seconds_of(job.ended) or 0, level, text)
    if place == _CREATED:
        return
    below = int(place) if place.isdigit() else _end_of_events(job) + 1
    for event in _backwards(job, below):
        view = event_view(job, event)
        if view is not None:
            yield view
    yield _message(job, _CREATED, seconds_of(job.submitted) or 0, "info", f"Created fine-tuning job: {job.id}")


def is_event_of(job: Job, name: str) -> bool:
    place = name.removeprefix(f"ftevent-{job.id}-")
    return place != name and (place.isdigit() or place in (_CREATED, _ENDED))


def _backwards(job: Job, below: int) -> Iterator[Event]:
    """Events below a cursor, newest first, a window at a time: the coordinator returns them in order."""
    while below > 1:
        start = max(below - 1 - _WINDOW, 0)
        window = _window(job, start, below)
        if not window:
            return  # older ones were removed
        yield from reversed(window)
        below = start + 1


def _window(job: Job, after: int, below: int) -> list[Event]:
    found = []
    for event in job.events(after):
        if event.cursor >= below:
            break
        found.append(event)
        if event.cursor == below - 1:
            break  # without asking for a page more
    return found


def _end_of_events(job: Job) -> int:
    """A multiple of the window behind which there is nothing; cursors grow by one. A few calls, however much a job has written."""
    low, high = 0, 1
    while _any_after(job, high * _WINDOW):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _any_after(job, middle * _WINDOW) else (low, middle)
    return high * _WINDOW


def _any_after(job: Job, cursor: int) -> bool:
    return next(job.events(cursor), None) is not None


def result_csv(events: Iterable[Event]) -> bytes:
    """The numbers of every step and evaluation: step, OpenAI's names, then those of metrics.jsonl. A repeated step counts as it was last."""
    rows: dict[int, dict[str, Any]] = {}
    for event in events:
        if event.data.get("kind") in ("step", "evaluation"):
            rows.setdefault(event.data.get("step", 0), {}).update(event.data.get("metrics") or {})
    names = sorted({name for row in rows.values() for name in row})
    text = io.StringIO(newline="")
    out = csv.writer(text, lineterminator="\n")
    out.writerow(["step", *_METRICS, *names])
    for step in sorted(rows):
        row = rows[step]
        out.writerow([step, *(_cell(row.get(ours)) for ours in _METRICS.values()), *(_cell(row.get(name)) for name in names)])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return "" if value is None else value
