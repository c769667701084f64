"""Names made harmless for reading, and back: `hxxps://evil[.]example` is a URL.

Reports write addresses so that nobody follows them by accident. `defang` writes one such
form; `refang` reads the usual ones. For every canonical value refang(defang(value)) == value.
"""

from __future__ import annotations

import re

from bayanihan.core.observables import Observable

# Stands for a dot that was written defanged; whoever extracts may trust such a dot more.
DOT = "\ue00e"

_BRACKETED_DOT = re.compile(
    r"(?<=[^\s\[]) ?(?:\[ ?(?:\.|dot) ?\](?!\])|\((?:\.| ?dot ?)\)|\{(?:\.| ?dot ?)\}) ?(?=\w)",
    re.IGNORECASE,
)
_HALF_DOT = re.compile(r"(?<=\w)(?:\[\.(?=\w)|\.\](?=\w)|\\\.(?=\w))")
_AT = re.compile(r" ?(?:\[ ?(?:@|at) ?\]|\((?:@| ?at ?)\)|\{(?:@| ?at ?)\}) ?", re.IGNORECASE)
_SCHEME = re.compile(
    r"(?P<name>h(?:tt|xx|\*\*)ps?|f[tx]ps?)(?:\[:\]//|:\[//\]|\[://\]|:\\{2}|://|\[:\]\[//\])",
    re.IGNORECASE,
)
_COLON = re.compile(r"(?<![^\s0-9A-Fa-f\]:])\[:{1,2}\](?=[0-9a-fA-F:\[])")
# Brackets around a dot in a path may have been there before: one pair is put on, one taken.
_PATH_DOT = re.compile(r"(?<!\[)\[(?P<inside>\[*+\.\]*)\]")
_SPLIT = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*+)://(?P<place>[^/?#]*+)(?P<rest>.*+)", re.DOTALL)


def mark(text: str) -> str:
    """A text with its defanged forms read: schemes plain, and `DOT` for each bracketed dot."""
    text = text.replace(DOT, "")
    if not any(sign in text for sign in "[({\\*") and "xx" not in text.lower():
        return text
    text = _SCHEME.sub(lambda found: f"{_plain_scheme(found['name'])}://", text)
    text = _AT.sub("@", text)
    text = _COLON.sub(lambda found: found[0].strip("[]"), text)
    return _HALF_DOT.sub(DOT, _BRACKETED_DOT.sub(DOT, text))


def refang(text: str) -> str:
    """The address that a defanged one stands for."""
    found = _SPLIT.match(_SCHEME.sub(lambda part: f"{_plain_scheme(part['name'])}://", text, 1))
    if found is None:
        return mark(text).replace(DOT, ".")
    place = mark(found["place"]).replace(DOT, ".")
    return f"{found['scheme']}://{place}{path(found['rest'])}"


def path(rest: str) -> str:
    """What follows the host of a defanged URL, with one pair of brackets off each dot."""
    return _PATH_DOT.sub(lambda found: found["inside"], rest)


def defang(observable: Observable) -> str:
    """The value as it may be shown or sent: nothing in it can be followed by accident."""
    value, kind = observable.value, observable.type
    if kind == "url":
        found = _SPLIT.match(value)
        assert found is not None
        scheme = found["scheme"].replace("http", "hxxp", 1).replace("ftp", "fxp", 1)
        rest = re.sub(r"\[++\.\]++", lambda dot: f"[{dot[0]}]", found["rest"])
        return f"{scheme}://{_place(found['place'])}{rest}"
    if kind in ("domain", "ipv4", "cidr4"):
        return value.replace(".", "[.]")
    if kind in ("ipv6", "cidr6"):
        return value.replace(":", "[:]")
    if kind == "email":
        local, _, name = value.rpartition("@")
        return f"{local}[@]{name.replace('.', '[.]')}"
    return value


def _place(place: str) -> str:
    user, at, host = place.rpartition("@")
    return place if host.startswith("[") else f"{user}{at}{host.replace('.', '[.]')}"


def _plain_scheme(name: str) -> str:
    return name.lower().replace("hxxp", "http").replace("h**p", "http").replace("fxp", "ftp")
