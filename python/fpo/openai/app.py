"""HTTP: paths, bodies within their bounds, keys, and errors in OpenAI's form."""
from __future__ import annotations

import json
import logging
import re
from typing import Any, Awaitable, Callable
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ..client import Client
from ..errors import FpoError
from .callers import Callers
from .errors import ApiError, from_service, wrong
from .service import Service

JSON_BYTES_MAX = 1 << 20
_MULTIPART_EXTRA = 1 << 20  # of boundaries, headers and the other fields
_HOST = re.compile(r"(localhost|\[[0-9a-fA-F:.]+\]|[0-9]+(\.[0-9]+){3})(:[0-9]+)?")
_log = logging.getLogger("fpo.openai")

Answer = Callable[[Client, Request], Any]


class Api:
    """``keys``: whether callers show one; without, the listener is for this machine's accounts, and pages in a browser are kept out."""

    def __init__(self, service: Service, callers: Callers, *, keys: bool, file_bytes_max: int) -> None:
        self._service = service
        self._callers = callers
        self._keys = keys
        self._file_bytes_max = file_bytes_max

    def application(self) -> Starlette:
        service = self._service
        job = "/v1/fine_tuning/jobs/{id}"
        simple: list[tuple[str, str, Answer]] = [
            ("GET", "/v1/files", lambda client, request: service.list_files(request.query_params)),
            ("GET", "/v1/files/{id}", lambda client, request: service.file(client, _id(request))),
            ("DELETE", "/v1/files/{id}", lambda client, request: service.delete_file(client, _id(request))),
            ("GET", "/v1/models", lambda client, request: service.list_models(client)),
            ("GET", "/v1/models/{id:path}", lambda client, request: service.model(client, _id(request))),
            ("GET", "/v1/fine_tuning/jobs", lambda client, request: service.list_jobs(client, request.query_params)),
            ("GET", job, lambda client, request: service.job(client, _id(request))),
            ("POST", f"{job}/cancel", lambda client, request: service.cancel(client, _id(request))),
            ("POST", f"{job}/pause", lambda client, request: service.pause(client, _id(request))),
            ("POST", f"{job}/resume", lambda client, request: service.resume(client, _id(request))),
            ("GET", f"{job}/events", lambda client, request: service.events(client, _id(request), request.query_params)),
            ("GET", f"{job}/checkpoints", lambda client, request: service.checkpoints(client, _id(request), request.query_params)),
        ]
        routes = [Route(path, self._json(answer), methods=[method]) for method, path, answer in simple]
        routes += [
            Route("/v1/files", self._guard(self._upload), methods=["POST"]),
            Route("/v1/files/{id}/content", self._guard(self._content), methods=["GET"]),
            Route("/v1/fine_tuning/jobs", self._guard(self._create_job), methods=["POST"]),
            Route("/healthz", _healthy, methods=["GET"]),
        ]
        # Of the two routes /v1/files/{id} and /v1/files/{id}/content a path fits one: {id} has no slash.
        return Starlette(routes=routes, exception_handlers={ApiError: _answer_error, FpoError: self._answer_service, HTTPException: _answer_http,
                                                            Exception: _answer_bug})

    def _guard(self, handler: Callable[[Client, str, Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            client, caller = await run_in_threadpool(self._caller, request)
            return await handler(client, caller, request)

        return endpoint

    def _json(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def handler(client: Client, caller: str, request: Request) -> Response:
            return JSONResponse(await run_in_threadpool(answer, client, request))

        return self._guard(handler)

    def _caller(self, request: Request) -> tuple[Client, str]:
        if not self._keys:
            # A page in a browser on this machine can send requests here too, under its own name or with its origin.
            if not _HOST.fullmatch(request.headers.get("host", "")) or "origin" in request.headers:
                raise ApiError(403, "without API keys this server answers programs of this machine only, at 127.0.0.1 or localhost",
                               code="not_local")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self._callers.client(token.strip() if scheme.lower() == "bearer" else "")

    async def _upload(self, client: Client, caller: str, request: Request) -> Response:
        most = self._file_bytes_max + _MULTIPART_EXTRA
        bounded = _bounded(request, most, f"the file has more than {self._file_bytes_max} bytes (--file-mib)", "file")
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise ApiError(400, "a file is uploaded as multipart/form-data", code="invalid_content_type")
        async with bounded.form(max_files=1, max_fields=8, max_part_size=4096) as form:
            file, purpose = form.get("file"), form.get("purpose")
            for name in form:
                if name not in ("file", "purpose"):
                    raise wrong(name, f"there is no parameter {name!r}", "unknown_parameter")
            if not isinstance(file, UploadFile) or not isinstance(purpose, str):
                missing = "purpose" if isinstance(file, UploadFile) else "file"
                raise wrong(missing, f"{missing} is missing", "missing_required_parameter")
            size = file.size or 0
            answer = await run_in_threadpool(self._service.create_file, file.filename or "", purpose, file.file, size)
        return JSONResponse(answer)

    async def _content(self, client: Client, caller: str, request: Request) -> Response:
        content = await run_in_threadpool(self._service.content, client, _id(request))
        if isinstance(content, bytes):
            return Response(content, media_type="text/csv")
        return FileResponse(content, media_type="application/jsonl")

    async def _create_job(self, client: Client, caller: str, request: Request) -> Response:
        body = await _bounded(request, JSON_BYTES_MAX, f"the body has more than {JSON_BYTES_MAX} bytes", None).body()
        try:
            parsed = json.loads(body)
        except (ValueError, RecursionError):
            raise ApiError(400, "the body is not JSON", code="invalid_json") from None
        key = request.headers.get("idempotency-key", "")
        request.state.method = _method_of(parsed)
        request.state.repeatable = bool(key)
        return JSONResponse(await run_in_threadpool(self._service.create_job, client, parsed, key[:255], caller))

    def _answer_service(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, FpoError)
        again = request.method != "POST" or getattr(request.state, "repeatable", True)
        method = getattr(request.state, "method", "")
        return _answer_error(request, from_service(error, method=method, own_token=self._callers.own_token, again=again))


async def _healthy(_: Request) -> Response:
    return Response("ok\n", media_type="text/plain")


def _id(request: Request) -> str:
    return unquote(request.path_params["id"])


def _method_of(body: Any) -> str:
    method = body.get("method") if isinstance(body, dict) else None
    kind = method.get("type") if isinstance(method, dict) else None
    return kind if isinstance(kind, str) else "supervised"


def _bounded(request: Request, most: int, message: str, param: str | None) -> Request:
    """The request, whose body ends with an error behind so many bytes; a longer one that says so is not read at all."""
    error = ApiError(413, message, code="too_large", param=param)
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length[:18]) > most:
        raise error
    taken = 0

    async def receive() -> Any:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise error
        return message

    return Request(request.scope, receive)


def _answer_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    headers = {"x-should-retry": "true" if error.again else "false"}  # OpenAI's clients repeat 409, 429 and 5xx otherwise
    return JSONResponse(error.body(), error.status, headers)


def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        text = f"unknown path: {request.method} {request.url.path}; this server fine-tunes, and answers no prompts"
        return _answer_error(request, ApiError(404, text, code="unknown_url"))
    text = f"{request.method} is not known at {request.url.path}" if error.status_code == 405 else str(error.detail)
    return _answer_error(request, ApiError(error.status_code, text, code="method_not_supported" if error.status_code == 405 else None))


def _answer_bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer_error(request, ApiError(500, "the server failed; its log says why", code="internal"))
