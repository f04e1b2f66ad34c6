"""What each call does, without HTTP: files of the store, jobs of the coordinator."""
from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, BinaryIO, Callable, Iterable, Iterator, Mapping

from ..client import Client
from ..errors import FpoError, NotFound
from ..job import Job, JobState
from . import views
from .defaults import JobDefaults
from .errors import ApiError, wrong
from .files import FileStore
from .models import BaseModel, ModelTable, job_of_name
from .requests import BASE, ENDPOINT, KIND, TRAINING_FILE, VALIDATION_FILE, Place, make_job, metadata_of, read_request

_REQUESTS = uuid.UUID("5f0f3c1e-8a5e-4b0b-9d0a-3e3b8a8f2b61")  # names of requests: Idempotency-Key of a caller
_ENDED = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
_UNFINISHED = [state for state in JobState if state not in _ENDED and state != JobState.UNKNOWN]

Page = dict[str, Any]


class Service:
    """Thread-safe; ``client`` of a call is the caller's, or the endpoint's own."""

    def __init__(self, store: FileStore, models: ModelTable, defaults: JobDefaults, output: Path) -> None:
        self._store = store
        self._models = models
        self._defaults = defaults
        self._output = output

    @property
    def store(self) -> FileStore:
        return self._store

    # Files

    def create_file(self, filename: str, purpose: str, data: BinaryIO, size: int) -> dict[str, Any]:
        if purpose != "fine-tune":
            raise wrong("purpose", f"purpose is {purpose!r}; this server takes files for 'fine-tune'", "invalid_purpose")
        return self._store.add(Path(filename).name[:255] or "data.jsonl", data, size).to_api()

    def list_files(self, query: Mapping[str, str]) -> Page:
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise wrong("order", "order must be asc or desc")
        files = self._store.list(newest_first=order == "desc") if query.get("purpose", "fine-tune") == "fine-tune" else []
        return _page((file.to_api() for file in files), query, limit=10_000, limit_max=10_000)

    def file(self, client: Client, file_id: str) -> dict[str, Any]:
        job = self._job_of_result(client, file_id)
        if job is None:
            return self._store.get(file_id).to_api()
        size = len(views.result_csv(job.events()))
        return {"id": file_id, "object": "file", "bytes": size, "created_at": views.seconds_of(job.ended), "filename": "step_metrics.csv",
                "purpose": "fine-tune-results", "status": "processed", "status_details": None, "expires_at": None}

    def content(self, client: Client, file_id: str) -> Path | bytes:
        job = self._job_of_result(client, file_id)
        return self._store.path(file_id) if job is None else views.result_csv(job.events())

    def delete_file(self, client: Client, file_id: str) -> dict[str, Any]:
        if views.job_of_result_file(file_id):
            raise wrong("file_id", "a results file is made from the job's events and cannot be deleted", "unsupported")
        self._store.get(file_id)
        for label in (TRAINING_FILE, VALIDATION_FILE):
            user = next(iter(client.jobs(_UNFINISHED, labels={ENDPOINT: KIND, label: file_id})), None)
            if user is not None:
                raise wrong("file_id", f"the job {user.id}, which has not ended, uses {file_id}", "file_in_use")
        self._store.remove(file_id)
        return {"id": file_id, "object": "file", "deleted": True}

    def _job_of_result(self, client: Client, file_id: str) -> Job | None:
        job_id = views.job_of_result_file(file_id)
        if job_id is None:
            return None
        job = self._job(client, job_id, "file_id")
        if job.state != JobState.SUCCEEDED:
            raise ApiError(404, f"the job {job_id} has no results yet", code="file_not_found", param="file_id")
        return job

    # Models

    def list_models(self, client: Client) -> Page:
        tuned = (_tuned_model(job) for job in client.jobs(JobState.SUCCEEDED, labels={ENDPOINT: KIND}))
        return {"object": "list", "data": [*map(self._base_model, self._models), *tuned]}

    def model(self, client: Client, name: str) -> dict[str, Any]:
        base = self._models.get(name)
        return self._base_model(base) if base else _tuned_model(self._tuned_job(client, name))

    def _base_model(self, model: BaseModel) -> dict[str, Any]:
        return {"id": model.name, "object": "model", "created": self._models.read_at, "owned_by": "system"}

    def _tuned_job(self, client: Client, name: str) -> Job:
        job_id = job_of_name(name)
        job = _found(lambda: client.job(job_id)) if job_id else None
        if job is None or not views.is_ours(job) or job.state != JobState.SUCCEEDED or views.tuned_name_of(job) != name:
            more = "; a checkpoint is no model here: `fpoctl export JOB --step N` makes one" if ":ckpt-" in name else ""
            raise ApiError(404, f"there is no model {name!r}{more}", code="model_not_found", param="model")
        return job

    def _place_of(self, client: Client, name: str) -> Place:
        base = self._models.get(name)
        if base is not None:
            return Place(base, base.path, self._output)
        job = self._tuned_job(client, name)
        root = job.labels.get(BASE, "")
        base = self._models.get(root)
        if base is None:
            raise ApiError(404, f"{name!r} was made from {root!r}, which this server no longer has", code="model_not_found", param="model")
        return Place(base, f"{job.config['output']}/model", self._output)

    # Jobs

    def create_job(self, client: Client, body: Any, key: str, caller: str) -> dict[str, Any]:
        """``key``: the caller's Idempotency-Key; the same key and body are one job."""
        request = read_request(body)
        request_id = uuid.uuid5(_REQUESTS, f"{caller}\0{key}") if key else uuid.uuid4()
        job = make_job(request, self._place_of(client, request.model), self._store, self._defaults, request_id)
        return views.job_view(client.submit(job, request_id=str(request_id)))

    def list_jobs(self, client: Client, query: Mapping[str, str]) -> Page:
        wanted = {key[len("metadata["):-1]: value for key, value in query.items() if key.startswith("metadata[") and key.endswith("]")}
        null = query.get("metadata") == "null"
        jobs = (job for job in client.jobs(labels={ENDPOINT: KIND}) if _has(metadata_of(job.labels), wanted, null))
        after = query.get("after", "")
        return _page(jobs, query, limit=20, limit_max=100, place=lambda job: job.id, make=views.job_view,
                     missing=lambda: self._job(client, after, "after"))

    def job(self, client: Client, job_id: str) -> dict[str, Any]:
        return views.job_view(self._job(client, job_id))

    def cancel(self, client: Client, job_id: str) -> dict[str, Any]:
        return views.job_view(self._job(client, job_id).cancel())

    def pause(self, client: Client, job_id: str) -> dict[str, Any]:
        job = self._job(client, job_id)
        return views.job_view(job.hold() if job.state in (JobState.QUEUED, JobState.HELD) else job.pause())

    def resume(self, client: Client, job_id: str) -> dict[str, Any]:
        job = self._job(client, job_id)
        return views.job_view(job.release() if job.state in (JobState.QUEUED, JobState.HELD) else job.resume())

    def events(self, client: Client, job_id: str, query: Mapping[str, str]) -> Page:
        job = self._job(client, job_id)
        after = query.get("after", "")
        if after and not views.is_event_of(job, after):
            raise wrong("after", f"{after!r} is no event of {job_id}")
        return _page(views.events_newest_first(job, after), query, limit=20, limit_max=1000, from_start=True)

    def checkpoints(self, client: Client, job_id: str, query: Mapping[str, str]) -> Page:
        return _page(views.checkpoint_views(self._job(client, job_id)), query, limit=10, limit_max=1000)

    def _job(self, client: Client, job_id: str, param: str = "fine_tuning_job_id") -> Job:
        """By its whole id only: names and beginnings of ids, which the coordinator takes too, mean another job later."""
        job = _found(lambda: client.job(job_id))
        if job is None or job.id != job_id or not views.is_ours(job):
            raise ApiError(404, f"there is no fine-tuning job {job_id!r}", code="fine_tune_not_found", param=param)
        return job


