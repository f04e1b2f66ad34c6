"""Runs of MLflow, through mlflow.MlflowClient. Where it is: MLFLOW_TRACKING_URI and its relatives, as for every program that uses mlflow."""
from __future__ import annotations

import time
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag

from ..job import JobState
from .runs import Row, Run, Subject, Tool, flat

_METRICS_PER_CALL, _PARAMS_PER_CALL = 1000, 100  # MLflow's limits of a batch
_PARAM_CHARACTERS, _TAG_CHARACTERS = 6000, 5000
_STATUS = {JobState.SUCCEEDED: "FINISHED", JobState.FAILED: "FAILED", JobState.CANCELLED: "KILLED"}


class Mlflow(Tool):
    def __init__(self, project: str) -> None:
        self._client = mlflow.MlflowClient()
        found = self._client.get_experiment_by_name(project)
        if found is not None and found.lifecycle_stage == "deleted":
            raise ValueError(f"the experiment {project!r} was deleted: restore it, or name another with --project")
        self._experiment = found.experiment_id if found is not None else self._client.create_experiment(project)

    def open(self, subject: Subject) -> Run:
        runs = self._client.search_runs([self._experiment], f"tags.`fpo.run` = '{subject.key}'", max_results=1, order_by=["attributes.start_time"])
        if runs:
            return MlflowRun(self._client, runs[0])
        job = subject.job
        tags = {**subject.tags(), "mlflow.user": job.owner or "fpo"}
        started = job.started or job.submitted
        run = self._client.create_run(self._experiment, start_time=int(started.timestamp() * 1000) if started else None, tags=_cut(tags),
                                      run_name=job.name)
        return MlflowRun(self._client, run)


class MlflowRun(Run):
    def __init__(self, client: Any, run: Any) -> None:
        super().__init__()
        self._client = client
        self._id = run.info.run_id
        self._tags = dict(run.data.tags)
        self._ended = run.info.status in _STATUS.values()
        self._params = set(run.data.params)
        for name in run.data.metrics:
            self.last[name] = max(point.step for point in client.get_metric_history(self._id, name))

    @property
    def ended_job(self) -> str:
        return self._tags.get("fpo.job_id", "") if self._ended else ""

    def begin(self, subject: Subject) -> None:
        if self._ended:
            self._client.update_run(self._id, status="RUNNING")
            self._ended = False
        params = [Param(name, str(value)[:_PARAM_CHARACTERS]) for name, value in flat_params(subject).items() if name not in self._params]
        for start in range(0, len(params), _PARAMS_PER_CALL):
            self._client.log_batch(self._id, params=params[start:start + _PARAMS_PER_CALL])
        self._tag(subject.tags())

    def _write(self, rows: list[Row]) -> None:
        self._log([Metric(name, value, int(row.time * 1000), row.step) for row in rows for name, value in row.values.items()])

    def end(self, subject: Subject) -> None:
        numbers, texts = subject.result()
        now, step = int((subject.job.ended.timestamp() if subject.job.ended else time.time()) * 1000), self.last_step
        self._log([Metric(name, value, now, step) for name, value in numbers.items() if self.last.get(name, -1) < step])
        self.last.update(dict.fromkeys(numbers, step))
        self._tag({**subject.tags(), **{f"fpo.result.{name}": text for name, text in texts.items()}})
        self._client.set_terminated(self._id, _STATUS[subject.job.state], now)
        self._ended = True

    def close(self) -> None:
        pass  # every call has returned

    def _log(self, metrics: list[Any]) -> None:
        for start in range(0, len(metrics), _METRICS_PER_CALL):
            self._client.log_batch(self._id, metrics=metrics[start:start + _METRICS_PER_CALL])

    def _tag(self, tags: dict[str, str]) -> None:
        changed = {name: value for name, value in _cut(tags).items() if self._tags.get(name) != value}
        if changed:
            self._client.log_batch(self._id, tags=[RunTag(name, value) for name, value in changed.items()])
            self._tags.update(changed)


def flat_params(subject: Subject) -> dict[str, Any]:
    return {name: value for name, value in flat(subject.job.config).items() if not name.startswith("labels.")}


def _cut(tags: dict[str, str]) -> dict[str, str]:
    return {name: value[:_TAG_CHARACTERS] for name, value in tags.items()}
