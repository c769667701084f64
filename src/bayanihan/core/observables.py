"""What an indicator can name on the wire or on disk, in one canonical spelling each.

An observable is a type and a value. Two spellings of the same thing give the same value,
so equality and hashing need nothing else, and a value never holds a character that could
leave its field: no white space, no control character, and in names and addresses no
quote, comment sign, `$` or backslash either. What has no safe canonical spelling is
refused, never repaired by guessing.

Source: RFC 1035 and RFC 5890 (names), UTS 46 without transitional processing, RFC 4291 and
RFC 5952 (addresses), RFC 3986 (URLs), RFC 5321 and RFC 6531 (mail), FIPS 180-4 and 202.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable

import idna
import msgspec

from bayanihan.errors import Refused

# The hashes that name one file, with their length in hexadecimal digits.
HASH_DIGITS = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "sha3-224": 56,
    "sha3-256": 64,
    "sha3-384": 96,
    "sha3-512": 128,
}
TYPES = ("domain", "ipv4", "ipv6", "cidr4", "cidr6", "url", "email", *HASH_DIGITS, "tlsh")

_NAME_MAX = 253
_TEXT_MAX = 1_024
_URL_MAX = 8_192
_LOCAL_MAX_BYTES = 64
_TLSH_DIGITS = 70

# Possessive throughout, so that no input makes them back-track.
_NAME = (
    r"(?:(?=[^.:/]{1,63}\.)[a-z0-9_]++(?:-++[a-z0-9_]++)*+\.)++"
    r"(?=[^.:/]{2,63}(?![^:/]))[a-z][a-z0-9]*+(?:-++[a-z0-9]++)*+"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# What a URL may hold after its host, as it goes over the wire: printable ASCII without
# the space, the quotation mark, <, >, backslash, ^, back-tick, {, } and the fragment's #.
_REST = r"!$-;=?-\[\]_a-z|~"

_PLAIN_NAME = re.compile(_NAME)
_V4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_PLAIN_URL = re.compile(rf"https?://(?P<host>{_NAME})/[{_REST}]*+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31})://")
_AUTHORITY = re.compile(r"[^/?#]*+")
_PORT = re.compile(r"[0-9]{1,5}")
_UNSAFE = re.compile(rf"[^{_REST}]")
_DEFAULT_PORT = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21}
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*+")
_HEX = re.compile(r"[0-9a-f]*+")


class Observable(msgspec.Struct, frozen=True, order=True, gc=False):
    """One canonical thing: `type` is one of `TYPES`, `value` its only spelling.

    Build it with `observe` or with the function of its type; the bare constructor trusts
    its caller. Equality and order are those of (type, value).
    """

    type: str
    value: str

    @property
    def unicode(self) -> str:
        """The value as a person reads it: names in their own script. For display only."""
        if "xn--" not in self.value:
            return self.value
        if self.type == "domain":
            return _display(self.value)
        if self.type == "email":
            local, _, name = self.value.rpartition("@")
            return f"{local}@{_display(name)}"
        if self.type == "url":
            before = self.value.index(_authority(self.value)) + len(self.userinfo)
            name = host_of(self).value
            return self.value[:before] + self.value[before:].replace(name, _display(name), 1)
        return self.value

    @property
    def userinfo(self) -> str:
        """What stands before the `@` of a URL's host, a common disguise; "" if nothing."""
        if self.type != "url":
            return ""
        return _authority(self.value).rpartition("@")[0]


def observe(type_: str, text: str) -> Observable:
    """The canonical observable of a type and a text.

    Args:
        type_: one of `TYPES`; an address may turn out a range and the reverse.
        text: as it was written, without white space around it.

    Raises:
        Refused: `bad-value`, when the text has no safe canonical spelling.
    """
    if type_ in HASH_DIGITS:
        return file_hash(type_, text)
    reader = _READERS.get(type_)
    if reader is None:
        raise Refused("bad-value", f"`{type_[:40]}` is not a type of observable.")
    found = reader(text)
    if type_ in _FAMILY and found.type not in _FAMILY[type_]:
        raise Refused("bad-value", f"{_quoted(text)} is no {type_} value.")
    return found


