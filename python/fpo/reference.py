"""What a frozen reference model says of a preference dataset, computed once by the service and shared by every later run.

    dataset = fpo.reference.fill(dataset, model="models/gemma", client=client)
    trainer = fpo.trl.DPOTrainer(model="models/gemma", args=DPOConfig(...), train_dataset=dataset)
"""
from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Literal, Mapping, Sequence

import numpy as np

from ._records import Record, pull_records, record_key
from ._tokens import ID_COLUMNS, TEXT_COLUMNS, Pair, PairTokenizer, pair_of_ids
from .client import Client
from .errors import Conflict, FpoError, InvalidJob, NotFound

if TYPE_CHECKING:
    from datasets import Dataset

    from .job import Job

LOGPS = ("ref_chosen_logps", "ref_rejected_logps")
COUNTS = ("ref_chosen_tokens", "ref_rejected_tokens")
TOKENS_DIGEST = "ref_tokens_sha256"
FEATURES = ("ref_chosen_feature_indices", "ref_chosen_feature_values", "ref_rejected_feature_indices", "ref_rejected_feature_values")
_NAMED_MAX = 10  # rows in one error
_log = logging.getLogger("fpo")


def fill(dataset: Dataset, model: str | os.PathLike[str], sae: str | os.PathLike[str] | Mapping[str, Any] | None = None,
         client: Client | None = None, *, tokenizer: Any = None, max_length: int | None = 1024, dtype: str = "float32",
         folder: str | os.PathLike[str] = "fpo-reference", refused: Literal["error", "drop"] = "error", set: Sequence[str] = (),
         progress: bool | None = None) -> Dataset:
    """Returns the dataset with what the reference ``model`` says of each pair, which the service computes or already has.

    ``model`` is a folder, or a model's name on the Hub, which is then in Hugging Face's cache of this machine.

    The dataset has prompt, chosen and rejected as texts or lists of messages, tokenised here as TRL's DPOTrainer does, with the model's
    own tokenizer unless one is given; or prompt_ids, chosen_ids and rejected_ids, which are used as they are. ``max_length`` must be
    that of the DPOConfig (also None) and ``dtype`` that of the policy, or the loss would not begin at log 2.

    Added columns: ref_chosen_logps and ref_rejected_logps, the sums of log-probabilities that TRL expects; ref_chosen_tokens and
    ref_rejected_tokens; ref_tokens_sha256, by which fpo.trl.DPOTrainer proves that it trains on the same tokens. With ``sae`` (its path,
    or the section `sae` of a job) also the pooled features of each response, the non-zero ones: ref_chosen_feature_indices,
    ref_chosen_feature_values and the same of the rejected one.

    The model, the SAE and ``folder``, where token ids lie until the job has ended, must be paths that the workers see. Pairs that no
    method can learn from (empty, cut away, or with equal responses) are an error that names them; ``refused="drop"`` leaves them out
    with a warning. ``set`` changes keys of the job, as in ``["resources.slots=4"]``. What is interrupted while it waits cancels its job.
    """
    if refused not in ("error", "drop"):
        raise ValueError(f'refused is "error" or "drop", not {refused!r}')
    _check_columns(dataset, sae is not None)
    model = _model_folder(os.fspath(model))
    encode = _encoder(dataset, model, tokenizer)
    with tempfile.TemporaryDirectory(prefix="rows-", dir=_made(folder), ignore_cleanup_errors=True) as work:
        os.chmod(work, 0o755)  # a worker may be another user
        rows = Path(work) / "rows.jsonl"
        plan = _write_rows(dataset, encode, max_length, rows)
        if plan.refused:
            _report_refused(plan.refused, len(dataset), refused)
            dataset = dataset.select(plan.kept)
        owned = client is None
        client = client or Client()
        try:
            job = client.submit(_job(plan, model, sae, dtype, rows), set=set)
            _wait(job, progress)
            records = _records(client, job, plan)
        finally:
            if owned:
                client.close()
    _log_use(job)
    return _with_columns(dataset, plan, records, sae is not None)


