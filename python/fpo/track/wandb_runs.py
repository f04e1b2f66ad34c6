"""Runs of Weights & Biases. Account and server are wandb's own: WANDB_API_KEY, `wandb login`, WANDB_BASE_URL, WANDB_MODE=offline.

Each row of a run's history also has the job and the cursor of the event that it came from, and the summary keeps the last ones. Offline there is
no server to ask: a run's folder is marked when it is complete, and one that a killed follower left is set aside and written again.
"""
from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import wandb

from .runs import Row, Run, Subject, Tool

_CURSOR, _JOB = "fpo/cursor", "fpo/job"
_MARK = "fpo-position.json"
_TAG_CHARACTERS = 64


class Wandb(Tool):
    def __init__(self, project: str) -> None:
        self._project = project

    def open(self, subject: Subject) -> Run:
        return WandbRun(self._project, subject)


class WandbRun(Run):
    def __init__(self, project: str, subject: Subject) -> None:
        super().__init__()
        self._project = project
        self._id = f"fpo-{subject.key}"
        self._offline = wandb.setup().settings.mode == "offline"
        self._run: Any = None
        self._chain = [job.id for job in subject.chain]
        self._position: dict[str, Any] = {}
        if self._offline:
            self._position = self._marked()
        else:
            summary = self._start(subject).summary
            self._position = {"job": summary.get(_JOB), "cursor": summary.get(_CURSOR, 0), "ended": summary.get("fpo/ended", "")}

    @property
    def ended_job(self) -> str:
        return str(self._position.get("ended") or "")

    def begin(self, subject: Subject) -> None:
        if self._run is None:
            self._start(subject)
        self._position["ended"] = ""

    def _start(self, subject: Subject) -> Any:
        job = subject.job
        tags = [f"{name}={value}"[:_TAG_CHARACTERS] for name, value in job.labels.items()]
        settings = wandb.Settings(console="off", disable_git=True, save_code=False, silent=True, x_disable_stats=True, x_disable_machine_info=True)
        self._run = wandb.init(project=self._project, id=self._id, name=job.name, job_type=job.kind, tags=tags, reinit="create_new",
                               resume=None if self._offline else "allow", config={**job.config, "fpo": subject.tags()}, settings=settings,
                               allow_val_change=True)
        self._run.define_metric("train/step", hidden=True)
        self._run.define_metric("eval/step", hidden=True)
        self._run.define_metric("train/*", step_metric="train/step")
        self._run.define_metric("eval/*", step_metric="eval/step")
        self._run.define_metric(_CURSOR, hidden=True)
        return self._run

    def _fresh(self, row: Row) -> Row:
        fresh = super()._fresh(row)
        return Row(row.job_id, row.cursor, row.step, row.time, {}) if self._has(row) else fresh

    def _has(self, row: Row) -> bool:
        job = self._position.get("job")
        if job not in self._chain:
            return False
        place, known = self._chain.index(row.job_id), self._chain.index(job)
        return place < known or (place == known and row.cursor <= int(self._position["cursor"]))

    def _write(self, rows: list[Row]) -> None:
        for row in rows:
            groups = {name.partition("/")[0] for name in row.values}
            self._run.log({**row.values, **{f"{group}/step": row.step for group in groups}, _CURSOR: row.cursor, _JOB: row.job_id,
                           "_timestamp": row.time})
            self._position.update(job=row.job_id, cursor=row.cursor)

    def end(self, subject: Subject) -> None:
        numbers, texts = subject.result()
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        said = {name.replace("fpo.", "fpo/", 1): text for name, text in subject.tags().items()}
        self._run.summary.update({**finite, **{f"fpo/{name}": text for name, text in texts.items()}, **said, "fpo/ended": subject.job.id})
        self._position["ended"] = subject.job.id
        self._finish(0 if subject.job.state.value == "SUCCEEDED" else 1)

    def close(self) -> None:
        if self._run is not None:
            self._finish(0)

    def _finish(self, code: int) -> None:
        folder = Path(self._run.dir).parent
        self._run.finish(exit_code=code)
        self._run = None
        if self._offline:
            unfinished = folder / f"{_MARK}.new"
            unfinished.write_text(json.dumps(self._position), encoding="utf-8")
            os.replace(unfinished, folder / _MARK)

    def _marked(self) -> dict[str, Any]:
        """The newest position that a complete folder has."""
        position: dict[str, Any] = {}
        for folder in sorted(Path(wandb.setup().settings.wandb_dir).glob(f"offline-run-*-{self._id}")):
            mark = folder / _MARK
            if mark.exists():
                position = json.loads(mark.read_text(encoding="utf-8"))
            else:
                _set_aside(folder)
        return position


def _set_aside(folder: Path) -> None:
    """wandb's own process outlives a killed follower for a moment and may make the folder again: without the run's file, which went with it."""
    count = 0
    while (aside := folder.with_name(f"incomplete-{count}-{folder.name}")).exists():
        count += 1
    folder.rename(aside)
