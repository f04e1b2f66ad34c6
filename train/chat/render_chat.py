"""Renders chat templates for fpo-train, with the settings of transformers' apply_chat_template.

Reads one JSON value per line from standard input and answers each with one on standard output:
  {}                                                           ->  {"jinja": version} or {"missing": module}
  {"template": text, "tokens": {name: text}, "seconds": s, "characters": n}  ->  {} or {"error": ..}
  [{"messages": [..], "asks": bool}, ..]                       ->  [{"text": .., "spans": [[from, to], ..]} or {"error": ..}, ..]
Spans are byte offsets of what stood between {% generation %} and {% endgeneration %}.
A template is foreign code: it runs in Jinja's sandbox, without files, and within limits of time, memory and output.
"""

import datetime
import json
import pprint  # noqa: F401  (Jinja imports these when a template needs them, and no file can be opened then)
import random
import resource
import signal
import sys

MEMORY_BYTES = 2 << 30
BATCH_SECONDS = 60
OPEN, CLOSE = "\ufde0", "\ufde1"  # noncharacters around what a generation block writes
DATE = datetime.datetime(2024, 7, 26)  # the same for every run: equal data must give equal tokens


class TooSlow(BaseException):  # no Exception: Jinja swallows those while it folds constants
    pass


def alarm(_signal, _frame):
    raise TooSlow()


def limit(what, value):
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))


def confine():
    limit(resource.RLIMIT_NOFILE, 3)  # the three that are open
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_AS, MEMORY_BYTES)
    signal.signal(signal.SIGALRM, alarm)
    random.seed(0)


class Renderer:
    def __init__(self):
        import jinja2
        import jinja2.debug  # noqa: F401
        import jinja2.ext
        import jinja2.sandbox

        self.version = jinja2.__version__
        self.jinja2 = jinja2
        self.uses_date = False

    def environment(self):
        jinja2 = self.jinja2

        class Generation(jinja2.ext.Extension):
            tags = {"generation"}

            def parse(self, parser):
                line = next(parser.stream).lineno
                body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
                return jinja2.nodes.CallBlock(self.call_method("_enclose"), [], [], body).set_lineno(line)

            def _enclose(self, caller):
                return OPEN + caller() + CLOSE

        class Namespace(jinja2.utils.Namespace):
            def __setitem__(self, name, value):
                if name.startswith("_"):
                    raise jinja2.exceptions.SecurityError(f"a namespace has no attribute {name!r}")
                super().__setitem__(name, value)

        def raise_exception(message):
            raise jinja2.exceptions.TemplateError(message)

        def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
            return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

        def strftime_now(form):
            self.uses_date = True
            return DATE.strftime(form)

        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
        environment.filters["tojson"] = tojson
        environment.globals.update(raise_exception=raise_exception, strftime_now=strftime_now,
                                   dict=lambda *pairs, **named: dict(*pairs, **named), namespace=Namespace)
        return environment

    def warm_up(self):
        """Makes Jinja import what it imports when first needed: no file can be opened later."""
        text = """{% set n = namespace(a='\\n') %}{% macro m(x) %}{{ x | trim | upper | tojson }}{% endmacro %}
            {% for x in [1, 2] %}{% if loop.last %}{% break %}{% endif %}{{ m('a') ~ n.a | pprint }}{% endfor %}
            {% generation %}{{ 1.5 | round }}{{ ['b', 'a'] | sort | join }}{{ strftime_now('%B') }}{% endgeneration %}"""
        self.environment().from_string(text).render()
        for broken in ("{% if %}", "{{ a.b.c }}"):
            try:
                self.environment().from_string(broken).render()
            except self.jinja2.exceptions.TemplateError:
                pass
        self.uses_date = False

    def compile(self, request):
        self.tokens = request["tokens"]
        self.seconds = request["seconds"]
        self.characters = request["characters"]
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        try:
            self.template = self.environment().from_string(request["template"])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def render(self, item, seconds):
        if not item["messages"]:
            return {"text": "", "spans": []}
        if any(mark in json.dumps(item, ensure_ascii=False) for mark in (OPEN, CLOSE)):
            raise ValueError("a message contains U+FDE0 or U+FDE1")
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            text = self.template.render(messages=item["messages"], tools=None, documents=None,
                                        add_generation_prompt=item["asks"], **self.tokens)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if len(text) > self.characters:
            raise ValueError(f"{len(text)} characters are rendered, more than {self.characters}")
        return with_spans(text)

    def answer(self, items):
        answers, left = [], float(BATCH_SECONDS)
        for item in items:
            begun = signal_clock()
            try:
                if left <= 0:
                    raise TooSlow()
                answers.append(self.render(item, min(self.seconds, left)))
            except (Exception, TooSlow) as error:  # the template's own, and whatever its code raises
                answers.append({"error": describe(error)})
            left -= signal_clock() - begun
        return answers


def signal_clock():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def with_spans(text):
    """The text without the marks around generation blocks, and where these were, in bytes."""
    if OPEN not in text:
        text.encode()  # raises for a lone surrogate that the template wrote
        return {"text": text, "spans": []}
    parts, spans, at, begun = [], [], 0, 0
    for i, piece in enumerate(text.replace(CLOSE, OPEN).split(OPEN)):
        size = len(piece.encode())
        if i % 2 == 1:
            spans.append([at, at + size])
        at += size
        parts.append(piece)
    return {"text": "".join(parts), "spans": spans}


def describe(error):
    if isinstance(error, TooSlow):
        return "it takes too long"
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    text = str(error)[:300]
    if type(error).__name__ == "TemplateError":
        return text
    line = getattr(error, "lineno", None)
    return type(error).__name__ + (f" in line {line}" if line else "") + (f": {text}" if text else "")


def main():
    def send(value):
        sys.stdout.buffer.write(json.dumps(value, ensure_ascii=True).encode() + b"\n")
        sys.stdout.buffer.flush()

    sys.stdin.buffer.readline()
    try:
        renderer = Renderer()
    except ImportError as error:
        return send({"missing": error.name or "jinja2"})
    renderer.warm_up()
    confine()
    send({"jinja": renderer.version})
    try:
        renderer.compile(json.loads(sys.stdin.buffer.readline()))
    except (Exception, TooSlow) as error:
        return send({"error": describe(error)})
    send({})
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        answers = renderer.answer(json.loads(line))
        send({"texts": answers, "uses_date": renderer.uses_date})


main()