def check_tokens(dataset: Dataset, max_length: int | None) -> None:
    """Raises Conflict unless prompt_ids, chosen_ids and rejected_ids, cut to ``max_length``, are the tokens that ``fill`` had scored."""
    wrong: list[str] = []
    count = 0
    for i, row in enumerate(dataset.select_columns([*ID_COLUMNS, TOKENS_DIGEST, *COUNTS])):
        pair = pair_of_ids(row).cut(max_length)
        if _pair_digest(*_keys(pair)) == row[TOKENS_DIGEST]:
            continue
        count += 1
        if len(wrong) < _NAMED_MAX:
            wrong.append(f"pair {i}: chosen has {len(pair.chosen)} tokens here and {row[COUNTS[0]]} at the reference, "
                         f"rejected {len(pair.rejected)} and {row[COUNTS[1]]}")
    if wrong:
        raise Conflict("\n".join([f"{count} of {len(dataset)} pairs have other tokens than those that the reference scored", *wrong]),
                       reason="TOKENS_DIFFER", field="dataset",
                       hint=f"fill with this trainer's tokenizer, chat template and max_length ({max_length}), and do not change the texts after it")


@dataclass
class _Plan:
    """The pairs that are sent, in the order of their rows."""

    kept: list[int] = field(default_factory=list)  # rows of the dataset
    keys: list[tuple[bytes, bytes]] = field(default_factory=list)  # chosen, rejected
    lengths: list[tuple[int, int]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    prompt_max: int = 0
    total_max: int = 0


def _check_columns(dataset: Any, with_features: bool) -> None:
    names = getattr(dataset, "column_names", None)
    if not isinstance(names, list) or not hasattr(dataset, "select"):
        raise TypeError(f"fill takes a datasets.Dataset with rows in any order, not {type(dataset).__name__}; fill each split on its own")
    if len(dataset) == 0:
        raise InvalidJob("the dataset has no rows", reason="INVALID_JOB", field="data")
    there = [name for name in (*LOGPS, *COUNTS, TOKENS_DIGEST, *(FEATURES if with_features else ())) if name in names]
    if there:
        raise Conflict(f"the dataset has {', '.join(there)} already", reason="FILE_EXISTS", field="data",
                       hint=f"dataset.remove_columns({there!r}) first")
    if not all(name in names for name in ID_COLUMNS) and not all(name in names for name in TEXT_COLUMNS):
        raise InvalidJob(f"the dataset has the columns {', '.join(names)}, and neither {', '.join(TEXT_COLUMNS)} nor {', '.join(ID_COLUMNS)}",
                         reason="INVALID_JOB", field="data", hint="rename its columns; for an implicit prompt: dataset.map(trl.extract_prompt)")


def _model_folder(model: str) -> str:
    """The folder of a model that is named as on the Hub: in Hugging Face's cache on this machine, downloaded if it is not there."""
    if os.path.exists(model) or "://" in model or model.startswith((".", os.sep, "~")) or model.count("/") != 1:
        return model
    from huggingface_hub import snapshot_download

    try:
        return str(snapshot_download(model, allow_patterns=["*.json", "*.safetensors", "*.model", "*.jinja"]))
    except Exception as error:  # of the Hub's client, its network and its cache
        raise NotFound(f"there is no folder {model} here, and the Hub gave no model of that name: {error}", reason="NO_FILE", field="model.path",
                       hint="a folder that only the workers see needs its absolute path, and tokenizer=") from error


def _encoder(dataset: Any, model: str, tokenizer: Any) -> Callable[[Mapping[str, Any]], Pair]:
    if all(name in dataset.column_names for name in ID_COLUMNS):
        return pair_of_ids
    if tokenizer is None:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(model)
    return PairTokenizer(tokenizer)


def _made(folder: str | os.PathLike[str]) -> str:
    os.makedirs(folder, exist_ok=True)
    return os.path.abspath(folder)


def _keys(pair: Pair) -> tuple[bytes, bytes]:
    return record_key(pair.prompt, pair.chosen), record_key(pair.prompt, pair.rejected)


def _pair_digest(chosen: bytes, rejected: bytes) -> str:
    return hashlib.sha256(chosen + rejected).hexdigest()


def _write_rows(dataset: Any, encode: Callable[[Mapping[str, Any]], Pair], max_length: int | None, path: Path) -> _Plan:
    plan = _Plan()
    with open(path, "w", encoding="ascii") as file:
        for i, row in enumerate(dataset):
            pair = encode(row).cut(max_length)
            reason = pair.refusal()
            if reason:
                plan.refused.append((i, reason))
                continue
            plan.kept.append(i)
            plan.keys.append(_keys(pair))
            plan.lengths.append((len(pair.chosen), len(pair.rejected)))
            plan.prompt_max = max(plan.prompt_max, len(pair.prompt))
            plan.total_max = max(plan.total_max, len(pair.prompt) + max(len(pair.chosen), len(pair.rejected)))
            json.dump(dict(zip(ID_COLUMNS, (pair.prompt, pair.chosen, pair.rejected))), file)
            file.write("\n")
    if not plan.kept:
        _report_refused(plan.refused, len(dataset), "error")
    return plan


def _report_refused(rows: list[tuple[int, str]], total: int, refused: str) -> None:
    lines = [f"row {i}: {reason}" for i, reason in rows[:_NAMED_MAX]]
    if len(rows) > _NAMED_MAX:
        lines.append(f"and {len(rows) - _NAMED_MAX} more")
    text = f"{len(rows)} of {total} rows hold no pair to learn from"
    if refused == "error":
        raise InvalidJob("\n".join([text, *lines]), reason="INVALID_JOB", field="data", hint='refused="drop" leaves them out')
    _log.warning("%s and are left out: %s", text, "; ".join(lines))


def _job(plan: _Plan, model: str, sae: Any, dtype: str, rows: Path) -> dict[str, Any]:
    # Nothing is cut: the ids are within these limits already. Neither limit is part of a record's identity.
    prompt_max = max(plan.prompt_max, 8)
    digest = hashlib.sha256(b"".join(chosen + rejected for chosen, rejected in plan.keys)).hexdigest()
    job: dict[str, Any] = {
        "name": f"reference-{digest[:12]}", "kind": "reference", "model": {"path": model, "dtype": dtype},
        "method": {"name": "dpo" if sae is None else "fpo"},
        "data": {"train": [str(rows)], "format": "ids", "max_length": max(plan.total_max, prompt_max + 1), "max_prompt_length": prompt_max},
        "output": str(rows.parent / "output")}  # nothing is written there
    if sae is not None:
        job["sae"] = dict(sae) if isinstance(sae, Mapping) else {"path": os.fspath(sae)}
    return job


def _wait(job: Job, progress: bool | None) -> None:
    try:
        job.wait(progress=progress)
    except BaseException:  # Ctrl-C too: its rows are about to go
        if not job.state.is_terminal:
            job.cancel()
        raise


def _records(client: Client, job: Job, plan: _Plan) -> dict[bytes, Record]:
    use = job.cache
    if use is None or not use.manifest_id:
        raise FpoError(f"job {job.id} ended without a manifest of records", reason="MANIFEST_NOT_FOUND", hint=f"fpoctl describe {job.id}",
                       ids=[job.id])
    found = dict(pull_records(client._cache, bytes.fromhex(use.manifest_id)))
    missing = [row for row, keys in zip(plan.kept, plan.keys) if not all(key in found for key in keys)]
    if missing:
        shown = ", ".join(map(str, missing[:_NAMED_MAX])) + (" ..." if len(missing) > _NAMED_MAX else "")
        raise InvalidJob(f"the service left out {len(missing)} of {len(plan.kept)} rows: {shown}", reason="INVALID_JOB", field="data",
                         hint=f"why: fpoctl logs {job.id}", ids=[job.id])
    for row, keys, lengths in zip(plan.kept, plan.keys, plan.lengths):
        for key, length in zip(keys, lengths):
            if found[key].tokens != length:
                raise FpoError(f"row {row}: the record is of {found[key].tokens} tokens and the response has {length}", reason="RECORD_DAMAGED",
                               ids=[job.id])
    return found


def _log_use(job: Job) -> None:
    use = job.cache
    if use is not None:
        _log.info("%s: %d of %d responses were in the cache, %d were computed", job.name, use.records_hit, use.records_total,
                  use.records_computed)


def _with_columns(dataset: Any, plan: _Plan, records: dict[bytes, Record], with_features: bool) -> Any:
    import pyarrow
    from datasets import Dataset as Table, concatenate_datasets

    columns: dict[str, Any] = {}
    for side in (0, 1):
        mine = [records[keys[side]] for keys in plan.keys]
        columns[LOGPS[side]] = pyarrow.array(np.array([record.sum_logp for record in mine]))
        columns[COUNTS[side]] = pyarrow.array(np.array([record.tokens for record in mine], np.int32))
        if with_features:
            offsets = np.concatenate(([0], np.cumsum([len(record.features[0][0]) for record in mine])))
            for part, kind in ((0, np.int32), (1, np.float32)):
                flat = np.concatenate([record.features[0][part] for record in mine]).astype(kind)
                columns[FEATURES[2 * side + part]] = pyarrow.LargeListArray.from_arrays(offsets.astype(np.int64), flat)
    columns[TOKENS_DIGEST] = pyarrow.array([_pair_digest(*keys) for keys in plan.keys])
    return concatenate_datasets([dataset, Table(pyarrow.table(columns))], axis=1)
