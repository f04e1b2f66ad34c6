#!/usr/bin/env python3
"""Writes tokenizer_ids.jsonl and tiny_tokenizers.jsonl: texts and the ids that Hugging Face's tokenizers library gives them.

  python3 -m venv v && v/bin/pip install tokenizers==0.23.3 transformers==5.24.0 sentencepiece protobuf
  v/bin/python make_tokenizer_goldens.py SHARED_DATA

tokenizer_ids.jsonl has three tokenizers: "2j" is the published tokenizer.json of Gemma 2; "2m" and "3" are what transformers makes of the
tokenizer.model of Gemma 2 and Gemma 3 alone. A line of the output is one of
  {"made_with": ..., "merges": how many each tokenizer has}
  {"text": T, ...}                       an odd text
  {"repeat": [T, n], ...}                T n times
  {"range": [a, b], ...}                 the code points from a to b (without surrogates)
  {"file": F, "every": k, "lines": {tokenizer: D}}   every k-th line of a real text; D holds 8 digits of the SHA-256 for each
  {"decode": [ids], "decoded": {tokenizer: T}}
where "..." holds the ids for each tokenizer, as a list or, from 24 ids on, as "count:first 16 digits of the SHA-256 of the
ids as little-endian 32-bit numbers". "2m" is left out where it equals "2j".

tiny_tokenizers.jsonl needs no data: each line is {"tokenizer": a whole tokenizer.json, "texts": [[text, ids, decoded], ...]}
and tries one feature that Gemma's own file does not use or not alone.
"""
import gzip
import hashlib
import json
import os
import random
import shutil
import struct
import sys
import tempfile

import tokenizers
import transformers


def load(shared):
    def from_model(path):
        folder = tempfile.mkdtemp()
        shutil.copy(path, os.path.join(folder, "tokenizer.model"))
        made = transformers.GemmaTokenizer.from_pretrained(folder).backend_tokenizer
        shutil.rmtree(folder)
        return made
    text = gzip.open(f"{shared}/tokenizer/gemma2/tokenizer.json.gz", "rt", encoding="utf-8").read()
    return {"2j": tokenizers.Tokenizer.from_str(text),
            "2m": from_model(f"{shared}/tokenizer/gemma2/gemma2_rebuilt.spm.model"),
            "3": from_model(f"{shared}/tokenizer/gemma3/gemma3_rebuilt.spm.model")}


def digest(ids):
    return hashlib.sha256(struct.pack(f"<{len(ids)}i", *ids)).hexdigest()


def folded(ids):
    return ids if len(ids) < 24 else f"{len(ids)}:{digest(ids)[:16]}"


