"""Steps of a model with random weights: seconds, tokens a second, work against two ceilings, memory, seconds by part."""
import gzip
import json
import os
import shutil
from dataclasses import dataclass

from host import PartFailed, json_lines, read_json_lines
from model_flops import tokens_of, training_flops

FULL_STEPS = 2  # the first one does not count
PARTS = ("forward", "backward", "ranks", "update", "cache_wait")
METHODS = {
    "simpo": {"method": {"name": "simpo"}, "source": "none"},
    "fpo-records": {"method": {"name": "fpo", "beta": 2.0, "alpha": 0.5, "top_k": 50}, "source": "cached"},
    "dpo-online": {"method": {"name": "dpo"}, "source": "online"},
    "tdpo2-online": {"method": {"name": "tdpo2"}, "source": "online"},
}


def rows_of(path):
    with gzip.open(path, "rt") as file:
        return json_lines(file.read())


def config_of(host, shapes):
    with open(host.input(shapes.config), encoding="utf-8") as file:
        return json.load(file)


def start_model(host, shapes):
    """Its weights are drawn on one core, while other parts need the GPU."""
    host.start([host.program("fpo-train"), "init-model", "--config", host.input(shapes.config), "--dtype", shapes.dtype,
                "--out", host.path("model"), "--device", "cpu"])


def make_model(host, shapes):
    """The model that start_model began, and an SAE of random weights for it."""
    host.finish()
    hidden = config_of(host, shapes)["hidden_size"]
    host.run([host.program("fpo_gpu_probe"), "sae", str(hidden), str(shapes.sae_width), str(shapes.sae_threshold),
              str(shapes.sae_layer), host.path("sae")])
    size = sum(os.path.getsize(host.path("model", name)) for name in os.listdir(host.path("model")))
    return f"random weights, {size / 1e9:.2f} GB in {shapes.dtype}, an SAE of {shapes.sae_width} features", {}


def write_data(host, shapes, name, full_steps):
    """One file, full steps first, then those of real lengths; returns it and the rows of each step. A row that occurs again gets
    another id."""
    full = rows_of(host.input(f"{name}-full.jsonl.gz"))
    real = rows_of(host.input(f"{name}-real.jsonl.gz"))
    steps = [full] * full_steps + [real[i:i + shapes.pairs] for i in range(0, len(real), shapes.pairs)]
    path = host.path("steps.jsonl")
    with open(path, "w", encoding="ascii") as file:
        for step, rows in enumerate(steps):
            for row in rows:
                file.write(json.dumps({**row, "id": f"{row['id']}-{step}"}) + "\n")
    return path, steps


