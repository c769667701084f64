"""How well a picture is found again after what people do to it: borders, cuts, frames, bars.

The pictures are made here from a fixed seed: pages of a lure's text with a header and a button,
and smooth noise with shapes, as photographs have. None of them set what the code cuts.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bayanihan.core import pdq
from bayanihan.core.near_bits import apart
from bayanihan.intake.evidence.media import pictures
from bench.evidence_text import interval
from bench.goals import Board
from tests.core.lures import records

_COUNT = 24

Change = Callable[[Image.Image, random.Random], Image.Image]


def _shade(rng: random.Random, low: int = 0, high: int = 255) -> tuple[int, int, int]:
    return (rng.randint(low, high), rng.randint(low, high), rng.randint(low, high))


def _page(rng: random.Random, text: str) -> Image.Image:
    """A page as a phone shows it: a bar, a name, lines of text, a button."""
    page = Image.new("RGB", (720, rng.randint(900, 1_400)), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=34)
    draw.rectangle((0, 0, 720, rng.randint(90, 220)), fill=_shade(rng, 0, 160))
    draw.text((40, 30), text[:18], fill="white", font=font)
    words, line, top = text.split(), "", 300
    for word in words:
        if len(line) + len(word) > 36:
            draw.text((40, top), line, fill="black", font=font)
            line, top = "", top + 52
        line += word + " "
    draw.text((40, top), line, fill="black", font=font)
    left = rng.randint(40, 240)
    draw.rectangle((left, top + 90, left + 400, top + 190), fill=_shade(rng, 30, 200))
    return page


def _photo(rng: random.Random) -> Image.Image:
    """Smooth noise with shapes in it."""
    noise = np.random.default_rng(rng.randrange(1 << 30)).integers(0, 256, (9, 12, 3), np.uint8)
    photo = Image.fromarray(noise).resize((1_024, 768), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(photo)
    for _ in range(8):
        x, y, size = rng.randrange(900), rng.randrange(650), rng.randint(60, 260)
        draw.ellipse((x, y, x + size, y + size * 0.8), fill=_shade(rng))
    return photo


def _resized(picture: Image.Image, rng: random.Random) -> Image.Image:
    share = rng.uniform(0.5, 0.9)
    return picture.resize((int(picture.width * share), int(picture.height * share)))


def _sent(picture: Image.Image, rng: random.Random) -> Image.Image:
    """As JPEG at a messenger's quality."""
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=rng.randint(45, 75))
    return Image.open(packed).convert("RGB")


def _bordered(picture: Image.Image, rng: random.Random) -> Image.Image:
    sides = [int(rng.uniform(0.02, 0.25) * picture.width) for _ in range(4)]
    size = (picture.width + sides[0] + sides[1], picture.height + sides[2] + sides[3])
    framed = Image.new("RGB", size, rng.choice(["white", "black", "#e5ddd5", "#1f2c34"]))
    framed.paste(picture, (sides[0], sides[2]))
    return framed


def _barred(picture: Image.Image, rng: random.Random) -> Image.Image:
    """With a telephone's bar of signs on top."""
    height = int(picture.height * rng.uniform(0.03, 0.08))
    barred = Image.new("RGB", (picture.width, picture.height + height), "#202020")
    draw = ImageDraw.Draw(barred)
    for x in range(20, picture.width, 90):
        draw.rectangle((x, height // 4, x + 40, height * 3 // 4), fill="white")
    barred.paste(picture, (0, height))
    return barred


def _cut(edges: int) -> Change:
    """With so many edges cut, by 3 to 18 % each."""

    def change(picture: Image.Image, rng: random.Random) -> Image.Image:
        chosen = rng.sample(range(4), edges)
        box = [0, 0, picture.width, picture.height]
        for edge in chosen:
            off = int(rng.uniform(0.03, 0.18) * (picture.width, picture.height)[edge % 2])
            box[edge] += off if edge < 2 else -off
        return picture.crop(tuple(box))  # type: ignore[arg-type]

    return change


def _middle(picture: Image.Image, rng: random.Random) -> Image.Image:
    share = rng.uniform(0.02, 0.1)
    off = (int(picture.width * share), int(picture.height * share))
    return picture.crop((off[0], off[1], picture.width - off[0], picture.height - off[1]))


_CHANGES: dict[str, Change] = {
    "resized": _resized,
    "sent as JPEG": _sent,
    "a plain border, 2 to 25 % a side": _bordered,
    "a telephone's bar on top": _barred,
    "one edge cut, 3 to 18 %": _cut(1),
    "all edges cut alike, 2 to 10 %": _middle,
}
# What no part is made for; measured and said apart.
_BEYOND: dict[str, Change] = {"two edges cut, 3 to 18 % each": _cut(2)}


def _rows(picture: Image.Image) -> Any:
    packed = io.BytesIO()
    picture.save(packed, "PNG")
    found, _ = pictures(packed.getvalue())
    return pdq.words([each.hash for each in found]) if found else np.empty((0, 4), np.uint64)


def _far(one: Any, other: Any) -> int:
    """How far two pictures are apart by the nearest of their hashes; 256 where one has none."""
    return min((int(apart(row, other).min()) for row in one), default=256) if len(other) else 256


def _told(name: str, far: list[int]) -> None:
    sure, look = (sum(each <= most for each in far) for most in (pdq.BITS_SURE, pdq.BITS_APART))
    print(f"  {name:46} {interval(look, len(far))}   sure {interval(sure, len(far))}")


def pictures_again(board: Board) -> None:
    """Recall by kind of change, and pairs of different pictures called alike."""
    rng = random.Random(23)
    # One of each wording: two pages of one lure are alike, and rightly so.
    lures = list({each["text"][:30]: each["text"] for each in records()}.values())
    lures = [each for each in lures if each.isascii()]
    kinds = {
        "pages": [_page(rng, text) for text in rng.sample(lures, _COUNT)],
        "photographs": [_photo(rng) for _ in range(_COUNT)],
    }
    found, strangers = [], []
    print(
        f"pictures: {_COUNT} pages and {_COUNT} photographs, made here; found within"
        f" {pdq.BITS_APART} bits as worth a look, within {pdq.BITS_SURE} as sure"
    )
    for kind, made in kinds.items():
        rows = [_rows(each) for each in made]
        for change, how in {**_CHANGES, **_BEYOND}.items():
            again = [_rows(_sent(how(each, rng), rng)) for each in made]
            far = [_far(one, other) for one, other in zip(rows, again, strict=True)]
            _told(f"{kind}: {change}", far)
            found += far if change in _CHANGES else []
        far = [_far(one, other) for at, one in enumerate(rows) for other in rows[at + 1 :]]
        _told(f"{kind}: pairs of different ones", far)
        strangers += far
    board.plain("E5-pictures", sum(each <= pdq.BITS_APART for each in found) / len(found))
    board.plain("E5-false", sum(each <= pdq.BITS_SURE for each in strangers) / len(strangers))
