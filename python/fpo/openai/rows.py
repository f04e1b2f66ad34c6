"""Checks training files on upload: every row must be one that the trainer will use, so that nothing is left out silently later."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, BinaryIO

from .errors import ApiError, wrong

PREFERENCE = "preference"
SUPERVISED = "supervised"
LINE_BYTES_MAX = 64 << 20  # as the trainer's own limit

_MESSAGE_KEYS = {"role", "content", "weight"}
_PREFERENCE_KEYS = {"input", "preferred_output", "non_preferred_output"}
_ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Rows:
    form: str  # preference | supervised
    count: int


class _Wrong(Exception):
    pass


def check_rows(file: BinaryIO) -> Rows:
    """What the file holds. ApiError: the first line that cannot be trained on, and why."""
    form = ""
    count = 0
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise _at(number, f"is longer than {LINE_BYTES_MAX >> 20} MiB")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            found = _form_of(_object(line))
        except _Wrong as error:
            raise _at(number, str(error)) from None
        if form and found != form:
            raise _at(number, f"is a {found} row, and the rows before it are {form} rows; a file holds one kind")
        form = found
        count += 1
    if not count:
        raise wrong("file", "the file has no rows; a training file is JSON Lines, one example a line", "invalid_file_format")
    return Rows(form, count)


def _at(number: int, what: str) -> ApiError:
    return wrong("file", f"line {number} {what}", "invalid_file_format")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _Wrong("has a key twice in one object")
    return row


def _no_constant(name: str) -> Any:
    raise _Wrong(f"has {name}, which is not JSON")


def _object(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise _Wrong(f"is not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise _Wrong(f"is not JSON: {error.msg} at character {error.colno}") from None
    except RecursionError:
        raise _Wrong("has too many levels") from None
    if not isinstance(row, dict):
        raise _Wrong("is not a JSON object")
    return row


def _form_of(row: dict[str, Any]) -> str:
    if "preferred_output" in row or "non_preferred_output" in row:
        _check_preference(row)
        return PREFERENCE
    if "messages" in row:
        _check_supervised(row)
        return SUPERVISED
    raise _Wrong('is neither {"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]} nor {"messages": [...]}')


def _check_preference(row: dict[str, Any]) -> None:
    if missing := sorted(_PREFERENCE_KEYS - set(row)):
        raise _Wrong(f"has no {missing[0]}")
    _only(row, _PREFERENCE_KEYS, "the row")
    prompt = row["input"]
    if not isinstance(prompt, dict) or "messages" not in prompt:
        raise _Wrong('has an input without "messages"')
    _only(prompt, {"messages"}, "input")
    roles = _roles(prompt["messages"], "input.messages")
    _check_turns(roles, "input.messages")
    if roles[-1] != "user":
        raise _Wrong("has input.messages that do not end with the user")
    sides = [_roles(row[side], side) for side in ("preferred_output", "non_preferred_output")]
    for side, turns in zip(("preferred_output", "non_preferred_output"), sides):
        if len(turns) != 1 or turns[0] != "assistant":
            raise _Wrong(f"has a {side} that is not one assistant message")
    if row["preferred_output"] == row["non_preferred_output"]:
        raise _Wrong("has the same preferred_output and non_preferred_output")


def _check_supervised(row: dict[str, Any]) -> None:
    _only(row, {"messages"}, "the row")
    messages = row["messages"]
    roles = _roles(messages, "messages")
    _check_turns(roles, "messages")
    if roles[-1] != "assistant":
        raise _Wrong("has messages that do not end with the assistant")
    if all(message.get("weight", 1) == 0 for message in messages if message["role"] == "assistant"):
        raise _Wrong("has no assistant message with weight 1: there is nothing to train on")


def _check_turns(roles: list[str], where: str) -> None:
    turns = roles[1:] if roles[0] in ("system", "developer") else roles
    for index, role in enumerate(turns):
        if role != ("user", "assistant")[index % 2]:
            raise _Wrong(f"has {where} whose turns do not alternate between user and assistant, after an optional system message")
    if not turns:
        raise _Wrong(f"has {where} without a user's turn")


def _roles(messages: Any, where: str) -> list[str]:
    if not isinstance(messages, list) or not messages:
        raise _Wrong(f"has {where} that is not a list of messages")
    for index, message in enumerate(messages):
        _check_message(message, f"{where}[{index}]")
    return [message["role"] for message in messages]


def _check_message(message: Any, where: str) -> None:
    if not isinstance(message, dict):
        raise _Wrong(f"has {where} that is not an object")
    _only(message, _MESSAGE_KEYS, where)
    role = message.get("role")
    if role not in _ROLES:
        raise _Wrong(f"has {where}.role {json.dumps(role)}; roles are {', '.join(_ROLES)}")
    weight = message.get("weight", 1)
    if "weight" in message and (isinstance(weight, bool) or weight not in (0, 1)):
        raise _Wrong(f"has {where}.weight {json.dumps(weight)}; a message is trained on (1) or context (0)")
    if not _text(message.get("content"), where).strip() and role in ("user", "assistant"):
        raise _Wrong(f"has {where} without text")


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise _Wrong(f"has {where}.content that is neither text nor a list of parts")
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else part
            raise _Wrong(f"has {where}.content with a part {json.dumps(kind)[:80]}; only text can be trained on")
    text = "".join(part["text"] for part in content)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Wrong(f"has {where} with half of a surrogate pair, which is no character") from None
    return text


def _only(value: dict[str, Any], known: set[str], where: str) -> None:
    """Tools, names, audio and whatever else the trainer does not use; empty ones say nothing."""
    for key in value:
        if key not in known and value[key] not in (None, [], {}, ""):
            raise _Wrong(f"has {key!r} in {where}, which cannot be trained on")
