"""A job of the coordinator: what it is, how it goes, and what can be done with it."""
from __future__ import annotations

import enum
import json
import os
import sys
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Iterator

from google.protobuf.duration_pb2 import Duration

from ._connection import Patience, is_lost
from ._programs import run_fpoctl
from ._progress import ProgressLine
from ._proto import coordinator_pb2, job_pb2
from .errors import FpoError, JobCancelled, JobFailed, Unreachable, WaitTimeout

if TYPE_CHECKING:
    from .client import Client, JobFile

_EVENTS_PER_PAGE = 1000


class JobState(str, enum.Enum):
    """As fpoctl names them. UNKNOWN: a state that a newer coordinator has."""

    QUEUED = "QUEUED"
    RESERVED = "RESERVED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RECOVERING = "RECOVERING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    HELD = "HELD"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    PREEMPTING = "PREEMPTING"
    UNKNOWN = "UNKNOWN"

    __str__ = str.__str__

    @property
    def is_terminal(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True)
class Progress:
    """The newest progress of the running attempt; ``done`` of ``total`` ``unit`` within ``phase``."""

    phase: str
    done: int
    total: int
    unit: str
    step: int
    total_steps: int
    activity: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class CacheUse:
    """What a job took from the reference cache and what it had to compute."""

    records_total: int  # distinct responses
    records_hit: int  # already stored when the job asked
    records_computed: int  # by this job, in forward passes of the reference
    manifest_id: str  # hex; "" before the reference phase
    recipe_id: str
    reference_seconds: float


@dataclass(frozen=True)
class Event:
    """A line that the trainer wrote; ``data`` is the line."""

    cursor: int
    attempt: int
    rank: int
    data: dict[str, Any]


@dataclass(frozen=True)
class LogLine:
    cursor: int
    attempt: int
    rank: int  # -1: the agent
    stream: str  # stdout, stderr, agent; gap: earlier lines were removed
    time: datetime
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Series:
    """A number over the steps of a run."""

    name: str
    steps: list[int] = field(repr=False)
    values: list[float] = field(repr=False)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def last(self) -> float:
        return self.values[-1]


@dataclass(frozen=True)
class Checkpoint:
    step: int
    attempt: int
    folder: str  # on the hosts of the job
    digest: str
    bytes: int
    score: float | None  # smaller is better
    pinned: bool
    accepted: datetime | None


@dataclass(frozen=True)
class Explanation:
    """Why a job is not running, or what it is doing. ``word`` is stable, for programs."""

    word: str
    text: str
    details: tuple[str, ...]
    next: str  # a command that may help

    def __str__(self) -> str:
        return "\n".join([self.text, *self.details])