def guess(text: str) -> Observable:
    """The observable that a text is by its looks: a person need not name the type.

    Raises:
        Refused: `bad-value`, when it looks like none of them.
    """
    digits = {size: name for name, size in reversed(HASH_DIGITS.items())}
    if len(text) in digits and all(char in "0123456789abcdefABCDEF" for char in text):
        return file_hash(digits[len(text)], text)
    if "://" in text:
        return url(text)
    if "@" in text:
        return email(text)
    if ":" in text or text.partition("/")[0].rpartition(".")[2].isdigit():
        return address(text)
    return domain(text)


def domain(text: str) -> Observable:
    """A DNS name of two labels or more, as lower-case A-labels without the final dot.

    Underscores may stand in any label but the last. Letters that look like others are kept
    as they are: a homoglyph name is another name.

    Raises:
        Refused: `bad-value`.
    """
    name = text if text.isascii() and text.islower() else _ascii_name(text)
    name = name.removesuffix(".")
    if len(name) > _NAME_MAX or _PLAIN_NAME.fullmatch(name) is None:
        raise Refused("bad-value", f"{_quoted(text)} is not a DNS name.")
    return Observable("domain", name)


def address(text: str) -> Observable:
    """An IP address, or a range in CIDR notation: `ipv4`, `ipv6`, `cidr4` or `cidr6`.

    A range is masked to its first address; one that holds a single address is that address,
    and an IPv4 address in IPv6 clothes (::ffff:0:0/96) is the IPv4 address it stands for.
    Leading zeros, zone ids and net masks are refused: readers differ about them.

    Raises:
        Refused: `bad-value`.
    """
    if _V4.fullmatch(text):
        return Observable("ipv4", text)
    base, slash, prefix = text.partition("/")
    if len(text) > 64 or "%" in text or (slash and _PREFIX.fullmatch(prefix) is None):
        raise Refused("bad-value", f"{_quoted(text)} is not an IP address or range.")
    try:
        if ":" in base:
            return _range6(ipaddress.IPv6Network((base, int(prefix or 128)), strict=False))
        return _range4(ipaddress.IPv4Network((base, int(prefix or 32)), strict=False))
    except ValueError as error:
        raise Refused("bad-value", f"{_quoted(text)} is not an IP address or range.") from error


def url(text: str) -> Observable:
    """A URL with a host: scheme and host canonical, the rest as it goes over the wire.

    Without a scheme it is read as `http`. The fragment and a default port are dropped, an
    empty path is `/`, characters that never travel as they are become percent escapes. User
    information is kept, see `Observable.userinfo`. White space, control characters and
    backslashes are refused: browsers and filters disagree about them.

    Raises:
        Refused: `bad-value`.
    """
    if len(text) > _URL_MAX:
        raise Refused("bad-value", f"The URL has {len(text)} characters; {_URL_MAX} is the limit.")
    plain = _PLAIN_URL.fullmatch(text)
    if plain and len(plain["host"]) <= _NAME_MAX:
        return Observable("url", text)
    scheme_match = _SCHEME.match(text)
    scheme = scheme_match[1].lower() if scheme_match else "http"
    tail = text[scheme_match.end() :] if scheme_match else text
    authority = _authority_of_tail(tail)
    rest = tail[len(authority) :].partition("#")[0]
    user, at, place = authority.rpartition("@")
    host, port = _host_and_port(place, text)
    if port is not None and port != _DEFAULT_PORT.get(scheme):
        host = f"{host}:{port}"
    if not rest.startswith("/"):
        rest = "/" + rest
    value = f"{scheme}://{_escaped(user, text)}{at}{host}{_escaped(rest, text)}"
    if len(value) > _URL_MAX:
        raise Refused("bad-value", f"The URL is longer than {_URL_MAX} characters when escaped.")
    return Observable("url", value)


