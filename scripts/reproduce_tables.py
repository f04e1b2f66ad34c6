#!/usr/bin/env python3
"""Prints the FPO paper's tables and figures from finished jobs, ours beside the paper's.

usage: reproduce_tables.py --jobs JOBS.json --size tiny|2b|9b --out PAPER.md

JOBS.json is the output of `fpoctl list --json --limit 0 --label paper=...`; the jobs' output folders must be visible here.
A table whose jobs are missing says so. The paper: arXiv 2411.07618.
"""
import argparse
import json
import math
import os
import statistics
import sys

METHODS = ["dpo", "tdpo1", "tdpo2", "simpo", "fpo"]
OTHERS = ["sft", "dpo", "tdpo1", "tdpo2", "simpo"]
TITLE = {"sft": "SFT", "dpo": "DPO", "tdpo1": "TDPO-1", "tdpo2": "TDPO-2", "simpo": "SimPO", "fpo": "FPO"}
TEMPERATURES = ["0.2", "0.4", "0.6", "0.8", "1.0"]
ALPHAS = ["0.1", "0.5", "1.0", "2.0"]
SETS = 32  # of pairs, in Figure 4, middle

PAPER_WINS = {  # AlpacaEval-2 WR, Arena-Hard WR
    "2b": {"sft": (55.1, 53.2), "dpo": (50.8, 51.6), "tdpo1": (54.4, 51.4), "tdpo2": (54.0, 50.6), "simpo": (52.2, 51.4)},
    "9b": {"sft": (52.4, 53.4), "dpo": (51.0, 51.2), "tdpo1": (50.2, 51.8), "tdpo2": (49.9, 49.5), "simpo": (51.8, 51.0)},
}
PAPER_METHODS = {"dpo": (59.9, 1.66), "tdpo1": (63.2, 1.65), "tdpo2": (64.2, 1.68), "simpo": (63.4, 1.64), "fpo": (64.1, 1.68)}
PAPER_SITES = {(0, "residual"): (57.2, 1.645), (0, "mlp"): (57.4, 1.609), (1, "residual"): (59.1, 1.612), (1, "mlp"): (61.3, 1.637),
               (2, "residual"): (59.7, 1.644), (2, "mlp"): (62.4, 1.654), (3, "residual"): (63.6, 1.680), (3, "mlp"): (63.4, 1.671)}
PAPER_LAYERS = [7, 13, 19, 25]
PAPER_ALPHAS = {("0.1", False): (64.1, 1.630), ("0.5", False): (63.7, 1.642), ("1.0", False): (63.4, 1.666), ("2.0", False): (61.9, 1.643),
                ("0.1", True): (64.0, 1.652), ("0.5", True): (63.6, 1.680), ("1.0", True): (62.7, 1.682), ("2.0", True): (62.1, 1.679)}


class Missing(Exception):
    """A job or a number that a table needs."""


class Jobs:
    """The succeeded jobs of one reproduction: a name is an output folder's, and each seed has a folder of them."""

    def __init__(self, jobs):
        self.all = [job for job in jobs if job.get("state", "").endswith("SUCCEEDED")]
        self.by_name = {}
        for job in self.all:  # the newest first
            folder = json.loads(job["spec"]["config_json"])["output"]
            job["folder"] = folder
            seed = os.path.basename(os.path.dirname(folder))
            self.by_name.setdefault(os.path.basename(folder), {}).setdefault(seed, job)

    def find(self, name):
        """One job a seed, in the order of the seeds."""
        if name not in self.by_name:
            raise Missing(f"no job {name} has SUCCEEDED")
        return [job for _, job in sorted(self.by_name[name].items())]

    def has(self, name):
        return name in self.by_name

    def first(self, name):
        """Of the first seed, for runs that have only one."""
        return self.find(name)[0]

    def values(self, name, metric):
        return [number(job, metric) for job in self.find(name)]


