#!/usr/bin/env python3
"""Compares the dashboards in deploy/grafana/ with the schema of the Grafana that deploy/compose/ starts.

The schema is that of Grafana's own library, whose classes are generated from it. It reads anything and drops what it does not know, so a board
is read and written: what got lost is no field of Grafana's, and what a field holds must be of the type, or one of the words, declared for it.

usage: grafana_test.py       (FPO_DEPLOY_TOOLS: see requirements.txt; exit code 77: skipped)
"""
import enum
import importlib.metadata
import json
import sys
import types
import typing

import deploy_check as check
import grafana_boards

# Fields that Prometheus's annotations have in Grafana, and its schema does not describe.
BEYOND_SCHEMA = {"titleFormat", "textFormat"}


def lost(before, after, where):
    """Paths of what a board has before the library reads and writes it, and not after."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from lost(value, after[key], f"{where}.{key}")
            elif key not in BEYOND_SCHEMA:
                yield f"{where}.{key}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after)):
            yield from lost(*pair, f"{where}[{number}]")
    elif before != after:
        yield where


def fits_one_of(value, hints, where):
    attempts = [list(misfits(value, hint, where)) for hint in hints]
    return min(attempts, key=len)


def fields_misfit(value, where):
    hints = typing.get_type_hints(type(value).__init__)
    for name, field in vars(value).items():
        if name in hints:
            yield from misfits(field, hints[name], f"{where}.{name}")


def misfits(value, hint, where):
    """What of `value` is not of the type `hint`."""
    origin = typing.get_origin(hint)
    if hasattr(value, "to_json"):
        yield from fields_misfit(value, where)
    elif origin in (typing.Union, types.UnionType):
        yield from fits_one_of(value, typing.get_args(hint), where)
    elif origin is typing.Literal:
        if value not in typing.get_args(hint):
            yield f"{where} is {value!r}"
    elif origin is list and isinstance(value, list):
        for number, item in enumerate(value):
            yield from misfits(item, typing.get_args(hint)[0], f"{where}[{number}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from misfits(item, typing.get_args(hint)[1], f"{where}.{key}")
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in [member.value for member in hint]:
            yield f"{where} is {value!r}"
    elif hasattr(hint, "from_json") and isinstance(value, dict):
        # The library keeps some parts as they came.
        read = hint.from_json(value)
        for path in lost(value, written(read), where):
            yield f"{path} is not in the schema"
        yield from fields_misfit(read, where)
    elif hint not in (object, typing.Any) and not is_plain(value, hint):
        yield f"{where} is {value!r}"


def is_plain(value, hint):
    if isinstance(value, bool) or hint is bool:
        return isinstance(value, bool) and hint is bool
    return isinstance(value, (int, float) if hint is float else typing.get_origin(hint) or hint)


def written(read):
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    return json.loads(json.dumps(read, cls=JSONEncoder))


def complaints(board):
    from grafana_foundation_sdk.models import dashboard, units
    for panel in board["panels"]:
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "none")
        if unit not in named_units(units) and not unit.startswith("si:"):
            yield f"panel {panel['id']} has the unit {unit}, which Grafana would show as a word"
    try:
        read = dashboard.Dashboard.from_json(board)
    except (AttributeError, KeyError, TypeError) as error:
        yield f"cannot be read: {error!r}"
        return
    for path in lost(board, written(read), "board"):
        yield f"{path} is not in the schema"
    yield from misfits(read, dashboard.Dashboard, "board")


def named_units(units):
    return {word for hint in vars(units).get("__annotations__", {}).values() for word in typing.get_args(hint)}


def check_version(findings):
    """The schema is of the Grafana that the compose file starts."""
    image = (check.ROOT / "deploy/compose/compose.yaml").read_text().split("grafana/grafana:")[1].split()[0]
    schema = importlib.metadata.version("grafana_foundation_sdk").split("!")[1]
    findings.expect(image.split(".")[:2] == schema.split(".")[:2], f"compose.yaml starts Grafana {image}, the schema is that of {schema}")


def main():
    check.enter_tools()
    try:
        from grafana_foundation_sdk.cog.plugins import register_default_plugins
    except ImportError:
        check.skip(f"grafana-foundation-sdk is not in {sys.prefix}: {check.HOW}")
    register_default_plugins()
    findings = check.Findings()
    check_version(findings)
    for name, board in grafana_boards.read_boards().items():
        wrong = list(complaints(board))
        findings.expect(not wrong, f"{name}: " + "; ".join(wrong))
    findings.end()


if __name__ == "__main__":
    main()
