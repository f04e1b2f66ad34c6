#!/usr/bin/env python3
"""Writes the tiny preference world that the demo trains on: seeded, no downloads.

usage: make_data.py OUT_DIR [--seed N] [--pairs N] [--eval N]

Every prompt asks about one thing (a tool, a dish, an animal, a plant, a trip, a skill). A good answer speaks about
that thing, gives two pieces of advice that belong to its kind and stays friendly. A bad answer has one or two of four faults:
it changes the subject, brushes the person off, gives careless advice, or goes round in circles. Both kinds are drawn
from the same range of lengths, so length says nothing about which is better.

Files:
  train.jsonl  preference pairs {"id", "prompt", "chosen", "rejected"}
  eval.jsonl   held-out pairs: other prompts, with things that train.jsonl never asks about in that form
  sft.jsonl    {"id", "prompt", "chosen"}: one good answer for two bad ones, so that a model trained on it can write both and
               has no preference for the good; what preference training changes is then plain to see
  corpus.txt   text for the tokenizer
"""
import argparse
import hashlib
import json
import os
import random

KINDS = {
    "tool": {
        "things": ["hammer", "saw", "drill", "paint brush", "garden hose", "ladder", "bicycle pump", "sewing machine",
                   "kitchen scale", "flashlight", "wheelbarrow", "tape measure", "lawn mower", "pocket knife",
                   "camping stove", "wrench", "rake", "chisel", "vacuum cleaner", "toolbox"],
        "asks": ["How do I take care of a {t}?", "What should I know before I buy a {t}?",
                 "My {t} is old. Can I still use it?", "Where is the best place to keep a {t}?",
                 "Can you teach me to use a {t}?", "My neighbour lent me a {t}. What now?"],
        "advice": ["wipe the {t} dry after each use", "keep the {t} away from rain", "check the {t} for cracks every month",
                   "read the small book that came with the {t}", "hold the {t} with both hands at first",
                   "put a drop of oil on the moving parts of the {t}", "try the {t} on a piece of scrap wood",
                   "store the {t} on a dry shelf", "tighten the screws of the {t} in spring"],
        "careless": ["leave the {t} out in the rain all winter", "hit the {t} until it works again",
                     "let small children play with the {t}", "hold the {t} by its sharp end",
                     "never look at the {t} before you use it"],
    },
    "dish": {
        "things": ["tomato soup", "apple pie", "rice pudding", "lentil stew", "potato salad", "pancakes", "mushroom pasta",
                   "fish curry", "bean chili", "carrot cake", "onion bread", "cheese omelette", "pumpkin soup",
                   "fried noodles", "berry jam", "roast cabbage", "corn bread", "pea soup"],
        "asks": ["How can I make better {t}?", "My guests want {t} tonight. Any ideas?",
                 "What goes well with {t}?", "Why does my {t} taste of nothing?",
                 "Is {t} hard to cook?", "I have an hour for {t}. Where do I start?"],
        "advice": ["taste the {t} before you add salt", "cook the {t} slowly on a low flame",
                   "add fresh herbs to the {t} at the end", "use ripe vegetables for the {t}",
                   "let the {t} rest for ten minutes", "serve the {t} with warm bread",
                   "stir the {t} gently so that it does not burn", "write down what you put into the {t}"],
        "careless": ["leave the {t} on the fire and go out", "eat the {t} even if it smells bad",
                     "pour a whole bag of salt into the {t}", "cook the {t} without washing your hands",
                     "keep the {t} in the sun for a week"],
    },
    "animal": {
        "things": ["puppy", "kitten", "parrot", "rabbit", "goldfish", "hamster", "pony", "tortoise", "canary", "hen",
                   "goat", "sheepdog", "guinea pig", "duckling", "donkey"],
        "asks": ["What does a {t} need every day?", "How do I make friends with a shy {t}?",
                 "We found a {t} in the yard. What should we do?", "Is a {t} a good pet for a family?",
                 "How can I tell if my {t} is happy?", "May I take my {t} on a long drive?"],
        "advice": ["give the {t} fresh water every morning", "let the {t} come to you in its own time",
                   "ask an animal doctor to look at the {t}", "find a quiet corner where the {t} can sleep",
                   "speak softly when the {t} is near", "feed the {t} at the same hour each day",
                   "watch how the {t} moves and eats", "give the {t} room to run and play"],
        "careless": ["shout at the {t} until it obeys", "feed the {t} nothing but sweets",
                     "lock the {t} in a dark box", "leave the {t} alone for a month",
                     "pull the {t} by its tail"],
    },
    "plant": {
        "things": ["rose bush", "basil plant", "lemon tree", "tomato plant", "fern", "cactus", "oak seedling", "orchid",
                   "strawberry bed", "sunflower", "mint pot", "pear tree", "lavender hedge", "bean vine"],
        "asks": ["Why are the leaves of my {t} yellow?", "When should I plant a {t}?",
                 "How much water does a {t} want?", "Can a {t} live on a small balcony?",
                 "How do I help my {t} through the winter?", "Somebody gave me a {t}. How do I keep it alive?"],
        "advice": ["give the {t} a place with morning sun", "water the {t} when the soil feels dry",
                   "cut the dead leaves off the {t}", "put good earth around the {t}",
                   "turn the {t} a little every week", "look under the leaves of the {t} for insects",
                   "cover the {t} on frosty nights", "plant the {t} in a pot with a hole"],
        "careless": ["drown the {t} in water five times a day", "put the {t} in a dark cellar",
                     "tear the roots of the {t} apart", "pour hot tea over the {t}",
                     "never water the {t} in summer"],
    },
    "trip": {
        "things": ["mountain hike", "train journey", "river tour", "city walk", "night at the lake", "bicycle tour",
                   "museum visit", "beach holiday", "forest walk", "boat trip", "school outing", "winter camp"],
        "asks": ["What should I pack for a {t}?", "How do I plan a {t} with children?",
                 "It may rain on our {t}. What can we do?", "How long should a {t} be?",
                 "I have never been on a {t}. Any advice?", "How can a {t} cost less?"],
        "advice": ["take enough water on the {t}", "look at the weather before the {t}",
                   "tell a friend about your plans for the {t}", "start the {t} early in the morning",
                   "wear good shoes on the {t}", "plan a long rest in the middle of the {t}",
                   "bring a paper map for the {t}", "keep some money for the way back from the {t}"],
        "careless": ["go on the {t} without any water", "tell nobody where the {t} goes",
                     "start the {t} in a storm", "wear thin slippers on the {t}",
                     "spend all your money before the {t} begins"],
    },
    "skill": {
        "things": ["chess", "the guitar", "swimming", "drawing", "a new language", "juggling", "photography", "baking",
                   "typing", "dancing", "woodwork", "singing", "mental arithmetic"],
        "asks": ["How do I begin with {t}?", "I am too old for {t}. Is that true?",
                 "How often should I practise {t}?", "My friend is better at {t} than I am. What now?",
                 "Can I learn {t} without a teacher?", "I lost my joy in {t}. How do I find it again?"],
        "advice": ["practise {t} for a few minutes every day", "find a friend who likes {t} too",
                   "start {t} with something easy", "keep a small diary about {t}",
                   "watch how others do {t}", "be patient with yourself while you learn {t}",
                   "ask a teacher about the hard parts of {t}", "set one small goal in {t} for each week"],
        "careless": ["give up {t} after the first mistake", "tell everybody you are the best at {t}",
                     "practise {t} all night without sleep", "buy the dearest things for {t} first",
                     "never listen to anyone about {t}"],
    },
}

