#!/usr/bin/env python3
"""Checks Grafana's dashboards in deploy/grafana/ without Grafana.

usage: tests/deploy/grafana_boards.py [--ask URL]

Ids, places and names of panels; variables that are defined and used; links that lead to a board; recorded series that deploy/prometheus/ has;
every expression as promtool reads it. Exit code 1: something is wrong; 77: promtool is missing (Debian's prometheus).

  --ask URL    asks a running Prometheus (scripts/demo.sh --keep starts one) every query and prints how many series it answers with

tests/integration/metrics_test.cc compares the names of series with what the programs show; grafana_test.py compares the files with Grafana's schema.
"""
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDED = re.findall(r"^ *- record: *(\S+)", (ROOT / "deploy/prometheus/recording.yml").read_text(), flags=re.MULTILINE)
COLUMNS = 24
# What Grafana itself puts in for these in a query.
BUILT_IN = {"__rate_interval": "5m", "__interval": "1m", "__range": "6h"}


def read_boards():
    return {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "deploy/grafana").glob("*.json"))}


def variables_of(board):
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def queries_of(board):
    """Name and expression of each query of panels and annotations."""
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield f"panel_{panel['id']}:{target['refId']}", target["expr"]
    for number, annotation in enumerate(board["annotations"]["list"]):
        yield f"annotation_{number}", annotation["expr"]


def filled_in(expression, value):
    """A query with `value` for each variable of the board, a regular expression in which its selectors use them."""
    return re.sub(r"\$(?:\{(\w+)[^}]*\}|(\w+))", lambda found: BUILT_IN.get(found[1] or found[2], value), expression)


def overlap(one, other):
    return (one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"] and
            one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"])


def check_layout(board):
    panels = board["panels"]
    ids = [panel["id"] for panel in panels]
    for twice in sorted({each for each in ids if ids.count(each) > 1}):
        yield f"two panels have the id {twice}"
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] < 0 or place["x"] + place["w"] > COLUMNS or place["w"] < 1 or place["h"] < 1:
            yield f"panel {panel['id']} does not lie within the {COLUMNS} columns"
    for one, other in itertools.combinations(panels, 2):
        if overlap(one["gridPos"], other["gridPos"]):
            yield f"panels {one['id']} and {other['id']} overlap"


def check_panels(board):
    for panel in board["panels"]:
        where = f"panel {panel['id']} ({panel.get('title', 'no title')})"
        if not panel.get("title"):
            yield f"{where} has no title"
        if panel["type"] == "row":
            continue
        if not panel.get("description"):
            yield f"{where} has no description"
        if not panel.get("targets"):
            yield f"{where} asks for nothing"
        names_only = panel["options"].get("textMode") == "name"
        if panel["type"] in ("timeseries", "stat") and not names_only and not panel["fieldConfig"]["defaults"].get("unit"):
            yield f"{where} has no unit"
        for target in panel.get("targets", []):
            if panel["type"] == "timeseries" and not target.get("legendFormat"):
                yield f"{where} has no legend for {target['refId']}"


def check_variables(board):
    """Each is defined, and used elsewhere than where it is defined."""
    defined = variables_of(board)
    text = json.dumps({**board, "templating": [variable.get("datasource") for variable in defined.values()]})
    used = {one or other for one, other in re.findall(r"\$(?:\{(\w+)|(\w+))", text)}
    for name in sorted(used - set(defined)):
        if not name.startswith("__"):
            yield f"uses ${name}, which it does not define"
    for name in sorted(set(defined) - used):
        yield f"defines ${name} and does not use it"


def check_links(board, boards):
    tagged = [tag for link in board["links"] if link["type"] == "dashboards" for tag in link["tags"]]
    for name, other in boards.items():
        if not set(tagged) & set(other["tags"]):
            yield f"does not link to {name}"
    for uid, query in re.findall(r'"/d/([\w-]+)([^"]*)"', json.dumps(board)):
        if uid not in boards:
            yield f"links to /d/{uid}, which is no board"
            continue
        for variable in re.findall(r"[?&](?:var-(\w+)=|\$\{(\w+):queryparam\})", query):
            name = "".join(variable)
            if name not in variables_of(boards[uid]):
                yield f"sets {name} of {uid}, which has no such variable"


def check_series(board):
    for name, expression in queries_of(board):
        for series in re.findall(r"\bfpo(?::\w+)+", expression):
            if series not in RECORDED:
                yield f"{name} asks for {series}, which deploy/prometheus/recording.yml does not record"
    if not any("ALERTS{" in annotation["expr"] for annotation in board["annotations"]["list"]):
        yield "does not show when alerts fired"


def check_board(name, boards):
    board = boards[name]
    if board["uid"] != name:
        yield f"has the uid {board['uid']}, not the name of its file"
    if not isinstance(board.get("schemaVersion"), int):
        yield "has no schemaVersion"
    for check in (check_layout(board), check_panels(board), check_variables(board), check_links(board, boards), check_series(board)):
        yield from check


def parsed(boards):
    """Whether promtool can read every expression: each is given to it as a rule that records it."""
    rules = [{"record": f"{name.replace('-', '_')}:{query}", "expr": filled_in(expression, "x")}
             for name, board in boards.items() for query, expression in queries_of(board)]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "boards", "rules": rules}]}, file)  # JSON is YAML
        file.flush()
        done = subprocess.run(["promtool", "check", "rules", "--lint=none", file.name], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"promtool check rules:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def answer(address, expression):
    """The series that Prometheus has for it now, or what it says against it."""
    query = urllib.parse.urlencode({"query": filled_in(expression, ".*")})
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/api/v1/query?{query}", timeout=30) as reply:
            return json.load(reply)["data"]["result"], None
    except urllib.error.HTTPError as error:
        return [], json.load(error).get("error", str(error))
    except OSError as error:
        sys.exit(f"grafana_boards.py: {address} does not answer: {error}")


def ask(address, boards):
    failed = 0
    for name, board in boards.items():
        for query, expression in queries_of(board):
            series, error = answer(address, expression)
            failed += error is not None
            print(f"{name:13} {query:14} {error or f'{len(series)} series':12} {expression}")
    return 1 if failed else 0


def main():
    words = sys.argv[1:]
    if words in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if words and (words[0] != "--ask" or len(words) != 2):
        mistake = "--ask takes one URL" if words[0] == "--ask" else f"unknown argument '{words[0]}'"
        print(f"grafana_boards.py: {mistake}\n\n{__doc__.strip()}", file=sys.stderr)
        return 2
    boards = read_boards()
    if words:
        return ask(words[1], boards)
    wrong = [f"{name} {complaint}" for name in boards for complaint in check_board(name, boards)]
    for line in wrong or ([] if boards else ["deploy/grafana/ has no board"]):
        print(line)
    if not shutil.which("promtool"):
        print("promtool is missing: expressions were not read; install Debian's prometheus (scripts/setup.sh does)")
        return 1 if wrong else 77
    return 0 if boards and parsed(boards) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
