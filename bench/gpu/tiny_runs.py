"""The demo's pipeline, shortened, on the CPU and on the device: the same inputs must give the same numbers, and a repeated or resumed
run the same bytes."""
import array
import json
import os
import shutil

from host import PartFailed, read_json_lines, sha256_of

STEPS, PAIRS = 6, 8
# Float32 sums in another order give losses that agree to about 1e-6; a wrong kernel is off by far more.
LARGEST_DIFFERENCE = 1e-3
# Below this size a value counts as noise around zero.
FLOOR = 1e-2
PLAIN_CPU = "cpu-plain"  # without vector instructions
# How many pairs have the right sign; a margin of zero up to rounding decides it either way.
COUNTS = ("rewards/accuracies", "rewards/ties", "logps/accuracies")


def data(host, name):
    return {"train": [host.input(f"tiny/data/{name}.jsonl")], "max_length": 128, "max_prompt_length": 64, "max_pairs": PAIRS * STEPS}


def job(host, name, model, method, optimizer):
    return {"name": name, "model": {"path": model, "dtype": "float32"}, "method": method, "optimizer": optimizer,
            "data": data(host, "sft" if name == "sft" else "train"), "schedule": {"name": "constant", "warmup_steps": 2},
            "batch": {"pairs": PAIRS, "tokens_per_microbatch": 512}, "max_steps": STEPS, "checkpoint": {"every_steps": 2},
            "output": host.path("tiny", name)}


def sft_job(host):
    return job(host, "sft", host.input("tiny/base"), {"name": "sft"}, {"name": "adamw", "lr": 2e-3})


def sae_job(host):
    return {"name": "sae", "kind": "sae", "model": {"path": host.input("tiny/base"), "dtype": "float32"},
            "sae": {"layer": 2, "site": "resid_post"}, "data": data(host, "train"), "output": host.path("tiny", "sae"),
            "sae_training": {"width": 512, "target_l0": 24, "lr": 2e-3, "steps": 20, "batch_tokens": 512}}


def fpo_job(host):
    fpo = job(host, "fpo", host.path("tiny", "sft-cpu", "model"), {"name": "fpo", "beta": 2.0, "alpha": 0.5, "top_k": 50},
              {"name": "adam", "lr": 2e-4})
    fpo["sae"] = {"path": host.path("tiny", "random-sae", "params.npz")}
    fpo["reference"] = {"source": "cached"}
    return fpo


def train(host, command, name, side, words=(), failpoint=None):
    """Runs a job on one side, "cpu" or the one under test; the result is in tiny/NAME-SIDE. A failpoint is to kill the program."""
    out = host.path("tiny", f"{name}-{side}")
    if "--resume" not in words:
        shutil.rmtree(out, ignore_errors=True)
    before = ["--failpoint", failpoint] if failpoint else []
    host.train(*before, command, "--job", host.path(f"{name.split('-')[0]}.json"), "--out", out, "--device",
               "cuda" if side == "cuda" else "cpu", *words, may_fail=failpoint is not None,
               extra={"ATEN_CPU_CAPABILITY": "default"} if side == PLAIN_CPU else {})
    return out


def side_under_test(host):
    """The device; without one the CPU with other kernels, which round elsewhere."""
    return "cuda" if host.device == "cuda" else PLAIN_CPU


def measures_time_or_memory(name):
    return name.endswith(("_seconds", "_bytes")) or name.startswith(("mfu", "gemm_")) or name in ("step", "epoch")


def numbers(folder):
    """(name, step) -> value, of everything that the run computed."""
    path = os.path.join(folder, "metrics.jsonl")
    rows = read_json_lines(path) if os.path.exists(path) else []
    return {(name, row["step"]): value for row in rows for name, value in row.items()
            if isinstance(value, (int, float)) and not measures_time_or_memory(name)}


def largest_difference(ours, theirs):
    """(relative difference, name, step) of the pair of numbers that is furthest apart."""
    if ours.keys() != theirs.keys() or not ours:
        raise PartFailed(f"the two runs report different numbers: {sorted(ours.keys() ^ theirs.keys())[:4]}")
    return max((abs(ours[key] - theirs[key]) / max(abs(ours[key]), abs(theirs[key]), FLOOR), *key) for key in ours
               if key[0] not in COUNTS)


def float32_tensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        values = array.array("f")
        values.frombytes(body[entry["data_offsets"][0]:entry["data_offsets"][1]])
        yield name, values


def weights_differ_by(ours, theirs):
    """Largest absolute difference of a weight between two exported models."""
    pairs = zip(float32_tensors(weights_of(ours)), float32_tensors(weights_of(theirs)))
    return max(abs(a - b) for (_, one), (_, other) in pairs for a, b in zip(one, other))


def weights_of(run):
    return os.path.join(run, "model", "model.safetensors")


def compare_stage(host, name, side):
    ours = host.path("tiny", f"{name}-{side}")
    theirs = host.path("tiny", f"{name}-cpu")
    difference, key, step = largest_difference(numbers(ours), numbers(theirs))
    result = {"numbers": len(numbers(ours)), "largest_difference": difference, "of": f"{key} at step {step}"}
    if name != "sae":
        result["weights_differ_by"] = weights_differ_by(ours, theirs)
    if difference > LARGEST_DIFFERENCE:
        raise PartFailed(f"{name}: {key} at step {step} differs by {difference:.1e} between {side} and cpu")
    return result


def pipeline(host):
    """SFT, an SAE and FPO with records, each on both sides from the same inputs."""
    side = side_under_test(host)
    host.run([host.program("fpo_gpu_probe"), "sae", "128", "512", "8", "2", host.path("tiny", "random-sae")])
    stages = {}
    for name, command, make in (("sft", "run", sft_job), ("sae", "sae", sae_job), ("fpo", "run", fpo_job)):
        host.write_job(name, make(host))
        train(host, command, name, "cpu")
        train(host, command, name, side)
        stages[name] = compare_stage(host, name, side)
    text = ", ".join(f"{name} {stage['largest_difference']:.1e} ({stage['of']})" if stage["largest_difference"] else f"{name} none"
                     for name, stage in stages.items())
    return f"{sum(stage['numbers'] for stage in stages.values())} numbers, largest relative difference to the CPU: {text}", stages


def same_bytes(ours, theirs, what):
    first, second = numbers(ours), numbers(theirs)
    if first != second:
        different = [key for key in first if first[key] != second.get(key)]
        raise PartFailed(f"{what}: {len(different)} of {len(first)} numbers differ, first {different[0] if different else 'a missing one'}")
    digests = sha256_of(weights_of(ours)), sha256_of(weights_of(theirs))
    if digests[0] != digests[1]:
        raise PartFailed(f"{what}: the weights differ, though {len(first)} numbers are the same")
    return f"{len(first)} numbers and the weights are the same bits", {"weights_sha256": digests[0]}


def first_run(host):
    return host.path("tiny", f"fpo-{side_under_test(host)}")


def repeat(host):
    return same_bytes(first_run(host), train(host, "run", "fpo-repeat", side_under_test(host)), "a repeated run")


def resume(host):
    """Killed when its fifth step begins, after the checkpoint of step 4, then resumed."""
    side = side_under_test(host)
    killed = train(host, "run", "fpo-resume", side, failpoint="train.step.begin=kill@5")
    if os.path.exists(os.path.join(killed, "model")):
        raise PartFailed("the run was to be killed and was not")
    return same_bytes(first_run(host), train(host, "run", "fpo-resume", side, ["--resume"]), "a resumed run")
