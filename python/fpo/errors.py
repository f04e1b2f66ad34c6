"""What can go wrong, as exceptions: each has the service's reason (a stable word), the wrong field and a hint, where there are any."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from .job import Job


class FpoWarning(UserWarning):
    """What a job's author should look at, though the job is valid."""


class FpoError(Exception):
    """An error of the service or of reaching it.

    ``reason`` is a stable word such as ``INVALID_JOB`` (``proto/fpo/v1/error.proto`` lists them), ``field`` the wrong key of the job,
    ``hint`` what to do next, ``ids`` the jobs or workers that it is about, ``code`` gRPC's code by name.
    """

    def __init__(self, message: str, *, reason: str = "", field: str = "", hint: str = "", ids: Sequence[str] = (), code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.field = field
        self.hint = hint
        self.ids = tuple(ids)
        self.code = code

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class InvalidJob(FpoError):
    """The job is wrong: ``message`` names every problem at once, one a line."""


class NotFound(FpoError):
    """There is no such job, checkpoint, manifest or file."""


class AccessDenied(FpoError):
    """The token is missing, unknown or not enough for the call, or the thing belongs to someone else."""


class Conflict(FpoError):
    """The state of the job, or another job, does not allow it."""


class Unreachable(FpoError):
    """The service did not answer. A submit that may have been stored says so, with its request id."""


class WaitTimeout(FpoError, TimeoutError):
    """The job has not ended yet; it goes on."""


class JobFailed(FpoError):
    """The job that was waited for failed; ``message`` has its reason, ``job`` is the job as it ended."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job.name} ({job.id}) {job.state.value}: {job.reason or 'no reason was given'}",
                         reason=job.state.value, hint=self._hint(job), ids=[job.id])
        self.job = job

    def __reduce__(self) -> Any:
        return (type(self), (self.job,))

    @staticmethod
    def _hint(job: Job) -> str:
        return f"its last lines: job.logs(tail=50), or fpoctl logs {job.id}; job.retry() runs it again from its newest checkpoint"


class JobCancelled(JobFailed):
    """The job that was waited for was cancelled."""

    @staticmethod
    def _hint(job: Job) -> str:
        return "job.retry() runs it again from its newest checkpoint"


_OF_REASON: dict[str, type[FpoError]] = {
    **dict.fromkeys(("INVALID_JOB", "DEPENDENCY_FAILED", "INVALID_RETRY"), InvalidJob),
    **dict.fromkeys(("JOB_NOT_FOUND", "JOB_REMOVED", "NO_CHECKPOINT", "MANIFEST_NOT_FOUND", "KEY_NOT_IN_MANIFEST", "NO_RESULT", "NO_FILES",
                     "NO_METRICS", "ARTIFACT_GONE", "FILE_UNREADABLE"), NotFound),
    **dict.fromkeys(("UNAUTHENTICATED", "ROLE", "NOT_YOURS", "NOT_SHARED", "TOKEN_FILE"), AccessDenied),
    **dict.fromkeys(("REQUEST_ID_REUSED", "JOB_TERMINAL", "ILLEGAL_TRANSITION", "OUTPUT_IN_USE", "AMBIGUOUS_JOB", "QUOTA",
                     "MANIFEST_INCOMPLETE", "FILE_EXISTS", "FILE_BUSY"), Conflict),
    **dict.fromkeys(("UNREACHABLE", "DEADLINE", "BUSY", "NOT_LEADER", "NOT_SERVING", "UPSTREAM_UNAVAILABLE"), Unreachable),
}


def make_error(message: str, *, reason: str, field: str = "", hint: str = "", ids: Sequence[str] = (), code: str = "") -> FpoError:
    """The exception for a reason; reasons of a newer service are an FpoError."""
    return _OF_REASON.get(reason, FpoError)(message, reason=reason, field=field, hint=hint, ids=ids, code=code)
