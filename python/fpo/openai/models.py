"""The models that may be fine-tuned, from a YAML file, and the names of what comes out.

    models:
      gemma-2-2b-it:
        path: /models/gemma-2-2b-it
        job: {data: {max_length: 1024}, resources: {slots: 8}}      # keys of the job file, for every job of this model
        dpo: {optimizer: {lr: 5.0e-7}}                              # and for those of one method: dpo, supervised, fpo
        supervised: {optimizer: {lr: 1.0e-5}}
        fpo: {sae: {path: /saes/params.npz, layer: 12}}
"""
from __future__ import annotations

import copy
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import yaml

from ..errors import make_error

METHODS = {"dpo": "dpo", "supervised": "sft", "fpo": "fpo"}  # types of a request, and the job file's names of them
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_FROM_REQUEST = (("", "name"), ("", "kind"), ("", "labels"), ("", "seed"), ("", "output"), ("model", "path"), ("data", "train"), ("data", "eval"),
                 ("method", "name"))  # of a job, what no model can say
_FILE_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class BaseModel:
    name: str
    path: str
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # job, dpo, supervised, fpo

    def job_of(self, method: str) -> dict[str, Any]:
        """The part of a job that the model's entry says."""
        return merge(self.parts.get("job", {}), self.parts.get(method, {}))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` counts; mappings are merged key by key."""
    merged = copy.deepcopy(dict(below))
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else copy.deepcopy(value)
    return merged


class ModelTable:
    def __init__(self, models: Mapping[str, BaseModel], read_at: int) -> None:
        self._models = dict(models)
        self.read_at = read_at

    @classmethod
    def read(cls, path: Path) -> ModelTable:
        """FpoError: it cannot be read or says something else than models."""
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read(_FILE_BYTES_MAX + 1)
            if len(text) > _FILE_BYTES_MAX:
                raise make_error(f"{path} is larger than {_FILE_BYTES_MAX >> 20} MiB", reason="USAGE")
            read_at = int(os.stat(path).st_mtime)
            table = yaml.safe_load(text)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise make_error(f"{path} cannot be read: {error}", reason="FILE_UNREADABLE", hint="name a YAML file with --models") from None
        if not isinstance(table, dict) or set(table) != {"models"} or not isinstance(table["models"], dict) or not table["models"]:
            raise _bad(path, 'it must be a mapping "models" of names to {path: DIR}')
        return cls({name: _entry(path, name, value) for name, value in table["models"].items()}, read_at)

    def __iter__(self) -> Any:
        return iter(self._models.values())

    def get(self, name: str) -> BaseModel | None:
        return self._models.get(name)


def _bad(path: Path, what: str) -> Exception:
    return make_error(f"{path}: {what}", reason="USAGE", hint="docs/clients.md has an example")


def _entry(path: Path, name: Any, value: Any) -> BaseModel:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _bad(path, f"{name!r} is no name of a model: letters, digits, '.', '_', '-' and '/', at most 128")
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        raise _bad(path, f"{name} has no path")
    if not os.path.isabs(value["path"]):
        raise _bad(path, f"{name}.path is {value['path']!r} and must be absolute, as the workers see it")
    parts = {key: part for key, part in value.items() if key != "path"}
    for key, part in parts.items():
        if key != "job" and key not in METHODS:
            raise _bad(path, f"{name}.{key} is not known; allowed are path, job, {', '.join(METHODS)}")
        if not isinstance(part, dict):
            raise _bad(path, f"{name}.{key} must be a mapping of keys of the job file")
        for section, taken in _FROM_REQUEST:
            if taken in (part.get(section) or {} if section else part):
                raise _bad(path, f"{name}.{key} has {f'{section}.{taken}'.lstrip('.')}, which a request says")
        rate = (part.get("optimizer") or {}).get("lr", 0)
        if isinstance(rate, bool) or not isinstance(rate, (int, float)):
            raise _bad(path, f"{name}.{key}.optimizer.lr is {rate!r}, not a number; YAML wants 5.0e-7, with a point")
    return BaseModel(name, value["path"], parts)


def tuned_name(base: str, suffix: str, job_id: str) -> str:
    """As OpenAI's: ft:BASE:ORGANISATION:SUFFIX:ID, of which the suffix may be empty."""
    return f"ft:{base}:fpo:{suffix}:{job_id}"


def job_of_name(model: str) -> str | None:
    """The job whose result a name means; None: it is no name of a result."""
    parts = model.split(":")
    return parts[4] if len(parts) == 5 and parts[0] == "ft" and parts[4] else None
