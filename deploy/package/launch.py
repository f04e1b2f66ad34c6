"""Starts the programs of this package in the place of the Python that they were called through.

fpo-train loads LibTorch, and CUDA on a GPU, from the installed torch package; fpo-worker starts fpo-train. Both are refused here when that
torch is missing or not of the version they were compiled with, which the loader would say in less helpful words, or crash.
"""
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

TORCH_VERSION = "@TORCH_VERSION@"
HERE = Path(__file__).resolve().parent


def _fail(message):
    sys.exit(f"fpo: {message}")


def _use_torch():
    spec = importlib.util.find_spec("torch")  # found, not imported
    if spec is None or spec.origin is None:
        _fail(f"fpo-train needs torch {TORCH_VERSION}, which {sys.executable} does not have: pip install torch=={TORCH_VERSION}")
    version = importlib.metadata.version("torch")
    if version.split("+")[0] != TORCH_VERSION:
        _fail(f"fpo-train was compiled with torch {TORCH_VERSION} and cannot use torch {version}, which is installed: "
              f"pip install torch=={TORCH_VERSION}, or install fpo into an environment of its own")
    libraries = Path(spec.origin).resolve().parent / "lib"
    if libraries != HERE.parent / "torch" / "lib":  # where the programs look by themselves
        os.environ["LD_LIBRARY_PATH"] = ":".join(filter(None, [str(libraries), os.environ.get("LD_LIBRARY_PATH")]))


def _run(name):
    if name in ("fpo-train", "fpo-worker"):
        _use_torch()
        # Chat templates are rendered by Jinja in Python; torch brings Jinja into this one.
        os.environ["PATH"] = ":".join(filter(None, [os.path.dirname(sys.executable), os.environ.get("PATH")]))
    os.execv(HERE / "bin" / name, [name, *sys.argv[1:]])


def fpoctl():
    _run("fpoctl")


def coordinator():
    _run("fpo-coordinator")


def cache():
    _run("fpo-cache")


def worker():
    _run("fpo-worker")


def train():
    _run("fpo-train")
