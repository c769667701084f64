"""From what was read to a draft: what is proposed, what is held, and why.

Proposed is what a text names or a link leads to. Held is what a wrong block would hurt: shared
hosts, names of the never-block list, what a link only shows, hosts that merely passed a mail
on, and the whole of a site of which one page was reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from bayanihan.core import ai
from bayanihan.core.ai_involvement import UNKNOWN, Claim, claim_of, estimate
from bayanihan.core.confusable import imitated
from bayanihan.core.examined import Examined, Finding
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.observables import HASH_DIGITS, Observable, host_of
from bayanihan.errors import Refused

NOTE_LIMIT = 4_000
_ACCOUNT_TYPES = {
    "phone": "phone",
    "handle": "handle",
    "wallet": "cryptocurrency-wallet",
    "meeting": "meeting",
}
_HASH_NAMES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}
_WHY_HELD = {
    "carrier": "It passed the mail on, and others may send by it: never blocked for that alone.",
    "bait": "It is what the link shows, not where it leads: probably what is imitated.",
    "script": "It is named in a script only: libraries are named there too.",
}
_ALWAYS = "a person may restore it"

Judge = Callable[[Observable], str | None]
"""Why a thing must never be blocked, in a sentence; None when nothing speaks against it."""


class Wish(msgspec.Struct, frozen=True):
    """What the reporter says beside the evidence."""

    vector: str = "phishing"
    note: str = ""
    tlp: str = ""
    group: str = ""
    exercise: bool = False
    claim: Claim = UNKNOWN


def wish_of(given: Mapping[str, str]) -> Wish:
    """The reporter's words as a wish.

    Raises:
        Refused: `bad-parameter` or `bad-value`.
    """
    vector = given.get("vector") or "phishing"
    if vector not in ai.VECTORS:
        message = f"{vector[:40]!r} is no vector"
        raise Refused(
            "bad-parameter",
            message,
            where="vector",
            next_step=f"Give one of {', '.join(ai.VECTORS)}.",
        )
    note = given.get("note", "")
    if len(note) > NOTE_LIMIT:
        raise Refused("bad-parameter", f"A note has {NOTE_LIMIT} characters at most", where="note")
    told: dict[str, Any] = {}
    for name in ("degree", "confidence", "kit"):
        if given.get(name):
            told[name] = given[name]
    for name in ("role", "evidence"):
        if given.get(name):
            told[name] = [part.strip() for part in given[name].split(",") if part.strip()]
    exercise = given.get("exercise", "").lower() in ("true", "1", "yes", "on")
    claim = claim_of(told, "ai") if told else UNKNOWN
    return Wish(vector, note, given.get("tlp", ""), given.get("group", ""), exercise, claim)


def pattern_of(observable: Observable) -> str:
    """The STIX pattern of an observable; "" where STIX has no word for it."""
    kind, value = observable.type, _quoted(observable.value)
    if kind in _HASH_NAMES or kind in HASH_DIGITS:
        return f"[file:hashes.'{_HASH_NAMES.get(kind, kind.upper())}' = {value}]"
    if kind in _ACCOUNT_TYPES:
        account = _quoted(_ACCOUNT_TYPES[kind])
        return f"[user-account:account_type = {account} AND user-account:account_login = {value}]"
    path = {
        "domain": "domain-name:value",
        "url": "url:value",
        "email": "email-addr:value",
        "ipv4": "ipv4-addr:value",
        "cidr4": "ipv4-addr:value",
        "ipv6": "ipv6-addr:value",
        "cidr6": "ipv6-addr:value",
        "tlsh": "file:hashes.TLSH",
        "package": "software:cpe",
    }.get(kind, "")
    if kind == "package":
        return f"[software:name = {value}]"
    return f"[{path} = {value}]" if path else ""


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def shown(finding: Finding) -> dict[str, str]:
    """A finding in the fixed shape: Unicode and ASCII form, pattern, and why."""
    observable = Observable(finding.type, finding.value)
    told = {
        "type": finding.type,
        "value": _readable(observable),
        "ascii": finding.value,
        "pattern": pattern_of(observable),
        "why": f"{finding.why} ({finding.where})",
    }
    host = _host(observable)
    likeness = imitated(host) if host else ""
    if likeness:
        told["looks_like"] = likeness
        told["why"] += f" Its letters look like `{likeness}`."
    return told


def _readable(observable: Observable) -> str:
    """The value in its own script, the path of a URL included where it is plain to read."""
    value = observable.unicode
    if observable.type != "url" or "%" not in value:
        return value
    start = value.index("/", 8) if "/" in value[8:] else len(value)
    try:
        path = unquote(value[start:], errors="strict")
    except UnicodeDecodeError:
        return value
    # What cannot be seen, or would end the line, stays escaped.
    return value[:start] + path if path.isprintable() and " " not in path else value


def _host(observable: Observable) -> Observable | None:
    if observable.type == "domain":
        return observable
    if observable.type == "url":
        return host_of(observable)
    if observable.type == "email":
        return Observable("domain", observable.value.rpartition("@")[2])
    return None


def content_of(
    examined: Examined, wish: Wish, judge: Judge, similar: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """A draft's content, in the fixed shape and more.

    Args:
        examined: what was read.
        wish: the reporter's words.
        judge: see `Judge`; documentation names may pass, since no feed carries them.
        similar: earlier cases that the reporter may see.
    """
    indicators: list[dict[str, str]] = []
    held: list[dict[str, str]] = []
    for finding in examined.findings:
        why = _why_held(finding, judge)
        told = shown(finding)
        if why:
            held.append({**told, "why": why})
        else:
            indicators.append(told)
    held += _whole_sites(examined.findings, {each["ascii"] for each in indicators}, judge)
    credentials = bool(examined.provenance)
    estimated = estimate([examined.text], has_credentials=credentials)
    return {
        "kind": examined.kind,
        "vector": wish.vector,
        "note": wish.note,
        "tlp": wish.tlp,
        "group": wish.group,
        "exercise": wish.exercise,
        "indicators": indicators,
        "held": held,
        "language": examined.language.tag,
        "language_also": examined.language.also,
        "similar": list(similar),
        "removed": msgspec.to_builtins(examined.removed),
        "skipped": msgspec.to_builtins(examined.skipped),
        "left_out": list(examined.left_out),
        "disguises": list(examined.disguises),
        "cadence": list(examined.cadence),
        "provenance": list(examined.provenance),
        "ai": {
            "vector": wish.vector,
            "reported": msgspec.to_builtins(wish.claim),
            "estimated": msgspec.to_builtins(estimated),
        },
        "evidence": {"sha256": examined.sha256, "size_bytes": examined.size_bytes},
        "text": examined.text[:20_000],
        "fingerprints": msgspec.to_builtins(examined.prints),
        "published": None,
    }


def _why_held(finding: Finding, judge: Judge) -> str:
    never = judge(Observable(finding.type, finding.value))
    if never:
        return never
    if finding.role == "sender" and "forged" in finding.why:
        return f"{finding.why} Blocking it would hit whoever was imitated; {_ALWAYS}."
    why = _WHY_HELD.get(finding.role, "")
    return f"{why[:-1]}; {_ALWAYS}." if why else ""


def _whole_sites(
    findings: Sequence[Finding], proposed: set[str], judge: Judge
) -> list[dict[str, str]]:
    """The hosts of reported pages: a page is a page, the whole site is a person's decision."""
    held: dict[str, dict[str, str]] = {}
    for finding in findings:
        if finding.type != "url" or finding.role != "named":
            continue
        host = host_of(Observable("url", finding.value))
        if host.value in proposed or host.value in held:
            continue
        never = judge(host)
        why = never or f"Only a page on this host was reported, not all of it; {_ALWAYS}."
        told = shown(Finding(host.type, host.value, why, finding.where))
        held[host.value] = {**told, "why": why}
    return list(held.values())


