"""From the bytes of one file to what is known of it. Runs in the reader's own process."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Sequence

from publicsuffixlist import PublicSuffixList

from bayanihan.core import fingerprint, tlsh
from bayanihan.core.examined import Examined, Finding, Note, Removed
from bayanihan.core.extract import Extraction, extract
from bayanihan.core.fingerprint import Fingerprints
from bayanihan.core.language import NONE, REGION, Language, language_of
from bayanihan.core.lure import traits
from bayanihan.core.observables import HASH_DIGITS, Observable, host_of
from bayanihan.errors import Refused
from bayanihan.intake.evidence import media, records
from bayanihan.intake.evidence.mail import is_mail, read_mail
from bayanihan.intake.evidence.markup import read_markup
from bayanihan.intake.evidence.part import TEXT_LIMIT, Opened, Part, decoded, is_text
from bayanihan.intake.evidence.victims import masked, url_without_victims, without_victims

FINDINGS_LIMIT = 500
_NOTES_LIMIT = 200
_HASHES_LIMIT = 64
# Marks piled on one letter beyond what UAX 15 calls stream-safe; to sort them takes for ever.
_PILED = re.compile(r"([\u0300-\u036f]{30})[\u0300-\u036f]+")
_RESERVED = frozenset({"example", "invalid", "test", "onion"})
_MARKUP = re.compile(
    r"^\s*(?:<!doctype html|<html|<head|<body|<\?xml[^>]*>\s*<html)", re.IGNORECASE
)
# Where a language is spoken in one member alone, numbers without a country code are its own.
_COUNTRY_OF = {
    "th": "TH",
    "vi": "VN",
    "tl": "PH",
    "id": "ID",
    "ms": "MY",
    "km": "KH",
    "lo": "LA",
    "my": "MM",
    "tet": "TL",
}
_CONNECTING = ("domain", "ipv4", "ipv6", "email", "phone", "wallet", "handle", "meeting", "package")


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


def _endings(label: str) -> bool:
    return label in _RESERVED or _suffixes().publicsuffix(f"x.{label}") is not None


@functools.cache
def _guess() -> Callable[[str], Sequence[tuple[str, float]]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    model.set_languages(list(REGION))
    return lambda text: [(tag, float(share)) for tag, share in model.rank(text)]


def examine(data: bytes, country: str) -> Examined:
    """What one piece of evidence holds.

    Args:
        data: the file, whole.
        country: the reporter's member, for numbers without a country code; "" if none.
    """
    opened = _opened(data)
    for part in opened.parts:
        part.text = _PILED.sub(r"\1", part.text)
    language = _language(opened.parts)
    told = _Told(_COUNTRY_OF.get(language.tag, "") if not language.also else "", country)
    for part in opened.parts:
        told.read(part, opened.victims)
    for finding in opened.findings:
        told.add(finding)
    for what, value in opened.victims:
        told.removed.append(Removed(what, masked(value), "the mail's header"))
    prints = _prints(data, opened, told)
    return Examined(
        opened.kind,
        hashlib.sha256(data).hexdigest(),
        len(data),
        "\n\n".join(told.texts)[:TEXT_LIMIT],
        tuple(told.findings.values())[:FINDINGS_LIMIT],
        tuple(told.skipped[:_NOTES_LIMIT]),
        tuple(told.removed[:_NOTES_LIMIT]),
        tuple(dict.fromkeys(opened.left_out)),
        tuple(dict.fromkeys(told.disguises)),
        language,
        prints,
        tuple(media.provenance(data)) if opened.kind in ("image", "audio", "file") else (),
        tuple(opened.objects),
        tuple(opened.cadence),
    )


def _opened(data: bytes) -> Opened:
    opened = Opened("file")
    known = media.kind_of(data)
    if known:
        opened.kind = "file" if known == "archive" else known
        opened.files.append(("the file", data))
    elif json := records.is_json_of(data):
        opened.kind = json
        (records.read_stix if json == "stix" else records.read_misp)(data, opened)
    elif is_mail(data):
        opened.kind = "mail"
        read_mail(data, opened)
    elif is_text(data):
        _open_text(decoded(data), opened)
    else:
        opened.files.append(("the file", data))
    return opened


def _open_text(text: str, opened: Opened) -> None:
    if records.is_access_log(text):
        opened.kind = "access-log"
        records.read_access_log(text, opened)
    elif _MARKUP.match(text):
        opened.kind = "html"
        read_markup(text, "the page", opened)
    elif records.is_table(text):
        opened.kind = "table"
        records.read_table(text, opened)
    else:
        opened.kind = "text"
        if len(text) > TEXT_LIMIT:
            opened.left_out.append(f"Of the text the first {TEXT_LIMIT} characters were read.")
        opened.parts.append(Part("the text", text[:TEXT_LIMIT]))


def _language(parts: Sequence[Part]) -> Language:
    shown = " ".join([part.text[:5_000] for part in parts if part.role == "named"])
    return language_of(shown, _guess()) if shown.strip() else NONE


class _Told:
    """What the parts of a file tell together."""

    def __init__(self, of_language: str, of_reporter: str) -> None:
        self._country = of_language or of_reporter
        self.findings: dict[tuple[str, str], Finding] = {}
        self.texts: list[str] = []
        self.skipped: list[Note] = []
        self.removed: list[Removed] = []
        self.disguises: list[str] = []
        self.body = ""
        self.structure: tuple[str, ...] = ()

    def read(self, part: Part, victims: list[tuple[str, str]]) -> None:
        """What one part names; a victim's name in it is taken out first."""
        found = extract(part.text, _endings, self._country)
        hidden = {value for what, value in victims if what == "recipient"}
        for each in found.found:
            self._found(each.observable, each.why, part, hidden)
        for skipped in found.skipped:
            self.skipped.append(Note(skipped.text, skipped.why))
        self.disguises += found.disguises
        if part.role == "named" and not part.where.startswith("a link of"):
            self._keep(part, found, victims)

    def _keep(self, part: Part, found: Extraction, victims: list[tuple[str, str]]) -> None:
        text, removed = without_victims(part.text, part.where, victims)
        self.removed += [each for each in removed if each not in self.removed]
        self.texts.append(text)
        structure = traits(text, found)
        if len(structure) > len(self.structure):
            self.structure = structure
        if len(text) > len(self.body):
            self.body = text

    def _found(
        self,
        observable: Observable,
        why: str,
        part: Part,
        hidden: set[str],
    ) -> None:
        value = observable.value
        if observable.type == "email" and value.lower() in hidden:
            return
        if observable.type == "url":
            bare = url_without_victims(value)
            if bare != value:
                value = bare
                why += " What named the victim in it was removed."
                told = Removed("address", "...", f"a URL in {part.where}")
                if told not in self.removed:
                    self.removed.append(told)
        self.add(Finding(observable.type, value, why, part.where, part.role))

    def add(self, finding: Finding) -> None:
        """Keep a finding; named in a text or behind a link outweighs every other role."""
        known = self.findings.get((finding.type, finding.value))
        if known is None or (known.role != "named" and finding.role == "named"):
            self.findings[finding.type, finding.value] = finding


