"""What MLflow, trackio and wandb have of a run, read through their own programs and packages."""
import json
import math
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time

import python_check as check

_BLOCK = 32768


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class MlflowServer:
    """`mlflow server` with SQLite; `history` is {(name, step): [values]}."""

    name = "mlflow"

    def __init__(self, folder):
        self.folder = folder / "mlflow"
        self.folder.mkdir()
        address = f"http://127.0.0.1:{free_port()}"
        self.environment = {"MLFLOW_TRACKING_URI": address, "MLFLOW_DISABLE_TELEMETRY": "true",
                            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        os.environ.update(self.environment)
        log = open(self.folder / "log", "ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self.folder}/db", "--default-artifact-root",
             str(self.folder / "artifacts"), "--port", address.rsplit(":", 1)[1], "--workers", "1"], stdout=log, stderr=log, start_new_session=True)
        import mlflow

        self._client = mlflow.MlflowClient()
        self._wait(address)

    def _wait(self, address):
        import urllib.error
        import urllib.request

        end = time.monotonic() + 2 * check.PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).read()
                return
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"FAILED: mlflow server did not start:\n{(self.folder / 'log').read_text()[-2000:]}")
                time.sleep(0.2)

    def runs(self, key):
        experiment = self._client.get_experiment_by_name("fpo")
        return [] if experiment is None else self._client.search_runs([experiment.experiment_id], f"tags.`fpo.run` = '{key}'")

    def history(self, key):
        found = {}
        for run in self.runs(key):
            for name in run.data.metrics:
                for point in self._client.get_metric_history(run.info.run_id, name):
                    found.setdefault((name, point.step), []).append(point.value)
        return found

    def state(self, key):
        (run,) = self.runs(key)
        return run.data.tags["fpo.state"]

    def stop(self):
        os.killpg(self._process.pid, 15)  # its workers too
        self._process.wait(check.PATIENCE_S)


class TrackioFolder:
    name = "trackio"

    def __init__(self, folder):
        self.environment = {"TRACKIO_DIR": str(folder / "trackio")}
        os.environ.update(self.environment)

    def _rows(self, key):
        """Through trackio's own program."""
        query = f"SELECT step, metrics, run_name FROM metrics WHERE run_name LIKE '%.{key}' ORDER BY id"
        done = subprocess.run([sys.executable, "-m", "trackio.cli", "query", "project", "--project", "fpo", "--sql", query, "--json"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            return []
        answer = json.loads(done.stdout[done.stdout.index("{"):])
        return [(row["step"], json.loads(row["metrics"]) if isinstance(row["metrics"], str) else row["metrics"], row["run_name"])
                for row in answer["rows"]]

    def runs(self, key):
        return sorted({name for _, _, name in self._rows(key)})

    def history(self, key):
        found = {}
        for step, values, _ in self._rows(key):
            for name, value in values.items():
                if not name.startswith("fpo/"):
                    found.setdefault((name, step), []).append(math.nan if value == "NaN" else value)
        return found

    def state(self, key):
        return [values["fpo/state"] for _, values, _ in self._rows(key) if "fpo/state" in values][-1]

    def stop(self):
        pass


class WandbOffline:
    """The files that `wandb sync` would send: LevelDB's log format, of wandb's own messages."""

    name = "wandb"

    def __init__(self, folder):
        self.folder = folder / "wandb-files"
        self.folder.mkdir()
        self.environment = {"WANDB_MODE": "offline", "WANDB_DIR": str(self.folder), "WANDB_SILENT": "true"}
        os.environ.update(self.environment)

    def runs(self, key):
        return [file.parent for file in sorted((self.folder / "wandb").glob(f"offline-run-*-fpo-{key}/run-fpo-{key}.wandb"))]

    def records(self, key):
        from wandb.proto import wandb_internal_pb2

        for folder in self.runs(key):
            for data in _log_records((folder / f"run-fpo-{key}.wandb").read_bytes()):
                record = wandb_internal_pb2.Record()
                record.ParseFromString(data)
                yield record

    def history(self, key):
        found = {}
        for record in self.records(key):
            if record.WhichOneof("record_type") != "history":
                continue
            values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            for name, value in values.items():
                group = name.partition("/")[0]
                if group in ("train", "eval") and name != f"{group}/step":
                    found.setdefault((name, values[f"{group}/step"]), []).append(math.nan if value == "NaN" else value)
        return found

    def state(self, key):
        states = [json.loads(item.value_json) for record in self.records(key) if record.WhichOneof("record_type") == "summary"
                  for item in record.summary.update if (item.key or "/".join(item.nested_key)) == "fpo/state"]
        return states[-1] if states else ""

    def stop(self):
        pass


def _log_records(data):
    """Records of a file in blocks of 32 KiB; a file that was cut off ends early."""
    at, parts = 7, []  # behind the file's own header
    while at + 7 <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        if kind == 0 or at + 7 + length > len(data):
            return
        parts.append(data[at + 7:at + 7 + length])
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []


def logged(output):
    """{(name, step): value} of metrics.jsonl, named as fpo-track does; what events do not have is left out."""
    found = {}
    for line in pathlib.Path(output, "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        for name, value in row.items():
            if name not in ("step", "epoch"):
                found[f"eval/{name[5:]}" if name.startswith("eval_") else f"train/{name}", row["step"]] = math.nan if value is None else value
    return found
