"""Following jobs: their events, from the coordinator into runs of a tool."""
from __future__ import annotations

import logging
import threading
from typing import Callable, Iterable, Iterator

from ..client import Client
from ..errors import FpoError, NotFound
from ..job import Job, JobState
from .runs import Row, Run, Subject, Tool, row_of

_ROWS_PER_WRITE = 500
_CHAIN_MAX = 100
_PAUSE_SECONDS_MAX = 60.0  # after failures in a row
_log = logging.getLogger("fpo.track")


def subject_of(client: Client, job: Job) -> Subject:
    """With the jobs that it retries, as long as nothing was changed: a retry with other settings is a run of its own."""
    chain = [job]
    while chain[0].retry_of and len(chain) < _CHAIN_MAX:
        try:
            before = client.job(chain[0].retry_of)
        except NotFound:  # retention removed it
            break
        if before.config != chain[0].config:
            break
        chain.insert(0, before)
    return Subject(tuple(chain))


def newest_retry(client: Client, job: Job) -> Job:
    """The job that a run is about by now: an unchanged retry of this one, or of that one..., which has begun; else the job itself."""
    if not job.state.is_terminal or job.state == JobState.SUCCEEDED:
        return job  # has none
    begun = [each for each in client.jobs() if each.retry_of and (each.started or each.state.is_terminal)]  # newest first
    return next((each for each in begun if job.id in [before.id for before in subject_of(client, each).chain]), job)


class Follower:
    """One job and its run."""

    def __init__(self, client: Client, tool: Tool, job: Job) -> None:
        self._client = client
        self._tool = tool
        self._job = job
        self._cursors: dict[str, int] = {}
        self._run: Run | None = None
        self._begun = False

    def catch_up(self) -> bool:
        """Writes what is new. Whether the job has ended and all of it is written."""
        state = self._job.refresh().state  # before its events: those of a job that has ended are complete
        if self._job.started is None and not state.is_terminal:
            return False
        subject = subject_of(self._client, self._job)
        if self._run is None:
            self._run = self._tool.open(subject)
            if self._run.ended_job == self._job.id and state.is_terminal:
                self.close()
                return True
        if not self._begun:
            self._run.begin(subject)
            self._begun = True
        rows = 0
        for some in _portions(self._rows(subject)):
            rows += self._run.write(some)
        if rows:
            _log.info("%s (%s): %d rows, up to step %d", self._job.name, self._job.id, rows, self._run.last_step)
        if not state.is_terminal:
            return False
        self._run.end(subject)
        self._run = None
        _log.info("%s (%s): %s", self._job.name, self._job.id, state.value)
        return True

    def close(self) -> None:
        """Nothing that was written is lost when it returns; catch_up goes on with what the tool then has."""
        run, self._run, self._begun = self._run, None, False
        self._cursors.clear()
        if run is not None:
            run.close()

    def _rows(self, subject: Subject) -> Iterator[Row]:
        for job in subject.chain:
            for event in job.events(self._cursors.get(job.id, 0)):
                row = row_of(job.id, event)
                if row is not None:
                    yield row
                self._cursors[job.id] = event.cursor


def _portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    portion: list[Row] = []
    for row in rows:
        portion.append(row)
        if len(portion) == _ROWS_PER_WRITE:
            yield portion
            portion = []
    if portion:
        yield portion


def follow(client: Client, tool: Tool, find: Callable[[], Iterable[Job]], *, stop: threading.Event, interval: float, once: bool,
           forever: bool) -> bool:
    """Follows the jobs that ``find`` returns, until all have ended, or with ``forever`` until it is stopped. Whether all was written.

    What fails is tried again: a tool or a coordinator that is away for a while costs nothing.
    """
    followers: dict[str, Follower] = {}
    done: set[str] = set()
    failures = 0
    try:
        while True:
            well = _round(client, tool, find, followers, done)
            if once or (well and not forever and done.issuperset(followers)):
                return well
            failures = 0 if well else failures + 1
            if stop.wait(min(interval * 2**min(failures, 10), max(interval, _PAUSE_SECONDS_MAX))):
                return well
    finally:
        for name, follower in followers.items():
            if name not in done:
                follower.close()


def _round(client: Client, tool: Tool, find: Callable[[], Iterable[Job]], followers: dict[str, Follower], done: set[str]) -> bool:
    well = True
    try:
        for job in find():
            if job.id not in followers:
                followers[job.id] = Follower(client, tool, job)
                # What it retries is written with it: a run that two jobs end would end as either.
                if job.started or job.state.is_terminal:
                    for before in subject_of(client, job).chain[:-1]:
                        done.add(before.id)
                        if before.id in followers:
                            followers[before.id].close()
    except FpoError as error:
        _log.warning("the jobs cannot be listed, trying again: %s", error)
        well = False
    for name, follower in followers.items():
        if name in done:
            continue
        try:
            if follower.catch_up():
                done.add(name)
        except Exception as error:  # each tool has its own, and one job must not stop the others
            _log.warning("%s: not written, trying again: %s: %s", name, type(error).__name__, error)
            well = False
            try:
                follower.close()
            except Exception as second:
                _log.warning("%s: %s: %s", name, type(second).__name__, second)
    return well
