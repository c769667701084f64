"""Checks of single STIX values that a JSON type cannot express.

Each check takes the value, its JSON path, and the list that warnings go to; it refuses
what STIX forbids.

Source: OASIS STIX 2.1 sections 2 and 6; RFC 3986, RFC 5322, RFC 5646, RFC 6838.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from encodings.aliases import aliases
from ipaddress import AddressValueError, IPv6Address
from typing import Any

import msgspec

from bayanihan.core.json_bytes import step
from bayanihan.core.stix_vocab import HASHES
from bayanihan.errors import Refused


class Warning(msgspec.Struct, frozen=True, gc=False):  # noqa: A001 - the word that submitters know
    """What STIX advises against: accepted, and told to the submitter."""

    code: str
    path: str
    message: str


Notes = list[Warning]
Check = Callable[[Any, str, Notes], None]

_LANGUAGE = re.compile(
    r"(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})"
    r"(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
    r"(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*"
    r"(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?"
    r"|[xX](?:-[A-Za-z0-9]{1,8})+"
)
_LANGUAGE_LENGTH_LIMIT = 64
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f\x7f]+")
_CVE = re.compile(r"CVE-\d{4}-(?:0\d{3}|[1-9]\d{3,})", re.ASCII)
_CAPEC = re.compile(r"CAPEC-\d+", re.ASCII)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")
_BASE64 = re.compile(
    r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
)
_EMAIL = re.compile(r'(?:"[^"\x00-\x1f]*"|[^\s<>"@\x00-\x1f]+)@[^\s<>"@\x00-\x1f]+')
_MIME = re.compile(
    r"(?:application|audio|font|image|message|model|multipart|text|video)/[\w.+-]+(?:\s*;.*)?",
    re.ASCII,
)
_MIME_SHAPE = re.compile(r"[\w.+-]+/[\w.+-]+(?:\s*;.*)?", re.ASCII)
_CHARSET_FAMILY = re.compile(
    r"(?:us-ascii|ascii|utf|iso|cs|ibm|cp|ccsid|windows|x?-?mac|koi|big5|gb|hz|euc|shift|"
    r"tis|viscii|viqr|tcvn|ebcdic|hp|dec|dk-us|bs_|nf_|din|jis_|ks_c|ksc|unicode|scsu|bocu|"
    r"cesu|osd_|amiga|kz|ptcp|brf|adobe|ventura|pc8|latin|greek|arabic|cyrillic|hebrew|"
    r"thai|inis|invariant|nats|sen_|se_|pt|es|it|ns|st_|t\.61|videotex|us-dk|jus|msz|nc_)"
    r"[a-z0-9_:()+/-]*",
    re.IGNORECASE,
)
_ABBREVIATED_HIVE = re.compile(r"HK(?:LM|CC|CR|CU|U)(?:\\|\Z)", re.IGNORECASE)
_KEY = re.compile(r"[a-zA-Z0-9_-]{1,250}")
_IPV4 = re.compile(
    r"(?:(?:[0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])(?:\.(?!\Z|/)|(?=\Z|/))){4}"
    r"(?:/(?:3[0-2]|[12]?[0-9]))?"
)
_PREFIX_6 = re.compile(r"12[0-8]|1[01][0-9]|[1-9]?[0-9]")
_HASH_SHAPES = {
    "MD5": re.compile(r"[0-9a-fA-F]{32}"),
    "SHA-1": re.compile(r"[0-9a-fA-F]{40}"),
    "SHA-256": re.compile(r"[0-9a-fA-F]{64}"),
    "SHA-512": re.compile(r"[0-9a-fA-F]{128}"),
    "SHA3-256": re.compile(r"[0-9a-fA-F]{64}"),
    "SHA3-512": re.compile(r"[0-9a-fA-F]{128}"),
    "SSDEEP": re.compile(r"[0-9]+:[0-9A-Za-z/+]*:[0-9A-Za-z/+]*"),
    "TLSH": re.compile(r"(?:T1)?[0-9a-fA-F]{70}"),
}
_PDF_INFO = frozenset(
    "Title Author Subject Keywords Creator Producer CreationDate ModDate Trapped".split()
)


NO_TIME = "This is no timestamp such as 2026-11-22T08:00:00.000Z."


def refused(path: str, message: str) -> Refused:
    """A value that STIX forbids."""
    return Refused("bad-value", message, where=path)


def is_language(tag: str) -> bool:
    """Whether `tag` has the shape of an RFC 5646 language tag."""
    return len(tag) <= _LANGUAGE_LENGTH_LIMIT and _LANGUAGE.fullmatch(tag) is not None


def check_language(value: str, path: str, notes: Notes) -> None:
    """RFC 5646: a language tag."""
    if not is_language(value):
        raise refused(path, "This is no RFC 5646 language tag such as `th` or `zh-Hant`.")


def check_url(value: str, path: str, notes: Notes) -> None:
    """RFC 3986: a scheme, a colon and no white space."""
    if not _URL.fullmatch(value):
        raise refused(path, "This is no URL: it needs a scheme and has no white space.")


def check_hex(value: str, path: str, notes: Notes) -> None:
    """Section 2.7."""
    if not _HEX.fullmatch(value):
        raise refused(path, "This is not an even number of hexadecimal digits.")


def check_base64(value: str, path: str, notes: Notes) -> None:
    """Section 2.1; the shape alone, as the bytes are nobody's business here."""
    if not _BASE64.fullmatch(value):
        raise refused(path, "This is not base64.")


