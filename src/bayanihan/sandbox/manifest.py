"""The manifest of a tool: `tool.json` at the top of its folder or archive."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bayanihan.errors import Refused

MANIFEST_FILE = "tool.json"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
Share = Annotated[float, Meta(ge=0, le=1)]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2,3}$")]
Vector = Annotated[
    str,
    Meta(
        pattern="^(phishing|malware|identity-theft|reconnaissance|attack-on-ai|"
        "information-manipulation|data-misuse)$"
    ),
]


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the vendor declares. A trial compares it with what it finds.

    Attributes:
        detection: share of attacks that the tool calls malicious.
        false_alarm: share of legitimate items that it calls malicious.
    """

    detection: Share
    false_alarm: Share


class Remote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a tool is that runs at its vendor's: one address on one declared host.

    Attributes:
        url: each item is posted there, and nowhere else.
    """

    url: Annotated[str, Meta(pattern=r"^https?://[^/@\s]+/\S*$", max_length=500)]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a tool says of itself.

    Attributes:
        id: its short name.
        version: its version, as its vendor counts.
        vendor: who answers for it.
        vectors: the attacks that it looks for, by the names of the AI extension.
        languages: ISO 639 codes of the languages that it is made for.
        command: the program and its arguments, run in the tool's folder; the program `python`
            is the interpreter that the harness brings.
        artefact: the digest that the vendor declares for everything but `tool.json`; a tool with
            other bytes is refused.
        accuracy: what the vendor declares.
        packages: Python distributions that the harness brings from its own environment.
        settings: files and folders below /etc that a program of the system reads.
        remote: the address of a tool that runs elsewhere; `command` is then its own client, if it
            has one.
    """

    id: Name
    version: Line
    vendor: Line
    vectors: Annotated[list[Vector], Meta(min_length=1)]
    languages: list[Language]
    command: Annotated[list[Annotated[str, Meta(min_length=1, max_length=4096)]], Meta()] = []
    artefact: Annotated[str, Meta(pattern="^(sha256:[0-9a-f]{64})?$")] = ""
    accuracy: Accuracy | None = None
    packages: list[Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]] = []
    settings: list[Annotated[str, Meta(pattern=r"^/etc/[a-z0-9][A-Za-z0-9._-]*$")]] = []
    remote: Remote | None = None


def read_manifest(data: bytes, where: str = MANIFEST_FILE) -> Manifest:
    """The manifest in these bytes.

    Raises:
        Refused: `not-json`, `bad-value` or `missing-property`, with the place of the fault.
    """
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.ValidationError as error:
        told, _, place = str(error).partition(" - at ")
        code = "missing-property" if "missing required" in told else "bad-value"
        raise Refused(code, told, where=f"{where} {place.strip('`') or '$'}") from None
    except msgspec.DecodeError as error:
        raise Refused("not-json", str(error), where=where) from None
    if not manifest.command and not manifest.remote:
        raise Refused("bad-value", "A tool has a command or a remote address", where=f"{where} $")
    return manifest


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema of `tool.json`."""
    return msgspec.json.schema(Manifest)
