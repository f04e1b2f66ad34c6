"""Token ids of preference pairs exactly as TRL's DPOTrainer makes them, so that records are of the tokens that are trained on."""
from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .errors import InvalidJob

ID_COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")
TEXT_COLUMNS = ("prompt", "chosen", "rejected")


@dataclass(frozen=True)
class Pair:
    """The ids that the model reads: both responses after the same prompt, within the length limit."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]

    def cut(self, max_length: int | None) -> Pair:
        """As TRL's collator does with truncation_mode "keep_start"."""
        if max_length is None:
            return self
        prompt = self.prompt[:max_length]
        room = max_length - len(prompt)
        return Pair(prompt, self.chosen[:room], self.rejected[:room])

    def refusal(self) -> str:
        """Why there is nothing to compare; "" if there is."""
        if not self.prompt:
            return "its prompt is empty"
        for name, response in (("chosen", self.chosen), ("rejected", self.rejected)):
            if not response:
                return f"nothing of its {name} response is within the length limit"
        return "chosen and rejected are the same tokens within the length limit" if self.chosen == self.rejected else ""


def pair_of_ids(row: Mapping[str, Any]) -> Pair:
    return Pair(*(list(row[name]) for name in ID_COLUMNS))


class PairTokenizer:
    """Tokenises rows of prompt, chosen and rejected, which are texts or lists of messages."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, row: Mapping[str, Any]) -> Pair:
        prompt, chosen, rejected = (row[name] for name in TEXT_COLUMNS)
        if isinstance(prompt, str) and isinstance(chosen, str) and isinstance(rejected, str):
            prompt_ids = self._ids(prompt)
            both = [self._ids(prompt + self._ended(response)) for response in (chosen, rejected)]
        elif all(isinstance(part, list) for part in (prompt, chosen, rejected)):
            tools = row.get("tools")
            options = {"tools": json.loads(tools) if isinstance(tools, str) else tools, **(row.get("chat_template_kwargs") or {})}
            prompt_ids = self._template(prompt, add_generation_prompt=True, **options)
            both = [self._template(prompt + response, **options) for response in (chosen, rejected)]
        else:
            raise InvalidJob("prompt, chosen and rejected must all be texts or all be lists of messages", reason="INVALID_JOB", field="data")
        # The response begins where prompt and prompt with response part, which may be before the prompt's end.
        begin = min(_common(prompt_ids, ids) for ids in both)
        return Pair(prompt_ids[:begin], both[0][begin:], both[1][begin:])

    def _ended(self, response: str) -> str:
        eos = self._tokenizer.eos_token
        return response if response.endswith(eos) else response + eos

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text=text)["input_ids"])

    def _template(self, messages: list[Any], **options: Any) -> list[int]:
        return list(self._tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)["input_ids"])


def _common(ids: Sequence[int], other: Sequence[int]) -> int:
    for i, (one, two) in enumerate(zip(ids, other)):
        if one != two:
            return i
    return min(len(ids), len(other))
