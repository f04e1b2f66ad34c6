"""A request to fine-tune, checked and turned into a job."""
from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from .defaults import JobDefaults
from .errors import ApiError, wrong
from .files import FileStore, StoredFile
from .models import METHODS, BaseModel, merge
from .rows import PREFERENCE, SUPERVISED

ENDPOINT = "openai/endpoint"  # labels of the jobs that this endpoint submits
MODEL = "openai/model"
BASE = "openai/base"
SUFFIX = "openai/suffix"
METHOD = "openai/method"
MULTIPLIER = "openai/learning-rate-multiplier"
TRAINING_FILE = "openai/training-file"
VALIDATION_FILE = "openai/validation-file"
METADATA = "openai/metadata"
KIND = "fine-tuning"  # value of the first

_FORM_OF = {"dpo": PREFERENCE, "fpo": PREFERENCE, "supervised": SUPERVISED}
_KEYS = {"model", "training_file", "validation_file", "method", "hyperparameters", "suffix", "seed", "metadata", "integrations"}
_NUMBERS: dict[str, tuple[type, float, float, str]] = {  # type, least, most, where it goes in the job
    "n_epochs": (int, 1, 1_000_000, "epochs"),
    "batch_size": (int, 1, 1 << 20, "batch.pairs"),
    "learning_rate_multiplier": (float, 0, 1e9, ""),
    "beta": (float, 0, 1e6, "method.beta"),
    "alpha": (float, 0, 1e6, "method.alpha"),
    "top_k": (int, 1, 1 << 20, "method.top_k"),
}
_HYPERPARAMETERS = {
    "supervised": ("n_epochs", "batch_size", "learning_rate_multiplier"),
    "dpo": ("n_epochs", "batch_size", "learning_rate_multiplier", "beta"),
    "fpo": ("n_epochs", "batch_size", "learning_rate_multiplier", "beta", "alpha", "top_k"),
}
_SUFFIX = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SEED_MAX = 2**53 - 1
_METADATA_PAIRS_MAX, _METADATA_KEY_MAX, _METADATA_VALUE_MAX = 16, 64, 512
_LABEL_BYTES_MAX = 255


@dataclass(frozen=True)
class TuneRequest:
    model: str
    training_file: str
    validation_file: str
    method: str
    hyperparameters: dict[str, float]  # those that are not "auto"
    suffix: str
    seed: int | None
    metadata: dict[str, str]


def read_request(body: Any) -> TuneRequest:
    """ApiError: what is wrong with it, and its parameter."""
    if not isinstance(body, dict):
        raise ApiError(400, "the body is not a JSON object", code="invalid_json")
    for key in body:
        if key not in _KEYS:
            raise wrong(key, f"there is no parameter {key!r}", "unknown_parameter")
    if body.get("integrations"):
        raise wrong("integrations", "this server sends no run to Weights & Biases; `fpo-track wandb` follows its jobs and does", "unsupported")
    method, hyperparameters = _method(body)
    suffix = _text(body, "suffix")
    if suffix and not _SUFFIX.fullmatch(suffix):
        raise wrong("suffix", "suffix must be 1 to 64 of letters, digits, '.', '_' and '-'")
    seed = body.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _SEED_MAX):
        raise wrong("seed", f"seed must be a whole number from 0 to {_SEED_MAX}")
    return TuneRequest(_text(body, "model", required=True), _text(body, "training_file", required=True), _text(body, "validation_file"), method,
                       hyperparameters, suffix, seed, _metadata(body.get("metadata")))