SENTENCES = [
    "The quick brown fox jumps over the lazy dog.", "Le cœur a ses raisons que la raison ignore.", "Größe, Straße, Übermut.",
    "El niño comió piñas en mañanas frías.", "Быстрая лиса прыгает через ленивую собаку.", "Η γρήγορη αλεπού πηδά.",
    "ثعلب بني سريع يقفز فوق كلب كسول.", "שועל חום מהיר קופץ מעל כלב עצלן.", "तेज़ भूरी लोमड़ी कूदती है।", "দ্রুত বাদামী শিয়াল লাফায়।",
    "சுறுசுறுப்பான நரி தாண்டுகிறது.", "వేగవంతమైన నక్క దూకుతుంది.", "สุนัขจิ้งจอกกระโดดข้ามสุนัขขี้เกียจ", "ສຸນັກຈິ້ງຈອກ", "မြေခွေးသည် ခုန်သည်။", "កញ្ជ្រោងលោត",
    "敏捷的棕色狐狸跳过了懒狗。", "敏捷的棕色狐狸跳過了懶狗。", "素早い茶色の狐がのろまな犬を飛び越える。", "カタカナとひらがな、漢字。", "빠른 갈색 여우가 게으른 개를 뛰어넘는다.", "ჩქარი მელა ხტება.",
    "Արագ աղվեսը ցատկում է։", "ፈጣን ቀበሮ ይዘላል።", "ᠬᠤᠷᠳᠤᠨ", "ཁྲ་མོ་མཆོངས།", "Nhanh nhẹn con cáo nâu nhảy qua.", "Çabuk kahverengi tilki atlar; ığüşöç.",
    "ꦱꦸꦒꦼꦁ", "𐌰𐌱𐌲𐌳", "𒀀𒀁𒀂", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕬𝖑𝖕𝖍𝖆", "ﷺ ﷽ ﬀ ﬁ ﬃ", "①②③ Ⅳ ½ ¾ ㎏ ㏂",
    "def f(x):\n    return {k: v for k, v in x.items() if k != 'a'}\n", "\tif (a && b) {\n\t\treturn a->b[0]++;\n\t}\n",
    "<html><body class=\"x\">&nbsp;<b>bold</b></body></html>", "https://example.org/a?b=c&d=%20#e", "user@example.org", "\\frac{a}{b} = \\sum_{i=0}^{n} x_i^2",
    "| a | b |\n|---|---|\n| 1 | 2 |\n", "1234567890 3.14159 1,000,000 0xDEADBEEF 1e-7 2024-02-29", "SELECT * FROM t WHERE a='b' AND c<>3;--", "{\"a\": [1, 2.5, null, true], \"b\": \"\\u00e9\"}",
    "👍👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇩🇪🇯🇵❤️‍🔥", "e\u0301 é a\u0300\u0301\u0302\u0303 Z\u0351\u036b\u0343", "\u202eRTL\u202c \u200b\u200c\u200d\ufeff", "“curly” ‘quotes’ — – … « » „“",
    "don't won't it's I'm we've they'll", "ALL CAPS AND camelCase snake_case kebab-case", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "supercalifragilisticexpialidocious antidisestablishmentarianism",
]
MARKS = ["<unk>", "<bos>", "<eos>", "<pad>", "<mask>", "<start_of_turn>", "<end_of_turn>", "<2mass>", "[@BOS@]", "[multimodal]", "<unused0>", "<unused98>",
         "<unused100>", "<unused6241>", "<start_of_image>", "<end_of_image>", "<table>", "</table>", "<h1>", "</code>", "<0x00>", "<0x09>", "<0x0A>", "<0x41>", "<0xFF>",
         "<b", "<bos", "bos>", "<<bos>>", "< bos>", "<BOS>", "<s>", "</s>", "<|im_start|>", "<eos><bos>", "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n"]


def texts(tokenizers_by_name):
    yield {"text": ""}
    for mark in (" ", "\t"):
        for n in range(1, 101):
            for before, after in (("", ""), ("x", ""), ("", "x"), ("a", "b")):
                yield {"text": before + mark * n + after}
    for mark in ("\n", "▁", "\r\n", "\u00a0", "\u3000", " \t", "\n ", " \n", "\t\n", "▁ ", "\0", "a", "é", "0", "-", "=", "\u0301", "👍"):
        for n in list(range(1, 36)) + [50, 64, 100]:
            yield {"text": mark * n}
            yield {"text": "x" + mark * n + "y"}
    for mark in MARKS:
        for form in ("%s", "a%sb", " %s ", "%s%s", "\n%s\n", "▁%s▁", "x %s, y"):
            yield {"text": form.replace("%s", mark)}
    for token in [t.content for t in tokenizers_by_name["2j"].get_added_tokens_decoder().values()]:
        yield {"text": f"a{token} {token}b"}
    for code in list(range(0, 33)) + list(range(127, 161)) + [0x85, 0xad, 0x2028, 0x2029, 0xfeff, 0xfffd, 0xfffe, 0xffff, 0x10ffff, 0xe000, 0xf8ff]:
        yield {"text": chr(code)}
        yield {"text": f"a{chr(code)}b {chr(code)}{chr(code)}"}
    yield from ({"text": s} for s in SENTENCES)
    yield from ({"text": " " + s.replace(" ", "  ") + " "} for s in SENTENCES)
    for start in list(range(0, 0x3400, 64)) + list(range(0x4e00, 0x9fff, 640)) + list(range(0xa000, 0x20000, 448)) + list(range(0x20000, 0x32000, 3000)) + [0xe0000, 0x10ffc0]:
        yield {"range": [start, start + 64]}
    random.seed(20240711)
    parts = MARKS + SENTENCES + [" ", "  ", "   ", "\t", "\n", "\n\n", "▁", ".", ",", "the", " of", "ing", "(", ")", "1", "é", "漢", "👍", "\0", "\r\n", "\u200d"]
    for _ in range(700):
        pieces = []
        for _ in range(random.randint(2, 12)):
            part = random.choice(parts)
            cut = random.randint(0, len(part))
            pieces.append(part[cut:cut + random.randint(1, 12)] if random.random() < 0.5 else part[:40])
        yield {"text": "".join(pieces)}
    for _ in range(300):
        yield {"text": "".join(chr(random.choice([random.randint(0, 0x7f), random.randint(0x80, 0x2fff), random.randint(0x3000, 0xd7ff), random.randint(0xe000, 0x1ffff)]))
                               for _ in range(random.randint(1, 14)))}
    for text, n in ((" ", 20000), ("\t", 5000), ("a", 20000), ("ab", 10000), ("the ", 10000), ("\n", 5000), ("▁", 3000), ("漢字", 3000), ("👍🏽", 2000), ("\u0301", 3000), ("<eos>", 3000), ("<", 20000), ("=-", 10000)):
        yield {"repeat": [text, n]}