def email(text: str) -> Observable:
    """A mail address: the local part as written, the domain canonical.

    Raises:
        Refused: `bad-value`.
    """
    if len(text) > _TEXT_MAX:
        raise Refused("bad-value", f"A mail address of {len(text)} characters is too long.")
    local, at, name = text.rpartition("@")
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
    plain = "".join("x" if _is_word(char) else char for char in local)
    if (
        not at
        or len(local.encode(errors="replace")) > _LOCAL_MAX_BYTES
        or _LOCAL.fullmatch(plain) is None
    ):
        raise Refused("bad-value", f"{_quoted(text)} is not a mail address.")
    return Observable("email", f"{local}@{domain(name).value}")


def file_hash(algorithm: str, text: str) -> Observable:
    """The hash of a file in lower-case hexadecimal.

    Args:
        algorithm: any spelling: `SHA-256`, `sha256`, `SHA3-256` ...
        text: the digest in hexadecimal.

    Raises:
        Refused: `bad-value`, also for a fuzzy hash, which does not name one file.
    """
    name = hash_name(algorithm)
    if not name:
        raise Refused("bad-value", f"{_quoted(algorithm)} is not a hash that names one file.")
    value = text.lower()
    if len(value) != HASH_DIGITS[name] or _HEX.fullmatch(value) is None:
        raise Refused("bad-value", f"{_quoted(text)} is not {_article(name)} {name} hash.")
    return Observable(name, value)


def tlsh(text: str) -> Observable:
    """The TLSH digest of a file, version 1: `T1` and 70 hexadecimal digits in capitals.

    It names what a file is like, never one file, so nothing is ever blocked because of it.

    Raises:
        Refused: `bad-value`.
    """
    value = text.upper()
    if len(value) == _TLSH_DIGITS:
        value = f"T1{value}"
    if not value.startswith("T1") or _HEX.fullmatch(value[2:].lower()) is None:
        raise Refused("bad-value", f"{_quoted(text)} is not a TLSH digest.")
    if len(value) != _TLSH_DIGITS + 2:
        raise Refused("bad-value", f"{_quoted(text)} is not a TLSH digest.")
    return Observable("tlsh", value)


def hash_name(algorithm: str) -> str:
    """Our name of a hash algorithm in any spelling; "" when it names no single file."""
    bare = algorithm.lower().replace("_", "-").replace("sha-", "sha").replace("md-", "md")
    if bare.startswith("sha3") and bare[4:5].isdigit() and bare != "sha384":
        bare = f"sha3-{bare[4:]}"
    return bare if bare in HASH_DIGITS else ""


def host_of(where: str | Observable) -> Observable:
    """The host of a URL (`domain`, `ipv4` or `ipv6`), for grouping and for lists.

    It says where a URL points, never what may be blocked: a URL on a shared host is one
    page among many strangers' pages.

    Raises:
        Refused: `bad-value`.
    """
    value = where.value if isinstance(where, Observable) else url(where).value
    host = _authority(value).rpartition("@")[2]
    if host.startswith("["):
        return Observable("ipv6", host[1 : host.index("]")])
    host = host.partition(":")[0]
    return Observable("ipv4" if _V4.fullmatch(host) else "domain", host)


def _ascii_name(text: str) -> str:
    """`text` in lower-case ASCII, each other label as an A-label."""
    if text.isascii():
        return text.lower()
    if len(text) > _TEXT_MAX:
        raise Refused("bad-value", f"A DNS name of {len(text)} characters is too long.")
    try:
        labels = idna.uts46_remap(text, std3_rules=False).split(".")
        return ".".join([label if label.isascii() else _a_label(label) for label in labels])
    except UnicodeError as error:
        raise Refused("bad-value", f"{_quoted(text)} is not a DNS name: {error}.") from error


