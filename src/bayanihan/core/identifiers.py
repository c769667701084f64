"""What points to a person or an account: phone numbers, handles, accounts, meetings.

These are personal data. They never become a block, and travel only as keyed digests (see
`readers.feeds.match_list`). Each has one canonical spelling, so that two who wrote the same
number differently come to the same digest.

In STIX they are named by patterns over an observable of our own, `x-bayanihan-identifier`
with the properties `phone`, `handle`, `account` and `meeting`: STIX 2.1 has none for three of
them, and its `user-account` needs two properties seen together, which is no single value.

Source: ITU-T E.164 (numbers); ISO 13616 (IBAN); STIX 2.1 section 11 (customising).
"""

from __future__ import annotations

import re
import unicodedata

from bayanihan.core.observables import Observable
from bayanihan.errors import Refused

IDENTIFIERS = ("account", "handle", "meeting", "phone")
OBJECT = "x-bayanihan-identifier"
TEXT_LIMIT = 200

_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PLACE = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
_HANDLE = re.compile(r"[\w.+-]{1,64}")
_ACCOUNT = re.compile(r"[0-9A-Z]{4,34}")
_MEETING = re.compile(r"[0-9a-z]{6,40}")
_FILLERS = re.compile(r"[\s().\u2010-\u2015-]+")


def identifier(type_: str, text: str) -> Observable:
    """The canonical spelling of an identifier.

    Args:
        type_: one of `IDENTIFIERS`.
        text: a phone number with its country (`+65 9123 4567`), or a place, a colon and a
            name: `telegram:somebody`, `dbs.sg:012-345678-9`, `zoom:812 3456 7890`.

    Raises:
        Refused: `bad-value`, for what has no one spelling.
    """
    if type_ not in IDENTIFIERS:
        raise Refused("bad-value", f"An identifier is one of {', '.join(IDENTIFIERS)}")
    plain = unicodedata.normalize("NFKC", text).strip()
    if len(plain) > TEXT_LIMIT or not plain.isprintable():
        raise Refused("bad-value", "It is too long for an identifier, or not plain text")
    if type_ == "phone":
        return Observable(type_, _phone(plain))
    place, colon, name = plain.partition(":")
    place = place.strip().lower()
    if not colon or _PLACE.fullmatch(place) is None:
        message = f"Write where the {type_} is, a colon, and its name: `telegram:somebody`"
        raise Refused("bad-value", message)
    return Observable(type_, f"{place}:{_name(type_, name.strip())}")


def _phone(text: str) -> str:
    number = _FILLERS.sub("", text)
    number = f"+{number[2:]}" if number.startswith("00") else number
    if _PHONE.fullmatch(number) is None:
        raise Refused("bad-value", "Write the number with its country, such as +65 9123 4567")
    return number


def _name(type_: str, text: str) -> str:
    if type_ == "handle":
        name, shape = text.removeprefix("@").casefold(), _HANDLE
    elif type_ == "account":
        name, shape = _FILLERS.sub("", text).upper(), _ACCOUNT
    else:
        name, shape = _FILLERS.sub("", text).lower(), _MEETING
    if shape.fullmatch(name) is None:
        raise Refused("bad-value", f"That is no name of a {type_}")
    return name


def phone(text: str) -> Observable:
    """`identifier` of a phone number."""
    return identifier("phone", text)


def handle(text: str) -> Observable:
    """`identifier` of a handle on a platform."""
    return identifier("handle", text)


def account(text: str) -> Observable:
    """`identifier` of an account at a bank or wallet."""
    return identifier("account", text)


def meeting(text: str) -> Observable:
    """`identifier` of a meeting on a platform."""
    return identifier("meeting", text)