def number(job, metric):
    result = job.get("result", {})
    for name in ("eval_" + metric, metric):
        if name in result:
            return float(result[name])
    raise Missing(f"job {job['name']} has no result {metric}")


def mean(values):
    return statistics.fmean(values)


def spread(values, digits, factor=1.0):
    """Mean over the seeds, and between which values they lie."""
    text = f"{factor * mean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({factor * min(values):.{digits}f}–{factor * max(values):.{digits}f})"
    return text


def table(header, rows):
    cells = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def claim(text, holds, because="", close=False):
    """close: the values differ by less than their noise, so that neither answer would mean anything."""
    verdict = "**cannot be told**" if close else "holds" if holds else "**does not hold**"
    return f"- {text}: {verdict} here{' (' + because + ')' if because else ''}."


def falling(values):
    return all(a >= b for a, b in zip(values, values[1:]))


def listed(pairs, digits):
    return ", ".join(f"{name} {value:.{digits}f}" for name, value in pairs)


def noise(job):
    """One standard error of an accuracy, in points."""
    pairs = number(job, "pairs")
    return 100 * math.sqrt(0.25 / pairs)


def accuracy_and_entropy(jobs, name):
    return jobs.values(name, "logps/accuracies"), jobs.values(name, "entropy_top100")


def ablation(jobs, name):
    """Accuracy, entropy and D of one run."""
    return [number(jobs.first(name), metric) for metric in ("logps/accuracies", "entropy_top100", "divergence/rejected")]


def table3(jobs, size):
    there = [m for m in METHODS if jobs.has(f"paper-{m}")]
    values = {m: accuracy_and_entropy(jobs, f"paper-{m}") for m in there}
    rewards = {m: jobs.values(f"paper-{m}", "rewards/accuracies") for m in there}
    rows = [[TITLE[m], PAPER_METHODS[m][0], spread(values[m][0], 1, 100), spread(rewards[m], 1, 100), PAPER_METHODS[m][1],
             spread(values[m][1], 3)] for m in there]
    order = sorted(there, key=lambda m: -mean(values[m][0]))
    entropy = {m: mean(values[m][1]) for m in there}
    error = noise(jobs.first("paper-fpo"))
    leading = 100 * (mean(values[order[0]][0]) - mean(values[order[min(2, len(order) - 1)]][0]))
    claims = [
        claim("TDPO-2 has the best accuracy and FPO the second", order[:2] == ["tdpo2", "fpo"],
              "ours: " + ", ".join(f"{TITLE[m]} {100 * mean(values[m][0]):.1f}" for m in order), leading < 2 * error),
        claim("No method has a higher entropy than FPO", entropy["fpo"] >= max(entropy.values()),
              listed([(TITLE[m], entropy[m]) for m in there], 3)),
    ]
    return [
        table(["method", "accuracy %, paper", "accuracy %, ours", "with the reference, ours", "entropy, paper", "entropy, ours"], rows),
        f"Ours: held-out pairs; share with more log-probability per token on the chosen side, and share with the larger reward; entropy of "
        f"the 100 likeliest tokens on the given responses. {len(rewards['fpo'])} seed(s); one standard error of an accuracy is {error:.1f} points.",
        "The paper measures accuracy on its training set and entropy on sampled text, without a formula, so only the order may be compared.",
    ] + (claims if there == METHODS else ["Not all methods were trained: nothing is claimed."])


def site_job(layer, site, size):
    label = layer if size == "tiny" else PAPER_LAYERS[layer]
    return "paper-fpo" if (layer, site) == (3, "residual") else f"paper-layer-{label}-{site}"


