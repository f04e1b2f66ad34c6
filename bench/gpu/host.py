"""The machine under test: where the pack, LibTorch and the scratch folder are, and how programs run there."""
import hashlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time


class PartFailed(Exception):
    """A part of the checks that did not give its result; the text is its reason."""


class PartSkipped(Exception):
    """A part that this host cannot do and need not."""


def torch_of_python():
    """Folder of the torch package of this Python, without importing it; None when it has none."""
    found = importlib.util.find_spec("torch")
    return os.path.dirname(found.origin) if found and found.origin else None


def torch_version(folder):
    """As the package states it; None for a folder with the libraries alone."""
    try:
        with open(os.path.join(folder, "version.py"), encoding="utf-8") as file:
            return re.search(r"__version__\s*=\s*['\"]([^'\"]+)", file.read()).group(1)
    except (OSError, AttributeError):
        return None


def last_lines(text, count=3):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:])[:600]


class Host:
    def __init__(self, pack, torch, work, device):
        self.pack, self.torch, self.work, self.device = pack, torch, work, device
        self.deadline = 0.0  # of the part that runs, by time.monotonic
        self.beside = None  # the program of start()
        self.log = open(os.path.join(work, "log.txt"), "a", encoding="utf-8")

    def program(self, name):
        return os.path.join(self.pack, "bin", name)

    def input(self, name):
        return os.path.join(self.pack, "inputs", name)

    def path(self, *names):
        return os.path.join(self.work, *names)

    def environment(self):
        """Of the packed programs. Their libraries must not reach Python, whose own may be of the same name."""
        libraries = [os.path.join(self.pack, "lib"), os.path.join(self.torch, "lib")]
        if os.environ.get("LD_LIBRARY_PATH"):
            libraries.append(os.environ["LD_LIBRARY_PATH"])
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "FPO_SOURCE_DIR": self.pack}

    def run(self, argv, environment=None, may_fail=False):
        """Stdout of a program that must end well before the part's deadline."""
        left = self.deadline - time.monotonic()
        self.log.write(f"\n$ {' '.join(argv)}\n")
        self.log.flush()
        if left <= 0:
            raise PartFailed("out of time")
        process = subprocess.Popen(argv, env=environment or self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, errors="replace", start_new_session=True)
        try:
            out, err = process.communicate(timeout=left)
        except BaseException as error:  # also when the checks themselves are stopped
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.log.write(out + err)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise PartFailed(f"out of time in {os.path.basename(argv[0])}: {last_lines(out + err, 1)}") from None
        self.log.write(out + err)
        self.log.flush()
        if process.returncode != 0 and not may_fail:
            raise PartFailed(f"{os.path.basename(argv[0])} ended with {process.returncode}: {last_lines(err or out)}")
        return out

    def start(self, argv):
        """A program beside the parts; finish() waits for it within the part that needs it."""
        with open(self.path("beside.txt"), "w", encoding="utf-8") as log:
            self.beside = subprocess.Popen(argv, env=self.environment(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self):
        try:
            code = self.beside.wait(timeout=max(0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = "out of time"
        with open(self.path("beside.txt"), encoding="utf-8", errors="replace") as log:
            text = log.read()
        self.log.write(text)
        if code != 0:
            raise PartFailed(f"{os.path.basename(self.beside.args[0])} ended with {code}: {last_lines(text)}")

    def stop(self):
        if self.beside is not None and self.beside.poll() is None:
            os.killpg(self.beside.pid, signal.SIGKILL)
            self.beside.wait()

    def train(self, *words, may_fail=False, extra=None):
        """Runs fpo-train, whose command and flags `words` are, with `extra` in its environment."""
        return self.run([self.program("fpo-train"), *words], {**self.environment(), **(extra or {})}, may_fail)

    def python(self, script, *words):
        """Runs a script of the pack with this Python and its own libraries."""
        return self.run([sys.executable, os.path.join(self.pack, "checks", script), *words], dict(os.environ))

    def write_job(self, name, job):
        path = self.path(name + ".json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(job, file)
        return path


def json_lines(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def read_json_lines(path):
    with open(path, encoding="utf-8") as file:
        return json_lines(file.read())


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
