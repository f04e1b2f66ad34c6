"""Where the services are and who calls them."""
from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, replace
from typing import Mapping

from ._programs import run_fpoctl
from .errors import AccessDenied, FpoError, make_error

_VARIABLES = {"server": "FPO_SERVER", "cache": "FPO_CACHE_SERVER", "tls_ca": "FPO_TLS_CA", "tls_cert": "FPO_TLS_CERT",
              "tls_key": "FPO_TLS_KEY", "token_file": "FPO_TOKEN_FILE"}
_DEFAULTS = {"server": "127.0.0.1:7070", "cache": "127.0.0.1:7080"}


@dataclass(frozen=True)
class Settings:
    server: str
    cache: str
    token_file: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    @classmethod
    def resolve(cls, given: Mapping[str, str | os.PathLike[str] | None]) -> Settings:
        """What is given, else what fpoctl resolves: environment variables, the current context, defaults."""
        try:
            shown = json.loads(run_fpoctl(["context", "show"]))
            found = {name: shown["cache_server" if name == "cache" else name] for name in _VARIABLES}
        except FpoError as error:
            if error.reason != "NO_FILE":
                raise
            found = {name: os.environ.get(variable) or _DEFAULTS.get(name, "") for name, variable in _VARIABLES.items()}
        return replace(cls(**found), **{name: os.fspath(value) for name, value in given.items() if value is not None})

    def read_token(self) -> str:
        """The token, read anew so that a renewed one counts. Never in an error's text."""
        if not self.token_file:
            return ""
        hint = "name the file with your token: token_file=, FPO_TOKEN_FILE or a context (fpoctl context show)"
        try:
            mode = os.stat(self.token_file).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise AccessDenied(f"others may read the token file {self.token_file}", reason="TOKEN_FILE", hint=f"chmod 600 {self.token_file}")
            with open(self.token_file, encoding="ascii", errors="replace") as file:
                token = file.readline(1024).strip()
        except OSError as error:
            raise AccessDenied(f"the token file {self.token_file} cannot be read: {error.strerror}", reason="TOKEN_FILE", hint=hint) from None
        if not token or len(token) > 256 or not all("!" <= character <= "~" for character in token):
            raise AccessDenied(f"the token file {self.token_file} does not hold a token in its first line", reason="TOKEN_FILE", hint=hint)
        return token

    def read_tls(self, name: str) -> bytes | None:
        path = getattr(self, name)
        if not path:
            return None
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise make_error(f"{name}: {path} cannot be read: {error.strerror}", reason="FILE_UNREADABLE",
                             hint=f"name another with {name}=, {_VARIABLES[name]} or a context (fpoctl context show)") from None