def check_email(value: str, path: str, notes: Notes) -> None:
    """RFC 5322 addr-spec: no display name, no angle brackets."""
    if not _EMAIL.fullmatch(value):
        raise refused(path, "This is no bare e-mail address such as name@example.com.")


def check_mime(value: str, path: str, notes: Notes) -> None:
    """RFC 6838 with a registered top-level type."""
    if not _MIME.fullmatch(value):
        raise refused(path, "This is no media type such as `application/zip`.")


def advise_mime(value: str, path: str, notes: Notes) -> None:
    """Section 6.7: the media type of a file is advised, not required, to be one."""
    if not _MIME_SHAPE.fullmatch(value):
        notes.append(Warning("media-type", path, "This is no media type such as `text/plain`."))


def check_charset(value: str, path: str, notes: Notes) -> None:
    """A name of the IANA character set registry, by the families that it knows."""
    plain = value.lower().replace("-", "_")
    if plain not in aliases and not _CHARSET_FAMILY.fullmatch(value):
        raise refused(path, "This is no registered character set.")


def check_ipv4(value: str, path: str, notes: Notes) -> None:
    """Section 6.8: an address or a CIDR block."""
    if not _IPV4.fullmatch(value):
        raise refused(path, "This is neither an IPv4 address nor an IPv4 CIDR block.")


def check_ipv6(value: str, path: str, notes: Notes) -> None:
    """Section 6.9: an address or a CIDR block."""
    address, slash, prefix = value.partition("/")
    try:
        IPv6Address(address)
    except AddressValueError:
        address = ""
    if not address or (slash and not _PREFIX_6.fullmatch(prefix)):
        raise refused(path, "This is neither an IPv6 address nor an IPv6 CIDR block.")


def check_registry_key(value: str, path: str, notes: Notes) -> None:
    """Section 6.17: the hive is spelled out."""
    if _ABBREVIATED_HIVE.match(value):
        raise refused(path, "The registry hive is abbreviated: write HKEY_LOCAL_MACHINE etc.")


def check_dictionary(value: dict[str, Any], path: str, notes: Notes) -> None:
    """Section 2.3: keys of 1 to 250 plain characters, no nulls, no empty lists."""
    for key, item in value.items():
        here = step(path, key)
        if not _KEY.fullmatch(key):
            raise refused(here, "A dictionary key has only a-z, A-Z, 0-9, hyphen, underscore.")
        refuse_nothing(item, here)


