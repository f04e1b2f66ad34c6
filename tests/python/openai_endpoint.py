"""fpo-openai of this checkout as a program, and rows in OpenAI's forms from examples/tiny."""
import atexit
import json
import pathlib
import subprocess
import sys
import time

import python_check as check


class Endpoint:
    """Answers once it is made; another one with the same folder takes over."""

    def __init__(self, folder, *flags, models=None):
        self.folder = pathlib.Path(folder)
        models_file = self.folder / "models.yaml"
        if models is not None:
            models_file.write_text(json.dumps({"models": models}))
        port_file = self.folder / "openai.json"
        port_file.unlink(missing_ok=True)
        self._log = self.folder / "openai.log"
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fpo.openai", "--data", str(self.folder / "openai"), "--models", str(models_file), "--listen", "127.0.0.1:0",
                 "--port-file", str(port_file), *flags], stdout=log, stderr=log)
        atexit.register(self.kill)
        end = time.monotonic() + check.PATIENCE_S
        while not port_file.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                sys.exit(f"FAILED: fpo-openai did not start:\n{self.log()[-2000:]}")
            time.sleep(0.05)
        self.url = json.loads(port_file.read_text())["http"]

    def log(self):
        return self._log.read_text(errors="replace")

    def kill(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        """Its exit code after SIGTERM."""
        self._process.terminate()
        return self._process.wait(check.PATIENCE_S)


def tiny_models(folder):
    """One model, `tiny`, as models.yaml would say it."""
    return {"tiny": {"path": f"{folder}/tiny/base", "job": {"model": {"dtype": "float32"}, "data": {"max_length": 128, "max_prompt_length": 64}},
                     "dpo": {"optimizer": {"lr": 1e-4}}}}


def _rows(folder, name, count):
    with open(folder / "tiny/data" / f"{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(next(file)) for _ in range(count)]


def _write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_preferences(folder, name, count):
    def side(text):
        return [{"role": "assistant", "content": text}]

    return _write(folder / f"{name}-preferences.jsonl", [
        {"input": {"messages": [{"role": "user", "content": row["prompt"]}]}, "preferred_output": side(row["chosen"]),
         "non_preferred_output": side(row["rejected"])} for row in _rows(folder, name, count)])


def write_conversations(folder, name, count):
    return _write(folder / f"{name}-conversations.jsonl", [
        {"messages": [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["chosen"]}]}
        for row in _rows(folder, name, count)])