class Job:
    """A job as of the last call about it; ``refresh`` asks again. What changes it returns it."""

    def __init__(self, client: Client, message: job_pb2.Job) -> None:
        self._client = client
        self._message = message

    def __repr__(self) -> str:
        return f"<fpo.Job {self.id} {self.name!r} {self.state.value}>"

    @property
    def id(self) -> str:
        return self._message.job_id

    @property
    def name(self) -> str:
        return self._message.name

    @property
    def state(self) -> JobState:
        try:
            return JobState(job_pb2.JobState.Name(self._message.state).removeprefix("JOB_STATE_"))
        except ValueError:
            return JobState.UNKNOWN

    @property
    def reason(self) -> str:
        """Why it failed, or why it waits."""
        return self._message.reason

    @property
    def kind(self) -> str:
        return _word(job_pb2.JobKind, self._message.kind)

    @property
    def owner(self) -> str:
        return self._message.spec.owner

    @property
    def retry_of(self) -> str:
        """The id of the job that it retries; "" if it is none of those."""
        return self._message.retry_of

    @property
    def labels(self) -> dict[str, str]:
        return dict(self._message.labels)

    @property
    def config(self) -> dict[str, Any]:
        """The effective job, with every default."""
        if not self._message.spec.config_json:  # lists leave it out
            self.refresh()
        config: dict[str, Any] = json.loads(self._message.spec.config_json)
        return config

    @property
    def progress(self) -> Progress:
        p = self._message.progress
        return Progress(_word(job_pb2.Phase, p.phase), p.done, p.total, p.unit, p.step, p.total_steps, p.activity, dict(p.metrics))

    @property
    def cache(self) -> CacheUse | None:
        """None before it has asked the cache, or if it needs no reference."""
        if not self._message.progress.HasField("cache"):
            return None
        c = self._message.progress.cache
        return CacheUse(c.records_total, c.records_hit, c.records_computed, c.manifest_id, c.recipe_id, c.reference_seconds)

    @property
    def result(self) -> dict[str, float | str]:
        """The numbers and texts that it ended with; empty before."""
        return {**self._message.result, **self._message.result_texts}

    @property
    def submitted(self) -> datetime | None:
        return _time(self._message, "submitted")

    @property
    def started(self) -> datetime | None:
        return _time(self._message, "started")

    @property
    def ended(self) -> datetime | None:
        return _time(self._message, "ended")

    def refresh(self) -> Job:
        """Asks the coordinator for its present state."""
        self._message = self._call("GetJob", coordinator_pb2.GetJobRequest(job_id=self.id)).job
        return self

    def wait(self, timeout: float | None = None, *, progress: bool | None = None) -> Job:
        """Returns when it has succeeded. JobFailed: it did not, with its reason. WaitTimeout: not within so many seconds; it goes on.

        Ctrl-C leaves the job running. ``progress`` shows a line on standard error; by default on a terminal.
        """
        shown = sys.stderr.isatty() if progress is None else progress
        with ProgressLine(sys.stderr if shown else None) as line:
            for message in self._watch(timeout):
                self._message = message
                line.show(self)
        if self.state == JobState.FAILED:
            raise JobFailed(self)
        if self.state == JobState.CANCELLED:
            raise JobCancelled(self)
        return self

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events so far, in order, after a cursor."""
        while True:
            request = coordinator_pb2.EventsRequest(job_id=self.id, after=after, limit=_EVENTS_PER_PAGE)
            page = self._call("Events", request).events
            for each in page:
                yield Event(each.cursor, each.attempt, each.rank, json.loads(each.json))
            if not page:
                return
            after = page[-1].cursor

    def logs(self, follow: bool = False, *, tail: int = 0, rank: int | None = None) -> Iterator[LogLine]:
        """Its log lines in order, across lost connections; with ``follow`` until it has ended. ``tail``: only the last so many."""
        request = coordinator_pb2.LogsRequest(job_id=self.id, follow=follow, tail=tail, rank=rank)
        patience = Patience(answered=True)
        while True:
            try:
                for answer in self._client._coordinator.stream("Logs", request):
                    patience.answered()
                    for line in answer.lines:
                        request.after, request.tail = line.cursor, 0
                        yield LogLine(line.cursor, line.attempt, line.rank, _word(job_pb2.LineStream, line.stream),
                                      line.time.ToDatetime(timezone.utc), line.text)
                if not follow or self.refresh().state.is_terminal:
                    return
                problem: FpoError = Unreachable("the coordinator ended the stream of log lines", reason="UNREACHABLE", hint="fpoctl health")
            except FpoError as error:
                if not is_lost(error):
                    raise
                problem = error
            _pause(patience, problem)

    def metrics(self, *names: str) -> dict[str, Series]:
        """The numbers of its steps and evaluations by name, at most 2,000 points each; all, or those named."""
        answer = self._call("Metrics", coordinator_pb2.MetricsRequest(job_id=self.id, names=names))
        return {each.name: Series(each.name, list(each.steps), list(each.values)) for each in answer.series}

    def checkpoints(self) -> list[Checkpoint]:
        """Its accepted checkpoints, newest first."""
        answer = self._call("ListCheckpoints", coordinator_pb2.ListCheckpointsRequest(job_id=self.id))
        return [Checkpoint(c.step, c.attempt, c.folder, c.digest, c.bytes, c.score if c.HasField("score") else None, c.pinned,
                           _time(c, "accepted")) for c in answer.checkpoints]

    def cancel(self, *, now: bool = False, grace: float | None = None) -> Job:
        """Stops it: after its grace period (seconds; the coordinator's by default), or at once."""
        request = coordinator_pb2.CancelJobRequest(job_id=self.id, now=now)
        if grace is not None:
            duration = Duration()
            duration.FromMilliseconds(round(grace * 1000))
            request.grace.CopyFrom(duration)
        self._message = self._call("CancelJob", request).job
        return self

    def hold(self) -> Job:
        """Keeps a queued job from starting."""
        return self._change("HoldJob")

    def release(self) -> Job:
        """Lets a held job start."""
        return self._change("ReleaseJob")

    def pause(self) -> Job:
        """Lets a running job write a checkpoint and frees its slots."""
        return self._change("PauseJob")

    def resume(self) -> Job:
        """Queues a paused job again; it goes on from its checkpoint."""
        return self._change("ResumeJob")

    def retry(self, *, from_step: int = 0, job: JobFile | None = None, request_id: str | None = None) -> Job:
        """A new job from this one, which has ended. It resumes from a checkpoint (default: the newest) in the same output folder."""
        request = coordinator_pb2.RetryJobRequest(request_id=request_id or str(uuid.uuid4()), job_id=self.id, from_step=from_step)
        if job is not None:
            request.spec.CopyFrom(self._client._spec(job, ()))
        return self._client._stored(self._client._submit_once("RetryJob", request).job_id)

    def explain(self) -> Explanation:
        """Why it is not running, or what it is doing."""
        answer = self._call("ExplainJob", coordinator_pb2.ExplainJobRequest(job_id=self.id))
        return Explanation(answer.word, answer.text, tuple(answer.details), answer.next)

    def download(self, dest: str | os.PathLike[str], *, step: int | None = None, model: bool = False) -> str:
        """Fetches its result, or the checkpoint of a step, into a folder and returns its path.

        ``model``: only the model, as a folder that transformers loads; of a checkpoint its worker exports it first. Every file is checked
        by its SHA-256, and a broken download goes on where it ended when it is called again: fpoctl does it.
        """
        settings = self._client.settings
        words = ["export" if model else "download", self.id, "--to", os.fspath(dest), "--server", settings.server]
        for option, value in (("--token-file", settings.token_file), ("--tls-ca", settings.tls_ca), ("--tls-cert", settings.tls_cert),
                              ("--tls-key", settings.tls_key), ("--step", str(step) if step else "")):
            words += [option, value] if value else []
        return os.path.abspath(json.loads(run_fpoctl(words))["folder"])

    def _call(self, method: str, request: Any) -> Any:
        return self._client._coordinator.call(method, request)

    def _change(self, method: str) -> Job:
        self._message = self._call(method, coordinator_pb2.ChangeJobRequest(job_id=self.id)).job
        return self

    def _watch(self, timeout: float | None) -> Iterator[job_pb2.Job]:
        """Its states until the last one, across lost connections."""
        end = None if timeout is None else time.monotonic() + timeout
        patience = Patience(answered=self._client._coordinator.was_answered)
        state = self.state
        while True:
            left = None if end is None else max(end - time.monotonic(), 0.001)
            try:
                for answer in self._client._coordinator.stream("WatchJob", coordinator_pb2.WatchJobRequest(job_id=self.id), seconds=left):
                    patience.answered()
                    state = Job(self._client, answer.job).state
                    yield answer.job
                if state.is_terminal:
                    return
                problem: FpoError = Unreachable("the coordinator ended the stream", reason="UNREACHABLE", hint="fpoctl health")
            except FpoError as error:
                if end is not None and time.monotonic() >= end:
                    raise WaitTimeout(f"job {self.name} ({self.id}) is {state.value} after {timeout:g} s; it goes on", reason="TIMEOUT",
                                      hint="job.wait() waits on; job.explain() says what it is doing", ids=[self.id]) from None
                if not is_lost(error):
                    raise
                problem = error
            _pause(patience, problem, end)


def _pause(patience: Patience, problem: FpoError, end: float | None = None) -> None:
    wait = patience.next_wait()
    if wait is None:
        raise problem
    time.sleep(wait if end is None else max(min(wait, end - time.monotonic()), 0))


def _word(kind: Any, value: int) -> str:
    """"PHASE_TRAIN" as "train"; "" if it is not set, a number that this version does not know as such."""
    if value == 0:
        return ""
    try:
        name: str = kind.Name(value)
    except ValueError:
        return str(value)
    prefix: str = kind.Name(0).removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix).lower()


def _time(message: Any, name: str) -> datetime | None:
    time_of: datetime | None = getattr(message, name).ToDatetime(timezone.utc) if message.HasField(name) else None
    return time_of
