"""The client of the FPO training service.

    import fpo

    client = fpo.Client()                  # the services that fpoctl would use
    job = client.submit("job.yaml")
    job.wait()                             # raises JobFailed with the reason
    print(job.metrics()["loss"].last)

``fpo.reference.fill`` lets the service compute what a reference model says of a ``datasets.Dataset``.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import reference as reference, trl as trl
    from .client import Client as Client, Validation as Validation
    from .errors import (AccessDenied as AccessDenied, Conflict as Conflict, FpoError as FpoError, FpoWarning as FpoWarning,
                         InvalidJob as InvalidJob, JobCancelled as JobCancelled, JobFailed as JobFailed, NotFound as NotFound,
                         Unreachable as Unreachable, WaitTimeout as WaitTimeout)
    from .job import (CacheUse as CacheUse, Checkpoint as Checkpoint, Event as Event, Explanation as Explanation, Job as Job,
                      JobState as JobState, LogLine as LogLine, Progress as Progress, Series as Series)

# The programs are started through this package too, and want neither gRPC nor its half second: names are loaded when they are used.
_PLACES = {
    "client": ("Client", "Validation"),
    "errors": ("AccessDenied", "Conflict", "FpoError", "FpoWarning", "InvalidJob", "JobCancelled", "JobFailed", "NotFound", "Unreachable",
               "WaitTimeout"),
    "job": ("CacheUse", "Checkpoint", "Event", "Explanation", "Job", "JobState", "LogLine", "Progress", "Series"),
}
_PLACE_OF = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [*_PLACE_OF, "reference"]


def __getattr__(name: str) -> Any:
    if name in ("reference", "trl"):
        return importlib.import_module(f".{name}", __name__)
    if name == "__version__":
        from importlib.metadata import version

        return version("fpo")
    if name in _PLACE_OF:
        value = getattr(importlib.import_module(f".{_PLACE_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