def _found(ask: Callable[[], Job]) -> Job | None:
    try:
        return ask()
    except (NotFound, FpoError) as error:
        if isinstance(error, NotFound) or error.reason == "AMBIGUOUS_JOB" or error.code == "INVALID_ARGUMENT":
            return None
        raise


def _tuned_model(job: Job) -> dict[str, Any]:
    return {"id": views.tuned_name_of(job), "object": "model", "created": views.seconds_of(job.ended), "owned_by": job.owner or "fpo"}


def _has(metadata: Mapping[str, str] | None, wanted: Mapping[str, str], null: bool) -> bool:
    if null:
        return metadata is None
    return all((metadata or {}).get(key) == value for key, value in wanted.items())


def _limit(query: Mapping[str, str], default: int, most: int) -> int:
    text = query.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= most:
        raise wrong("limit", f"limit must be a whole number from 1 to {most}")
    return int(text)


def _page(items: Iterable[Any], query: Mapping[str, str], *, limit: int, limit_max: int, place: Callable[[Any], str] = lambda item: item["id"],
          make: Callable[[Any], dict[str, Any]] = lambda item: item, from_start: bool = False,
          missing: Callable[[], Any] | None = None) -> Page:
    """The items behind ``after``, at most ``limit`` of them. An unknown ``after`` is an error, not an empty page."""
    count = _limit(query, limit, limit_max)
    after = query.get("after", "")
    rest: Iterator[Any] = iter(items)
    if after and not from_start and not any(place(item) == after for item in rest):
        if missing is not None:
            missing()
        raise wrong("after", f"{after!r} is not in this list")
    found: list[dict[str, Any]] = []
    more = False
    for item in rest:
        if len(found) == count:
            more = True
            break
        found.append(make(item))
    return {"object": "list", "data": found, "has_more": more, "first_id": found[0]["id"] if found else None,
            "last_id": found[-1]["id"] if found else None}
