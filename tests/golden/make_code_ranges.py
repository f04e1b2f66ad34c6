"""Prints the ranges of train/tokenizer/words/code_ranges.cc: what \\p{L} and \\p{N} match in the `tokenizers` library.

Needs tokenizers (made with 0.23.3): python make_code_ranges.py
"""
from tokenizers import Regex, pre_tokenizers


def matched(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    # Between two characters that are none of these; surrogates are no characters.
    return [code for code in range(2, 0x110000)
            if not 0xD800 <= code < 0xE000 and len(split.pre_tokenize_str("\x01" + chr(code) + "\x01")) == 3]


def ranges(codes):
    out = []
    for code in codes:
        if out and code == out[-1][1] + 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


for name, pattern in (("kLetters", r"\p{L}"), ("kNumbers", r"\p{N}")):
    print(f"constexpr CodeRange {name}[] = {{")
    line = "   "
    for first, last in ranges(matched(pattern)):
        item = f" {{0x{first:X}, 0x{last:X}}},"
        if len(line + item) > 98:
            print(line)
            line = "   "
        line += item
    print(line + "\n};")
