"""Four-letter pieces weighted by TF-IDF, and a logistic regression over them.

It learns from the corpus's public training items when it starts. Pieces of letters need no
word boundaries, so that Thai, Lao, Khmer and Burmese are read like the rest.
"""

import json
import math
import os
import pathlib
import random
import re
import sys
from collections import Counter

EPOCHS, RATE, DECAY, SIZE = 15, 0.8, 1e-5, 4


def pieces(item: dict[str, str]) -> set[str]:
    """The distinct pieces of an item's text, its digits taken for one."""
    text = re.sub(r"\d+", "0", f"{item.get('subject', '')} {item['text']}".lower())
    return {text[at : at + SIZE] for at in range(max(1, len(text) - SIZE + 1))}


def weighted(found: set[str], rarity: dict[str, float]) -> dict[str, float]:
    """Known pieces with their TF-IDF weights, of length one together."""
    known = {piece: rarity[piece] for piece in found if piece in rarity}
    length = math.sqrt(sum(value * value for value in known.values())) or 1.0
    return {piece: value / length for piece, value in known.items()}


def learned(items: list[dict[str, str]]) -> tuple[dict[str, float], dict[str, float], float]:
    """Rarities, weights and bias after a few passes in a fixed order."""
    read = [(pieces(item), item["label"] == "attack") for item in items]
    count = Counter(piece for found, _ in read for piece in found)
    rarity = {p: math.log((1 + len(read)) / (1 + n)) + 1 for p, n in count.items() if n > 1}
    rows = [(weighted(found, rarity), label) for found, label in read]
    weights, bias = dict.fromkeys(rarity, 0.0), 0.0
    order = random.Random(1)  # noqa: S311 (an order, no secret)
    for epoch in range(EPOCHS):
        order.shuffle(rows)
        step = RATE / (1 + 0.1 * epoch)
        for row, label in rows:
            error = label - chance(row, weights, bias)
            bias += step * error
            for piece, value in row.items():
                weights[piece] += step * (error * value - DECAY * weights[piece])
    return rarity, weights, bias


def chance(row: dict[str, float], weights: dict[str, float], bias: float) -> float:
    """The chance that a row is an attack."""
    total = bias + sum(weights[piece] * value for piece, value in sorted(row.items()))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def main() -> None:
    """Learn, then answer."""
    text = pathlib.Path(os.environ["BAYANIHAN_TRAINING"]).read_text(encoding="utf-8")
    rarity, weights, bias = learned([json.loads(line) for line in text.splitlines()])
    print('{"ready":1}', flush=True)
    for line in sys.stdin:
        item = json.loads(line)
        score = chance(weighted(pieces(item), rarity), weights, bias)
        verdict = "malicious" if score >= 0.5 else "benign"
        print(json.dumps({"id": item["id"], "verdict": verdict, "score": round(score, 6)}),
              flush=True)  # fmt: skip


main()