def edited(content: dict[str, Any], change: Mapping[str, Any], judge: Judge) -> dict[str, Any]:
    """A draft's content with a person's change.

    `drop` takes indicators out by their ASCII value, `restore` takes held ones in; `note`,
    `vector`, `tlp`, `group` and `ai` replace.

    Raises:
        Refused: `bad-parameter` for an unknown key or value, `bad-value` for a claim, and for
            restoring what is never blocked; `conflict` for a part of STIX.
    """
    unknown = set(change) - {"drop", "restore", "note", "vector", "tlp", "group", "ai"}
    if unknown:
        raise Refused("bad-parameter", f"A draft has no `{min(unknown)}` to change")
    dropped, restored = (_values(change, name) for name in ("drop", "restore"))
    if "envelope" in content and (dropped or restored):
        raise Refused(
            "conflict",
            "STIX is published as it came, whole",
            where="drop",
            next_step="Drop the draft, and push the objects that you want.",
        )
    kept = [each for each in content["indicators"] if each["ascii"] not in dropped]
    out = [each for each in content["indicators"] if each["ascii"] in dropped]
    back = [each for each in content["held"] if each["ascii"] in restored]
    known = {each["ascii"] for each in [*out, *back]}
    if missing := (dropped | restored) - known:
        raise Refused("bad-parameter", f"The draft names no {min(missing)[:80]!r}", where="drop")
    for each in back:
        never = judge(Observable(each["type"], each["ascii"]))
        if never:
            raise Refused("bad-value", never, where=each["value"])
    held = [each for each in content["held"] if each["ascii"] not in restored]
    held += [{**each, "why": "Dropped by a person."} for each in out]
    kept += [{**each, "why": "Restored by a person."} for each in back]
    words = {
        name: str(change[name]) for name in ("note", "vector", "tlp", "group") if name in change
    }
    wish_of(words)
    involvement = dict(content["ai"])
    if "ai" in change:
        involvement["reported"] = msgspec.to_builtins(claim_of(change["ai"], "ai"))
    involvement["vector"] = words.get("vector", involvement["vector"])
    return {**content, **words, "indicators": kept, "held": held, "ai": involvement}


def _values(change: Mapping[str, Any], name: str) -> set[str]:
    given = change.get(name, [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Refused("bad-parameter", f"`{name}` is a list of values", where=name)
    return set(given)


def prints_of(content: Mapping[str, Any]) -> Fingerprints:
    """The fingerprints that a draft keeps."""
    return msgspec.convert(content["fingerprints"], Fingerprints)
