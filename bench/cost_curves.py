#!/usr/bin/env python3
"""How the cost of a step grows: with the length of the pairs, their number, the vocabulary and the SAE's width. Draws docs/cost-curves.svg.

  bench/cost_curves.py --svg docs/cost-curves.svg --json /tmp/curves.json

Each point is a process of fpo-train of --steps steps (the fastest after the first counts), on a small Gemma-2 of random weights and synthetic
pairs: three quarters of the length are prompt, the rest chosen and rejected each. The steps are SimPO's, for the SAE's widths FPO's with
records. Memory is the peak of the process less that of one with one pair. Needs Python with numpy; about eight minutes on two cores.
"""
import argparse
import json
import math
import os
import tempfile

import speed_case

LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)
PAIRS = (1, 2, 4, 8, 16, 32, 64)
WIDTHS = (16384, 65536, 262144)  # records of a random SAE of a million features are larger than a record may be
VOCABULARIES = (32768, 262144)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    speed_case.arguments(parser)
    parser.set_defaults(hidden=256, layers=4, heads=4, kv_heads=2, ff=1024)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--svg", default=str(speed_case.ROOT / "docs/cost-curves.svg"))
    parser.add_argument("--json", help="write the figures here; read them instead of measuring if the file exists")
    args = parser.parse_args()
    if args.json and os.path.exists(args.json):
        with open(args.json, encoding="ascii") as file:
            curves = json.load(file)
    else:
        curves = measure(args)
        if args.json:
            with open(args.json, "w", encoding="ascii") as file:
                json.dump(curves, file, indent=1)
    with open(args.svg, "w", encoding="utf-8") as file:
        file.write(draw(curves))


def measure(args):
    curves = {"length": {}, "pairs": {}, "sae": {}, "memory": {}}
    for vocabulary in VOCABULARIES:
        name = f"vocabulary {vocabulary // 1024} k"
        points = [step(args, vocabulary=vocabulary, length=length, pairs=max(1, 2048 // length)) for length in LENGTHS]
        curves["length"][name] = [(length, point["rate"]) for length, point in zip(LENGTHS, points)]
        points = [step(args, vocabulary=vocabulary, length=128, pairs=pairs) for pairs in PAIRS]
        curves["pairs"][name] = [(pairs, point["rate"]) for pairs, point in zip(PAIRS, points)]
        least = points[0]["memory"]
        curves["memory"][name] = [(point["tokens"], (point["memory"] - least) / 2 ** 20) for point in points[1:]]
    for selection in ("union", "reference"):
        points = [step(args, method="fpo", width=width, length=512, pairs=8, selection=selection) for width in WIDTHS]
        curves["sae"][f"selection {selection}"] = [(width, point["rate"]) for width, point in zip(WIDTHS, points)]
    return curves


def step(args, method="simpo", vocabulary=32768, length=512, pairs=8, width=0, selection=""):
    prompt = length - length // 4
    args.vocab, args.pairs, args.max_length = vocabulary, pairs, length
    args.synthetic = f"{prompt},{length - prompt},{length - prompt}"
    with tempfile.TemporaryDirectory() as folder:
        config = speed_case.config_of(args)
        speed_case.make_model(args, folder)
        speed_case.write_pairs(speed_case.read_pairs(args, vocabulary), os.path.join(folder, "pairs.jsonl"))
        job = speed_case.job(args, folder, method, "cached" if method == "fpo" else "none", args.steps)
        if width:
            speed_case.write_sae(os.path.join(folder, "sae"), config["hidden_size"], width, args.layers // 2)
            job["method"]["feature_selection"] = selection
        job["batch"]["tokens_per_microbatch"] = 1 << 20
        lines = speed_case.run_steps(args, folder, job)[1:]
    seconds = min(line["step_seconds"] for line in lines)
    tokens = pairs * (prompt + 2 * (length - prompt))
    point = {"seconds": seconds, "tokens": tokens, "rate": tokens / seconds, "memory": lines[-1]["memory_peak_bytes"]}
    print(f"vocabulary {vocabulary:7} length {length:5} pairs {pairs:3} SAE {width:8} {selection:9} {seconds:7.2f} s "
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
