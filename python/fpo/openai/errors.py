"""Errors as OpenAI's clients read them: a status, and {"error": {"message", "type", "param", "code"}}."""
from __future__ import annotations

from typing import Any

from ..errors import AccessDenied, Conflict, FpoError, InvalidJob, Unreachable

# Keys of a job, and where they came from in a request; {method} is its type. The longest that fits counts.
_PARAMS = {
    "model": "model",
    "reference": "model",
    "data.train": "training_file",
    "data.eval": "validation_file",
    "data": "training_file",
    "epochs": "method.{method}.hyperparameters.n_epochs",
    "batch.pairs": "method.{method}.hyperparameters.batch_size",
    "optimizer.lr": "method.{method}.hyperparameters.learning_rate_multiplier",
    "method.beta": "method.{method}.hyperparameters.beta",
    "method.alpha": "method.{method}.hyperparameters.alpha",
    "method.top_k": "method.{method}.hyperparameters.top_k",
    "seed": "seed",
}


class ApiError(Exception):
    """What a request is answered with. ``again``: whether a client may repeat it unchanged, as OpenAI's clients do by themselves."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None, again: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.again = again

    @property
    def type(self) -> str:
        if self.status == 401:
            return "authentication_error"
        if self.status == 403:
            return "permission_error"
        if self.status == 429:
            return "rate_limit_error"
        return "invalid_request_error" if self.status < 500 else "server_error"

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


def wrong(param: str, message: str, code: str = "invalid_value") -> ApiError:
    return ApiError(400, message, code=code, param=param)


def from_service(error: FpoError, *, method: str = "", own_token: bool = True, again: bool = True) -> ApiError:
    """``own_token``: the coordinator refused this server, not its caller. ``again``: the request may be repeated after a lost connection."""
    text = f"{error.message} ({error.hint})" if error.hint and isinstance(error, Unreachable) else error.message
    code = (error.reason or error.code or "error").lower()
    if error.code == "NOT_FOUND" and not error.field.partition(".")[2]:
        return ApiError(404, text, code=code)
    if isinstance(error, AccessDenied) or error.code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        unknown = error.code == "UNAUTHENTICATED" or error.reason in ("UNAUTHENTICATED", "TOKEN_FILE")
        if own_token and unknown:
            return ApiError(502, "the coordinator refuses this server's own token", code="endpoint_unauthenticated")
        return ApiError(401, text, code="invalid_api_key") if unknown else ApiError(403, text, code=code)
    if isinstance(error, Unreachable) or error.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"):
        return ApiError(503, text, code=code, again=again)
    if error.reason == "QUOTA" or error.code == "RESOURCE_EXHAUSTED":
        return ApiError(429, text, code="quota_exceeded")
    refused = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "ALREADY_EXISTS", "OUT_OF_RANGE", "ABORTED")
    if error.code in refused or isinstance(error, (InvalidJob, Conflict)) or error.field:
        return ApiError(400, text, code=code, param=_param_of(error.field, method))
    return ApiError(500, text, code=code)


def _param_of(field: str, method: str) -> str | None:
    """The parameter that set a key of the job, where one did."""
    while field:
        if field in _PARAMS:
            return _PARAMS[field].format(method=method)
        field = field.rpartition(".")[0]
    return None
