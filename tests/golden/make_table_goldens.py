#!/usr/bin/env python3
"""Writes tests/golden/tables/: Parquet and Arrow files, and beside each NAME.jsonl with its rows as pyarrow reads them back.

    python tests/golden/make_table_goldens.py      # pyarrow 26, datasets 5.2 (a newer one writes other bytes, and equal rows)
"""
import datetime
import decimal
import json
import math
import pathlib
import shutil

import datasets
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent / "tables"
ODD = ['quote " backslash \\ slash /', "line\nfeed\ttab \x00 \x1f \x7f", "emoji 😀 line separator \u2028 bom \ufeff", "", "<end_of_turn>"]


def plain(value):
    """The value as a .jsonl file would have it; bytes as fpo-train says them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return {"unread": f"{len(value)} bytes"}
    if isinstance(value, (datetime.datetime, datetime.date)):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], tuple):  # a map
        keys_are_texts = isinstance(value[0][0], str)
        return {key: plain(item) for key, item in value} if keys_are_texts else [[plain(key), plain(item)] for key, item in value]
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def expect(name, table):
    with open(FOLDER / f"{name}.jsonl", "w") as file:
        for row in table.to_pylist():
            file.write(json.dumps(plain(row)) + "\n")


def parquet(name, table, **options):
    pq.write_table(table, FOLDER / f"{name}.parquet", **options)
    expect(name, pq.read_table(FOLDER / f"{name}.parquet"))


def ultrafeedback():
    turn = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
    schema = pa.schema([("prompt", pa.string()), ("prompt_id", pa.string()), ("chosen", turn), ("rejected", turn), ("messages", turn),
                        ("score_chosen", pa.float64()), ("score_rejected", pa.float64())])
    rows = []
    for i in range(25):
        ask = {"content": f"question {i}: {ODD[i % len(ODD)]}", "role": "user"}
        good = {"content": f"good answer {i} {ODD[(i + 1) % len(ODD)]}", "role": "assistant"}
        bad = {"content": f"bad answer {i}", "role": "assistant"}
        rows.append({"prompt": ask["content"], "prompt_id": f"{i:08x}", "chosen": [ask, good], "rejected": [ask, bad],
                     "messages": [ask, good], "score_chosen": 8.0 - i / 3, "score_rejected": None if i % 7 == 0 else float("nan") if i % 5 == 0 else 2.5})
    parquet("ultrafeedback", pa.Table.from_pylist(rows, schema), row_group_size=10)


def types():
    n = 4
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "large_string": pa.array(["a", None, ODD[0], ODD[2]], pa.large_string()),
        "dictionary": pa.array(["x", "y", None, "x"]).dictionary_encode(),
        "bool": pa.array([True, False, None, True]),
        "int8": pa.array([-128, 127, None, 0], pa.int8()),
        "int64": pa.array([-(2**63), 2**63 - 1, None, 0], pa.int64()),
        "uint64": pa.array([0, 2**64 - 1, None, 1], pa.uint64()),
        "float32": pa.array([0.1, float("nan"), None, 1.0], pa.float32()),
        "float64": pa.array([0.1, float("inf"), -0.0, 1e300]),
        "float16": pa.array([0.5, float("nan"), None, 2.0], pa.float16()),
        "decimal": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-0.50"), decimal.Decimal("99.99")], pa.decimal128(6, 2)),
        "date": pa.array([datetime.date(2024, 1, 2), None, datetime.date(1969, 12, 31), datetime.date(2000, 2, 29)]),
        "binary": pa.array([b"\x00\xff", None, b"", b"text"], pa.binary()),
        "image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}, None, {"bytes": None, "path": "b.png"}, {"bytes": b"", "path": None}], image),
        "nested": pa.array([[[1, None], []], None, [[], None], [[2]]], pa.list_(pa.list_(pa.int16()))),
        "large_list": pa.array([["a"], [], None, ["b", None]], pa.large_list(pa.string())),
        "fixed": pa.array([[1, 2], None, [3, 4], [5, None]], pa.list_(pa.int32(), 2)),
        "map": pa.array([[("k", 1), ("l", None)], None, [("m", 3)], [("m", 2)]], pa.map_(pa.string(), pa.int32())),
        "pairs": pa.array([[(1, "a")], None, [(3, "c")], [(2, None)]], pa.map_(pa.int32(), pa.string())),
        "null": pa.nulls(n),
    }
    parquet("types", pa.table(columns), compression="zstd")
    stream = {"string_view": pa.array(["view", None, ODD[1], "a text that is longer than twelve bytes"], pa.string_view()), **columns}
    table = pa.table(stream)
    with ipc.new_stream(FOLDER / "types_stream.arrow", table.schema, options=ipc.IpcWriteOptions(compression="lz4")) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write_batch(batch)
    expect("types_stream", table)
    with ipc.new_file(FOLDER / "types_file.arrow", table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    expect("types_file", table)


def codecs():
    table = pa.table({"prompt": [f"question {i}" for i in range(50)], "chosen": [" yes"] * 50, "rejected": [" no"] * 50})
    for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
        pq.write_table(table, FOLDER / f"codec_{codec}.parquet", compression=codec, row_group_size=20, data_page_version="2.0" if codec == "zstd" else "1.0",
                       write_page_checksum=codec == "none")
    expect("codec", table)


def ids():
    rows = {"prompt_ids": pa.array([[2, 5], [2, 6], [2, 7], [2, 8]], pa.list_(pa.int32())),
            "chosen_ids": pa.array([[7, 1], [8, 1], [9, None], None], pa.list_(pa.int64())),
            "rejected_ids": pa.array([[9, 1], [10, 1], [9, 1], [11, 1]], pa.large_list(pa.uint16()))}
    parquet("ids", pa.table(rows))
    reals = pa.table({"prompt_ids": pa.array([[2.0, 5.0]]), "chosen_ids": pa.array([[7.0, 1.0]]), "rejected_ids": pa.array([[9.0, 1.0]])})
    parquet("ids_as_reals", reals)


def images():
    image = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    table = pa.table({"prompt": ["look", "think"], "chosen": ["a cat", "yes"], "rejected": ["a dog", "no"],
                      "images": pa.array([[{"bytes": b"\x89PNG", "path": None}], []], image)})
    parquet("images", table)


def latin1():
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"caf\xe9", b"fine"], pa.binary()).buffers())
    pq.write_table(pa.table({"prompt": text, "chosen": ["a", "b"], "rejected": ["c", "d"]}), FOLDER / "latin1.parquet")


def encrypted():
    import pyarrow.parquet.encryption as pe

    class Kms(pe.KmsClient):
        def wrap_key(self, key, name):
            return key.hex()

        def unwrap_key(self, key, name):
            return bytes.fromhex(key)

    factory = pe.CryptoFactory(lambda connection: Kms())
    for name, plaintext in [("encrypted", False), ("encrypted_columns", True)]:
        config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["chosen"]}, plaintext_footer=plaintext)
        properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
        table = pa.table({"prompt": ["a"], "chosen": ["b"], "rejected": ["c"]})
        with pq.ParquetWriter(FOLDER / f"{name}.parquet", table.schema, encryption_properties=properties) as writer:
            writer.write_table(table)


def saved():
    rows = [{"prompt": f"q{i}", "chosen": [{"role": "assistant", "content": f"yes {i}"}], "rejected": [{"role": "assistant", "content": f"no {i}"}]} for i in range(6)]
    data = datasets.Dataset.from_list(rows)
    for name in ["saved", "saved_dict"]:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    data.save_to_disk(FOLDER / "saved", num_shards=2)
    expect("saved", data.data.table)
    datasets.DatasetDict({"train": data.select([3, 1]), "test": data.select([5])}).save_to_disk(FOLDER / "saved_dict")
    expect("saved_dict_train", pa.Table.from_pylist([rows[3], rows[1]]))


FOLDER.mkdir(exist_ok=True)
for make in [ultrafeedback, types, codecs, ids, images, latin1, encrypted, saved]:
    make()
