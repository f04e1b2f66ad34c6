"""Results of the checks: a JSON line for each part as soon as it ended, then one JSON file and one Markdown file."""
import json
import os


class Results:
    """Writes into a folder: results.jsonl at once, results.json and results.md at the end."""

    def __init__(self, folder, about):
        self.folder, self.about, self.parts = folder, about, []
        self.lines = open(os.path.join(folder, "results.jsonl"), "w", encoding="utf-8")

    def add(self, part):
        self.parts.append(part)
        self.lines.write(json.dumps(part) + "\n")
        self.lines.flush()
        os.fsync(self.lines.fileno())

    def ok(self):
        return all(part["result"] in ("ok", "skipped") for part in self.parts)

    def write(self):
        text = markdown(self.about, self.parts)
        with open(os.path.join(self.folder, "results.json"), "w", encoding="utf-8") as file:
            json.dump({**self.about, "ok": self.ok(), "parts": self.parts}, file, indent=1)
        with open(os.path.join(self.folder, "results.md"), "w", encoding="utf-8") as file:
            file.write(text)
        return text


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "/") for cell in line) + " |\n" for line in lines)


def number(value, form="{:.3g}"):
    return "–" if value is None else form.format(value)


def percent(value):
    return number(value and 100 * value, "{:.1f} %")


def gib(value):
    return number(value and value / 2**30, "{:.1f}")


def thousands(value):
    return number(value, "{:,.0f}")


def part_rows(parts):
    return [[part["part"], part["result"], f"{part['seconds']:.1f} of {part['limit']:.0f}", part["text"]] for part in parts]


def product_rows(lines):
    """One row for a shape, with a column for each type."""
    rows = {}
    for line in lines:
        rows.setdefault(line["shape"], {})[line["type"]] = number(line.get("tflops")) if "tflops" in line else "not available"
    return [[shape.replace("x", " x "), *(by_type.get(kind, "–") for kind in PRODUCT_TYPES)] for shape, by_type in rows.items()]


def kernel_rows(lines):
    return [[line["kernel"], number(line["difference"]), number(line["bound"]), number(1000 * line["seconds"]),
             number(1000 * line["plain_seconds"]), number(line["plain_seconds"] / line["seconds"])] for line in lines]


PRODUCT_TYPES = ("bfloat16", "bfloat16 to float32", "float32")
STEP_HEAD = ["", "lengths", "s/step", "tokens/s", "GFLOP/token", "of the published peak", "of the measured product", "device GiB",
             "forward", "backward", "update", "steps"]


def step_row(row):
    parts = row.get("parts", {})
    return [row["what"], row["shape"], number(row["seconds"]), thousands(row["tokens_per_second"]), number(row["gflop_per_token"]),
            percent(row["of_published_peak"]), percent(row["of_measured_product"]), gib(row["device_peak_bytes"]),
            *(number(parts.get(part)) for part in ("forward", "backward", "update")), row.get("steps_counted", 1)]


def values_of(parts, name):
    return next((part["values"] for part in parts if part["part"] == name and part["result"] == "ok"), {})


def markdown(about, parts):
    text = "# Checks on " + about["device_name"] + "\n\n"
    text += table(["", ""], [[key.replace("_", " "), value] for key, value in about.items()])
    text += "\n" + table(["part", "result", "seconds", ""], part_rows(parts))
    products = values_of(parts, "products").get("products", [])
    if products:
        text += "\nProducts of random matrices, TFLOP/s; the first shape, in the type of the steps, is the measured ceiling:\n\n"
        text += table(["M x K x N", *PRODUCT_TYPES], product_rows(products))
    kernels = values_of(parts, "kernels").get("kernels", [])
    if kernels:
        text += "\nKernels against LibTorch's operators, forward and backward; differences as vectors:\n\n"
        text += table(["", "difference", "allowed", "ms", "LibTorch ms", "times as fast"], kernel_rows(kernels))
    rows = [row for part in parts for row in part["values"].get("rows", [])]
    if rows:
        text += ("\nSteps of " + about["model"] + ", random weights. Work is that of the model's formula for real tokens: no recomputation, "
                 "reference, SAE, optimizer or padding.\nParts in seconds; forward includes a live reference.\n\n")
        if about["shapes"] == "small":
            text += "Small shapes test the checks; their speeds are no measurement.\n\n"
        text += table(STEP_HEAD, [step_row(row) for row in rows])
        text += "".join(f"\n{row['what']}, {row['shape']}: {row['note']}.\n" for row in rows if "note" in row)
    return text
