#!/usr/bin/env python3
"""What fpo-openai checks and computes without services."""
import io
import itertools
import json
import pathlib
import tempfile
import unittest
import uuid

import python_check as check

check.enter("yaml")
from fpo.errors import FpoError  # noqa: E402
from fpo.job import Event, JobState  # noqa: E402
from fpo.openai import requests  # noqa: E402
from fpo.openai.defaults import JobDefaults  # noqa: E402
from fpo.openai.errors import ApiError, from_service  # noqa: E402
from fpo.openai.files import FileLimits, FileStore  # noqa: E402
from fpo.openai.models import ModelTable, job_of_name, merge, tuned_name  # noqa: E402
from fpo.openai.rows import check_rows  # noqa: E402
from fpo.openai.views import events_newest_first, result_csv  # noqa: E402

USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}
PAIR = {"input": {"messages": [USER]}, "preferred_output": [ANSWER], "non_preferred_output": [{"role": "assistant", "content": "No."}]}
TALK = {"messages": [{"role": "system", "content": "Be kind."}, USER, ANSWER]}
SCHEMA = {"properties": {
    "epochs": {"default": 1}, "optimizer": {"properties": {"lr": {"default": 5e-7}}}, "batch": {"properties": {"pairs": {"default": 32}}},
    "checkpoint": {"properties": {"every_steps": {"default": 200}}}}}


def lines(*rows):
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows).encode()


class Rows(unittest.TestCase):
    def refuse(self, data, *words):
        with self.assertRaises(ApiError) as caught:
            check_rows(io.BytesIO(data))
        self.assertEqual((caught.exception.status, caught.exception.param, caught.exception.code), (400, "file", "invalid_file_format"))
        for word in words:
            self.assertIn(word, caught.exception.message)

    def test_takes_both_forms(self):
        self.assertEqual(check_rows(io.BytesIO(b"\xef\xbb\xbf" + lines(PAIR, "", PAIR))).count, 2)
        self.assertEqual(check_rows(io.BytesIO(lines(PAIR))).form, "preference")
        self.assertEqual(check_rows(io.BytesIO(lines(TALK).rstrip(b"\n"))).form, "supervised")
        parts = {"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}
        self.assertEqual(check_rows(io.BytesIO(lines({**TALK, "messages": [parts, {**ANSWER, "weight": 0}, USER, ANSWER], "tools": []}))).count, 1)

    def test_names_the_line_and_what_is_wrong(self):
        self.refuse(b"", "no rows")
        self.refuse(lines(PAIR, "{"), "line 2", "not JSON")
        self.refuse(lines(PAIR, "[1]"), "line 2", "not a JSON object")
        self.refuse(lines(PAIR, TALK), "line 2", "supervised", "preference")
        self.refuse(lines(PAIR) + b'{"a": "\xff"}\n', "line 2", "not UTF-8 at byte 8")
        self.refuse(lines("[" * 100_000), "line 1", "levels")
        self.refuse(lines('{"messages": [], "messages": []}'), "twice")
        self.refuse(lines('{"messages": NaN}'), "NaN")
        self.refuse(lines({"prompt": "a"}), "neither")
        self.refuse(lines({key: PAIR[key] for key in PAIR if key != "input"}), "no input")
        self.refuse(lines({**PAIR, "preferred_output": [USER]}), "preferred_output", "one assistant message")
        self.refuse(lines({**PAIR, "preferred_output": [ANSWER, USER, ANSWER]}), "one assistant message")
        self.refuse(lines({**PAIR, "non_preferred_output": PAIR["preferred_output"]}), "same")
        self.refuse(lines({**PAIR, "input": {"messages": [USER, ANSWER]}}), "end with the user")
        self.refuse(lines({**PAIR, "input": {"messages": [USER], "tools": [{"type": "function"}]}}), "tools", "cannot be trained on")
        self.refuse(lines({"messages": [USER, USER, ANSWER]}), "alternate")
        self.refuse(lines({"messages": [{"role": "system", "content": "x"}]}), "without a user")
        self.refuse(lines({"messages": [USER]}), "end with the assistant")
        self.refuse(lines({"messages": [USER, {**ANSWER, "weight": 0}]}), "nothing to train on")
        self.refuse(lines({"messages": [USER, {**ANSWER, "weight": 0.5}]}), "weight")
        self.refuse(lines({"messages": [USER, {**ANSWER, "content": "  "}]}), "without text")
        self.refuse(lines({"messages": [USER, {**ANSWER, "content": None}]}), "content")
        self.refuse(lines({"messages": [USER, {**ANSWER, "tool_calls": [1]}]}), "tool_calls")
        self.refuse(lines({"messages": [{"role": "tool", "content": "x"}, ANSWER]}), "role", "tool")
        self.refuse(lines({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, ANSWER]}), "image_url")
        self.refuse(lines('{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "x"}]}'), "surrogate")