def table4_sites(jobs, size):
    rows, values = [], {}
    for (layer, site), paper in PAPER_SITES.items():
        name = site_job(layer, site, size)
        values[layer, site] = accuracy, entropy, distance = ablation(jobs, name)
        ours = layer if size == "tiny" else PAPER_LAYERS[layer]
        rows.append([f"{PAPER_LAYERS[layer]} {site}", f"{ours} {site}", paper[0], f"{100 * accuracy:.1f}", f"{paper[1]:.3f}",
                     f"{entropy:.3f}", f"{distance:.4f}"])
    error = noise(jobs.first("paper-fpo"))
    claims = []
    for site in ("residual", "mlp"):
        first, last = 100 * values[0, site][0], 100 * values[3, site][0]
        claims.append(claim(f"The last layer's {site} site is more accurate than the first's", last > first,
                            f"{first:.1f} and {last:.1f}, one standard error {error:.1f}", abs(last - first) < 2 * error))
    accuracies = [100 * value[0] for value in values.values()]
    best = max(values, key=lambda key: values[key][0])
    claims.append(claim("The last layer's residual stream is the best site", best == (3, "residual"), f"ours: {best[0]} {best[1]}",
                        max(accuracies) - min(accuracies) < 2 * error))
    return [table(["paper's site", "our site", "accuracy %, paper", "ours", "entropy, paper", "ours", "D of rejected, ours"], rows),
            "D of different SAEs has different units. Differences of half a point mean nothing: the paper itself has 64.1 and 63.6 for one setting."
            ] + claims


def alpha_job(alpha, stop):
    return "paper-fpo" if (alpha, stop) == ("0.5", True) else f"paper-alpha-{alpha.replace('.', '-')}{'-stop' if stop else ''}"


def table4_alpha(jobs, size):
    rows, accuracy, distance = [], {}, {}
    for (alpha, stop), paper in PAPER_ALPHAS.items():
        accuracy[alpha, stop], entropy, distance[alpha, stop] = ablation(jobs, alpha_job(alpha, stop))
        rows.append([alpha, "chosen" if stop else "-", paper[0], f"{100 * accuracy[alpha, stop]:.1f}", f"{paper[1]:.3f}", f"{entropy:.3f}",
                     f"{distance[alpha, stop]:.5f}"])
    claims, error = [], noise(jobs.first("paper-fpo"))
    for stop in (False, True):
        how = "with" if stop else "without"
        accuracies = [accuracy[a, stop] for a in ALPHAS]
        distances = [distance[a, stop] for a in ALPHAS]
        claims.append(claim(f"A larger alpha lowers D of the rejected side, {how} stop-gradient", falling(distances),
                            listed(zip(ALPHAS, distances), 5)))
        claims.append(claim(f"A larger alpha does not raise accuracy, {how} stop-gradient", falling(accuracies),
                            listed([(a, 100 * v) for a, v in zip(ALPHAS, accuracies)], 1),
                            100 * (max(accuracies) - min(accuracies)) < 2 * error))
    return [table(["alpha", "stop-gradient", "accuracy %, paper", "ours", "entropy, paper", "ours", "D of rejected, ours"], rows)] + claims


def figure3(jobs, size):
    rows, margins = [], {}
    for m in METHODS:
        name = f"paper-kl-{m}"
        margin = jobs.values(name, "kl/margin")
        chosen, rejected = jobs.values(name, "kl/chosen"), jobs.values(name, "kl/rejected")
        gain = [log_margin(job) for job in jobs.find(name)]
        margins[m] = mean(margin) / mean(gain) if mean(gain) > 0 else math.nan
        rows.append([TITLE[m], spread(margin, 4), spread(chosen, 3), spread(rejected, 3), spread(jobs.values(name, "divergence/chosen"), 5),
                     spread(jobs.values(name, "divergence/rejected"), 5), spread(gain, 3), f"{margins[m]:.4f}"])
    mean_margin = {m: mean(jobs.values(f"paper-kl-{m}", "kl/margin")) for m in METHODS}
    return [
        table(["method", "KL margin", "KL chosen", "KL rejected", "D chosen", "D rejected", "log-prob margin", "KL margin / log-prob margin"], rows),
        "KL margin: mean of abs(beta KL_rejected - beta KL_chosen), beta 0.1 for all; sequential KL to the SFT model, exact, of the trained models "
        "on held-out pairs; D with the SAE of FPO. Log-prob margin: what training added to the chosen side's log-probability per token over the "
        "rejected side's. The paper draws the KL margin over its steps, without numbers in the text.",
        claim("FPO's KL margin is below those of DPO and SimPO", mean_margin["fpo"] < min(mean_margin["dpo"], mean_margin["simpo"]),
              listed([(TITLE[m], mean_margin[m]) for m in METHODS], 4)),
        claim("So it is for the same log-prob margin, that is divided by it", margins["fpo"] < min(margins["dpo"], margins["simpo"]),
              listed([(TITLE[m], margins[m]) for m in METHODS], 4), any(math.isnan(value) for value in margins.values())),
    ]


