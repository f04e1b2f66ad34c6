"""Submitting jobs to a coordinator and finding them again."""
from __future__ import annotations

import os
import time
import uuid
import warnings
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence, Union

from ._connection import Connection, Patience, is_lost, is_unsent, user_name
from ._programs import effective_job
from ._proto import cache_pb2, cache_pb2_grpc, coordinator_pb2, coordinator_pb2_grpc, job_pb2
from ._settings import Settings
from .errors import FpoError, FpoWarning, InvalidJob, make_error
from .job import Job, JobState

JobFile = Union[str, "os.PathLike[str]", Mapping[str, Any]]
_SUBMIT_SECONDS = 10.0  # for how long a submit whose answer was lost is repeated


@dataclass(frozen=True)
class Validation:
    """What the coordinator says of a job that was not submitted."""

    problems: tuple[str, ...] = ()  # empty: it would be accepted
    warnings: tuple[str, ...] = ()
    fit: str = ""  # where it would run, or why it would wait
    quota: str = ""  # "" if no limit applies
    jobs_ahead: int = 0
    run_seconds_estimate: float | None = None  # from similar jobs; None if unknown
    records: str = ""  # what is known of its reference records
    files: str = ""  # which workers already hold its files

    @property
    def ok(self) -> bool:
        return not self.problems


class Client:
    """Calls of fpo-coordinator and fpo-cache.

    What is not given is what fpoctl would use: FPO_SERVER, FPO_CACHE_SERVER, FPO_TOKEN_FILE, FPO_TLS_CA (with FPO_TLS_CERT and
    FPO_TLS_KEY), then the current context of ~/.config/fpo/config.yaml, then 127.0.0.1:7070 and :7080. Connecting happens at the first
    call. A client may be used by several threads; it is not to be used in a process forked from its own.
    """

    def __init__(self, server: str | None = None, cache: str | None = None, token_file: str | os.PathLike[str] | None = None,
                 tls_ca: str | os.PathLike[str] | None = None) -> None:
        given: dict[str, str | os.PathLike[str] | None] = {"server": server, "cache": cache, "token_file": token_file, "tls_ca": tls_ca}
        self.settings = Settings.resolve(given)
        self._coordinator = Connection("coordinator", self.settings.server, self.settings, coordinator_pb2_grpc.CoordinatorStub)
        self._cache = Connection("cache", self.settings.cache, self.settings, cache_pb2_grpc.ReferenceCacheStub)

    def __repr__(self) -> str:
        return f"fpo.Client(server={self.settings.server!r}, cache={self.settings.cache!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Jobs go on."""
        self._coordinator.close()
        self._cache.close()

    def submit(self, job: JobFile, name: str | None = None, request_id: str | None = None, *, set: Sequence[str] = (), hold: bool = False,
               after_ok: Sequence[str | Job] = (), after_end: Sequence[str | Job] = ()) -> Job:
        """Stores a job and returns it; it runs when its turn comes.

        ``job`` is a job file's path or its contents as a mapping. fpoctl reads and checks it, as ``fpoctl submit`` does: relative paths
        start at the file's folder, those of a mapping at the current one. ``set`` changes keys: ``["method.beta=2"]``. A submit whose
        answer is lost is repeated with the same ``request_id`` (default: a new one), so a job is never stored twice.
        """
        changes = [*set, *([f"name={name}"] if name is not None else [])]
        request = coordinator_pb2.SubmitRequest(
            request_id=request_id or str(uuid.uuid4()), spec=self._spec(job, changes), hold=hold,
            after_ok=[_id_of(each) for each in after_ok], after_end=[_id_of(each) for each in after_end])
        answer = self._submit_once("Submit", request)
        for warning in answer.warnings:
            warnings.warn(warning, FpoWarning, stacklevel=2)
        return self._stored(answer.job_id)

    def validate(self, job: JobFile, *, set: Sequence[str] = ()) -> Validation:
        """Checks a job as submit would, and says where and when it would run; nothing is stored."""
        try:
            spec = self._spec(job, set)
        except InvalidJob as error:
            return Validation(problems=tuple(error.message.splitlines()))
        answer = self._coordinator.call("Validate", coordinator_pb2.ValidateRequest(spec=spec))
        return Validation(
            problems=tuple(answer.problems), warnings=tuple(answer.warnings), fit=answer.fit, quota=answer.quota, jobs_ahead=answer.jobs_ahead,
            run_seconds_estimate=answer.run_seconds_estimate or None, records=answer.records, files=answer.files)

    def job(self, id_or_name: str) -> Job:
        """A job by its id, a unique beginning of it, or its name (then the newest of that name)."""
        answer = self._coordinator.call("GetJob", coordinator_pb2.GetJobRequest(job_id=id_or_name))
        return Job(self, answer.job)

    def jobs(self, state: JobState | str | Sequence[JobState | str] | None = None, *, name: str = "", owner: str = "",
             labels: Mapping[str, str] | None = None) -> Iterator[Job]:
        """Jobs, newest first, page by page as they are iterated over. All that is given must hold of each."""
        states: list[JobState | str] = [state] if isinstance(state, str) else list(state or ())
        request = coordinator_pb2.ListJobsRequest(
            states=[_state_number(each) for each in states], owner=owner, name=name, labels=labels or {})
        return self._pages(request)

    def cache_stats(self) -> dict[str, float]:
        """The counters of the reference cache: records, hits, misses, stored..."""
        stats = self._cache.call("Stats", cache_pb2.StatsRequest())
        return {field.name: getattr(stats, field.name) for field in stats.DESCRIPTOR.fields
                if field.cpp_type in (field.CPPTYPE_INT64, field.CPPTYPE_DOUBLE) and field.name != "owners"}

    def _pages(self, request: Any) -> Iterator[Job]:
        while True:
            answer = self._coordinator.call("ListJobs", request)
            for each in answer.jobs:
                yield Job(self, each)
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def _spec(self, job: JobFile, changes: Sequence[str]) -> job_pb2.JobSpec:
        return job_pb2.JobSpec(config_json=effective_job(job, changes), owner=user_name())

    def _stored(self, job_id: str) -> Job:
        try:
            return self.job(job_id)
        except FpoError as error:
            error.message += f" (job {job_id} is stored)"
            error.hint = f"client.job({job_id!r}) when it answers again"
            raise

    def _submit_once(self, method: str, request: Any) -> Any:
        patience = Patience(answered=True, seconds=_SUBMIT_SECONDS)
        while True:
            try:
                return self._coordinator.call(method, request)
            except FpoError as error:
                if not is_lost(error) or is_unsent(error):
                    raise
                wait = patience.next_wait()
                if wait is None:
                    error.message += f" (the submit with request id {request.request_id} may or may not have been stored)"
                    error.hint = f"{error.hint}; the same call with request_id={request.request_id!r} stores nothing twice"
                    raise
            time.sleep(wait)


def _state_number(state: JobState | str) -> job_pb2.JobState:
    try:
        return job_pb2.JobState.Value(f"JOB_STATE_{JobState(state).value}")
    except ValueError:
        raise make_error(f"there is no job state {str(state)!r}", reason="BAD_STATE", field="state",
                         hint=", ".join(each.value for each in JobState if each != JobState.UNKNOWN)) from None


def _id_of(job: str | Job) -> str:
    return job if isinstance(job, str) else job.id
