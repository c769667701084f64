"""What a text names that can be acted on: addresses, names, hashes, numbers, accounts.

A hub that passes blocks on to eleven countries must never make an innocent name out of a
piece of another. So a label is taken whole or not at all: `ngân-hàng.example` is one name and
`hàng.example` none. Scripts that put no space between words (Thai, Lao, Khmer, Burmese,
Chinese) end a label of other letters, and the reverse: no registry mixes them in one label.

The time taken grows with the length of the text and with nothing else: every run of letters
is walked once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

import msgspec

from bayanihan.core import handle, refang
from bayanihan.core.name_runs import Name, names
from bayanihan.core.observables import Observable, address, email, file_hash, host_of, tlsh, url
from bayanihan.core.phone import phones
from bayanihan.core.refang import DOT
from bayanihan.core.spaceless import cut_after, cut_before, is_spaceless
from bayanihan.core.wallet import wallets
from bayanihan.errors import Refused

TEXT_LIMIT = 100_000
FOUND_LIMIT = 2_000

Endings = Callable[[str], bool]
"""Whether a label in ASCII is a top-level domain."""

# Invisible: they part a name for a filter and not for the eye.
_INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF),
        *range(0x200B, 0x2010),
        *range(0x202A, 0x202F),
        *range(0x2060, 0x2070),
    ]
)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_HIDDEN = re.compile("(?<=[0-9A-Za-z])[\u00ad\u200b-\u200d\u2060\ufeff](?=[0-9A-Za-z])")

_URL_START = re.compile(r"(?:https?|ftps?)://", re.IGNORECASE)
_URL_RUN = re.compile(
    r"[^\s<>\"\u00ab\u00bb\u2018-\u201f\u2039\u203a\u3001-\u3003\u3008-\u3011\uff01\uff08\uff09"
    r"\uff0c\uff1a\uff1b\uff1f\u17d4-\u17d6\u104a\u104b\\^`{}|]*+"
)
_MAIL_SIGNS = r"0-9A-Za-z!#$%&'*+/=?^_`{|}~.-"
_MAIL = re.compile(rf"(?<![{_MAIL_SIGNS}])(?P<local>[{_MAIL_SIGNS}]++)@")
_EDGE = r"(?<![0-9A-Za-z_.\u00c0-\u024f-])"
_END = r"(?![0-9A-Za-z_\u00c0-\u024f]|[.-][0-9A-Za-z])"
_V4 = re.compile(rf"{_EDGE}\d{{1,3}}(?:[.{DOT}]\d{{1,3}}){{3}}(?:/\d{{1,2}})?{_END}")
_V6 = re.compile(rf"{_EDGE}(?<!:)[0-9A-Fa-f:]{{3,39}}+(?:\.\d{{1,3}}){{0,3}}(?:/\d{{1,3}})?{_END}")
_VERSION_BEFORE = re.compile(
    r"(?:\bv|/|version|ver\.?|release|phiên bản|เวอร์ชัน|versi|bersyon|版本?)\s*$", re.IGNORECASE
)
_HASH = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,128}+(?![0-9A-Za-z])")
_HASH_BY_DIGITS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
_TLSH = re.compile(r"(?<![0-9A-Za-z])T1[0-9A-Fa-f]{70}(?![0-9A-Za-z])")
_TRAILING = ".,;:!?'\u2026*_~"
_PAIRS = {")": "(", "]": "["}


class Found(msgspec.Struct, frozen=True):
    """One thing that a text names, as it was written and where it began."""

    observable: Observable
    written: str
    start: int
    why: str


class Skipped(msgspec.Struct, frozen=True):
    """Something that looks like an address and was not taken, with the reason."""

    text: str
    why: str


class Extraction(msgspec.Struct, frozen=True):
    """All that a text names; `disguises` tells how it hides something, in sentences."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]
    disguises: tuple[str, ...]


def extract(text: str, endings: Endings, country: str = "") -> Extraction:
    """What a text names, in the order in which it stands there, each thing once.

    Args:
        text: any text; what is beyond `TEXT_LIMIT` characters is not looked at.
        endings: whether a label is a top-level domain, for names without a scheme.
        country: whose telephone numbers need no country code here.
    """
    shown = text[:TEXT_LIMIT]
    disguises = _disguises(shown)
    work = _Work(refang.mark(shown.translate(_INVISIBLE)), endings, country)
    for step in (
        work.urls,
        work.mails,
        work.hashes,
        work.wallets,
        work.meetings,
        work.handles,
        work.addresses,
        work.names,
        work.phones,
    ):
        work.take(step())
    found = sorted(work.found.values(), key=lambda each: each.start)[:FOUND_LIMIT]
    return Extraction(tuple(found), tuple(work.skipped[:FOUND_LIMIT]), disguises)