def pairs_of(job):
    path = os.path.join(job["folder"], "evaluation.pairs.jsonl")
    try:
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]
    except OSError as error:
        raise Missing(f"{path}: {error.strerror}; the output folders must be visible here") from error


def pair_margin(pair):
    gains = [(pair[f"logps/{side}"] - pair[f"reference_logps/{side}"]) / pair[f"tokens/{side}"] for side in ("chosen", "rejected")]
    return gains[0] - gains[1]


def log_margin(job):
    return mean([pair_margin(pair) for pair in pairs_of(job)])


def figure4_margins(jobs, size):
    rows, correlations = [], []
    for job in jobs.find("paper-kl-fpo"):
        pairs = pairs_of(job)
        length = max(1, len(pairs) // SETS)
        sets = [pairs[i * length:(i + 1) * length] for i in range(min(SETS, len(pairs)))]
        of_sets = {
            "feature margin": [mean([p["divergence/rejected"] - p["divergence/chosen"] for p in s]) for s in sets],
            "KL margin": [mean([p["kl/rejected"] - p["kl/chosen"] for p in s]) for s in sets],
            "log-prob margin": [mean([pair_margin(p) for p in s]) for s in sets],
        }
        with_kl = statistics.correlation(of_sets["feature margin"], of_sets["KL margin"])
        with_log = statistics.correlation(of_sets["feature margin"], of_sets["log-prob margin"])
        correlations.append(with_kl)
        rows.append([os.path.basename(os.path.dirname(job["folder"])), len(sets), length, f"{with_kl:+.2f}", f"{with_log:+.2f}"])
    return [
        table(["seed", "sets", "pairs in a set", "feature margin with KL margin", "feature margin with log-prob margin"], rows),
        "Pearson's correlation over sets of held-out pairs of the FPO model; feature margin: D of rejected - D of chosen, as the KL margin. The "
        "paper draws the margins of 32 sets and calls them consistent, without a number.",
        claim("The feature margin goes with the KL margin (correlation above 0.5)", min(correlations) > 0.5,
              ", ".join(f"{value:+.2f}" for value in correlations)),
    ]


def figure4_memory(jobs, size):
    key = "memory_peak_bytes" if size == "tiny" else "device_memory_peak_bytes"
    peaks, rows = {}, []
    for name, reference in (("simpo", "none"), ("dpo", "records"), ("fpo", "records"), ("dpo-online", "in memory"), ("fpo-online", "in memory"),
                            ("tdpo1", "in memory"), ("tdpo2", "in memory")):
        job = jobs.first(f"paper-{name}")
        peaks[name] = number(job, key) / 2**20
        rows.append([name, reference, f"{peaks[name]:.0f}", f"{peaks[name] / peaks['simpo']:.3f}", f"{number(job, 'train_seconds'):.1f}"])
    online = min(peaks[name] for name in ("dpo-online", "fpo-online", "tdpo1", "tdpo2"))
    notes = ["The paper's five bars are 53.5, 50.1, 47.6, 45.5 and 45.1 GB; in the order of its legend, DPO, SimPO, TDPO-1, TDPO-2, FPO, they cannot be "
             "right, since SimPO must be cheapest. What fits its text (17.6 %) is TDPO-2 53.5, TDPO-1 50.1, DPO 47.6, FPO 45.5, SimPO 45.1."]
    if size == "tiny":
        notes.append("Of the whole process: the tiny model's weights are 5 MB of it, so a second model can hardly be seen. bench/memory_by_method.sh "
                     "measures a model of 270 M parameters (docs/performance.md): FPO with records 1.002, TDPO-2 1.162 times SimPO.")
    return [table(["run", "reference", "peak MiB", "to SimPO", "seconds"], rows)] + notes + [
        claim("FPO with records takes at most 3 % more than SimPO", peaks["fpo"] <= 1.03 * peaks["simpo"]),
        claim("and less than every run with the reference in memory", peaks["fpo"] < online)]


def judged(jobs, name):
    job = jobs.find(name)[0]
    with open(os.path.join(job["folder"], "annotations.json.summary.json"), encoding="utf-8") as file:
        return json.load(file)


def win(summary):
    low, high = summary["interval_95"]
    return f"{summary['win_rate']:.1f} [{low:.1f}, {high:.1f}]"


NO_JUDGE = ("**The judge here is the tiny SFT model itself: it cannot judge, and these numbers say nothing about the methods.** They show that answers, "
            "verdicts and intervals come about.")
PAPER_JUDGE = "The paper's judge, GPT-4 Turbo, has been switched off: numbers of another judge compare among themselves only."


def table2(jobs, size):
    rows, wins = [], {}
    for m in OTHERS:
        row = [TITLE[m]]
        for column, bench in enumerate(("alpaca", "arena")):
            there = jobs.has(f"judged-{bench}-{m}")
            summary = judged(jobs, f"judged-{bench}-{m}") if there else None
            row += [PAPER_WINS["2b" if size == "tiny" else size][m][column], win(summary) if there else "-"]
            if there:
                wins[bench, m] = summary["win_rate"]
        rows.append(row)
    if not wins:
        raise Missing("no answers were judged")
    above = [key for key in wins if wins[key] > 50]
    return [
        table(["FPO against", "AlpacaEval-2 WR, paper", "ours", "Arena-Hard WR, paper", "ours"], rows),
        NO_JUDGE if size == "tiny" else PAPER_JUDGE,
        "Win rates in percent with 95 % intervals, both orders of each pair. Not here: the length-controlled rate (`judge.length_control` with "
        "AlpacaEval's table), MT-Bench's scores" + (", the questions of the benchmarks (ours are held-out prompts of the tiny world)."
                                                    if size == "tiny" else "."),
        claim("FPO wins against every other model", len(above) == len(wins), f"{len(above)} of {len(wins)} above 50 %", size == "tiny"),
    ]


def figure4_temperatures(jobs, size):
    rows, best = [], {}
    for m in OTHERS:
        summaries = [judged(jobs, f"judged-{t.replace('.', '-')}-{m}") for t in TEMPERATURES]
        best[m] = sum(summary["win_rate"] > 50 for summary in summaries)
        rows.append([TITLE[m]] + [win(summary) for summary in summaries])
    return [
        table(["FPO against"] + ["T = " + t for t in TEMPERATURES], rows),
        NO_JUDGE if size == "tiny" else PAPER_JUDGE,
        claim("FPO wins at three or more of the five temperatures against each", min(best.values()) >= 3,
              ", ".join(f"{TITLE[m]} {best[m]}" for m in OTHERS), size == "tiny"),
    ]


def same_from_records(jobs, size):
    rows = []
    for metric in ("loss", "logps/accuracies", "rewards/margins", "divergence/rejected"):
        ours, online = (number(jobs.first(name), metric) for name in ("paper-fpo", "paper-fpo-online"))
        rows.append([metric, f"{ours:.9g}", f"{online:.9g}", f"{abs(ours - online):.1e}"])
    worst = max(float(row[3]) for row in rows)
    return [table(["held out", "FPO from records", "FPO with the reference in memory", "difference"], rows),
            claim("Stored records give the numbers of a reference in memory (to 1e-4)", worst < 1e-4)]


TABLES = [  # title, function, sizes
    ("Table 2: win rates", table2, ("tiny", "2b", "9b")),
    ("Table 3: accuracy and diversity", table3, ("tiny", "2b")),
    ("Table 4, above: layer and site of the SAE", table4_sites, ("tiny", "2b")),
    ("Table 4, below: alpha and stop-gradient", table4_alpha, ("tiny", "2b")),
    ("Figure 3: KL to the reference", figure3, ("tiny", "2b")),
    ("Figure 4, left: memory", figure4_memory, ("tiny", "2b")),
    ("Figure 4, middle: feature margin and KL margin", figure4_margins, ("tiny", "2b")),
    ("Figure 4, right: temperatures", figure4_temperatures, ("tiny", "2b")),
    ("Not in the paper: records or a reference in memory", same_from_records, ("tiny",)),
]


def counts(jobs):
    """What was asked of the reference, by recipe, and of the judge."""
    recipes, asked, verdicts = {}, 0, 0
    for job in jobs.all:
        cache = job.get("progress", {}).get("cache", {})
        if cache.get("recipe_id"):
            recipe = recipes.setdefault(cache["recipe_id"], [0, 0, 0])
            recipe[0] = max(recipe[0], int(cache.get("records_total", 0)))
            recipe[1] += int(cache.get("records_computed", 0))
            recipe[2] += 1
        asked += int(job.get("result", {}).get("verdicts_asked", 0))
        verdicts += int(job.get("result", {}).get("verdicts", 0))
    rows = [[recipe[:12], jobs_of, total, passes] for recipe, (total, passes, jobs_of) in sorted(recipes.items(), key=lambda item: -item[1][2])]
    passes = sum(row[3] for row in rows)
    return [table(["recipe", "jobs", "responses of one job at most", "forward passes of the reference"], rows),
            "A recipe is a reference model with an SAE; records with features serve the methods that need none. Runs with the reference in memory "
            "compute it in every step and are not in this table.",
            f"reference: {passes} forward passes in all", f"judge: {asked} calls for {verdicts} verdicts"]


def render(jobs, size, seconds):
    parts = [f"# The FPO paper's tables, {'Gemma-2-' + size.upper() if size != 'tiny' else 'on a tiny model'}"]
    if size == "tiny":
        parts.append("A random Gemma-2 of a million parameters that learnt one small world: relations between methods can be looked for here, numbers "
                     "cannot be compared with the paper's, and one run proves nothing. Each table says which relations it shows.")
    for title, make, sizes in TABLES:
        if size not in sizes:
            continue
        parts.append("## " + title)
        try:
            parts += make(jobs, size)
        except Missing as missing:
            parts.append(f"not made: {missing}")
    parts += ["## What it cost"] + counts(jobs)
    if seconds:
        parts.append(f"time: {seconds} s")
    # List items of one list stay together.
    text = ""
    for before, part in zip([""] + parts, parts):
        text += ("" if not text else "\n" if before.startswith("- ") and part.startswith("- ") else "\n\n") + part
    return text + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", required=True)
    parser.add_argument("--size", required=True, choices=["tiny", "2b", "9b"])
    parser.add_argument("--out", required=True)
    parser.add_argument("--seconds", type=int, default=0, help="of everything before, to be printed")
    args = parser.parse_args()
    with open(args.jobs, encoding="utf-8") as file:
        jobs = Jobs([json.loads(line)["job"] for line in file])
    text = render(jobs, args.size, args.seconds)
    with open(args.out, "w", encoding="utf-8") as file:
        file.write(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
