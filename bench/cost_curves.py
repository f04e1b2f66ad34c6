#!/usr/bin/env python3
"""How the cost of a step grows: with the length of the pairs, their number, the vocabulary and the SAE's width. Draws docs/cost-curves.svg.

  bench/cost_curves.py --svg docs/cost-curves.svg --json /tmp/curves.json

Each point is a process of fpo-train of --steps steps (the fastest after the first counts), on a small Gemma-2 of random weights and synthetic
pairs: three quarters of the length are prompt, the rest chosen and rejected each. The steps are SimPO's, for the SAE's widths FPO's with
records and an SAE of which some fifty features are active in a token. Memory is the peak of the process less that of one with one pair. Needs
Python with numpy, 6 GB of disk in the folder for temporary files and 8 GB of memory for the widest SAE; --only measures some of the curves.
"""
import argparse
import contextlib
import json
import math
import os
import tempfile
import time

import speed_case

LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
PAIRS = (1, 2, 4, 8, 16, 32, 64)
WIDTHS = (16384, 65536, 262144, 1048576)
VOCABULARIES = (32768, 262144)
CURVES = ("length", "pairs", "sae")
RESIDUAL = 2.5  # standard deviation of this model's residual stream where the SAE reads it


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed_case.arguments(parser)
    parser.set_defaults(hidden=256, layers=4, heads=4, kv_heads=2, ff=1024)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--svg", default=str(speed_case.ROOT / "docs/cost-curves.svg"))
    parser.add_argument("--json", help="write the figures here; read them instead of measuring if the file exists")
    parser.add_argument("--only", choices=CURVES, action="append", help="measure these curves alone, and draw nothing")
    args = parser.parse_args()
    if args.json and os.path.exists(args.json):
        with open(args.json, encoding="ascii") as file:
            curves = json.load(file)
    else:
        curves = measure(args)
        if args.json:
            with open(args.json, "w", encoding="ascii") as file:
                json.dump(curves, file, indent=1)
    if not args.only:
        with open(args.svg, "w", encoding="utf-8") as file:
            file.write(draw(curves))


def measure(args):
    curves = {"length": {}, "pairs": {}, "sae": {}, "memory": {}}
    wanted = args.only or CURVES
    start = time.monotonic()
    for vocabulary in VOCABULARIES if set(wanted) & {"length", "pairs"} else ():
        with model_of(args, vocabulary) as folder:
            measure_tokens(args, folder, curves, wanted)
    if "sae" in wanted:
        with model_of(args, VOCABULARIES[0]) as folder:
            for width in WIDTHS:
                measure_width(args, folder, curves["sae"], width)
    print(f"{time.monotonic() - start:.0f} s in all", flush=True)
    return curves


@contextlib.contextmanager
def model_of(args, vocabulary):
    """A folder with a model of this vocabulary."""
    args.vocab = vocabulary
    with tempfile.TemporaryDirectory() as folder:
        speed_case.make_model(args, folder)
        yield folder


