"""The workload: a seeded mix of STIX 2.1 objects as a region's desks would send them.

Of 100 objects 60 are indicators, 15 observables, 10 sightings, 5 malware, 5 relationships
and 5 reports; their mean size is about 950 bytes. Every object has one TLP 2.0 marking
that any member of the region may read, so that the reading key sees all that was sent.
The same seed gives the same bytes; another seed gives other ids.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

MARKINGS = (
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",  # clear
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",  # green
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",  # amber
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",  # amber+strict
)
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
"""TLP RED: nobody but the one who sends it."""

SHARES = {
    "indicator": 60,
    "observable": 15,
    "sighting": 10,
    "malware": 5,
    "relationship": 5,
    "report": 5,
}
VERSIONED = {kind: share for kind, share in SHARES.items() if kind != "observable"}
"""The mix for a server that insists on `modified`."""

COUNTRIES = ("bn", "kh", "id", "la", "my", "mm", "ph", "sg", "th", "tl", "vn")
VECTORS = ("phishing", "malware", "identity-theft", "reconnaissance", "attack-on-ai")
AI_EXTENSION = "extension-definition--df1453b7-8580-45e3-880a-3d7a4cd48b90"
# STIX 2.1 section 2.9: the namespace of observables' ids.
OBSERVABLES = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")

_WORDS = (
    "account akun บัญชี tài khoản payment pembayaran bayad ชำระเงิน transfer kirim voice suara"
    " giọng nói clone deepfake director pengarah urgent segera ด่วน verify sahkan xác minh link"
    " pautan klik invoice tagihan customs cukai parcel padala refund wallet dompet loader"
    " stealer beacon written by a model from scraped profiles and sent to staff on payday"
    " domain registered today hosting moved twice same kit as last week other language"
).split()
_START = datetime(2026, 11, 1, tzinfo=UTC)
_NAME_PARTS = ("login", "secure", "pay", "bank", "update", "parcel", "tax", "gov", "mail", "app")
_REMEMBERED = 256

encode = msgspec.json.Encoder().encode
Object = dict[str, Any]


class Workload:
    """An endless, repeatable row of STIX objects.

    Args:
        seed: the same text gives the same objects.
        markings: each object carries one of these.
        shares: kind of object -> how many of a hundred, as `SHARES`.
    """

    def __init__(
        self,
        seed: str,
        markings: Sequence[str] = MARKINGS,
        shares: Mapping[str, int] = SHARES,
    ) -> None:
        self._random = random.Random(seed)
        self._markings = markings
        self._made = 0
        self._kinds = [kind for kind, share in shares.items() for _ in range(share)]
        self._phrases = [self._words(self._random.randrange(25, 46)) for _ in range(400)]
        self._authors = [f"identity--{self._uuid()}" for _ in COUNTRIES]
        self._indicators = [f"indicator--{self._uuid()}" for _ in range(_REMEMBERED)]
        self._malware = [f"malware--{self._uuid()}" for _ in range(_REMEMBERED)]
        self._makers: dict[str, Callable[[], Object]] = {
            "indicator": self._indicator,
            "observable": self._observable,
            "sighting": self._sighting,
            "malware": self._one_malware,
            "relationship": self._relationship,
            "report": self._report,
        }

    def object(self) -> Object:
        """The next object."""
        made = self._makers[self._random.choice(self._kinds)]()
        self._made += 1
        return made

    def objects(self, count: int) -> Iterator[bytes]:
        """The next `count` objects as compact JSON."""
        for _ in range(count):
            yield encode(self.object())

    def envelope(self, size: int) -> bytes:
        """The next `size` objects as one TAXII envelope."""
        return b'{"objects":[%b]}' % b",".join(self.objects(size))

    def indicator(self) -> bytes:
        """One more indicator as compact JSON."""
        self._made += 1
        return encode(self._indicator())

    # parts

    def _uuid(self) -> str:
        # A random UUID of version 4, drawn from the seed.
        bits = f"{self._random.getrandbits(128):032x}"
        variant = "89ab"[int(bits[16], 16) & 3]
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-{variant}{bits[17:20]}-{bits[20:]}"

    def _words(self, count: int) -> str:
        return " ".join(self._random.choices(_WORDS, k=count))

    def _phrase(self) -> str:
        return self._random.choice(self._phrases)

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _host(self, country: str) -> str:
        first, second = self._random.choices(_NAME_PARTS, k=2)
        ending = self._random.choice(("com", "net", "online", "shop", country))
        return f"{first}-{second}-{self._hex(9)}.{ending}"

    def _moment(self) -> str:
        at = _START + timedelta(milliseconds=41 * self._made)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"

    def _head(self, kind: str, country: int) -> Object:
        now = self._moment()
        return {
            "type": kind,
            "spec_version": "2.1",
            "id": f"{kind}--{self._uuid()}",
            "created_by_ref": self._authors[country],
            "created": now,
            "modified": now,
            "object_marking_refs": [self._random.choice(self._markings)],
        }

    def _told(self, kind: str) -> tuple[Object, str]:
        country = self._random.randrange(len(COUNTRIES))
        return self._head(kind, country), COUNTRIES[country]

    def _remember(self, known: list[str], ref: str) -> None:
        known[self._made % _REMEMBERED] = ref

    # objects

    def _pattern(self, country: str) -> str:
        host = self._host(country)
        match self._random.randrange(6):
            case 0:
                return f"[domain-name:value = '{host}']"
            case 1:
                url = f"https://{host}/{self._hex(12)}"
                return f"[domain-name:value = '{host}'] OR [url:value = '{url}']"
            case 2:
                return f"[url:value = 'https://{host}/{self._hex(10)}?u={self._hex(8)}']"
            case 3:
                sha, md5 = self._hex(64), self._hex(32)
                return f"[file:hashes.'SHA-256' = '{sha}' OR file:hashes.MD5 = '{md5}']"
            case 4:
                sender = f"{self._random.choice(_NAME_PARTS)}{self._hex(4)}@{host}"
                return (
                    f"[email-message:from_ref.value = '{sender}'"
                    f" AND email-message:subject = '{self._words(3)}']"
                )
            case _:
                parts = [self._random.randrange(1, 224), *self._random.choices(range(256), k=3)]
                address = ".".join(map(str, parts))
                port = self._random.randrange(1, 65_536)
                return f"[ipv4-addr:value = '{address}'] AND [network-traffic:dst_port = {port}]"

    def _indicator(self) -> Object:
        made, country = self._told("indicator")
        self._remember(self._indicators, made["id"])
        return made | {
            "name": f"{self._words(2)} {self._made}",
            "description": self._phrase(),
            "indicator_types": ["malicious-activity"],
            "pattern": self._pattern(country),
            "pattern_type": "stix",
            "pattern_version": "2.1",
            "valid_from": made["created"],
            "confidence": self._random.randrange(20, 100),
            "lang": self._random.choice(("en", "id", "ms", "th", "vi", "fil", "km")),
            "labels": [f"from-{country}"],
            "extensions": {
                AI_EXTENSION: {
                    "extension_type": "property-extension",
                    "vector": self._random.choice(VECTORS),
                }
            },
        }

    def _sighting(self) -> Object:
        made, _ = self._told("sighting")
        return made | {
            "description": self._phrase(),
            "first_seen": made["created"],
            "last_seen": made["created"],
            "count": self._random.randrange(1, 900),
            "sighting_of_ref": self._random.choice(self._indicators),
            "where_sighted_refs": [self._random.choice(self._authors)],
        }

    def _one_malware(self) -> Object:
        made, _ = self._told("malware")
        self._remember(self._malware, made["id"])
        return made | {
            "name": f"{self._words(2)} {self._made}",
            "description": f"{self._phrase()} {self._phrase()}",
            "is_family": False,
            "malware_types": ["trojan"],
            "first_seen": made["created"],
        }

    def _relationship(self) -> Object:
        made, _ = self._told("relationship")
        return made | {
            "relationship_type": "indicates",
            "description": self._phrase(),
            "source_ref": self._random.choice(self._indicators),
            "target_ref": self._random.choice(self._malware),
        }

    def _report(self) -> Object:
        made, _ = self._told("report")
        refs = [*self._random.choices(self._indicators, k=5), self._random.choice(self._malware)]
        return made | {
            "name": f"{self._words(4)} {self._made}",
            "description": self._phrase(),
            "report_types": ["campaign"],
            "published": made["created"],
            "object_refs": list(dict.fromkeys(refs)),
        }

    def _observable(self) -> Object:
        kind = self._random.choice(("domain-name", "url", "file", "email-message"))
        host = self._host(self._random.choice(COUNTRIES))
        match kind:
            case "domain-name":
                own: Object = {"value": host}
            case "url":
                own = {"value": f"https://{host}/{self._hex(60)}"}
            case "file":
                own = {"hashes": {"SHA-256": self._hex(64)}, "name": f"invoice-{self._hex(6)}.docm"}
            case _:
                own = {"body": self._phrase(), "subject": f"{self._words(5)} {self._hex(6)}"}
        # Section 2.9: the id is a hash of the properties that make the observable what it is.
        name = encode(dict(sorted(own.items()))).decode()
        made = {
            "type": kind,
            "spec_version": "2.1",
            "id": f"{kind}--{uuid.uuid5(OBSERVABLES, name)}",
            "object_marking_refs": [self._random.choice(self._markings)],
            **own,
            "extensions": {
                "extension-definition--7a1f3cf0-5f0c-4c55-9d0c-2a5a6f3d8e21": {
                    "extension_type": "property-extension",
                    "reporter_ref": self._random.choice(self._authors),
                    "context": f"{self._phrase()} {self._words(12)}",
                }
            },
        }
        if kind == "email-message":
            made["is_multipart"] = False
        return made


def envelopes(workload: Workload, count: int, size: int) -> Iterator[bytes]:
    """Envelopes of `size` objects, the last perhaps smaller, until `count` objects are out."""
    for start in range(0, count, size):
        yield workload.envelope(min(size, count - start))