def _a_label(label: str) -> str:
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.InvalidCodepointContext, idna.IDNABidiError):
        raise
    except idna.InvalidCodepoint:
        # Browsers follow UTS 46, which lets through symbols that IDNA 2008 does not, so
        # such names resolve and are used in lures.
        return "xn--" + label.encode("punycode").decode("ascii")


def _display(name: str) -> str:
    return ".".join([_u_label(label) for label in name.split(".")])


def _u_label(label: str) -> str:
    """The label in its own script, or as it is when the two do not stand for each other."""
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except UnicodeError:
        return label


def _authority(value: str) -> str:
    return _authority_of_tail(value[value.index("://") + 3 :])


def _authority_of_tail(tail: str) -> str:
    found = _AUTHORITY.match(tail)
    return found[0] if found else ""


def _host_and_port(place: str, text: str) -> tuple[str, int | None]:
    """The canonical host and the port, if one was given."""
    if place.startswith("["):
        inside, closed, after = place[1:].partition("]")
        found = address(inside)
        if not closed or ":" not in inside or (after and after[0] != ":"):
            raise Refused("bad-value", f"{_quoted(text)} has no usable host.")
        host, port = f"[{found.value}]" if found.type == "ipv6" else found.value, after[1:]
    else:
        name, _, port = place.partition(":")
        host = name if _V4.fullmatch(name) else domain(name).value
    if not port:
        return host, None
    if _PORT.fullmatch(port) is None or not 0 < int(port) < 65_536:
        raise Refused("bad-value", f"{_quoted(text)} has no usable port.")
    return host, int(port)


def _escaped(part: str, text: str) -> str:
    """`part` with every character that does not travel as it is in percent escapes."""
    if _UNSAFE.search(part) is None:
        return part

    def escape(found: re.Match[str]) -> str:
        char = found[0]
        if char == "\\" or char == "#" or unicodedata.category(char)[0] in "CZ":
            raise Refused("bad-value", f"{_quoted(text)} holds a character that no URL may hold.")
        return "".join([f"%{byte:02X}" for byte in char.encode()])

    return _UNSAFE.sub(escape, part)


def _range4(network: ipaddress.IPv4Network) -> Observable:
    if network.prefixlen == 32:
        return Observable("ipv4", str(network.network_address))
    return Observable("cidr4", str(network))


def _range6(network: ipaddress.IPv6Network) -> Observable:
    mapped = network.network_address.ipv4_mapped
    if mapped is not None and network.prefixlen >= 96:
        return _range4(ipaddress.IPv4Network((mapped, network.prefixlen - 96)))
    if network.prefixlen == 128:
        return Observable("ipv6", network.network_address.compressed)
    return Observable("cidr6", network.compressed)


def _is_word(char: str) -> bool:
    return char > "\x7f" and unicodedata.category(char)[0] in "LMN"


def _quoted(text: str) -> str:
    """The text for a message: short, and with nothing that could leave its line."""
    short = text if len(text) <= 80 else text[:77] + "..."
    return "`" + "".join([char if char.isprintable() else "\ufffd" for char in short]) + "`"


def _article(name: str) -> str:
    return "an" if name.startswith("md") else "a"


_READERS: dict[str, Callable[[str], Observable]] = {
    "domain": domain,
    "ipv4": address,
    "ipv6": address,
    "cidr4": address,
    "cidr6": address,
    "url": url,
    "email": email,
    "tlsh": tlsh,
}
_FAMILY = {
    "ipv4": ("ipv4", "cidr4"),
    "cidr4": ("ipv4", "cidr4"),
    "ipv6": ("ipv6", "cidr6", "ipv4", "cidr4"),
    "cidr6": ("ipv6", "cidr6", "ipv4", "cidr4"),
}
