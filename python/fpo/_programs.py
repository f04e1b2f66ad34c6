"""Calls of fpoctl, which alone knows the job file: its keys, defaults and paths, and the contexts of ~/.config/fpo/config.yaml."""
from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any, Mapping, Sequence

from .errors import FpoWarning, NotFound, make_error


def fpoctl_path() -> str:
    """fpoctl of this wheel, else of FPO_BIN_DIR, else of PATH."""
    places = [Path(__file__).resolve().parent / "bin"]
    if os.environ.get("FPO_BIN_DIR"):
        places.insert(0, Path(os.environ["FPO_BIN_DIR"]))
    for place in places:
        if os.access(place / "fpoctl", os.X_OK):
            return str(place / "fpoctl")
    found = shutil.which("fpoctl")
    if found is None:
        raise NotFound("fpoctl is not here, which reads job files for this client", reason="NO_FILE",
                       hint="it is in the wheel: pip install fpo-*.whl; of a source checkout, set FPO_BIN_DIR to the folder of its programs")
    return found


def run_fpoctl(words: Sequence[str], *, text: str | None = None, folder: str | None = None) -> str:
    """What it prints with --json. Its warnings become FpoWarnings, its error the exception of its reason."""
    done = subprocess.run([fpoctl_path(), *words, "--json"], input="" if text is None else text, cwd=folder, capture_output=True,
                          encoding="utf-8", errors="replace", check=False)
    error: dict[str, Any] | None = None
    other = []
    for line in done.stderr.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            other.append(line)
        elif "warning" in said:
            warnings.warn(_about_job(said["warning"]), FpoWarning, stacklevel=5)  # the caller of submit
        elif "message" in said:
            error = said
    if done.returncode == 0:
        return done.stdout
    if error is None:
        raise make_error("\n".join(other) or f"fpoctl {words[0]} ended with {done.returncode}", reason="", hint=f"fpoctl {' '.join(words)}")
    message = _about_job(error["message"])
    raise make_error(message, reason=error.get("reason", ""), field=error.get("field", ""), hint=error.get("hint", ""),
                     ids=error.get("ids", ()), code=error.get("code", ""))


def _about_job(text: Any) -> str:
    """A mapping has no lines, and is no standard input to its author."""
    return re.sub(r"^standard input(:\d+)?: ", "", str(text), flags=re.MULTILINE)


def effective_job(job: str | os.PathLike[str] | Mapping[str, Any], changes: Sequence[str] = ()) -> str:
    """The job as JSON with every default filled in and every path absolute, as `fpoctl submit` would send it.

    A path is of a job file, whose relative paths start at its folder; those of a mapping start at the current one.
    """
    words = [word for change in changes for word in ("--set", change)]
    if isinstance(job, Mapping):
        return run_fpoctl(["validate", "-", *words], text=json.dumps(job, default=os.fspath)).strip()
    return run_fpoctl(["validate", os.fspath(job), *words]).strip()