def job(host, shapes, method, data, steps):
    section = METHODS[method]
    result = {"name": "steps", "model": {"path": host.path("model"), "dtype": shapes.dtype}, "method": section["method"],
              "data": {"train": [data], "format": "ids", "template": "none", "max_length": shapes.length, "shuffle": False,
                       "max_prompt_length": shapes.length // 2},
              "optimizer": {"name": "adam", "lr": 1e-6}, "schedule": {"name": "constant", "warmup_steps": 0},
              "batch": {"pairs": shapes.pairs, "tokens_per_microbatch": shapes.microbatch_tokens}, "max_steps": steps,
              "checkpoint": {"every_steps": 1000000}, "output": host.path("steps")}
    if section["source"] != "none":
        result["reference"] = {"source": section["source"]}
    if section["method"]["name"] == "fpo":
        result["sae"] = {"path": host.path("sae", "params.npz")}
    return result


def table_row(what, shape, seconds, rows, config, ceilings):
    """What every row of the table has: ours and the peer's."""
    flops = training_flops(config, rows)
    return {"what": what, "shape": shape, "seconds": seconds, "tokens": tokens_of(rows), "tokens_per_second": tokens_of(rows) / seconds,
            "gflop_per_token": flops / tokens_of(rows) * 1e-9,
            "of_published_peak": flops / seconds / ceilings["published"] if ceilings.get("published") else None,
            "of_measured_product": flops / seconds / ceilings["measured"] if ceilings.get("measured") else None}


def summarise(what, shape, lines, step_rows, config, ceilings):
    """The steps after the first, as one row; the step with the median time gives the work."""
    counted = sorted(zip(lines[1:], step_rows[1:]), key=lambda pair: pair[0]["step_seconds"])
    line, rows = counted[len(counted) // 2]
    if int(line["tokens"]) != tokens_of(rows):
        raise PartFailed(f"{what}: step {line['step']} had {int(line['tokens'])} tokens, its data {tokens_of(rows)}")
    row = table_row(what, shape, line["step_seconds"], rows, config, ceilings)
    row["steps_counted"] = len(counted)
    row["device_peak_bytes"] = max((entry.get("device_memory_peak_bytes", 0) for entry in lines), default=0) or None
    row["parts"] = {part: line[f"{part}_seconds"] for part in PARTS if f"{part}_seconds" in line}
    return row


@dataclass(frozen=True)
class Variant:
    """A method, and flags of fpo-train that choose how it computes."""
    method: str
    flags: tuple = ()

    def name(self):
        return ", ".join([self.method, *(flag.lstrip("-") for flag in self.flags)])


def method_steps(host, shapes, name, variant, full_steps, ceilings):
    method = variant.method
    data, steps = write_data(host, shapes, name, full_steps)
    host.write_job("steps", job(host, shapes, method, data, len(steps)))
    out = host.path("steps")
    shutil.rmtree(out, ignore_errors=True)
    host.train("run", "--job", host.path("steps.json"), "--out", out, "--device", host.device, "--measure", *variant.flags)
    lines = read_json_lines(os.path.join(out, "metrics.jsonl"))
    if len(lines) != len(steps):
        raise PartFailed(f"{method}: {len(lines)} of {len(steps)} steps were reported")
    with open(os.path.join(out, "run.json"), encoding="utf-8") as file:
        record = json.load(file)
    config = config_of(host, shapes)
    rows = [summarise(variant.name(), "full", lines[:full_steps], steps[:full_steps], config, ceilings),
            summarise(variant.name(), "real", lines[full_steps:], steps[full_steps:], config, ceilings)]
    timings = record["timings"]
    text = f"{rows[0]['seconds']:.3g} s a full step, {rows[1]['seconds']:.3g} s one of real lengths; {timings['load_seconds']:.3g} s to load"
    if METHODS[method]["source"] == "cached":
        text += f", {timings['reference_seconds']:.3g} s for {record['reference']['records_computed']} records"
    return text, {"rows": rows, "steps": lines, "timings": timings, "warnings": record["warnings"]}


def ceilings_of(products, dtype):
    """Operations a second in the steps' type: by the data sheet, and of the first measured product of random numbers."""
    def of(lines, key):
        return next((line[key] * 1e12 for line in lines if line["type"] == dtype and key in line), None)

    return {"published": of(products, "published_tflops"), "measured": of(products, "tflops")}


def peer_steps(host, shapes, name, ceilings):
    """Forward and backward of the same pairs in PyTorch."""
    out = host.python("peer_gemma2.py", "--config", host.input(shapes.config), "--dtype", shapes.dtype, "--device", host.device,
                      "--microbatch-tokens", str(shapes.microbatch_tokens), "--pairs", str(shapes.pairs),
                      host.input(f"{name}-full.jsonl.gz"), host.input(f"{name}-real.jsonl.gz"))
    config = config_of(host, shapes)
    rows = []
    for line in json_lines(out):
        pairs = rows_of(host.input(f"{name}-{line['shape']}.jsonl.gz"))[:shapes.pairs]
        row = table_row(line["peer"], line["shape"], line["seconds"], pairs, config, ceilings)
        rows.append({**row, "device_peak_bytes": line["device_peak_bytes"], "note": line["note"]})
    if len(rows) != 2:
        raise PartFailed(f"the peer gave {len(rows)} of 2 rows")
    return f"{rows[0]['what']}: {rows[0]['seconds']:.3g} s a full step, forward and backward alone", {"rows": rows}