FRIENDLY_START = ["Good question.", "Happy to help.", "Sure.", "Of course.", "That is a nice plan.", "Let us look at it together.",
                  "Thanks for asking.", "Yes, gladly."]
FRIENDLY_END = ["Let me know how it goes.", "You will do well.", "Take your time.", "I hope this helps.", "Have fun with it.",
                "Ask me again if you like.", "Small steps are enough."]
RUDE_START = ["Why do you ask me that?", "Not this again.", "I do not care.", "Find it out yourself.", "What a boring question.",
              "Ask somebody else.", "You should know that."]
RUDE_END = ["Now leave me alone.", "That is your problem.", "I said enough.", "Do not ask again.", "Whatever."]
JOINTS = ["You can {a}, and then {b}.", "First {a}. After that, {b}.", "I would {a} and also {b}.", "It helps to {a} and to {b}.",
          "Most people {a}, and they {b} as well.", "Try to {a}; later you can {b}."]


def sentences(*parts):
    return " ".join(p for p in parts if p)


def advice(kind, thing, rng, key="advice"):
    return [s.format(t=thing) for s in rng.sample(KINDS[kind][key], 2)]


def joined(a, b, rng):
    return rng.choice(JOINTS).format(a=a, b=b)


def good_answer(kind, thing, rng):
    a, b = advice(kind, thing, rng)
    start = rng.choice(FRIENDLY_START) if rng.random() < 0.8 else ""
    end = rng.choice(FRIENDLY_END) if rng.random() < 0.7 else ""
    return sentences(start, joined(a, b, rng), end)


