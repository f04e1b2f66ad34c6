"""The line that shows a job's progress on a terminal."""
from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from .job import Job

_REDRAW_SECONDS = 0.25


class ProgressLine:
    """Redrawn in place; gone at the end, when one line with the outcome remains. Without a file it shows nothing."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._drawn = 0.0
        self._last = ""

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None and self._last:
            self._file.write(f"\r\x1b[K{self._last}\n")
            self._file.flush()

    def show(self, job: Job) -> None:
        if self._file is None:
            return
        self._last = progress_text(job)
        if time.monotonic() - self._drawn < _REDRAW_SECONDS and not job.state.is_terminal:
            return
        self._drawn = time.monotonic()
        columns = shutil.get_terminal_size().columns - 1
        self._file.write(f"\r\x1b[K{self._last[:columns]}")
        self._file.flush()


def progress_text(job: Job) -> str:
    """"tiny-dpo RUNNING  train  step 12 of 125  loss 0.69"."""
    parts = [f"{job.name} {job.state.value}"]
    progress = job.progress
    if job.state.is_terminal:
        return "  ".join([*parts, _one_line(job.reason)] if job.reason else parts)
    if job.state.value in ("QUEUED", "HELD", "PAUSED") and job.reason:
        parts.append(_one_line(job.reason))
    if progress.phase:
        parts.append(progress.phase)
    if progress.total_steps and progress.step:
        parts.append(f"step {progress.step} of {progress.total_steps}")
    elif progress.total:
        parts.append(f"{progress.done} of {progress.total} {progress.unit}".rstrip())
    elif progress.activity:
        parts.append(_one_line(progress.activity))
    if "loss" in progress.metrics:
        parts.append(f"loss {progress.metrics['loss']:.4g}")
    return "  ".join(parts)


def _one_line(text: str) -> str:
    """What a job says must not control the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
