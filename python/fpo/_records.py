"""Records of the reference cache: their keys, their bytes (common/reference/record.h) and pulling them, verified."""
from __future__ import annotations

import hashlib
import struct
import time
from dataclasses import dataclass
from typing import Any, Iterator, Sequence

import numpy as np

from ._connection import Connection, Patience, is_lost
from ._proto import cache_pb2
from .errors import FpoError

_HEAD_BYTES = 32 + 32 + 4  # of a packed record: key, SHA-256, length
_VARINT_BYTES_MAX = 5  # of 32 bits


@dataclass(frozen=True)
class Record:
    """What the reference says of one response; ``features`` has (indices, values) for each SAE."""

    sum_logp: float
    tokens: int
    features: tuple[tuple[np.ndarray, np.ndarray], ...] = ()


def record_key(prompt_ids: Sequence[int], response_ids: Sequence[int]) -> bytes:
    """The name of a response under any reference model: the SHA-256 of its prompt's and its own token ids."""
    digest = hashlib.sha256()
    for ids in (prompt_ids, response_ids):
        digest.update(struct.pack("<I", len(ids)))
        digest.update(np.asarray(ids, dtype="<i4").tobytes())
    return digest.digest()


def decode_record(data: bytes) -> Record:
    """DATA_LOSS unless the bytes are exactly one record."""
    try:
        version, sum_logp = struct.unpack_from("<Bd", data)
        if version not in (1, 2):
            raise _damaged(f"it has version {version}, which this client does not know")
        value_type = np.dtype("<f4" if version == 1 else "<f2")
        at = 9
        (tokens, saes), at = _varints(data, at, 2)
        features = []
        for _ in range(saes):
            (count,), at = _varints(data, at, 1)
            deltas, at = _varints(data, at, int(count))
            end = at + int(count) * value_type.itemsize
            if end > len(data):
                raise _damaged("it ends early")
            values = np.frombuffer(data[at:end], value_type).astype(np.float32)
            features.append((np.cumsum(deltas), values))
            at = end
    except struct.error:
        raise _damaged("it ends early") from None
    if at != len(data):
        raise _damaged("there is more than a record")
    return Record(sum_logp, int(tokens), tuple(features))


def pull_records(cache: Connection, manifest_id: bytes) -> Iterator[tuple[bytes, Record]]:
    """Every record of a complete manifest with its key, in order, each checked against its digest; across lost connections."""
    patience = Patience(answered=True)
    pulled = 0
    while True:
        digest, proof = hashlib.sha256(), b""
        try:
            for frame in cache.stream("PullManifest", cache_pb2.PullManifestRequest(manifest_id=manifest_id, from_ordinal=pulled)):
                patience.answered()
                for key, sha256, data in _unpack(frame.packed):
                    digest.update(key + sha256)
                    pulled += 1
                    yield key, decode_record(data)
                proof = frame.sha256_of_digests
            if proof != digest.digest():
                raise _damaged("the digest of what was pulled is another one than the cache's")
            return
        except FpoError as error:
            wait = patience.next_wait() if is_lost(error) else None
            if wait is None:
                raise
        time.sleep(wait)


def _unpack(packed: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    at = 0
    while at < len(packed):
        head = packed[at:at + _HEAD_BYTES]
        if len(head) < _HEAD_BYTES:
            raise _damaged("a frame ends early")
        end = at + _HEAD_BYTES + int.from_bytes(head[64:], "little")
        data = packed[at + _HEAD_BYTES:end]
        if end > len(packed) or hashlib.sha256(data).digest() != head[32:64]:
            raise _damaged(f"{head[:32].hex()} does not have the bytes of its digest")
        yield head[:32], head[32:64], data
        at = end


def _varints(data: bytes, at: int, count: int) -> tuple[Any, int]:
    """So many numbers in 7-bit groups, and where they end."""
    if count == 0:
        return np.zeros(0, np.int64), at
    window = np.frombuffer(data, np.uint8, offset=at)[:count * _VARINT_BYTES_MAX]
    ends = np.flatnonzero(window < 0x80)[:count]
    if len(ends) < count:
        raise _damaged("it ends early")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > _VARINT_BYTES_MAX:
        raise _damaged("a number is too large")
    values = np.zeros(count, np.int64)
    for group in range(int(lengths.max())):
        has = lengths > group
        values[has] |= (window[starts[has] + group].astype(np.int64) & 0x7F) << (7 * group)
    return values, at + int(ends[-1]) + 1


def _damaged(what: str) -> FpoError:
    return FpoError(f"a record of the reference cache is damaged: {what}", reason="RECORD_DAMAGED", code="DATA_LOSS",
                    hint="fpoctl cache verify finds what is damaged; it is computed again by the next job that needs it")
