"""Calls of one service: addresses, TLS, token, repeats after a lost connection, and its errors as exceptions."""
from __future__ import annotations

import getpass
import time
from typing import Any, Callable, Iterator

import grpc

from ._proto import error_pb2
from ._settings import Settings
from .errors import AccessDenied, FpoError, Unreachable, make_error

CALL_SECONDS = 10.0  # of one try of a unary call; services refuse calls without an end
MESSAGE_BYTES_MAX = 4 << 20
_OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_http_proxy", 0),  # a proxy for the web is not meant for these addresses
]


class Patience:
    """When to call again after a lost connection. A service that never answered is not called again: its address is wrong."""

    def __init__(self, *, answered: bool, seconds: float = 60.0) -> None:
        self._answered = answered
        self._seconds = seconds
        self._lost: float | None = None
        self._wait = 0.5

    def answered(self) -> None:
        self._answered = True
        self._lost = None
        self._wait = 0.5

    def next_wait(self) -> float | None:
        """Seconds until the next try; None: give up."""
        now = time.monotonic()
        if self._lost is None:
            self._lost = now
        if not self._answered or now - self._lost >= self._seconds:
            return None
        wait, self._wait = self._wait, min(2 * self._wait, 5.0)
        return wait


class Connection:
    """One service behind one address, or behind several of which one leads. Thread-safe as far as gRPC is."""

    def __init__(self, name: str, addresses: str, settings: Settings, make_stub: Callable[[grpc.Channel], Any]) -> None:
        self._name = name
        self._settings = settings
        self._addresses = [address.strip() for address in addresses.split(",") if address.strip()]
        if not self._addresses:
            raise make_error(f"the address of the {name} is empty", reason="USAGE", hint="HOST:PORT")
        if settings.token_file and not settings.tls_ca:
            for address in self._addresses:
                if not _is_loopback(address):
                    raise AccessDenied(f"a token is sent only over TLS or to this machine, and {address} is neither", reason="TOKEN_FILE",
                                       hint="name the service's CA with tls_ca= or FPO_TLS_CA")
        settings.read_token()  # a wrong file shows now
        self._channels = [self._channel(address) for address in self._addresses]
        self._stubs = [make_stub(channel) for channel in self._channels]
        self._current = 0
        self._answered = len(self._stubs) > 1

    def close(self) -> None:
        for channel in self._channels:
            channel.close()

    @property
    def address(self) -> str:
        return self._addresses[self._current]

    @property
    def was_answered(self) -> bool:
        return self._answered

    def _channel(self, address: str) -> grpc.Channel:
        if not self._settings.tls_ca:
            return grpc.insecure_channel(address, _OPTIONS)
        credentials = grpc.ssl_channel_credentials(self._settings.read_tls("tls_ca"), self._settings.read_tls("tls_key"),
                                                   self._settings.read_tls("tls_cert"))
        return grpc.secure_channel(address, credentials, _OPTIONS)

    def _metadata(self) -> list[tuple[str, str]]:
        token = self._settings.read_token()
        return [("authorization", f"Bearer {token}")] if token else []

    def call(self, method: str, request: Any, *, seconds: float = CALL_SECONDS) -> Any:
        """A unary call; again while the service is being replaced or another one is elected."""
        patience = Patience(answered=self._answered)
        while True:
            try:
                answer = getattr(self._stubs[self._current], method)(request, timeout=seconds, metadata=self._metadata())
                self._answered = True
                return answer
            except grpc.RpcError as error:
                problem, again = self._judge(error)
            wait = patience.next_wait() if again else None
            if wait is None:
                raise problem from None
            time.sleep(wait)

    def stream(self, method: str, request: Any, *, seconds: float | None = None) -> Iterator[Any]:
        """The answers of one stream, whose loss the caller handles: it knows how to go on. Closing the iterator cancels the call."""
        call = getattr(self._stubs[self._current], method)(request, timeout=seconds, metadata=self._metadata())
        try:
            for answer in call:
                self._answered = True
                yield answer
        except grpc.RpcError as error:
            raise self._judge(error)[0] from None
        finally:
            call.cancel()

    def _judge(self, error: grpc.RpcError) -> tuple[FpoError, bool]:
        """The exception, and whether the connection was lost rather than the call refused."""
        problem = _error_of(error, self._name, self.address)
        of_connection = problem.reason in ("UNREACHABLE", "NOT_LEADER") or (problem.code == "CANCELLED" and not problem.reason)
        if of_connection and len(self._stubs) > 1:
            self._current = (self._current + 1) % len(self._stubs)
        if not of_connection and problem.code != "DEADLINE_EXCEEDED":
            self._answered = True
        return problem, of_connection


