#!/usr/bin/env python3
"""Checks the units of deploy/systemd with the programs that they start.

usage: tests/deploy/systemd_units.py [--bin DIR]     (default: FPO_BIN_DIR, or build/release/bin)

systemd-analyze accepts each unit and rates its exposure no higher than below; each program accepts the configuration file that its unit
names (--check-config) and knows every key in it, those in comments too; a stop waits longer than the program may take; accounts exist.
Exit code 1: something is wrong; 77: systemd-analyze is missing (Debian's systemd), and nothing else is wrong.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
# Program: flag of its grace, seconds after the grace in which it ends or ends itself (common/serve.h, worker/main.cc), exposure in tenths.
PROGRAMS = {"coordinator": ("--shutdown-grace", 30, 20), "cache": ("--shutdown-grace", 30, 20), "worker": ("--grace", 60, 30)}
# Settings of systemd that jobs cannot live with; fpo-worker.service says why.
NOT_FOR_JOBS = ["MemoryDenyWriteExecute", "PrivateDevices", "ProtectControlGroups", "RestrictSUIDSGID"]


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def seconds(text):
    """Of 90s, 2min or 1h30m: only what these files use."""
    units = {"s": 1, "m": 60, "min": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)(min|[smh])", text))


def setting(unit, name):
    found = re.findall(rf"^{name}=(.*)$", unit, flags=re.MULTILINE)
    return found[-1] if found else ""


def complaints_about(name, program, unit):
    grace_flag, after_grace, _ = PROGRAMS[name]
    command = setting(unit, "ExecStart").split()
    if command[0] != f"/usr/bin/fpo-{name}":
        yield f"starts {command[0]}"
    config = UNITS / "config" / pathlib.Path(command[-1]).name
    if command[1:] != ["--config", f"/etc/fpo/{config.name}"]:
        yield f"has arguments of its own: {' '.join(command[1:])}; they belong in its configuration file"
    trainer = ["--trainer", program] if name == "worker" else []  # a build of the services alone has no fpo-train
    code, said = run(program, "--config", str(config), "--check-config", *trainer)
    if code != 0:
        yield f"{config.name} is refused: {said.strip()}"
    _, usage = run(program, "--help")
    flags = set(re.findall(r"--[a-z][a-z-]*", usage))
    for key in re.findall(r"^(?:# )?([a-z][a-z-]*) = ", config.read_text(), flags=re.MULTILINE):
        if f"--{key}" not in flags:
            yield f"{config.name} has the key {key}, which is no flag"
    grace = re.search(rf"{grace_flag} DURATION=(\w+)", usage)
    if not grace or seconds(setting(unit, "TimeoutStopSec")) <= seconds(grace.group(1)) + after_grace:
        yield f"TimeoutStopSec={setting(unit, 'TimeoutStopSec')} is not longer than {grace_flag} and {after_grace} s"
    accounts = (UNITS / "sysusers.d" / "fpo.conf").read_text()
    if not re.search(rf"^u {setting(unit, 'User')}\s", accounts, flags=re.MULTILINE):
        yield f"runs as {setting(unit, 'User')}, an account that sysusers.d/fpo.conf does not make"
    for forbidden in NOT_FOR_JOBS:
        if name == "worker" and setting(unit, forbidden) not in ("", "no"):
            yield f"{forbidden}={setting(unit, forbidden)}: jobs cannot run"


def analyzed(binaries):
    """What systemd-analyze complains about, with the programs of this build in place of /usr/bin."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (_, _, exposure) in PROGRAMS.items():
            unit = pathlib.Path(folder) / f"fpo-{name}.service"
            unit.write_text((UNITS / unit.name).read_text().replace("/usr/bin/", f"{binaries}/"))
        units = sorted(str(path) for path in pathlib.Path(folder).iterdir())
        code, said = run("systemd-analyze", "verify", *units)
        if code != 0 or said.strip():  # an unknown setting is a line, and exit code 0
            yield f"systemd-analyze verify: {said.strip() or code}"
        for name, (_, _, exposure) in PROGRAMS.items():
            code, said = run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={exposure}", f"{folder}/fpo-{name}.service")
            if code != 0:
                yield f"fpo-{name}.service is more exposed than {exposure / 10}: {said.strip().splitlines()[-1]}"


def main():
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if words and (words[0] != "--bin" or len(words) != 2):
        print(f"systemd_units.py: unknown argument '{words[0]}'\n\n{__doc__.strip()}", file=sys.stderr)
        return 2
    binaries = pathlib.Path(words[1] if words else os.environ.get("FPO_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
    wrong = []
    for name in PROGRAMS:
        program = binaries / f"fpo-{name}"
        if not program.exists():
            print(f"{program} is not there: run scripts/build.sh, or name the folder of the programs with --bin")
            return 1
        unit = (UNITS / f"fpo-{name}.service").read_text()
        wrong += [f"fpo-{name}.service: {complaint}" for complaint in complaints_about(name, str(program), unit)]
    has_systemd = shutil.which("systemd-analyze") is not None
    if has_systemd:
        wrong += analyzed(binaries)
    for line in wrong:
        print(line)
    if not has_systemd:
        print("systemd-analyze is missing: it was not asked about the units; install Debian's systemd")
    return 1 if wrong else 0 if has_systemd else 77


if __name__ == "__main__":
    sys.exit(main())