class Files(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = pathlib.Path(self._folder.name)

    def open(self, **limits):
        store = FileStore(self.folder, FileLimits(**limits))
        self.addCleanup(store.close)
        return store

    def add(self, store, data):
        return store.add("a.jsonl", io.BytesIO(data), len(data))

    def test_a_restart_finds_what_was_acknowledged_and_removes_the_rest(self):
        store = self.open()
        kept, gone = self.add(store, lines(PAIR)), self.add(store, lines(TALK))
        with self.assertRaises(ApiError):
            self.add(store, b"{}\n")
        store.remove(gone.id)
        store.close()
        half = self.folder / "incoming" / "half"
        half.mkdir()
        (half / "data.jsonl").write_bytes(b"{")
        again = self.open()
        self.assertEqual([file.id for file in again.list(newest_first=True)], [kept.id])
        self.assertEqual(again.get(kept.id), kept)
        self.assertEqual(again.path(kept.id).read_bytes(), lines(PAIR))
        self.assertEqual(list((self.folder / "incoming").iterdir()), [])

    def test_has_one_owner_and_says_what_is_damaged(self):
        store = self.open()
        file = self.add(store, lines(PAIR))
        with self.assertRaisesRegex(FpoError, "another fpo-openai"):
            self.open()
        store.close()
        (self.folder / "files" / file.id / "data.jsonl").write_bytes(b"")
        with self.assertRaisesRegex(FpoError, f"{file.id} is damaged"):
            self.open()

    def test_has_bounds(self):
        data = lines(PAIR)
        for limits, code in (({"file_bytes": len(data) - 1}, "file_too_large"), ({"total_bytes": 2 * len(data) - 1}, "storage_full"),
                             ({"files": 1}, "too_many_files")):
            store = self.open(**limits)
            with self.assertRaises(ApiError) as caught:
                self.add(store, data)
                self.add(store, data)
            self.assertEqual(caught.exception.code, code)
            self.assertLessEqual(len(list((self.folder / "files").iterdir())), 1)
            for file in store.list(newest_first=True):
                store.remove(file.id)
            store.close()


class Models(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "models.yaml"
            path.write_text(text)
            return ModelTable.read(path)

    def test_a_model_says_parts_of_its_jobs(self):
        table = self.read("models: {a/b: {path: /m, job: {data: {max_length: 9, shuffle: false}}, dpo: {data: {max_length: 8}}}}")
        self.assertEqual(table.get("a/b").job_of("dpo"), {"data": {"max_length": 8, "shuffle": False}})
        self.assertEqual(table.get("a/b").job_of("fpo"), {"data": {"max_length": 9, "shuffle": False}})
        self.assertIsNone(table.get("c"))

    def test_refuses_what_it_does_not_know(self):
        for text, words in (("models: {}", "mapping"), ("- 1", "mapping"), ("models: {a: {path: m}}", "absolute"), ("models: {a: {}}", "no path"),
                            ("models: {'a:b': {path: /m}}", "no name"), ("models: {a: {path: /m, jobs: {}}}", "a.jobs is not known"),
                            ("models: {a: {path: /m, job: {output: /x}}}", "output, which a request says"),
                            ("models: {a: {path: /m, dpo: {optimizer: {lr: 5e-7}}}}", "not a number"), ("models: [", "cannot be read")):
            with self.subTest(text), self.assertRaisesRegex(FpoError, words):
                self.read(text)

    def test_names_of_results(self):
        self.assertEqual(tuned_name("a/b", "", "j-1"), "ft:a/b:fpo::j-1")
        self.assertEqual(job_of_name("ft:a/b:fpo:s:j-1"), "j-1")
        for name in ("a", "ft:a:fpo:s", "ft:a:fpo:s:j-1:ckpt-step-3", "ft:a:fpo:s:"):
            self.assertIsNone(job_of_name(name))

    def test_merge_leaves_its_inputs_alone(self):
        below = {"a": {"b": 1}}
        self.assertEqual(merge(below, {"a": {"c": 2}}), {"a": {"b": 1, "c": 2}})
        self.assertEqual(below, {"a": {"b": 1}})


class Requests(unittest.TestCase):
    BODY = {"model": "m", "training_file": "file-1"}

    def refuse(self, body, param, *words):
        with self.assertRaises(ApiError) as caught:
            requests.read_request({**self.BODY, **body})
        self.assertEqual((caught.exception.status, caught.exception.param), (400, param))
        for word in words:
            self.assertIn(word, caught.exception.message)

    def dpo(self, **numbers):
        return {"method": {"type": "dpo", "dpo": {"hyperparameters": numbers}}}

    def test_auto_is_left_to_the_job(self):
        self.assertEqual(requests.read_request({**self.BODY, **self.dpo(beta="auto", n_epochs=2)}).hyperparameters, {"n_epochs": 2})
        self.assertEqual(requests.read_request({**self.BODY, "hyperparameters": {"n_epochs": "auto"}}).method, "supervised")

    def test_names_the_wrong_parameter(self):
        self.refuse({"model": None}, "model", "missing")
        self.refuse({"model": 3}, "model", "text")
        self.refuse({"modell": "x"}, "modell")
        self.refuse({"integrations": [{"type": "wandb"}]}, "integrations", "fpo-track")
        self.refuse({"suffix": "a:b"}, "suffix")
        self.refuse({"seed": -1}, "seed")
        self.refuse({"seed": True}, "seed")
        self.refuse({"metadata": {"k": 1}}, "metadata")
        self.refuse({"metadata": {str(index): "" for index in range(17)}}, "metadata")
        self.refuse({"method": {"type": "reinforcement"}}, "method.type", "dpo, supervised, fpo")
        self.refuse({"method": {"type": "dpo", "supervised": {}}}, "method.supervised")
        self.refuse({"method": {"type": "dpo"}, "hyperparameters": {"n_epochs": 1}}, "hyperparameters")
        self.refuse(self.dpo(n_epochs=1.5), "method.dpo.hyperparameters.n_epochs", "whole number")
        self.refuse(self.dpo(batch_size=0), "method.dpo.hyperparameters.batch_size", "from 1")
        self.refuse(self.dpo(beta=float("nan")), "method.dpo.hyperparameters.beta")
        self.refuse(self.dpo(beta=10**400), "method.dpo.hyperparameters.beta")
        self.refuse(self.dpo(gamma=1), "method.dpo.hyperparameters.gamma", "beta")

    def test_metadata_survives_as_labels(self):
        metadata = {f"key {index} \x7f\n": "ä" * 512 for index in range(16)}
        labels = requests.metadata_labels(metadata)
        for label, value in labels.items():
            self.assertLessEqual(len(value.encode()), 255)
            self.assertTrue(value.isascii() and value.isprintable(), value)
            self.assertRegex(label, r"^[A-Za-z0-9._/-]{1,63}$")
        self.assertEqual(requests.metadata_of({"team": "x", **labels}), metadata)
        self.assertIsNone(requests.metadata_of(requests.metadata_labels({})))

    def test_a_job_says_what_was_asked_and_the_model_says(self):
        with tempfile.TemporaryDirectory() as folder:
            store = FileStore(pathlib.Path(folder), FileLimits())
            self.addCleanup(store.close)
            data = lines(*[PAIR] * 100)
            file = store.add("a.jsonl", io.BytesIO(data), len(data)).id
            table = Models().read("models: {m: {path: /m, job: {epochs: 3, retry: {max_restarts: 1}}, dpo: {optimizer: {lr: 1.0e-6, name: adamw}}}}")
            base = table.get("m")
            place = requests.Place(base, "/m", pathlib.Path("/out"))
            request = requests.read_request({"model": "m", "training_file": file, "suffix": "My.Run", "seed": 7,
                                             **self.dpo(learning_rate_multiplier=2, batch_size=10, beta=0.3)})
            job = requests.make_job(request, place, store, JobDefaults(SCHEMA), uuid.UUID(int=1))
            self.assertEqual(job["optimizer"], {"lr": 2e-6, "name": "adamw"})
            self.assertEqual((job["epochs"], job["seed"], job["batch"], job["method"]), (3, 7, {"pairs": 10}, {"name": "dpo", "beta": 0.3}))
            self.assertEqual((job["schedule"], job["checkpoint"]), ({"warmup_steps": 3}, {"every_steps": 10}))
            self.assertNotIn("evaluate", job)
            self.assertEqual((job["name"], job["output"]), ("ft-my-run-000000000000", "/out/ft-my-run-000000000000"))
            with self.assertRaises(ApiError) as caught:
                requests.make_job(requests.read_request({**self.BODY, "training_file": file}), place, store, JobDefaults(SCHEMA), uuid.uuid4())
            self.assertEqual((caught.exception.param, caught.exception.code), ("training_file", "invalid_file_format"))

    def test_the_schema_of_this_build_has_the_defaults(self):
        defaults = JobDefaults.read()
        self.assertEqual((defaults.rate("dpo"), defaults.rate("supervised")), (5e-7, 1e-5))
        self.assertEqual(defaults.rhythm({"epochs": 2, "data": {"eval": ["x"]}}, 320),
                         {"checkpoint": {"every_steps": 10}, "evaluate": {"every_steps": 10}, "schedule": {"warmup_steps": 2}})
        self.assertEqual(defaults.rhythm({}, 320_000)["schedule"], {"warmup_steps": 150})


class Errors(unittest.TestCase):
    def test_errors_of_the_service_become_statuses(self):
        def status(own_token=True, again=True, **about):
            error = from_service(FpoError("text", **about), method="dpo", own_token=own_token, again=again)
            return error.status, error.param, error.again

        self.assertEqual(status(code="NOT_FOUND"), (404, None, False))
        self.assertEqual(status(code="INVALID_ARGUMENT", field="optimizer.lr"), (400, "method.dpo.hyperparameters.learning_rate_multiplier", False))
        self.assertEqual(status(code="NOT_FOUND", field="model.path"), (400, "model", False))
        self.assertEqual(status(code="FAILED_PRECONDITION"), (400, None, False))
        self.assertEqual(status(code="UNAVAILABLE"), (503, None, True))
        self.assertEqual(status(code="UNAVAILABLE", again=False), (503, None, False))
        self.assertEqual(status(code="UNAUTHENTICATED"), (502, None, False))
        self.assertEqual(status(code="UNAUTHENTICATED", own_token=False), (401, None, False))
        self.assertEqual(status(code="PERMISSION_DENIED", own_token=False), (403, None, False))
        self.assertEqual(status(code="RESOURCE_EXHAUSTED", reason="QUOTA"), (429, None, False))
        self.assertEqual(status(code="INTERNAL"), (500, None, False))


class ManyEvents:
    """A job with events 1 to `count`, of which those below `first` were removed; the coordinator returns a page at a time."""

    id = "j-1"
    state = JobState.RUNNING
    submitted = None

    def __init__(self, count, first=1):
        self.count, self.first, self.calls = count, first, 0

    def events(self, after=0):
        while True:
            self.calls += 1
            page = range(max(after + 1, self.first), self.count + 1)[:1000]
            for cursor in page:
                yield Event(cursor, 1, 0, {"kind": "step", "step": cursor, "t": 1, "metrics": {"loss": 0.5}})
            if not page:
                return
            after = page[-1]


class Events(unittest.TestCase):
    def test_each_is_shown_once_from_the_newest_to_the_oldest(self):
        for count, first in ((0, 1), (1, 1), (999, 1), (1000, 1), (1001, 1), (2500, 1), (5000, 3300), (100_000, 1)):
            with self.subTest(count=count, first=first):
                job = ManyEvents(count, first)
                shown = [event["id"] for event in itertools.islice(events_newest_first(job), 6000)]
                steps = [f"ftevent-j-1-{cursor}" for cursor in range(count, first - 1, -1)]
                self.assertEqual(shown, [*steps, "ftevent-j-1-created"][:6000])
                middle = shown[len(shown) // 2]
                rest = list(itertools.islice(events_newest_first(job, middle), 10))
                self.assertEqual([event["id"] for event in rest], shown[len(shown) // 2 + 1:][:10])

    def test_the_first_page_of_many_takes_few_calls(self):
        job = ManyEvents(100_000)
        list(itertools.islice(events_newest_first(job), 20))
        self.assertLess(job.calls, 30)


class Results(unittest.TestCase):
    def test_a_repeated_step_counts_as_it_was_last(self):
        class Line:
            def __init__(self, **data):
                self.data = data

        text = result_csv([Line(kind="step", step=2, metrics={"loss": 5.0}), Line(kind="warning"), Line(kind="step", step=1, metrics={"loss": 1.0}),
                           Line(kind="step", step=2, metrics={"loss": 0.1, "lr": None}), Line(kind="evaluation", step=2, metrics={"eval_loss": 0.5})])
        self.assertEqual(text.decode().splitlines(), ["step,train_loss,train_accuracy,valid_loss,valid_accuracy,eval_loss,loss,lr",
                                                      "1,1.0,,,,,1.0,", "2,0.1,,0.5,,0.5,0.1,"])


if __name__ == "__main__":
    unittest.main()
