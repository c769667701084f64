"""A system file: what a provider or deployer writes down about one AI system.

Its keys: `system` (its id), `name` and `about` (for people), `facts` (see the vocabulary; what
is absent is unknown), and optionally `attestations` (verified by the caller), `artefact`
(`sha256:...` of what was tested) and `register` (entries of the public register).
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any

from bayanihan.errors import Refused
from bayanihan.rulebook.evidence import Attestation, read_attestations
from bayanihan.rulebook.facts import Facts, Vocabulary
from bayanihan.rulebook.reader import Mapping, read
from bayanihan.rulebook.schema import expect_keys, expect_mapping, text_in


@dataclass(frozen=True, slots=True)
class System:
    """One AI system with its checked facts and attestations."""

    id: str
    name: str
    about: str
    facts: Facts
    attestations: tuple[Attestation, ...] = ()
    register: AnyMapping[str, Any] = field(default_factory=dict)
    artefact: str = ""


def read_system(content: str, file: str, vocabulary: Vocabulary) -> System:
    """Read and check a system file (YAML, or JSON as its subset).

    Raises:
        Refused: with file and line.
    """
    root = expect_mapping(read(content, file), "A system file", f"{file}:1")
    expect_keys(root, "A system file", ("system", "facts"),
                ("name", "about", "attestations", "register", "artefact"))  # fmt: skip
    facts = expect_mapping(root["facts"], "facts", root.place("facts"))
    register = root.get("register") or Mapping(file, root.line)
    return System(
        text_in(root, "system"),
        text_in(root, "name"),
        text_in(root, "about"),
        vocabulary.check(facts, file),
        read_attestations(root.get("attestations"), file),
        dict(expect_mapping(register, "register", root.place("register"))),
        text_in(root, "artefact"),
    )


def system_from_json(body: Any, vocabulary: Vocabulary) -> System:
    """Check a system that arrived as JSON: `{system?, name?, facts, attestations?}`.

    Raises:
        Refused: `bad-value` or `conflict`, with the JSON path.
    """
    if not isinstance(body, dict) or not isinstance(body.get("facts"), dict):
        raise Refused("bad-value", "Send an object with `facts`.", where="$.facts")
    if not isinstance(body.get("register") or {}, dict):
        raise Refused("bad-value", "`register` is an object.", where="$.register")
    return System(
        str(body.get("system", "")),
        str(body.get("name", "")),
        str(body.get("about", "")),
        vocabulary.check(body["facts"], "$.facts"),
        read_attestations(body.get("attestations"), "$"),
        dict(body.get("register") or {}),
    )


def with_markets(facts: Facts, members: list[str]) -> Facts:
    """The facts, with these members added to where the system is offered.

    Asking about a member means: as if the system were offered there.
    """
    held = facts.get("markets", ())
    held = held if isinstance(held, tuple) else ()
    return {**facts, "markets": tuple(sorted({*held, *members}))}
