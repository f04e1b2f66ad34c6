"""What the tests of deploy/ share: finding their tools, and running commands."""
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
HOW = ("python3 -m venv DIR && DIR/bin/pip install -r tests/deploy/requirements.txt, then set FPO_DEPLOY_TOOLS=DIR")


def skip(reason):
    print(f"SKIPPED: {reason}")
    sys.exit(SKIPPED)


def enter_tools():
    """Goes on as the Python of FPO_DEPLOY_TOOLS, which has the libraries; skips without it."""
    tools = os.environ.get("FPO_DEPLOY_TOOLS", "")
    python = pathlib.Path(tools) / "bin" / "python3"
    if not tools or not python.exists():
        skip(f"the tools that read deploy/ are not here: {HOW}")
    if pathlib.Path(sys.prefix).resolve() != pathlib.Path(tools).resolve():
        os.execv(python, [str(python), *sys.argv])


def tool(name):
    path = pathlib.Path(sys.prefix) / "bin" / name
    if not path.exists():
        skip(f"{name} is not in {sys.prefix}: {HOW}")
    return str(path)


def program(name):
    """A program of this project; skips where it was not built."""
    path = pathlib.Path(os.environ.get("FPO_BIN_DIR", ROOT / "build/release/bin")) / name
    if not path.exists():
        skip(f"{path} was not built")
    return str(path)


def output_of(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


@functools.lru_cache
def flags_of(name):
    """The long flags that a program's --help lists."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", output_of(program(name), "--help"))) | {"--help"}


def unknown_flags(command):
    """Flags of a command line, given as a list, that its program does not know."""
    given = {word.split("=")[0] for word in command[1:] if word.startswith("--")}
    return sorted(given - flags_of(command[0]))


def has(name):
    return shutil.which(name) is not None


class Findings:
    """Collects what is wrong, so that a run shows all of it."""

    def __init__(self):
        self.found = []
        self.checked = 0

    def expect(self, holds, what):
        self.checked += 1
        if not holds:
            self.found.append(what)

    def end(self):
        for what in self.found:
            print(f"FAILED: {what}")
        if not self.checked:
            self.found.append("nothing was checked")
        print(f"{self.checked} checks, {len(self.found)} failed")
        sys.exit(1 if self.found else 0)
