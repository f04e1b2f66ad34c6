"""What is written of a job, and where: rows of numbers, and runs that know what they already have."""
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from ..job import Event, Job, JobState


@dataclass(frozen=True)
class Row:
    """The numbers of one step or evaluation."""

    job_id: str
    cursor: int  # of the event, within its job
    step: int
    time: float  # seconds since 1970
    values: dict[str, float] = field(repr=False)  # "train/loss", "eval/loss"; what was not finite is NaN


def row_of(job_id: str, event: Event) -> Row | None:
    """None: the event has no numbers of a step."""
    data = event.data
    if data.get("kind") not in ("step", "evaluation") or not data.get("metrics"):
        return None
    values = {metric_name(name): math.nan if value is None else float(value) for name, value in data["metrics"].items()}
    return Row(job_id, event.cursor, int(data.get("step", 0)), float(data.get("t", 0.0)), values)


def metric_name(name: str) -> str:
    """As in the TensorBoard files: eval_loss is eval/loss, loss is train/loss."""
    return f"eval/{name[5:]}" if name.startswith("eval_") else f"train/{name}"


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"optimizer.lr": 5e-07, ...}; a list is one value, what is null is left out."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{prefix}{key}."))
        elif value is not None:
            found[prefix + key] = value
    return found


@dataclass(frozen=True)
class Subject:
    """What a run is about: a job and those before it that it retries unchanged. The oldest names the run."""

    chain: tuple[Job, ...]

    @property
    def job(self) -> Job:
        return self.chain[-1]

    @property
    def key(self) -> str:
        return self.chain[0].id

    def tags(self) -> dict[str, str]:
        job = self.job
        tags = {"fpo.run": self.key, "fpo.job_id": job.id, "fpo.name": job.name, "fpo.kind": job.kind, "fpo.owner": job.owner,
                "fpo.state": job.state.value, "fpo.output": str(job.config.get("output", ""))}
        if job.retry_of:
            tags["fpo.retry_of"] = job.retry_of
        if job.state.is_terminal:
            tags["fpo.reason"] = job.reason
            if job.state == JobState.SUCCEEDED and job.kind == "train":
                tags["fpo.model"], tags["fpo.report"] = f"{tags['fpo.output']}/model", f"{tags['fpo.output']}/report.html"
        tags.update({f"fpo.label.{name}": value for name, value in job.labels.items()})
        return {name: value for name, value in tags.items() if value}

    def result(self) -> tuple[dict[str, float], dict[str, str]]:
        """Its numbers, as result/NAME, and its texts."""
        numbers, texts = {}, {}
        for name, value in self.job.result.items():
            if isinstance(value, str):
                texts[name] = value
            else:
                numbers[f"result/{name}"] = float(value)
        return numbers, texts


class Run(ABC):
    """One run of a tool. Each number of a step is written once: a step that a resumed attempt repeats stays as it was first.

    ``last`` has the last step of each number that the tool already has, so that nothing but the tool says what was written.
    """

    def __init__(self) -> None:
        self.last: dict[str, int] = {}

    @property
    @abstractmethod
    def ended_job(self) -> str:
        """The job with whose end this run ended; "" while it goes on."""

    @abstractmethod
    def begin(self, subject: Subject) -> None:
        """Parameters and tags; called each time a follower begins."""

    def write(self, rows: Iterable[Row]) -> int:
        """Writes what the tool does not have, in order, and returns how many rows that were."""
        fresh = [row for row in map(self._fresh, rows) if row.values]
        if fresh:
            self._write(fresh)
        return len(fresh)

    @abstractmethod
    def end(self, subject: Subject) -> None:
        """The final state; nothing is lost when it returns."""

    @abstractmethod
    def close(self) -> None:
        """The follower stops, and may come back; nothing that was written is lost when it returns."""

    @abstractmethod
    def _write(self, rows: list[Row]) -> None: ...

    def _fresh(self, row: Row) -> Row:
        values = {name: value for name, value in row.values.items() if row.step > self.last.get(name, -1)}
        self.last.update(dict.fromkeys(values, row.step))
        return Row(row.job_id, row.cursor, row.step, row.time, values)

    @property
    def last_step(self) -> int:
        return max(self.last.values(), default=0)


class Tool(ABC):
    """A tool that runs are written to."""

    @abstractmethod
    def open(self, subject: Subject) -> Run:
        """The run of this subject, which is made if there is none."""
