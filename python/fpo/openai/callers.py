"""Who calls, and with which client the coordinator is asked for them."""
from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

from ..client import Client
from ..errors import AccessDenied, make_error
from .errors import ApiError

_TOKEN_BYTES_MAX = 256
_KEYS_MAX = 1000
_CLIENTS_MAX = 64  # of callers that were here last
_KNOWN_SECONDS = 10.0  # for how long a token that the coordinator knew is not asked about again


class Callers(Protocol):
    own_token: bool  # whether the coordinator sees this server rather than its callers

    def client(self, token: str) -> tuple[Client, str]:
        """The client, and a word for the caller that is no secret. ApiError 401."""

    def close(self) -> None: ...


class AnyCaller:
    """Loopback without keys: every account of the machine, as with the services themselves."""

    own_token = True

    def __init__(self, client: Client) -> None:
        self._client = client

    def client(self, token: str) -> tuple[Client, str]:
        return self._client, ""

    def close(self) -> None:
        self._client.close()


class KeyHolders:
    """Those who know a key of a file, one a line; the file is read again when it changes. To the coordinator they are all this server."""

    own_token = True

    def __init__(self, client: Client, path: Path) -> None:
        self._client = client
        self._path = path
        self._mutex = threading.Lock()
        self._read_at = (0, 0)
        self._digests: list[bytes] = []
        self._keys()  # a wrong file shows now

    def client(self, token: str) -> tuple[Client, str]:
        digest = hashlib.sha256(token.encode()).digest()
        matches = [hmac.compare_digest(digest, each) for each in self._keys()]
        if not any(matches):
            raise _unknown(token)
        return self._client, digest.hex()

    def close(self) -> None:
        self._client.close()

    def _keys(self) -> list[bytes]:
        try:
            found = os.stat(self._path)
            with self._mutex:
                if (found.st_mtime_ns, found.st_ino) != self._read_at:
                    self._digests = _read_keys(self._path, found.st_mode)
                    self._read_at = (found.st_mtime_ns, found.st_ino)
                return self._digests
        except OSError as error:
            raise make_error(f"the key file {self._path} cannot be read: {error.strerror}", reason="FILE_UNREADABLE",
                             hint="name a file with one key a line: --api-keys") from None


class TokenHolders:
    """Each caller's key is their token of the coordinator, which decides what they may do; jobs are theirs."""

    own_token = False

    def __init__(self, server: str | None, tls_ca: str | None) -> None:
        self._server = server
        self._tls_ca = tls_ca
        self._mutex = threading.Lock()
        self._clients: OrderedDict[str, _TokenClient] = OrderedDict()

    def client(self, token: str) -> tuple[Client, str]:
        if not token or len(token) > _TOKEN_BYTES_MAX or not all("!" <= character <= "~" for character in token):
            raise _unknown(token)
        name = hashlib.sha256(token.encode()).hexdigest()
        with self._mutex:
            caller = self._clients.get(name)
        if caller is None:
            caller = _TokenClient(token, self._server, self._tls_ca)
        caller.check()
        with self._mutex:
            self._clients.setdefault(name, caller)
            self._clients.move_to_end(name)
            while len(self._clients) > _CLIENTS_MAX:
                self._clients.popitem(last=False)  # closed when its last call ends
        return caller.client, name

    def close(self) -> None:
        with self._mutex:
            self._clients.clear()


class _TokenClient:
    """A client whose token file is in memory: it is on no disk and in no command line."""

    def __init__(self, token: str, server: str | None, tls_ca: str | None) -> None:
        self._memory = os.memfd_create("token", os.MFD_CLOEXEC)
        os.fchmod(self._memory, stat.S_IRUSR | stat.S_IWUSR)
        os.write(self._memory, token.encode())
        self.client = Client(server, None, f"/proc/self/fd/{self._memory}", tls_ca)
        self._known_until = 0.0

    def __del__(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        os.close(self._memory)

    def check(self) -> None:
        """AccessDenied: the coordinator does not know the token."""
        if time.monotonic() >= self._known_until:
            next(self.client.jobs(name="no-job-has-this-name"), None)
            self._known_until = time.monotonic() + _KNOWN_SECONDS


def _unknown(token: str) -> ApiError:
    what = "the API key is not known here" if token else "an API key is missing; send it as Authorization: Bearer KEY"
    return ApiError(401, what, code="invalid_api_key")


def _read_keys(path: Path, mode: int) -> list[bytes]:
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccessDenied(f"others may read the key file {path}", reason="TOKEN_FILE", hint=f"chmod 600 {path}")
    with open(path, encoding="ascii", errors="replace") as file:
        lines = [line.strip() for line in file.read((_TOKEN_BYTES_MAX + 1) * _KEYS_MAX).splitlines()]
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys or any(not 16 <= len(key) <= _TOKEN_BYTES_MAX or not key.isascii() for key in keys) or len(keys) > _KEYS_MAX:
        raise AccessDenied(f"{path} must have 1 to {_KEYS_MAX} lines with a key of 16 to {_TOKEN_BYTES_MAX} characters", reason="TOKEN_FILE",
                           hint="openssl rand -hex 24 makes one")
    return [hashlib.sha256(key.encode()).digest() for key in keys]