def measure_tokens(args, folder, curves, wanted):
    name = f"vocabulary {args.vocab // 1024} k"
    if "length" in wanted:
        points = [step(args, folder, length=length, pairs=max(1, 2048 // length)) for length in LENGTHS]
        curves["length"][name] = [(length, point["rate"]) for length, point in zip(LENGTHS, points)]
    if "pairs" in wanted:
        points = [step(args, folder, length=128, pairs=pairs) for pairs in PAIRS]
        curves["pairs"][name] = [(pairs, point["rate"]) for pairs, point in zip(PAIRS, points)]
        least = points[0]["memory"]
        curves["memory"][name] = [(point["tokens"], (point["memory"] - least) / 2 ** 20) for point in points[1:]]


def measure_width(args, folder, lines, width):
    sae = os.path.join(folder, "sae")
    speed_case.write_sae(sae, args.hidden, width, args.layers // 2, RESIDUAL)
    for selection in ("union", "reference"):  # the second finds the records of the first
        point = step(args, folder, method="fpo", width=width, length=512, pairs=8, selection=selection)
        lines.setdefault(f"selection {selection}", []).append((width, point["rate"]))
    os.remove(os.path.join(folder, "reference-fpo.fpr"))
    os.remove(os.path.join(sae, "params.npz"))


def step(args, folder, method="simpo", length=512, pairs=8, width=0, selection=""):
    prompt = length - length // 4
    args.pairs, args.max_length = pairs, length
    args.synthetic = f"{prompt},{length - prompt},{length - prompt}"
    speed_case.write_pairs(speed_case.read_pairs(args, args.vocab), os.path.join(folder, "pairs.jsonl"))
    job = speed_case.job(args, folder, method, "cached" if method == "fpo" else "none", args.steps)
    if selection:
        job["method"]["feature_selection"] = selection
    job["batch"]["tokens_per_microbatch"] = 1 << 20
    lines = speed_case.run_steps(args, folder, job)[1:]
    seconds = min(line["step_seconds"] for line in lines)
    tokens = pairs * (prompt + 2 * (length - prompt))
    point = {"seconds": seconds, "tokens": tokens, "rate": tokens / seconds, "memory": lines[-1]["memory_peak_bytes"]}
    print(f"vocabulary {args.vocab:7} length {length:5} pairs {pairs:3} SAE {width:8} {selection:9} {seconds:7.2f} s "
          f"{point['rate']:7.0f} tokens/s {point['memory'] / 2 ** 20:6.0f} MiB", flush=True)
    return point


# A panel: title, label below, label of the values, whether both axes are logarithmic or linear from 0.
PANELS = {"length": ("tokens/s by length", "tokens of prompt and response", "tokens/s", True),
          "pairs": ("tokens/s by pairs a step, length 128", "pairs", "tokens/s", True),
          "sae": ("tokens/s by width of the SAE", "features", "tokens/s", True),
          "memory": ("memory by tokens of a micro-batch", "tokens", "MiB above one pair", False)}
COLOURS = ("#1f6f8b", "#c0562f")
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 420, 260, 62, 44, 34


def draw(curves):
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {2 * HEIGHT}" font-family="sans-serif" font-size="11">',
             f'<rect width="{2 * WIDTH}" height="{2 * HEIGHT}" fill="#ffffff"/>']
    for index, (key, panel) in enumerate(PANELS.items()):
        parts.append(f'<g transform="translate({index % 2 * WIDTH} {index // 2 * HEIGHT})">')
        parts += draw_panel(panel, curves[key])
        parts.append("</g>")
    return "\n".join(parts + ["</svg>"]) + "\n"


def draw_panel(panel, lines):
    title, below, label, logarithmic = panel
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    place_x = Axis(xs, LEFT, WIDTH - 16, logarithmic, 2)
    place_y = Axis(ys, HEIGHT - BOTTOM, TOP, logarithmic, 10)
    out = [f'<text x="{LEFT}" y="18" font-size="13">{title}</text>',
           f'<text x="{(LEFT + WIDTH) // 2}" y="{HEIGHT - 8}" text-anchor="middle">{below}</text>',
           f'<text transform="translate(14 {(HEIGHT - BOTTOM + TOP) // 2}) rotate(-90)" text-anchor="middle">{label}</text>']
    for value in place_y.ticks:
        y = place_y(value)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - 16}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
                   f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>')
    for value in sorted(set(xs)) if logarithmic else place_x.ticks:
        out.append(f'<text x="{place_x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{short(value)}</text>')
    for index, (name, points) in enumerate(lines.items()):
        colour = COLOURS[index]
        path = " ".join(f"{place_x(x):.1f},{place_y(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{place_x(x):.1f}" cy="{place_y(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in points]
        out.append(f'<text x="{WIDTH - 18}" y="{TOP + 12 + 14 * index}" text-anchor="end" fill="{colour}">{name}</text>')
    return out


class Axis:
    def __init__(self, values, low, high, logarithmic, base):
        self.low, self.high, self.scale = low, high, math.log if logarithmic else float
        if logarithmic:
            first, last = math.floor(math.log(min(values), base)), math.ceil(math.log(max(values), base))
            self.ticks = [base ** power for power in range(first, last + 1)]
            self.begin, self.end = (min(values), max(values)) if base == 2 else (self.ticks[0], self.ticks[-1])
        else:
            step = 10 ** math.floor(math.log10(max(values)))
            step = step if max(values) / step > 2 else step / 5
            self.ticks = [step * index for index in range(math.ceil(max(values) / step) + 1)]
            self.begin, self.end = 0, self.ticks[-1]

    def __call__(self, value):
        share = (self.scale(value) - self.scale(self.begin)) / (self.scale(self.end) - self.scale(self.begin))
        return self.low + share * (self.high - self.low)


def short(value):
    for unit, name in ((2 ** 20, "M"), (1024, "k")):
        if value >= unit and value % unit == 0:
            return f"{value // unit:g} {name}"
    return f"{value:,.0f}"


if __name__ == "__main__":
    main()