def is_lost(error: FpoError) -> bool:
    """Whether the call may succeed when it is made again; it may have taken effect."""
    return isinstance(error, Unreachable) or error.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")


def is_unsent(error: FpoError) -> bool:
    """Whether no connection could be made, so that the call took no effect."""
    return error.reason == "UNREACHABLE" and getattr(error, "unsent", False)


def user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _is_loopback(address: str) -> bool:
    host = address.rsplit(":", 1)[0].strip("[]")
    return address.startswith("unix:") or host in ("localhost", "::1") or host.startswith("127.")


# What gRPC says of a connection, what that means, and what to do about it.
_TROUBLES = (
    ("DNS resolution failed", "the host name is unknown", "is its name right?"),
    ("wrong version number", "it does not use TLS", "leave out tls_ca; where it is from: fpoctl context show"),
    ("certificate verify failed", "its certificate is not from the CA that was given, or not for this name",
     "name the CA that signed it with tls_ca, and the address as the certificate has it"),
    ("Failed parsing HTTP/2", "the server there is not a gRPC service", "is it the address of the status page? the services have one for each"),
    ("http1.x server", "the server there is not a gRPC service", "is it the address of the status page? the services have one for each"),
    ("Socket closed", "it closed the connection", "when it runs with TLS, name its CA with tls_ca"),
    ("Connection reset", "it closed the connection", "when it runs with TLS, name its CA with tls_ca"),
)


def _unreachable(said: str, name: str, address: str) -> FpoError:
    argument, variable = ("server=", "FPO_SERVER") if name == "coordinator" else ("cache=", "FPO_CACHE_SERVER")
    cause = said.rsplit(": ", 1)[-1] if said.startswith("failed to connect to all addresses") else said
    hint = f"start fpo-{name} or name its address with {argument} or {variable}"
    flat = said.lower().replace("_", " ")  # TLS libraries differ in how they spell the same
    for sign, means, remedy in _TROUBLES:
        if sign.lower() in flat:
            cause, hint = means, remedy
            break
    error = make_error(f"the {name} at {address} cannot be reached: {cause}", reason="UNREACHABLE", hint=hint, code="UNAVAILABLE")
    error.unsent = said.startswith(("failed to connect to all addresses", "DNS resolution failed"))  # type: ignore[attr-defined]
    return error


def _detail_of(error: grpc.RpcError) -> error_pb2.ErrorDetail | None:
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        details = error_pb2.StatusDetails()
        try:
            details.ParseFromString(value)
            for each in details.details:
                detail = error_pb2.ErrorDetail()
                if each.Unpack(detail):
                    return detail
        except Exception:  # DecodeError: not of this service
            return None
    return None


def _error_of(error: grpc.RpcError, name: str, address: str) -> FpoError:
    code = error.code()
    said = error.details() or ""
    detail = _detail_of(error)
    if detail is not None:
        return make_error(said, reason=detail.reason, field=detail.field, hint=detail.hint, ids=detail.ids, code=code.name)
    if code == grpc.StatusCode.UNAVAILABLE:
        return _unreachable(said, name, address)
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return make_error(f"the {name} at {address} did not answer in time", reason="DEADLINE", hint="fpoctl health", code=code.name)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return make_error(f"the server at {address} does not know this call: it is not the {name}, or an older one", reason="UNIMPLEMENTED",
                          hint="fpoctl version", code=code.name)
    return make_error(said or code.name, reason="", code=code.name)