def _prints(data: bytes, opened: Opened, told: _Told) -> Fingerprints:
    wholes: list[str] = []
    parts: list[str] = []
    images = [content for _, content in opened.files if media.kind_of(content) == "image"]
    largest = max(images, key=len, default=b"")
    sounds: list[str] = []
    digests = [hashlib.sha256(data).hexdigest()]
    fuzzy: list[str] = []
    for where, content in opened.files:
        kind = media.kind_of(content)
        why = ""
        if kind == "image":
            found, why = media.pictures(content, parts=content is largest)
            wholes += [each.hash for each in found[:1]]
            parts += [each.hash for each in found[1:]]
        elif kind == "audio":
            code, why = media.sound(content)
            sounds += [code] if code else []
        if why:
            opened.left_out.append(why)
        if kind == "archive":
            names, about = media.entries(content)
            opened.left_out.append(about)
            told.skipped += [Note(name, "A file in an archive, not unpacked.") for name in names]
        if content is not data:
            _attached(content, where, told)
            digests.append(hashlib.sha256(content).hexdigest())
        code = tlsh.digest(content)
        fuzzy += [code] if code else []
    if len(images) > 1:
        opened.left_out.append(
            f"Of {len(images)} pictures the largest is recognised when it was cut; others whole."
        )
    raw = fingerprint.signature(told.body)
    return Fingerprints(
        (fingerprint.packed(raw),) if raw else (),
        told.structure,
        _infrastructure(told),
        tuple(digests[:50]),
        tuple(fuzzy[:50]),
        tuple([*wholes, *parts][:_HASHES_LIMIT]),
        tuple(sounds[:4]),
    )


def _attached(content: bytes, where: str, told: _Told) -> None:
    digest = hashlib.sha256(content).hexdigest()
    why = f"The SHA-256 of {where}, {len(content)} bytes."
    told.add(Finding("sha256", digest, why, where))


def _infrastructure(told: _Told) -> tuple[str, ...]:
    """What connects this case with others: hosts and contacts, never whole URLs."""
    found: dict[str, None] = {}
    for finding in told.findings.values():
        if finding.role not in ("named", "sender"):
            continue
        observable = Observable(finding.type, finding.value)
        if finding.type == "url":
            try:
                observable = host_of(observable)
            except Refused:
                continue
        if observable.type in _CONNECTING or observable.type in HASH_DIGITS:
            found[f"{observable.type}:{observable.value}"] = None
    return tuple(found)[:200]
