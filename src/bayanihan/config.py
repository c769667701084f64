"""One frozen object of settings, read from `DATA/hub.toml`. Unknown keys are refused."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from pathlib import Path

import msgspec

from bayanihan.core.collection_order import TaxiiOrder
from bayanihan.core.entrance_order import LimitsOrder, ProxyOrder, TlsOrder
from bayanihan.core.feed_order import FeedOrder
from bayanihan.core.marking import LEVELS
from bayanihan.errors import Refused

_URL = re.compile(r"https?://[A-Za-z0-9.\-]{1,253}(:[0-9]{1,5})?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,100}")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator may set. Every setting has a default that works."""

    host: str = "127.0.0.1"
    port: int = 8420
    name: str = "bayanihan"
    store: str = ""
    public_url: str = ""
    own_names: tuple[str, ...] = ()
    stale_after_s: int = 3_600
    retain_days: dict[str, int] = {}
    engines: bool = True
    taxii: TaxiiOrder = TaxiiOrder()
    feeds: FeedOrder = FeedOrder()
    limits: LimitsOrder = LimitsOrder()
    proxy: ProxyOrder = ProxyOrder()
    tls: TlsOrder = TlsOrder()


def load_settings(folder: Path) -> Settings:
    """The settings of a data directory; the defaults where there is no file.

    Raises:
        Refused: `bad-setting`, naming the file and the key at fault.
    """
    path = folder / "hub.toml"
    if not path.exists():
        return Settings()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        settings = msgspec.convert(document, Settings)
    except OSError as error:
        message = f"hub.toml cannot be read: {error.strerror}"
        raise Refused("bad-setting", message, where="hub.toml") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        message = f"hub.toml cannot be used: {error}"
        raise Refused("bad-setting", message, where="hub.toml") from error
    return checked(settings)


def checked(settings: Settings) -> Settings:
    """`settings`, if each of them can be. Raises `Refused("bad-setting")`."""
    for level, days in settings.retain_days.items():
        if level not in LEVELS or days < 1:
            message = "retain_days gives a TLP level a number of days, 1 or more"
            raise Refused("bad-setting", message, where=f"hub.toml: retain_days.{level}")
    if not _NAME.fullmatch(settings.name):
        message = f"{settings.name!r} is no name: letters, digits, dots and hyphens"
        raise Refused("bad-setting", message, where="hub.toml: name")
    if not 0 <= settings.port <= 65_535:
        raise Refused("bad-setting", f"{settings.port} is no port", where="hub.toml: port")
    if settings.stale_after_s < 1:
        message = "stale_after_s is a number of seconds, 1 or more"
        raise Refused("bad-setting", message, where="hub.toml: stale_after_s")
    if settings.public_url and not _URL.fullmatch(settings.public_url):
        message = "public_url is http:// or https:// and a host, without a path"
        raise Refused("bad-setting", message, where="hub.toml: public_url")
    if settings.taxii.max_content_length < 1:
        message = "max_content_length is a number of bytes, 1 or more"
        raise Refused("bad-setting", message, where="hub.toml: taxii.max_content_length")
    if fault := settings.feeds.fault():
        raise Refused("bad-setting", fault[1], where=f"hub.toml: feeds.{fault[0]}")
    _check_entrance(settings)
    return settings


def _check_entrance(settings: Settings) -> None:
    for name, number in msgspec.structs.asdict(settings.limits).items():
        if number < (0 if name == "body_bytes" else 1):
            message = f"{name} is a number, 1 or more"
            raise Refused("bad-setting", message, where=f"hub.toml: limits.{name}")
    proxy = settings.proxy
    for address in proxy.addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError:
            message = f"{address!r} is no address and no network"
            raise Refused("bad-setting", message, where="hub.toml: proxy.addresses") from None
    if not proxy.addresses and (proxy.certificate_header or proxy.certificates):
        message = "A certificate header is believed of a proxy alone, and none is named"
        raise Refused("bad-setting", message, where="hub.toml: proxy.addresses")
    if bool(proxy.certificate_header) != bool(proxy.certificates):
        message = "certificate_header and certificates go together"
        raise Refused("bad-setting", message, where="hub.toml: proxy")
    if proxy.certificate_header and not _HEADER.fullmatch(proxy.certificate_header):
        message = f"{proxy.certificate_header!r} is no name of a header"
        raise Refused("bad-setting", message, where="hub.toml: proxy.certificate_header")
    for digest in proxy.certificates:
        if not _DIGEST.fullmatch(digest.replace(":", "").lower()):
            message = f"{digest!r} is no SHA-256 in hex"
            raise Refused("bad-setting", message, where="hub.toml: proxy.certificates")
    if bool(settings.tls.certificate) != bool(settings.tls.key):
        message = "certificate and key go together"
        raise Refused("bad-setting", message, where="hub.toml: tls")