def _text(body: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = body.get(key)
    if value is None and not required:
        return ""
    if value is None:
        raise wrong(key, f"{key} is missing", "missing_required_parameter")
    if not isinstance(value, str) or not value:
        raise wrong(key, f"{key} must be a text", "invalid_type")
    return value


def _method(body: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    method = body.get("method")
    if method is None:  # the older form
        return "supervised", _hyperparameters(body.get("hyperparameters"), "supervised", "hyperparameters")
    if body.get("hyperparameters"):
        raise wrong("hyperparameters", "hyperparameters stand in the method, or in the older form beside no method, not both")
    kind = method.get("type") if isinstance(method, dict) else None
    if not isinstance(kind, str) or kind not in METHODS:
        raise wrong("method.type", f"method.type is {json.dumps(kind)}; this server knows {', '.join(METHODS)}", "unsupported_method")
    for key in method:
        if key not in ("type", kind) and method[key] is not None:
            raise wrong(f"method.{key}", f"method.{key} does not belong to the method {kind}", "unknown_parameter")
    options = method.get(kind) or {}
    if not isinstance(options, dict) or set(options) - {"hyperparameters"}:
        raise wrong(f"method.{kind}", f'method.{kind} has one key, "hyperparameters"', "unknown_parameter")
    return kind, _hyperparameters(options.get("hyperparameters"), kind, f"method.{kind}.hyperparameters")


def _hyperparameters(given: Any, method: str, where: str) -> dict[str, float]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong(where, f"{where} must be an object", "invalid_type")
    known = _HYPERPARAMETERS[method]
    numbers = {}
    for key, value in given.items():
        if key not in known:
            raise wrong(f"{where}.{key}", f"{where}.{key} is not known; {method} has {', '.join(known)}", "unknown_parameter")
        if value is None or value == "auto":
            continue
        kind, least, most, _ = _NUMBERS[key]
        number = not isinstance(value, bool) and isinstance(value, (int, float)) and least <= value <= most  # NaN is neither
        if not number or (kind is int and value != int(value)):
            raise wrong(f"{where}.{key}", f"{where}.{key} is {repr(value)[:80]}; it must be \"auto\" or a "
                                          f"{'whole ' if kind is int else ''}number from {least:g} to {most:g}")
        numbers[key] = kind(value)
    return numbers


def _metadata(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _METADATA_PAIRS_MAX:
        raise wrong("metadata", f"metadata must be an object of at most {_METADATA_PAIRS_MAX} pairs")
    for key, value in given.items():
        if len(key) > _METADATA_KEY_MAX or not isinstance(value, str) or len(value) > _METADATA_VALUE_MAX:
            raise wrong("metadata", f"metadata has keys of at most {_METADATA_KEY_MAX} characters and texts of at most {_METADATA_VALUE_MAX}")
    return dict(given)


def metadata_labels(metadata: Mapping[str, str]) -> dict[str, str]:
    """As JSON in ASCII, cut into what a label holds."""
    text = json.dumps(metadata, sort_keys=True, separators=(",", ":")) if metadata else ""
    pieces = [text[at:at + _LABEL_BYTES_MAX] for at in range(0, len(text), _LABEL_BYTES_MAX)]
    return {f"{METADATA}.{index:03}": piece for index, piece in enumerate(pieces)}


def metadata_of(labels: Mapping[str, str]) -> dict[str, str] | None:
    text = "".join(value for key, value in sorted(labels.items()) if key.startswith(f"{METADATA}."))
    try:
        return json.loads(text) if text else None
    except ValueError:  # somebody's own labels
        return None


@dataclass(frozen=True)
class Place:
    """Where a job starts from and what it leaves."""

    base: BaseModel
    model: str  # folder
    output: Path  # below it


def make_job(request: TuneRequest, place: Place, store: FileStore, defaults: JobDefaults, request_id: uuid.UUID) -> dict[str, Any]:
    """The job file's contents; the same for the same request and id."""
    said = place.base.job_of(request.method)
    training = _rows(request.training_file, "training_file", request.method, store)
    rate = (said.get("optimizer") or {}).get("lr", defaults.rate(request.method))
    multiplier = request.hyperparameters.get("learning_rate_multiplier", 1.0)
    name = f"ft-{_slug(request.suffix or place.base.name)}-{request_id.hex[:12]}"
    asked: dict[str, Any] = {
        "name": name, "kind": "train", "model": {"path": place.model}, "method": {"name": METHODS[request.method]},
        "data": {"train": [str(store.path(training.id))]}, "optimizer": {"lr": rate * multiplier}, "output": str(place.output / name),
        "labels": {ENDPOINT: KIND, MODEL: request.model, BASE: place.base.name, METHOD: request.method, MULTIPLIER: repr(multiplier),
                   TRAINING_FILE: training.id, **metadata_labels(request.metadata)},
    }
    if request.validation_file:
        validation = _rows(request.validation_file, "validation_file", request.method, store)
        asked["data"]["eval"] = [str(store.path(validation.id))]
        asked["labels"][VALIDATION_FILE] = validation.id
    if request.suffix:
        asked["labels"][SUFFIX] = request.suffix
    if request.seed is not None:
        asked["seed"] = request.seed
    for key, value in request.hyperparameters.items():
        section, _, last = _NUMBERS[key][3].rpartition(".")
        if last:
            (asked.setdefault(section, {}) if section else asked)[last] = value
    job = merge(said, asked)
    return merge(defaults.rhythm(job, training.rows), job)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "model"


def _rows(file_id: str, param: str, method: str, store: FileStore) -> StoredFile:
    file = store.get(file_id, param)
    if file.form != _FORM_OF[method]:
        rows = {PREFERENCE: "preferences (input, preferred_output, non_preferred_output)", SUPERVISED: "conversations (messages)"}
        raise wrong(param, f"{file_id} has {rows[file.form]}; the method {method} needs {rows[_FORM_OF[method]]}", "invalid_file_format")
    return file
