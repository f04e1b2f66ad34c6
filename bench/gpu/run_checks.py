#!/usr/bin/env python3
"""Checks and measures fpo-train on this machine; run.sh calls it. Results are in --out: results.md, results.json, results.jsonl
(a line as soon as a part ended) and log.txt. A part that fails or takes too long is a row with its reason; the rest go on.

Exit code: 0 when every part is ok (or skipped, with its reason), 1 otherwise, 2 for a mistake on the command line."""
import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Callable

import step_runs
import tiny_runs
from host import Host, PartFailed, PartSkipped, free_port, json_lines, torch_of_python, torch_version
from report import Results
from shapes import SHAPES


@dataclass
class Part:
    name: str
    limit: float  # seconds
    run: Callable  # of the host: (text, values), or an exception
    needs: str = ""  # the part without which this one cannot run
    optional: bool = False  # left out, not failed, where the budget does not reach


def check_device(host):
    lines = host.train("inspect", "--devices", "--device", host.device).strip().splitlines()
    return "; ".join(lines), {}


def check_golden(host):
    """Only the cases of this device: the autograd engine of a process that began on the CPU has no queue for a GPU."""
    out = host.path("golden.json")
    host.run([host.program("fpo_golden_test"), f"--gtest_filter=*_{host.device}", f"--gtest_output=json:{out}"], may_fail=True)
    if not os.path.exists(out):
        raise PartFailed("the golden tests ended without a result; see log.txt")
    with open(out, encoding="utf-8") as file:
        cases = [case for suite in json.load(file)["testsuites"] for case in suite["testsuite"]]
    failed = [case["name"] for case in cases if "failures" in case]
    if failed:
        raise PartFailed(f"{len(failed)} of {len(cases)} failed: {', '.join(failed)}")
    skipped = [case for case in cases if case["result"] != "COMPLETED"]
    if skipped or not cases:
        raise PartFailed(f"{len(skipped)} of {len(cases)} were skipped: this device was not tested")
    return f"{len(cases)} cases against float64", {"cases": len(cases)}


def check_group(host):
    name = "libfpo_nccl.so"
    if host.device == "cuda" and not os.path.exists(host.program(name)):
        raise PartFailed(f"the pack has no {name}: it was built without nccl.h and the CUDA toolkit")
    line = json_lines(host.run([host.program("fpo_gpu_probe"), "group", host.device, str(free_port())]))[0]
    return f"one rank over {line['backend']}, sums, gathers and a barrier in {line['seconds']:.2f} s", line


def measure_products(host, shapes):
    lines = json_lines(host.run([host.program("fpo_gpu_probe"), "products", host.device, *shapes.products]))
    best = next((line for line in lines if line["type"] == "bfloat16" and "tflops" in line), None)
    if best is None:
        raise PartFailed(f"no product in bfloat16: {lines[0].get('error')}")
    return f"{best['tflops']:.3g} TFLOP/s in bfloat16 at {best['shape']}", {"products": lines}


def measure_copies(host, shapes):
    line = json_lines(host.run([host.program("fpo_gpu_probe"), "copy", host.device, str(shapes.copy_mib)]))[0]
    text = f"{line['within_gbs']:.3g} GB/s within the device, read and written"
    if "to_device_gbs" in line:
        text += f", {line['to_device_gbs']:.3g} to it, {line['to_host_gbs']:.3g} from it"
    return text, line


def compare_kernels(host, shapes):
    """Each kernel of libfpo_cuda.so: first whether it is right, then how fast."""
    if host.device != "cuda":
        raise PartSkipped("needs a GPU")
    name = "libfpo_cuda.so"
    if not os.path.exists(host.program(name)):
        raise PartFailed(f"the pack has no {name}: it was built without nvcc")
    lines = json_lines(host.run([host.program("fpo_gpu_probe"), "kernels", host.device, str(shapes.microbatch_tokens), str(shapes.vocab)]))
    wrong = [line for line in lines if not line["difference"] <= line["bound"]]
    if wrong:
        reasons = ", ".join(f"{line['kernel']} differs by {line['difference']:.2g}, allowed {line['bound']:.2g}" for line in wrong)
        raise PartFailed(f"{reasons}: no time counts")
    if len(lines) < 6:
        raise PartFailed(f"only {len(lines)} kernels were compared; see log.txt")
    gains = ", ".join(f"{line['kernel']} {line['plain_seconds'] / line['seconds']:.2g}x" for line in lines)
    return f"{len(lines)} agree with LibTorch's operators; faster than them: {gains}", {"kernels": lines}


def run_peer(host, shapes, name, ceilings):
    if torch_of_python() is None:
        raise PartSkipped(f"{sys.executable} has no torch")
    return step_runs.peer_steps(host, shapes, name, ceilings)