def string_of(item):
    if "text" in item:
        return item["text"]
    if "repeat" in item:
        return item["repeat"][0] * item["repeat"][1]
    return "".join(chr(c) for c in range(*item["range"]) if not 0xd800 <= c <= 0xdfff)


REAL = [("text/wiki_demo.txt", 8), ("text/war-and-peace.txt", 50), ("text/frankenstein.txt", 9), ("text/gsm8k.train.jsonl", 9), ("text/c4_demo.jsonl", 1),
        ("text/tinyshakespeare.txt", 60), ("prefs/human_pairs.jsonl.gz", 9), ("prefs/alpaca_eval_pairs.jsonl.gz", 9)]


def lines_of(path):
    data = (gzip.open(path) if path.endswith(".gz") else open(path, "rb")).read()
    return [line.decode("utf-8") for line in data.split(b"\n")]


def tiny(**changes):
    """A tokenizer.json of about 150 pieces with some of its parts changed."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mark>", "\n", "\n\n"] + [f"<0x{b:02X}>" for b in range(256) if b not in changes.get("no_bytes", ())]
    pieces += list("abcdefghijklmnop▁.") + ["é", "漢"]
    merges = [("a", "b"), ("c", "d"), ("ab", "c"), ("▁", "a"), ("▁", "ab"), ("ab", "ab"), ("a", "a"), ("aa", "a"), ("aa", "aa"), ("b", "a"), ("▁", "▁"),
              ("▁▁", "▁"), ("▁▁", "▁▁"), ("d", "▁"), ("é", "é"), ("漢", "漢"), ("o", "p"), ("n", "op"), ("m", "nop")]
    for left, right in merges:
        if left + right not in pieces:
            pieces.append(left + right)
    def token(content, **flags):
        return {"id": pieces.index(content) if content in pieces else changes["extra"].index(content) + len(pieces), "content": content, "single_word": False,
                "lstrip": False, "rstrip": False, "normalized": False, "special": False, **flags}
    plain = [token(c, special=True) for c in pieces[:4]] + [token(c) for c in pieces[5:7]]
    listed = sorted(plain + [token(c, **f) for c, f in changes.get("added", {}).items()], key=lambda t: t["id"])
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": listed,
        "normalizer": changes.get("normalizer", {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}),
        "pre_tokenizer": changes.get("pre_tokenizer"), "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": {p: i for i, p in enumerate(pieces)},
                  "merges": [list(m) for m in merges], **changes.get("model", {})}}


def tiny_tokenizers():
    split = {"type": "Split", "pattern": {"String": "▁"}, "behavior": "MergedWithPrevious", "invert": False}
    yield tiny()
    yield tiny(added={"<mark>": {"lstrip": True}})
    yield tiny(added={"<mark>": {"rstrip": True}})
    yield tiny(added={"<mark>": {"lstrip": True, "rstrip": True, "normalized": True}})
    yield tiny(extra=["<a b>", "nop▁"], added={"<a b>": {"normalized": True}, "ab": {"normalized": True}, "nop▁": {"normalized": False}})
    yield tiny(extra=["<|im_start|>", "<|im_end|>"], added={"<|im_start|>": {"special": True}, "<|im_end|>": {"special": True}})
    yield tiny(no_bytes=(0xC3, 0xB6), model={"fuse_unk": True})
    yield tiny(no_bytes=(0xC3, 0xB6), model={"fuse_unk": False})
    yield tiny(model={"byte_fallback": False})
    yield tiny(model={"byte_fallback": False, "fuse_unk": False})
    yield tiny(model={"ignore_merges": True}, pre_tokenizer=split)
    yield tiny(pre_tokenizer=split)
    yield tiny(normalizer=None)
    yield tiny(normalizer={"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"String": "aa"}, "content": "a"},
                                                               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})
    strings = tiny()
    strings["model"]["merges"] = [" ".join(m) for m in strings["model"]["merges"]]
    yield strings


def tiny_texts():
    yield from ("", " ", "ab", "abab", "aaaa", "aaaaaaa", "ab ab", "  ab", "cd cd", "d  d", "mnop", "mmnopp", "éé", "ééé", "漢漢漢", "xyz", "ñ", "ö", "aöñb", "ñöx漢", "<mark>",
                "a <mark> b", "a  <mark>\n\n b", "<mark><mark>", " <mark> <mark> ", "<mark>\n", "\n<mark>", "a\u00a0<mark>\u2003\nb", "<mark", "<a b>", "<a▁b>", "x<a b>y", "nop▁", "nop ",
                "<|im_start|>a<|im_end|>", "\n\n\n", "a\nb", "<unk>", "<bos>ab<eos>", "▁▁", "▁ ▁", "\0", "<0x41>", "😀", "ab.cd.", "aab aab", "op nop mnop")
    rng = random.Random(11)
    alphabet = ["a", "b", "c", "d", "m", "n", "o", "p", " ", "▁", ".", "é", "漢", "ñ", "ö", "x", "\n", "<mark>", "ab", "aa", "  "]
    for _ in range(60):
        yield "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 24)))


def write_tiny(out):
    with open(out, "w", encoding="ascii") as file:
        for definition in tiny_tokenizers():
            model = tokenizers.Tokenizer.from_str(json.dumps(definition))
            found = []
            for text in tiny_texts():
                ids = model.encode(text, add_special_tokens=False).ids
                found.append([text, ids, model.decode(ids, skip_special_tokens=False)])
            file.write(json.dumps({"tokenizer": definition, "texts": found}, separators=(",", ":")) + "\n")


def main(shared):
    here = os.path.dirname(os.path.abspath(__file__))
    write_tiny(f"{here}/tiny_tokenizers.jsonl")
    out = f"{here}/tokenizer_ids.jsonl"
    models = load(shared)
    def encode(name, text):
        return models[name].encode(text, add_special_tokens=False).ids
    counts = {"odd": 0, "real": 0}
    rng = random.Random(7)
    with open(out, "w", encoding="ascii") as file:
        def write(item):
            file.write(json.dumps(item, separators=(",", ":")) + "\n")
        merges = {name: len(json.loads(model.to_str())["model"]["merges"]) for name, model in models.items()}
        write({"made_with": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}, "merges": merges})
        seen = set()
        for item in texts(models):
            text = string_of(item)
            if text in seen:
                continue
            seen.add(text)
            counts["odd"] += 1
            ids = {name: encode(name, text) for name in models}
            item["2j"], item["3"] = folded(ids["2j"]), folded(ids["3"])
            if ids["2m"] != ids["2j"]:
                item["2m"] = folded(ids["2m"])
            write(item)
        for path, every in REAL:
            lines = lines_of(f"{shared}/{path}")[::every]
            counts["real"] += len(lines)
            short = {name: [digest(encode(name, line))[:8] for line in lines] for name in models}
            if short["2m"] == short["2j"]:
                del short["2m"]
            write({"file": path, "every": every, "lines": {name: "".join(of) for name, of in short.items()}})
        for _ in range(60):
            ids = [rng.choice([rng.randrange(0, 256000), rng.randrange(217, 473)]) for _ in range(rng.randrange(1, 12))]
            write({"decode": ids, "decoded": {name: models[name].decode(ids, skip_special_tokens=False) for name in models}})
    print(counts, os.path.getsize(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
