"""Uploaded files, in a folder that the workers can read too: files/ID/data.jsonl and files/ID/file.json.

A file is acknowledged when both are on disk under their final name; a crash before leaves nothing but a folder in incoming/, which the next
start removes.
"""
from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import make_error
from .errors import ApiError, wrong
from .rows import check_rows

_ID = re.compile(r"file-[0-9a-f]{24}")
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class FileLimits:
    file_bytes: int = 512 << 20
    total_bytes: int = 100 << 30
    files: int = 10_000


@dataclass(frozen=True)
class StoredFile:
    id: str
    bytes: int
    created_at: int
    filename: str
    form: str  # preference | supervised
    rows: int

    def to_api(self) -> dict[str, Any]:
        return {"id": self.id, "object": "file", "bytes": self.bytes, "created_at": self.created_at, "filename": self.filename,
                "purpose": "fine-tune", "status": "processed", "status_details": None, "expires_at": None}


class FileStore:
    """Thread-safe; one process owns a folder."""

    def __init__(self, folder: Path, limits: FileLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._mutex = threading.Lock()
        for name in ("files", "incoming"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o750)
        self._lock = open(folder / "lock", "a")  # held until the process ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise make_error(f"another fpo-openai uses {folder}", reason="FILE_BUSY", hint="give each its own --data") from None
        try:
            for left in (folder / "incoming").iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            self._files = {file.id: file for file in map(_read, (folder / "files").iterdir())}
        except BaseException:
            self._lock.close()
            raise
        self._room = 0  # bytes of uploads that are being written

    def close(self) -> None:
        self._lock.close()

    @property
    def incoming(self) -> Path:
        return self._folder / "incoming"

    def path(self, file_id: str) -> Path:
        """Absolute where the store's folder is."""
        return self._folder / "files" / self.get(file_id).id / "data.jsonl"

    def get(self, file_id: str, param: str = "file_id") -> StoredFile:
        with self._mutex:
            file = self._files.get(file_id)
        if file is None:
            raise ApiError(404, f"there is no file {file_id!r}", code="file_not_found", param=param)
        return file

    def list(self, *, newest_first: bool) -> list[StoredFile]:
        with self._mutex:
            files = list(self._files.values())
        return sorted(files, key=lambda file: (file.created_at, file.id), reverse=newest_first)

    def add(self, filename: str, data: BinaryIO, size: int) -> StoredFile:
        """Checks the rows, then stores the bytes as they are."""
        self._reserve(size)
        incoming = self._folder / "incoming" / secrets.token_hex(12)
        try:
            data.seek(0)
            rows = check_rows(data)
            file = StoredFile(f"file-{secrets.token_hex(12)}", size, int(time.time()), filename, rows.form, rows.count)
            incoming.mkdir(mode=0o750)
            data.seek(0)
            with open(incoming / "data.jsonl", "xb") as out:
                shutil.copyfileobj(data, out, _COPY_BYTES)
                _sync(out)
                if out.tell() != size:
                    raise ApiError(500, f"{out.tell()} of {size} bytes arrived", code="upload_incomplete", again=True)
            with open(incoming / "file.json", "x", encoding="utf-8") as out:
                json.dump(asdict(file), out)
                _sync(out)
            _sync_folder(incoming)
            os.rename(incoming, self._folder / "files" / file.id)
            _sync_folder(self._folder / "files")
            with self._mutex:
                self._files[file.id] = file
            return file
        except OSError as error:
            raise ApiError(507, f"the file cannot be stored: {error.strerror}", code="storage") from None
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
            with self._mutex:
                self._room -= size

    def remove(self, file_id: str) -> None:
        file = self.get(file_id)
        with self._mutex:
            if file_id not in self._files:
                return
            gone = self._folder / "incoming" / f"{file.id}-removed"
            os.rename(self._folder / "files" / file.id, gone)
            del self._files[file_id]
        _sync_folder(self._folder / "files")
        shutil.rmtree(gone, ignore_errors=True)

    def _reserve(self, size: int) -> None:
        limits = self._limits
        if size > limits.file_bytes:
            raise ApiError(413, f"the file has {size} bytes; at most {limits.file_bytes} are taken (--file-mib)", code="file_too_large",
                           param="file")
        with self._mutex:
            if len(self._files) >= limits.files:
                raise wrong("file", f"there are {len(self._files)} files already; delete some", "too_many_files")
            used = sum(file.bytes for file in self._files.values()) + self._room
            if used + size > limits.total_bytes:
                raise wrong("file", f"the files have {used} bytes already, of {limits.total_bytes} (--total-gib); delete some", "storage_full")
            self._room += size


def _read(folder: Path) -> StoredFile:
    try:
        file = StoredFile(**json.loads((folder / "file.json").read_text(encoding="utf-8")))
        if not _ID.fullmatch(folder.name) or file.id != folder.name or (folder / "data.jsonl").stat().st_size != file.bytes:
            raise ValueError("its parts do not belong together")
        return file
    except (OSError, ValueError, TypeError) as error:
        raise make_error(f"{folder} is damaged: {error}", reason="FILE_UNREADABLE",
                         hint="move it out of the way, and upload the file again") from None


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
