"""Runs of trackio, in its local database (TRACKIO_DIR). A run that goes to a Space is not followed: what it has cannot be read back."""
from __future__ import annotations

import json
import os
from typing import Any, Iterator

import trackio
from trackio.sqlite_storage import SQLiteStorage

from .runs import Row, Run, Subject, Tool

_STATE = "fpo/state"


class Trackio(Tool):
    def __init__(self, project: str) -> None:
        for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
            if os.environ.get(name):
                raise ValueError(f"{name} is set, and fpo-track writes to trackio on this machine only: unset it, and `trackio sync` the project")
        self._project = project

    def open(self, subject: Subject) -> Run:
        return TrackioRun(self._project, self._name(subject), subject)

    def _name(self, subject: Subject) -> str:
        """JOB-NAME.ID; the id alone says which run it is."""
        try:
            names = SQLiteStorage.get_runs(self._project)
        except FileNotFoundError:
            names = []
        return next((name for name in names if name.endswith(f".{subject.key}")), f"{subject.job.name}.{subject.key}")


class TrackioRun(Run):
    def __init__(self, project: str, name: str, subject: Subject) -> None:
        super().__init__()
        self._project = project
        self._name = name
        self._run: Any = None
        self._state = ""
        self._job = ""
        for step, values in self._rows():
            for key in values:
                if step > self.last.get(key, -1):
                    self.last[key] = step
            self._state = values.get(_STATE, self._state if _STATE in values else "")
            self._job = values.get("fpo/job_id", self._job)

    @property
    def ended_job(self) -> str:
        return self._job if self._state else ""

    def begin(self, subject: Subject) -> None:
        self._run = trackio.init(self._project, name=self._name, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False,
                                 config={**{name: value for name, value in subject.job.config.items()}, **subject.tags()})
        self._job = subject.job.id

    def _write(self, rows: list[Row]) -> None:
        for row in rows:
            self._run.log(row.values, step=row.step)

    def end(self, subject: Subject) -> None:
        numbers, texts = subject.result()
        ending = {_STATE: subject.job.state.value, "fpo/job_id": subject.job.id, "fpo/reason": subject.job.reason,
                  "fpo/output": subject.tags().get("fpo.output", "")}
        self._run.log({**numbers, **{f"fpo/{name}": text for name, text in texts.items()}, **{key: text for key, text in ending.items() if text}},
                      step=self.last_step)
        self.last[_STATE] = self.last_step
        self.close()

    def close(self) -> None:
        if self._run is None:
            return
        self._run.finish()
        self._run = None
        # trackio only warns of what it cannot write.
        written: dict[str, int] = {}
        for step, values in self._rows():
            written.update({key: max(step, written.get(key, -1)) for key in values})
        missing = [key for key, step in self.last.items() if written.get(key, -1) < step]
        if missing:
            raise OSError(f"trackio did not store {missing[0]} of step {self.last[missing[0]]}")

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(step, values) of the run, in the order in which they were written: trackio's documented table `metrics`."""
        path = SQLiteStorage.get_project_db_path(self._project)
        if not path.exists():
            return
        name = self._name.replace("'", "''")
        found = SQLiteStorage.query_project(self._project, f"SELECT step, metrics FROM metrics WHERE run_name = '{name}' ORDER BY id", max_rows=10**9)
        for row in found["rows"]:
            values = row["metrics"]
            yield row["step"], json.loads(values) if isinstance(values, (str, bytes)) else values
