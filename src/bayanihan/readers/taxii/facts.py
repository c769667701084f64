"""What the saved questions ask of an object: its type, its vector, who can use it.

Taken from the stored bytes, never from the submitter's word about them. What cannot be
read counts as absent: the object stays in `everything`, whatever else is wrong with it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from bayanihan.core import moment
from bayanihan.core.ai import EXTENSION_ID, VECTORS

NETWORK, MAIL, ENDPOINT, ANALYST = 1, 2, 4, 8
CONSUMERS = {"network": NETWORK, "mail": MAIL, "endpoint": ENDPOINT, "analyst": ANALYST}

# Observable type -> who can act on it. What is not named here is for people to read.
_ACTED_ON = {
    **dict.fromkeys(("domain-name", "ipv4-addr", "ipv6-addr", "network-traffic"), NETWORK),
    **dict.fromkeys(("autonomous-system", "mac-addr"), NETWORK),
    "url": NETWORK | MAIL,
    **dict.fromkeys(("email-addr", "email-message"), MAIL),
    "artifact": MAIL | ENDPOINT,
    "x509-certificate": NETWORK | ENDPOINT,
    **dict.fromkeys(("directory", "file", "mutex", "process", "software"), ENDPOINT),
    **dict.fromkeys(("user-account", "windows-registry-key"), ENDPOINT),
}
_PATTERN_TYPES = {
    **dict.fromkeys(("snort", "suricata"), NETWORK),
    **dict.fromkeys(("yara", "sigma"), ENDPOINT),
}
# An object type in a pattern stands before a colon, and never within a quoted string.
_NAMED = re.compile(r"'(?:[^'\\]|\\.)*'|([a-z0-9-]+):")

# Most patterns are one comparison with a plain string.
_ONE = re.compile(r"\[([a-z0-9-]+):[\w.-]+ ?= ?'[^'\\]*'\]")


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What is asked of one version of an object.

    `consumers` is a sum of the values of `CONSUMERS`.
    """

    type: str
    vector: str = ""
    consumers: int = ANALYST
    revoked: bool = False
    created: str = ""

    @property
    def created_us(self) -> int | None:
        """When the object says that it was created, None where it does not."""
        return moment.parse(self.created) if self.created else None


class _Asked(msgspec.Struct, gc=False):
    pattern: Any = None
    pattern_type: Any = None
    extensions: Any = None
    revoked: Any = None
    created: Any = None


_decode = msgspec.json.Decoder(_Asked).decode


def consumers_of(pattern: str, pattern_type: str) -> int:
    """Who can act on a pattern, by the observable types that it names."""
    if pattern_type != "stix":
        return _PATTERN_TYPES.get(pattern_type, ANALYST)
    if one := _ONE.fullmatch(pattern):
        return _ACTED_ON.get(one[1], ANALYST)
    found = 0
    for match in _NAMED.finditer(pattern):
        found |= _ACTED_ON.get(match[1], 0)
    return found or ANALYST


def facts_of(object_id: str, body: bytes) -> Facts:
    """The facts of an object's bytes; those of its type alone when they cannot be read."""
    kind = object_id.partition("--")[0]
    try:
        asked = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Facts(kind, consumers=_ACTED_ON.get(kind, ANALYST))
    if kind == "indicator":
        consumers = consumers_of(str(asked.pattern), str(asked.pattern_type))
    else:
        consumers = _ACTED_ON.get(kind, ANALYST)
    created = asked.created
    return Facts(
        kind,
        _vector(asked.extensions) if asked.extensions else "",
        consumers,
        asked.revoked is True,
        created if isinstance(created, str) else "",
    )


def _vector(extensions: Any) -> str:
    body = extensions.get(EXTENSION_ID) if isinstance(extensions, dict) else None
    vector = body.get("vector") if isinstance(body, dict) else None
    return vector if isinstance(vector, str) and vector in VECTORS else ""
