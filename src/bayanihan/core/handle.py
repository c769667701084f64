"""What names people and programs beside addresses: handles, meetings, app packages.

A handle is `service:name`, a meeting `service:id`. An app package is a name like
`com.bank.app`: it looks like a domain and is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SERVICES = (
    "telegram line zalo viber wechat whatsapp instagram facebook tiktok messenger signal "
    "discord x twitter youtube skype kakaotalk"
).split()
_HOSTS = {
    "t.me": "telegram",
    "telegram.me": "telegram",
    "line.me": "line",
    "zalo.me": "zalo",
    "wa.me": "whatsapp",
    "instagram.com": "instagram",
    "facebook.com": "facebook",
    "tiktok.com": "tiktok",
    "discord.gg": "discord",
}
_NAMED = re.compile(
    rf"(?<![0-9A-Za-z_])(?P<service>{'|'.join(SERVICES)})(?: ?(?:id|ID|Id|acc|account|oa|OA))?"
    r"(?: ?[:=\uff1a] ?@?| @)(?P<name>[A-Za-z][A-Za-z0-9_.-]{3,63}+)(?![0-9A-Za-z@/])",
    re.IGNORECASE,
)
_BARE = re.compile(r"(?<![0-9A-Za-z_.@/=-])@(?P<name>[A-Za-z][A-Za-z0-9_]{4,31}+)(?![.@0-9A-Za-z])")
_PROFILE = re.compile(
    r"https?://(?:www\.)?(?P<host>[a-z.]+)/(?:\+|@|ti/p/[@~]?|R/ti/p/[@~]?|s/)?"
    r"(?P<name>[A-Za-z0-9_.-]{3,64})(?:[/?#]|$)"
)
_NO_NAMES = frozenset("share sharer login help search watch joinchat addstickers proxy".split())
_MEETING = re.compile(
    r"(?:zoom|meeting|webinar|รหัสประชุม|会议)[^0-9\n]{0,24}?(?:id|ID|Id|号|ไอดี)?[:：#\s]{1,3}"
    r"(?P<id>\d{3}[ -]?\d{3,4}[ -]?\d{3,5})(?!\d)",
    re.IGNORECASE,
)
_MEETING_URL = re.compile(
    r"https?://(?:[\w-]+\.)?(?:zoom\.us/(?:j|w|s)/(?P<zoom>\d{9,11})"
    r"|meet\.google\.com/(?P<meet>[a-z]{3}-[a-z]{4}-[a-z]{3}))"
)
_PACKAGE_FIRST = frozenset("com org net io app vn th id my sg ph kh la mm bn tl me dev".split())
_PACKAGE = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){2,7}", re.IGNORECASE)


def handles(text: str) -> Iterator[tuple[int, int, str]]:
    """Where handles stand in a text: start, end, `service:name` or `@name`."""
    for found in _NAMED.finditer(text):
        name = found["name"].rstrip(".-")
        yield found.start(), found.start("name") + len(name), f"{found['service'].lower()}:{name}"
    for found in _BARE.finditer(text):
        yield found.start(), found.end(), f"@{found['name']}"


def profile_of(url: str) -> str:
    """The handle that a URL of a known service leads to; "" for none."""
    found = _PROFILE.match(url)
    service = _HOSTS.get(found["host"], "") if found else ""
    if not found or not service or found["name"].lower() in _NO_NAMES:
        return ""
    return f"{service}:{found['name']}"


def meetings(text: str) -> Iterator[tuple[int, int, str]]:
    """Where ids of meetings stand beside a word for it: start, end, `zoom:id`."""
    for found in _MEETING.finditer(text):
        digits = re.sub(r"\D", "", found["id"])
        if 9 <= len(digits) <= 11:
            yield found.start("id"), found.end("id"), f"zoom:{digits}"


def meeting_of(url: str) -> str:
    """The meeting that a URL leads into; "" for none."""
    found = _MEETING_URL.match(url)
    if not found:
        return ""
    return f"zoom:{found['zoom']}" if found["zoom"] else f"meet:{found['meet']}"


def is_package(name: str, before: str, *, known_ending: bool) -> bool:
    """Whether a dotted name is an app's package and no domain.

    Args:
        name: as written.
        before: what stands before it in the text.
        known_ending: whether its last label is a top-level domain.
    """
    first = name.partition(".")[0].lower()
    if _PACKAGE.fullmatch(name) is None or first not in _PACKAGE_FIRST:
        return False
    told = re.search(r"apk|package|bundle id|แอป|ứng dụng|aplikasi|app ", before, re.IGNORECASE)
    return not known_ending or bool(told) or first in ("com", "org", "net")
