#!/usr/bin/env python3
"""Writes nf4.safetensors: matrices, and what bitsandbytes makes of them on a CPU.

usage: make_nf4_goldens.py OUT      needs bitsandbytes 0.50.2, safetensors and torch

Of a matrix NAME there are its weights, the packed codes, the magnitudes of its blocks (absmax), the same double-quantised (nested_*),
and the weights that come back of either form, in float32 and bfloat16. The 8-bit codes are those of bitsandbytes' published reference in
Python, which takes the nearest value, as on a GPU: its C++ for processors looks values up in a table, and takes the second nearest for
one in a thousand.
"""
import sys

import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

NESTED = 256


def matrices():
    g = torch.Generator().manual_seed(11)
    r = lambda *shape: torch.randn(*shape, generator=g)
    yield "normal", (r(136, 128) * 0.05).bfloat16()
    yield "part of a block", r(7, 50)
    wide = r(24, 256).bfloat16()
    wide[3, :] = 0
    wide[5, 7] = 300
    wide[9, 64:128] = 1e-30
    yield "outliers and zeros", wide
    # On the middles between two values, and beside them.
    values = F.get_4bit_type("nf4", device="cpu")
    middles = (values[:-1] + values[1:]) / 2
    below, above = torch.nextafter(middles, torch.tensor(-2.0)), torch.nextafter(middles, torch.tensor(2.0))
    yield "middles", torch.cat([torch.ones(1), middles, below, above, -torch.ones(18)]).reshape(1, 64) * torch.tensor([[1.0], [2.0]])


def main():
    out = {"dynamic_map": F.create_dynamic_map(), "values": F.get_4bit_type("nf4", device="cpu")}
    for name, weight in matrices():
        codes, state = F.quantize_4bit(weight, blocksize=64, quant_type="nf4")
        absmax = state.absmax
        nested_codes, nested = F.quantize_4bit(weight, blocksize=64, quant_type="nf4", compress_statistics=True)
        assert torch.equal(codes, nested_codes)
        # In float64 the published reference computes, not C++.
        nested.absmax, scales = torch.ops.bitsandbytes.quantize_blockwise((absmax - absmax.mean()).double(), nested.state2.code, NESTED)
        assert torch.equal(scales, nested.state2.absmax)
        out.update({
            f"{name}.weight": weight, f"{name}.codes": codes, f"{name}.absmax": absmax, f"{name}.nested_codes": nested.absmax,
            f"{name}.nested_absmax": nested.state2.absmax, f"{name}.offset": nested.offset.reshape(1),
        })
        for kind in (torch.float32, torch.bfloat16):
            word = str(kind).removeprefix("torch.")
            for form, quantised in (("", state), ("nested_", nested)):
                quantised.dtype = kind
                out[f"{name}.{form}{word}"] = F.dequantize_4bit(codes, quantised)
    save_file({name: tensor.contiguous() for name, tensor in out.items()}, sys.argv[1])


if __name__ == "__main__":
    main()
