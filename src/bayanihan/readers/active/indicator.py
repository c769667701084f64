"""One version of an indicator: from its bytes to what may be blocked because of it.

Source: STIX 2.1 sections 3.2 and 4.7.
"""

from __future__ import annotations

import msgspec

from bayanihan.core import moment
from bayanihan.core.ai import EXTENSION_ID, INFORM_ONLY, vector_of
from bayanihan.core.observables import Observable
from bayanihan.core.pattern import Reading, Rest, read
from bayanihan.errors import Refused

# Later than any timestamp that STIX can write.
FOREVER_US = (1 << 63) - 1

# Rules in a language of their own are kept as they are: a feed in that language may carry
# them, once it has checked them.
RULE_TYPES = frozenset({"yara", "sigma", "suricata", "snort"})
RULE_LIMIT = 64_000

# What stands where an author states no confidence.
UNSTATED = -1

_TEXT_LIMIT = 1_000
_INFORMS = "It says how people are misled: this informs, it never blocks."


class _Indicator(msgspec.Struct, gc=False):
    pattern: str
    pattern_type: str
    valid_from: str
    valid_until: str | None = None
    revoked: bool = False
    confidence: int | None = None
    extensions: dict[str, msgspec.Raw] | None = None


class Told(msgspec.Struct, gc=False):
    """What one version amounts to.

    It holds from `valid_from_us` until before `valid_until_us`. `confidence` is the author's
    own, 0 to 100, or `UNSTATED`. `unread` is why its bytes
    amount to nothing, "" when they could be read; `rest` has its texts cut to a length.
    """

    valid_from_us: int = 0
    valid_until_us: int = FOREVER_US
    revoked: bool = False
    informs: bool = False
    blocks: tuple[Observable, ...] = ()
    rest: tuple[Rest, ...] = ()
    unread: str = ""
    confidence: int = UNSTATED


_decode = msgspec.json.Decoder(_Indicator).decode


def told(body: bytes) -> Told:
    """What the bytes of an indicator amount to; a sentence in `unread` when to nothing."""
    try:
        found = _decode(body)
        from_us = moment.parse(found.valid_from)
        until_us = FOREVER_US if found.valid_until is None else moment.parse(found.valid_until)
        if from_us is None or until_us is None:
            return Told(unread="Its `valid_from` or `valid_until` is no timestamp.")
        if found.revoked:
            return Told(from_us, until_us, revoked=True)
        informs = _informs(found.extensions)
        reading = _reading(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Told(unread=_short(str(error)))
    except Refused as error:
        return Told(unread=_short(error.message))
    rest = tuple([Rest(_short(part.text), part.why) for part in reading.rest])
    if not informs:
        stated = UNSTATED if found.confidence is None else found.confidence
        return Told(from_us, until_us, blocks=reading.blocks, rest=rest, confidence=stated)
    named = tuple([Rest(_short(block.value), _INFORMS) for block in reading.blocks])
    return Told(from_us, until_us, informs=True, rest=named + rest)


def _reading(found: _Indicator) -> Reading:
    if found.pattern_type == "stix":
        return read(found.pattern)
    if found.pattern_type in RULE_TYPES and len(found.pattern) <= RULE_LIMIT:
        return Reading((Observable(found.pattern_type, found.pattern),), ())
    text = f"pattern_type {found.pattern_type}"
    return Reading((), (Rest(text, "Its pattern is in a language that no feed here speaks."),))


def _informs(extensions: dict[str, msgspec.Raw] | None) -> bool:
    body = extensions.get(EXTENSION_ID) if extensions else None
    if body is None:
        return False
    return vector_of({EXTENSION_ID: msgspec.json.decode(body)}) in INFORM_ONLY


def _short(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "\u2026"