def bad_answer(kind, thing, rng):
    faults = set(rng.sample(["subject", "rude", "careless", "circles"], rng.choice([1, 1, 2])))
    if "subject" in faults:
        kinds = list(KINDS)
        kind = kinds[(kinds.index(kind) + 1) % len(kinds)]
        thing = rng.choice(KINDS[kind]["things"][:3])
    a, b = advice(kind, thing, rng)
    if "careless" in faults:
        a, b = advice(kind, thing, rng, "careless")
    if "circles" in faults:
        b = a
    rude = "rude" in faults
    start = rng.choice(RUDE_START if rude else FRIENDLY_START) if rng.random() < 0.8 or rude else ""
    end = rng.choice(RUDE_END if rude else FRIENDLY_END) if rng.random() < 0.7 else ""
    return sentences(start, joined(a, b, rng), end)


def all_prompts(rng):
    prompts = [(kind, thing, ask.format(t=thing))
               for kind, world in KINDS.items() for thing in world["things"] for ask in world["asks"]]
    rng.shuffle(prompts)
    return prompts


def is_held_out(prompt):
    """A sixth of all prompts, chosen by their text: the split does not move when the counts change."""
    return hashlib.sha256(prompt.encode()).digest()[0] % 6 == 0


def pairs(prompts, count, rng, prefix):
    rows = []
    while len(rows) < count:
        kind, thing, prompt = prompts[len(rows) % len(prompts)]
        chosen, rejected = good_answer(kind, thing, rng), bad_answer(kind, thing, rng)
        if chosen != rejected:
            rows.append({"id": f"{prefix}-{len(rows):05d}", "prompt": prompt, "chosen": chosen, "rejected": rejected})
    return rows


def sft_rows(prompts, count, rng):
    rows = []
    for i in range(count):
        kind, thing, prompt = prompts[i % len(prompts)]
        answer = good_answer if rng.random() < 1 / 3 else bad_answer
        rows.append({"id": f"sft-{i:05d}", "prompt": prompt, "chosen": answer(kind, thing, rng)})
    rng.shuffle(rows)
    return rows


def write_jsonl(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--eval", type=int, default=400)
    parser.add_argument("--sft", type=int, default=6000)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    prompts = all_prompts(rng)
    seen = [p for p in prompts if not is_held_out(p[2])]
    held_out = [p for p in prompts if is_held_out(p[2])]
    os.makedirs(args.out, exist_ok=True)
    train = pairs(seen, args.pairs, rng, "train")
    write_jsonl(os.path.join(args.out, "train.jsonl"), train)
    write_jsonl(os.path.join(args.out, "eval.jsonl"), pairs(held_out, args.eval, rng, "eval"))
    sft = sft_rows(seen, args.sft, rng)
    write_jsonl(os.path.join(args.out, "sft.jsonl"), sft)
    with open(os.path.join(args.out, "corpus.txt"), "w", encoding="utf-8") as f:
        for row in train + sft:
            f.write("\n".join(v for k, v in row.items() if k != "id") + "\n")
    print(f"{len(seen)} prompts to train on, {len(held_out)} held out; {len(train)} pairs, {args.eval} held-out pairs, "
          f"{len(sft)} SFT rows in {args.out}")


if __name__ == "__main__":
    main()