def refuse_nothing(value: Any, path: str) -> None:
    """Section 2: a property without a value is left out; null and [] are not values."""
    if value is None:
        raise refused(path, "null is not a value in STIX: leave the property out.")
    if value == []:
        raise refused(path, "A list in STIX is not empty: leave the property out.")


def check_hashes(value: dict[str, Any], path: str, notes: Notes) -> None:
    """Section 2.7 and the hash-algorithm vocabulary."""
    for name, digest in value.items():
        here = step(path, name)
        if not _KEY.fullmatch(name) or len(name) < 3:
            raise refused(here, "A hash is named by 3 to 250 letters, digits, `-` and `_`.")
        if not isinstance(digest, str):
            raise refused(here, "A digest is a string.")
        shape = _HASH_SHAPES.get(name)
        if shape is not None and not shape.fullmatch(digest):
            raise refused(here, f"This is no {name} digest.")
        if name not in HASHES and not name.startswith("x_"):
            notes.append(Warning("vocabulary", here, f"`{name}` is no hash algorithm of STIX."))


def check_pdf_info(value: dict[str, Any], path: str, notes: Notes) -> None:
    """Section 6.7.4: names of the document information dictionary."""
    check_dictionary(value, path, notes)
    for key, item in value.items():
        here = step(path, key)
        if not isinstance(item, str):
            raise refused(here, "An entry of the document information is a string.")
        if key not in _PDF_INFO:
            notes.append(Warning("vocabulary", here, f"`{key}` is no PDF document information."))


def check_references(value: list[dict[str, Any]], path: str, notes: Notes) -> None:
    """Section 2.5: a CVE or CAPEC reference has one spelling."""
    for i, reference in enumerate(value):
        source, number = reference["source_name"], reference.get("external_id", "")
        here = f"{path}[{i}]"
        if source == "cve" and not _CVE.fullmatch(number):
            raise refused(f"{here}.external_id", "A CVE id looks like CVE-2026-0001.")
        if source == "capec" and not _CAPEC.fullmatch(number):
            raise refused(f"{here}.external_id", "A CAPEC id looks like CAPEC-98.")
        if source != "cve" and _CVE.fullmatch(number):
            raise refused(f"{here}.source_name", "The source of a CVE id is `cve`.")
        if source != "capec" and _CAPEC.fullmatch(number):
            raise refused(f"{here}.source_name", "The source of a CAPEC id is `capec`.")


_usual_phases: set[str] = set()
_USUAL_PHASES_LIMIT = 4096


def advise_phases(value: list[dict[str, Any]], path: str, notes: Notes) -> None:
    """Section 2.12: names of kill chains and phases are lower case with hyphens."""
    for i, phase in enumerate(value):
        for name in ("kill_chain_name", "phase_name"):
            text = phase[name]
            if text in _usual_phases:
                continue
            if text != text.lower() or " " in text or "_" in text:
                message = "Names of kill chains and phases should be lower case with hyphens."
                notes.append(Warning("spelling", f"{path}[{i}].{name}", message))
            elif len(_usual_phases) < _USUAL_PHASES_LIMIT and len(text) <= 250:
                _usual_phases.add(text)


CHECKS: dict[str, Check] = {
    "url": check_url,
    "hex": check_hex,
    "base64": check_base64,
    "email": check_email,
    "mime": check_mime,
    "mime-advised": advise_mime,
    "charset": check_charset,
    "ipv4": check_ipv4,
    "ipv6": check_ipv6,
    "registry-key": check_registry_key,
    "dictionary": check_dictionary,
    "hashes": check_hashes,
    "pdf-info": check_pdf_info,
    "references": check_references,
    "phases": advise_phases,
}