def parts_of(args, shapes, results):
    def ceilings():
        products = next((part["values"].get("products", []) for part in results.parts if part["part"] == "products"), [])
        return step_runs.ceilings_of(products, shapes.dtype)

    def steps(method, *flags):
        def run(host):
            if flags and host.device != "cuda":
                raise PartSkipped("needs a GPU")
            return step_runs.method_steps(host, shapes, args.shapes, step_runs.Variant(method, flags), args.steps, ceilings())

        return run

    return [
        Part("device", 30, check_device),
        Part("golden", 60, check_golden, "device"),
        Part("products", 45, lambda host: measure_products(host, shapes), "device"),
        Part("kernels", 45, lambda host: compare_kernels(host, shapes), "device"),
        Part("copy", 30, lambda host: measure_copies(host, shapes), "device"),
        Part("pipeline", 60, tiny_runs.pipeline, "device"),
        Part("repeat", 20, tiny_runs.repeat, "pipeline"),
        Part("resume", 30, tiny_runs.resume, "pipeline"),
        Part("group", 30, check_group, "device"),
        Part("model", 90, lambda host: step_runs.make_model(host, shapes)),
        # The least important last: what the budget does not reach is left out.
        Part("simpo", 90, steps("simpo"), "model"),
        Part("simpo-fused", 90, steps("simpo", "--fused-attention"), "model", optional=True),
        Part("fpo-records", 90, steps("fpo-records"), "model"),
        Part("peer", 60, lambda host: run_peer(host, shapes, args.shapes, ceilings()), optional=True),
        Part("simpo-plain", 90, steps("simpo", "--plain"), "model", optional=True),
        *(Part(method, 90, steps(method), "model", optional=True) for method in ("dpo-online", "tdpo2-online")),
    ]


def run_part(part, host, results, budget_end):
    """One row of the results, whatever happens."""
    start = time.monotonic()
    patience = 5 if host.device == "cpu" else 1  # the limits are for a GPU and an idle host
    limit = min(part.limit * patience, budget_end - start)
    host.deadline = start + limit
    values = {}
    missing = part.needs and not any(done["part"] == part.needs and done["result"] == "ok" for done in results.parts)
    try:
        if missing:
            raise PartFailed(f"not started: it needs the part {part.needs}")
        if part.optional and limit < part.limit / 6:
            raise PartSkipped("left out: the budget is used up")
        if limit < 1:
            raise PartFailed("not started: the budget is used up")
        result, (text, values) = "ok", part.run(host)
    except PartSkipped as reason:
        result, text = "skipped", str(reason)
    except PartFailed as reason:
        result, text = "failed", str(reason)
    except Exception as error:  # a mistake of the checks is a failed row too, and must not stop the rest
        result, text = "failed", f"{type(error).__name__}: {error}"
    seconds = time.monotonic() - start
    results.add({"part": part.name, "result": result, "seconds": seconds, "limit": max(limit, 0), "text": text, "values": values})
    print(f"{part.name}: {result}, {seconds:.1f} s: {text}", flush=True)


def first_line(argv, environment=None):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, env=environment)
        return done.stdout.strip().splitlines()[0] if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return ""


def processor_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())


def about_host(args, host, pack):
    """What stands above the tables."""
    query = first_line(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    gpu = query.split(", ") if query and args.device == "cuda" else None
    return {"device_name": gpu[0] if gpu else processor_name() if args.device == "cpu" else "cuda", "driver": gpu[1] if gpu else "–",
            "memory": gpu[2] if gpu else "–", "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "commit": pack["commit"], "program": first_line([host.program("fpo-train"), "--version"], host.environment()),
            "torch": torch_version(host.torch) or "unknown version", "cores": os.cpu_count(), "shapes": args.shapes,
            "model": {"2b": "Gemma-2-2B", "small": "a tiny Gemma-2"}[args.shapes]}


def arguments():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--shapes", choices=tuple(SHAPES), default="2b")
    parser.add_argument("--out", default="results", help="folder for the results (default: ./results)")
    parser.add_argument("--budget", type=float, default=360, help="seconds for all parts together (default: 360)")
    parser.add_argument("--steps", type=int, default=step_runs.FULL_STEPS, help="full steps of each method; the first does not count")
    parser.add_argument("--parts", nargs="+", metavar="PART", help="only these, and what they need")
    parser.add_argument("--torch", help="folder whose lib/ is LibTorch (default: the torch package of this Python)")
    args = parser.parse_args()
    args.torch = args.torch or torch_of_python()
    if args.torch is None or not os.path.exists(os.path.join(args.torch, "lib", "libtorch_cpu.so")):
        parser.error(f"no LibTorch in {args.torch}: install torch for {sys.executable}, or name its folder with --torch")
    if args.steps < 2:
        parser.error("--steps must be at least 2: the first step does not count")
    return args


def wanted(parts, names):
    if not names:
        return parts
    needs = {part.name: part.needs for part in parts}
    unknown = [name for name in names if name not in needs]
    if unknown:
        print(f"run.sh: there is no part '{unknown[0]}'; there are: {', '.join(needs)}", file=sys.stderr)
        sys.exit(2)
    keep = set()
    for name in names:
        while name:
            keep.add(name)
            name = needs[name]
    return [part for part in parts if part.name in keep]


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(here, "pack.json"), encoding="utf-8") as file:
        pack = json.load(file)
    version = torch_version(args.torch)
    if version is not None and version.split("+")[0] != pack["torch"]:
        sys.exit(f"run.sh: the programs were built for torch {pack['torch']}, {args.torch} is {version}")
    os.makedirs(args.out, exist_ok=True)
    work = tempfile.mkdtemp(prefix="fpo-gpu-check-")
    try:
        os.makedirs(os.path.join(work, "tiny"))
        host = Host(here, args.torch, work, args.device)
        results = Results(args.out, about_host(args, host, pack))
        budget_end = time.monotonic() + args.budget
        parts = wanted(parts_of(args, SHAPES[args.shapes], results), args.parts)
        try:
            if any(part.name == "model" for part in parts):
                step_runs.start_model(host, SHAPES[args.shapes])
            for part in parts:
                run_part(part, host, results, budget_end)
        finally:
            host.stop()
            print("\n" + results.write())
            shutil.copy(os.path.join(work, "log.txt"), os.path.join(args.out, "log.txt"))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0 if results.ok() else 1


if __name__ == "__main__":
    sys.exit(main())
