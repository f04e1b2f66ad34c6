#!/usr/bin/env python3
"""Writes chat_texts.jsonl: what transformers' apply_chat_template makes of conversations, for twelve chat templates.

usage: make_chat_goldens.py [FILE]      needs transformers 5 and trl (whose package carries published templates, Apache-2.0)

The first line holds the templates. Each other line is one conversation under one template:
  messages   ends with the assistant
  text       apply_chat_template(messages); absent where the template refuses them
  prompt     apply_chat_template(messages without the last, add_generation_prompt=True)
  answer     what {% generation %} marks as the last answer, where the template has it
"""
import json
import os
import pathlib
import random
import sys

import trl
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from transformers.utils.chat_template_utils import render_jinja_template

PUBLISHED = pathlib.Path(trl.__file__).parent / "chat_templates"
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
ZEPHYR = """{% for message in messages %}
{% if message.role in ['user', 'system', 'assistant'] %}
{{ '<|' + message.role + '|>\\n' + message.content + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}
"""
HALO = ("{{ bos_token }}{% for message in messages %}{{ '\\n<|' + message['role'] + '|>\\n' + message['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '\\n<|assistant|>\\n' }}{% endif %}")
CUSTOM = """{#- A generation mark, a macro, a loop control, a namespace, tojson and a default system message. -#}
{%- macro turn(name, text) -%}
[{{ name | upper }}] {{ text }}
{%- endmacro -%}
{{- bos_token }}
{%- set state = namespace(system='Be ' ~ ({'mood': 'kind'} | tojson)) %}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {%- set state.system = message.content | trim %}
        {%- break %}
    {%- endif %}
{%- endfor %}
{{- turn('system', state.system) + '<|im_end|>\\n' }}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% continue %}{% endif %}
    {%- if message.role == 'assistant' %}
        {{- '[ASSISTANT] ' }}
        {%- generation %}{{ message.content }}{{ '<|im_end|>' }}{% endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- turn(message.role, message.content) + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '[ASSISTANT] ' }}{% endif %}
"""


def templates():
    published = {name: (PUBLISHED / f"{file}.jinja").read_text() for name, file in (
        ("gemma2", "gemma"), ("gemma3", "gemma3"), ("gemma3_generation", "gemma3_training"), ("llama3", "llama3"),
        ("llama3_generation", "llama3_training"), ("qwen2_5", "qwen2_5"), ("qwen3", "qwen3"), ("llama3_1", "llama3_1"))}
    return published | {"chatml": CHATML, "zephyr": ZEPHYR, "halo": HALO, "custom_generation": CUSTOM}


def conversations():
    """36 of them, with white space of every kind around and inside of the contents."""
    rng = random.Random(17)
    edges = ["", "", " ", "\n", "\n\n", "\t", "  \n ", "\u00a0", "\u3000", "\u2028", "\x1f", "\r\n", "\u200b", "\ufeff"]
    words = ["Hello", "what", "is", "2 + 2", "{{ x }}", "{% raw %}", "<b>bold</b>", "\u00fcber", "\u65e5\u672c\u8a9e", "\U0001f469\u200d\U0001f680",
             "line\nbreak", "two\n\nlines", "tab\there", '"quoted"', "it's", "\\n", "a  b", "e\u0301", "\u0627\u0644\u0639\u0631\u0628\u064a\u0629",
             "<|", "|>", "<think>", "</think>", "system", "user", "assistant", "model", "None", "0", "[]", "&amp;"]

    def content():
        text = " ".join(rng.choice(words) for _ in range(rng.randint(1, 8)))
        return rng.choice(edges) + text + rng.choice(edges)

    for i in range(36):
        messages = []
        if i % 3 == 0:
            messages.append({"role": "system", "content": content()})
        for _ in range(1 + i % 4):
            messages += [{"role": "user", "content": content()}, {"role": "assistant", "content": content()}]
        yield messages
    # what some templates refuse
    yield [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]


def tokenizer():
    vocabulary = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>")),
                                   bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")


def line(tok, name, template, messages):
    tok.chat_template = template
    row = {"template": name, "messages": messages}
    try:
        row["text"] = tok.apply_chat_template(messages, tokenize=False)
        row["prompt"] = tok.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    except Exception:
        row.pop("text", None)
        return row
    if "generation %}" in template or "generation -%}" in template:
        texts, spans = render_jinja_template([messages], chat_template=template, return_assistant_tokens_mask=True,
                                             **tok.special_tokens_map)
        begin, end = spans[0][-1]
        row["answer"] = texts[0][begin:end]
    return row


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "chat_texts.jsonl")
    tok = tokenizer()
    with open(path, "w", encoding="utf-8") as out:
        out.write(json.dumps({"templates": templates()}) + "\n")
        count = 0
        for name, template in templates().items():
            for messages in conversations():
                out.write(json.dumps(line(tok, name, template, messages)) + "\n")
                count += 1
    print(f"{count} conversations in {path}")


main()