def _disguises(text: str) -> tuple[str, ...]:
    told = []
    if _TURNING.search(text):
        told.append("It holds characters that turn the direction of writing.")
    if _HIDDEN.search(text):
        told.append("It holds invisible characters inside words.")
    return tuple(told)


Span = tuple[int, int, Observable, str]


class _Work:
    """One text on its way: what was taken is blanked, so that no piece of it is taken again."""

    def __init__(self, text: str, endings: Endings, country: str) -> None:
        self.text = text
        self.found: dict[Observable, Found] = {}
        self.skipped: list[Skipped] = []
        self._endings = endings
        self._country = country
        self._endings_met: dict[str, bool] = {}

    def take(self, spans: Iterator[Span]) -> None:
        """Keep what one step found and blank it."""
        parts, last = [], 0
        for start, end, observable, why in spans:
            begin = end if observable.type == "url" else start
            if start < end and not self._is_whole(begin, end):
                continue
            written = self.text[start:end].replace(DOT, ".")
            self.found.setdefault(observable, Found(observable, written, start, why))
            parts += [self.text[last:start], " " * (end - start)]
            last = end
        self.text = "".join(parts) + self.text[last:]

    def _is_whole(self, start: int, end: int) -> bool:
        """Whether no letter goes on before or after: blanked, it would halve a name."""
        return not any(
            (char.isalnum() or unicodedata.category(char)[0] == "M") and not is_spaceless(char)
            for char in self._beside(start, end)
        )

    def _beside(self, start: int, end: int) -> str:
        before = self.text[max(0, start - 1) : start] if start < end else ""
        return before + self.text[end : end + 1]

    def _skip(self, text: str, why: str) -> None:
        self.skipped.append(Skipped(text.replace(DOT, ".")[:200], why))

    def urls(self) -> Iterator[Span]:
        """URLs with a scheme, and what they lead to: profiles and meetings."""
        at = 0
        while start := _URL_START.search(self.text, at):
            run = _URL_RUN.match(self.text, start.end())
            assert run is not None
            written = _trimmed(self.text[start.start() : run.end()], len(start[0]))
            at = max(start.end(), start.start() + len(written))
            yield from self._url(start.start(), written, "A URL in the text.")

    def _url(self, start: int, written: str, why: str) -> Iterator[Span]:
        value = refang.path(written.replace(DOT, "."))
        try:
            found = url(value)
        except Refused as refusal:
            self._skip(written, refusal.message)
            return
        end = start + len(written)
        yield start, end, found, why
        for type_, name in (
            ("handle", handle.profile_of(found.value)),
            ("meeting", handle.meeting_of(found.value)),
        ):
            if name:
                yield end, end, Observable(type_, name), "The URL leads there."

    def mails(self) -> Iterator[Span]:
        """Mail addresses. A script without spaces before the local part ends it."""
        for found in _MAIL.finditer(self.text):
            run = names(self.text, found.end(), limit=1)
            name = next(iter(run), None)
            if name is None or name.start != found.end():
                continue
            written = self.text[found.start() : name.end]
            try:
                yield found.start(), name.end, email(written.replace(DOT, ".")), _MAIL_WHY
            except Refused as refusal:
                self._skip(written, refusal.message)

    def hashes(self) -> Iterator[Span]:
        """Digests of files, by their length."""
        for found in _TLSH.finditer(self.text):
            yield found.start(), found.end(), tlsh(found[0]), "A fuzzy hash of a file."
        for found in _HASH.finditer(self.text):
            name = _HASH_BY_DIGITS.get(len(found[0]), "")
            if name and not found[0].isdigit() and not found[0].isalpha():
                told = f"A {name} hash of a file."
                yield found.start(), found.end(), file_hash(name, found[0]), told

    def wallets(self) -> Iterator[Span]:
        """Wallets, each with a right checksum."""
        for start, end, currency in wallets(self.text):
            told = f"A wallet ({currency}) with a right checksum."
            yield start, end, Observable("wallet", self.text[start:end]), told

    def meetings(self) -> Iterator[Span]:
        """Ids of meetings."""
        for start, end, value in handle.meetings(self.text):
            yield start, end, Observable("meeting", value), "The id of a meeting."

    def handles(self) -> Iterator[Span]:
        """Handles, beside the name of their service or with an @."""
        last = 0
        for start, end, value in sorted(set(handle.handles(self.text))):
            if start >= last:
                yield start, end, Observable("handle", value), "An account of a service."
                last = end

    def addresses(self) -> Iterator[Span]:
        """IP addresses and ranges; a number after a word for a version is none."""
        for pattern in (_V4, _V6):
            last = 0
            for found in pattern.finditer(self.text):
                written = found[0].replace(DOT, ".")
                if written.count(":") == 1 or found.start() < last:
                    continue
                if pattern is _V6 and (":" not in written or len(written) < 6):
                    continue
                if _VERSION_BEFORE.search(self.text[max(0, found.start() - 12) : found.start()]):
                    continue
                try:
                    observable = address(written)
                except Refused:
                    continue
                last = found.end()
                yield found.start(), found.end(), observable, "An address in the text."

    def names(self) -> Iterator[Span]:
        """Domain names, URLs without a scheme, and app packages."""
        for name in names(self.text, 0):
            yield from self._name(name)

    def _name(self, name: Name) -> Iterator[Span]:
        ending = name.labels[-1]
        known = self._known(ending)
        plain = ".".join(name.labels)
        before = self.text[max(0, name.start - 24) : name.start]
        if not name.defanged and handle.is_package(plain, before, known_ending=known):
            told = "The name of an app's package."
            yield name.start, name.end, Observable("package", plain), told
            return
        if not known:
            return
        why_not = name.doubt(before, self.text[name.end : name.end + 1])
        if why_not:
            self._skip(plain, why_not)
            return
        if self.text[name.end : name.end + 1] in ("/", "?") and not before.endswith("@"):
            run = _URL_RUN.match(self.text, name.end)
            assert run is not None
            written = _trimmed("http://" + self.text[name.start : run.end()], 7)[7:]
            if len(written) > name.end - name.start + 1:
                yield from self._bare_url(name.start, written)
                return
        try:
            yield name.start, name.end, _domain(plain), "A name in the text."
        except Refused as refusal:
            self._skip(plain, refusal.message)

    def _bare_url(self, start: int, written: str) -> Iterator[Span]:
        why = "A URL in the text, written without a scheme."
        for _, _, observable, told in self._url(start, f"http://{written}", why):
            yield start, start + len(written), observable, told

    def _known(self, ending: str) -> bool:
        met = self._endings_met.get(ending)
        if met is None:
            try:
                met = self._endings(_domain(f"x.{ending}").value.partition(".")[2])
            except Refused:
                met = False
            self._endings_met[ending] = met
        return met

    def phones(self) -> Iterator[Span]:
        """Telephone numbers."""
        for start, end, value in phones(self.text, self._country):
            yield start, end, Observable("phone", value), "A telephone number in the text."


_MAIL_WHY = "A mail address in the text."


def _domain(name: str) -> Observable:
    # The host of a URL, so that a name and a URL on it are read alike.
    return host_of(f"http://{name}/")


def _trimmed(written: str, scheme: int) -> str:
    """A URL without what belongs to the sentence around it.

    Args:
        written: from the scheme to the next space.
        scheme: how many characters the scheme with `://` has.
    """
    place = re.search(r"[/?#]", written[scheme:])
    split = scheme + place.start() if place else len(written)
    host, rest = written[scheme:split], written[split:]
    host_end = cut_after(host)
    if host_end < len(host):
        return written[: scheme + host_end].rstrip(_TRAILING + DOT)
    rest = rest[: cut_before(rest)]
    whole = written[:split] + rest
    while whole and (whole[-1] in _TRAILING or whole[-1] in _PAIRS or whole[-1] == DOT):
        opened = _PAIRS.get(whole[-1])
        if opened and whole.count(opened) >= whole.count(whole[-1]):
            break
        whole = whole[:-1]
    return whole


def plain_text(text: str) -> str:
    """A text without its invisible characters, in one normal form: for comparing."""
    return unicodedata.normalize("NFKC", text.translate(_INVISIBLE))
