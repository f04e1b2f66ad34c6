#!/usr/bin/env python3
"""Checks the rules that Prometheus is given: promtool's checks and tests, and that no alert lacks a test or a runbook.

usage: tests/deploy/prometheus_rules.py [--help]

Of each alert in deploy/prometheus/alerts.yml there must be a test in which it fires, one in which it does not, and a heading of its name in
docs/monitoring.md, to which its annotation `runbook` points. Exit code 1: something is wrong; 77: promtool is missing (Debian's prometheus).
tests/integration/metrics_test.cc compares the names of series with what the programs show.
"""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
RUNBOOKS = ROOT / "docs" / "monitoring.md"
TESTS = sorted((ROOT / "tests" / "deploy").glob("*_test.yml"))


def promtool(*words):
    """Whether it succeeds; what it says is shown if it does not."""
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        print(f"promtool {' '.join(words)}:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def alerts_of(text):
    """Name and text of each alert."""
    parts = re.split(r"^ *- alert: *", text, flags=re.MULTILINE)[1:]
    return {part.split("\n", 1)[0].strip(): part for part in parts}


def untested(name, tests):
    """Which of the two tests of an alert are missing. One line of a test file asks for one alert at one time."""
    lines = [line for line in tests.splitlines() if f'alertname="{name}"' in line]
    missing = [] if any("exp_samples: []" in line for line in lines) else ["has no test in which it does not fire"]
    return missing + ([] if any("exp_samples: [{" in line for line in lines) else ["has no test in which it fires"])


def complaints(alerts, tests, runbooks):
    for name, text in alerts.items():
        for missing in untested(name, tests):
            yield f"{name} {missing}"
        for annotation in ("summary", "description"):
            if not re.search(rf"^ *{annotation}: ", text, flags=re.MULTILINE):
                yield f"{name} has no {annotation}"
        if not re.search(r"severity: (critical|warning)\b", text):
            yield f"{name} is neither critical nor a warning"
        if not re.search(rf"^ *runbook: docs/monitoring\.md#{name.lower()}$", text, flags=re.MULTILINE):
            yield f"{name} does not name docs/monitoring.md#{name.lower()} as its runbook"
        if f"\n### {name}\n" not in runbooks:
            yield f"{name} has no heading of its name in docs/monitoring.md"
    for name in re.findall(r"^### (Fpo\w+)$", runbooks, flags=re.MULTILINE):
        if name not in alerts:
            yield f"docs/monitoring.md describes {name}, which is no alert"


def main():
    if sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if sys.argv[1:]:
        print(f"prometheus_rules.py: unknown argument '{sys.argv[1]}'\n\n{__doc__.strip()}", file=sys.stderr)
        return 2
    alerts = alerts_of(ALERTS.read_text())
    if not alerts:
        print(f"no alert was found in {ALERTS}")
        return 1
    wrong = list(complaints(alerts, "\n".join(test.read_text() for test in TESTS), RUNBOOKS.read_text()))
    for line in wrong:
        print(line)
    if not shutil.which("promtool"):
        print("promtool is missing: rules were not run; install Debian's prometheus (scripts/setup.sh does)")
        return 1 if wrong else 77
    rules = [str(path.relative_to(ROOT)) for path in sorted(ALERTS.parent.glob("*.yml"))]
    ran = [promtool("check", "config", "deploy/prometheus.yml"), promtool("check", "rules", "--lint=all", "--lint-fatal", *rules),
           promtool("test", "rules", *[str(test.relative_to(ROOT)) for test in TESTS])]
    return 1 if wrong or not all(ran) else 0


if __name__ == "__main__":
    sys.exit(main())
