"""What the tests of python/fpo share: their Python, the package, and real services on free ports."""
import atexit
import contextlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/deploy"))
from deploy_check import Findings, output_of, program, skip  # noqa: E402,F401  (for the tests)

HOW = "python3 -m venv DIR && DIR/bin/pip install -r tests/python/requirements.txt, then set FPO_PYTHON_TOOLS=DIR"
PATIENCE_S = 60


def enter(*modules):
    """Goes on as the Python of FPO_PYTHON_TOOLS, with the package of this checkout; skips without the modules."""
    tools = os.environ.get("FPO_PYTHON_TOOLS", "")
    python = pathlib.Path(tools) / "bin" / "python3"
    if not tools or not python.exists():
        skip(f"the libraries of the Python package are not here: {HOW}")
    if pathlib.Path(sys.prefix).resolve() != pathlib.Path(tools).resolve():
        os.execv(python, [str(python), *sys.argv])
    for module in ("grpc", "google.protobuf", *modules):
        if importlib.util.find_spec(module) is None:
            skip(f"{module} is not in {tools}: {HOW}")
    folder = tempfile.mkdtemp(prefix="fpo-python-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    output_of(str(ROOT / "scripts/python_package.sh"), "--link", folder)
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = folder
    os.environ["FPO_BIN_DIR"] = os.path.dirname(program("fpoctl"))
    for name in [name for name in os.environ if name.startswith("FPO_") and name not in ("FPO_BIN_DIR", "FPO_PYTHON_TOOLS")]:
        del os.environ[name]
    os.environ["XDG_CONFIG_HOME"] = folder  # not the user's contexts


class Services:
    """Cache, coordinator and one worker of their own below a folder."""

    def __init__(self, folder, *, slots=1, coordinator=(), worker=True):
        self.folder = pathlib.Path(folder)
        self.running = {}
        self.cache = self.start("cache", "--listen=127.0.0.1:0", f"--data={self.folder}/cache")
        self.coordinator_flags = coordinator
        self.server = self.start_coordinator("127.0.0.1:0")
        if worker:
            self.start("worker", f"--coordinator={self.server}", f"--cache={self.cache}", "--name=w1", f"--slots={slots}",
                       f"--work-dir={self.folder}/worker")
        os.environ["FPO_SERVER"] = self.server
        os.environ["FPO_CACHE_SERVER"] = self.cache

    def start_coordinator(self, listen=None):
        return self.start("coordinator", f"--listen={listen or self.server}", f"--data={self.folder}/coordinator", *self.coordinator_flags)

    def start(self, name, *flags):
        ports = self.folder / f"{name}.json"
        ports.unlink(missing_ok=True)
        log = open(self.folder / f"{name}.log", "ab")
        process = subprocess.Popen([program(f"fpo-{name}"), *flags, "--http=127.0.0.1:0", f"--port-file={ports}"], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log)
        self.running[name] = process
        end = time.monotonic() + PATIENCE_S
        while not ports.exists() or not ports.read_text():
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"FAILED: fpo-{name} did not start:\n{(self.folder / f'{name}.log').read_text()[-2000:]}")
            time.sleep(0.05)
        return json.loads(ports.read_text()).get("grpc", "")

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def stop(self):
        for process in list(self.running.values())[::-1]:
            process.terminate()
            process.wait(timeout=PATIENCE_S)


@contextlib.contextmanager
def services(**options):
    """(folder, services), with the inputs of examples/tiny in folder/tiny."""
    with tempfile.TemporaryDirectory(prefix="fpo-python-") as name:
        folder = pathlib.Path(name)
        output_of(str(ROOT / "examples/tiny/prepare.sh"), str(folder / "tiny"), program("fpo-train"))
        site = Services(folder, **options)
        try:
            yield folder, site
        finally:
            site.stop()


def short_sft(client, folder, steps=6, **options):
    """A few steps of SFT on the tiny model; its runs/NAME/model has what transformers needs."""
    name = options.pop("name", "short")
    changes = [f"max_steps={steps}", "evaluate.every_steps=3", "evaluate.pairs=20", "checkpoint.every_steps=3", "schedule.warmup_steps=1",
               f"output={folder}/runs/{name}", *options.pop("set", ())]
    return client.submit(folder / "tiny/sft.yaml", name=name, set=changes, **options)


def raised(kind, call):
    """The exception of that very class that call() raises."""
    try:
        result = call()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (what else is raised is the finding)
        return error if type(error) is kind else AssertionError(f"{type(error).__name__} instead of {kind.__name__}: {error}")
    return AssertionError(f"nothing was raised instead of {kind.__name__}; it returned {result!r}")
