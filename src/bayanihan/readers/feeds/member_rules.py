"""`yara.yar` and `sigma.yml`: members' own rules, as they wrote them, once they are checked.

Source: the YARA manual, "Writing YARA rules"; the Sigma specification 2.
"""

from __future__ import annotations

from bayanihan.core.observables import Observable
from bayanihan.readers.feeds.format import ALERTING, Format, Heading, Item, commented
from bayanihan.readers.feeds.rule_text import (
    SIGMA_END,
    YARA_CANARY,
    YARA_END,
    sigma_bare,
    sigma_refusal,
    yara_name,
    yara_refusal,
)

_CANARY_YARA = "the rule `bayanihan_canary` matches a file with the words `bayanihan canary`"
_CANARY_SIGMA = "the rule titled `Bayanihan canary` is there"


def refusal_yara(observable: Observable) -> str | None:
    """Why a rule may not be passed on; None when it may."""
    return yara_refusal(observable.value)


def head_yara(heading: Heading) -> list[str]:
    """The comments and the canary."""
    about = "Rules as members wrote them. They detect; what to do is the scanner's own set-up."
    return [
        *commented("//", heading, _CANARY_YARA, about),
        f'rule {YARA_CANARY} {{ strings: $a = "bayanihan canary" condition: $a }}',
    ]


def lines_yara(item: Item) -> list[str]:
    """One rule."""
    return [f"\n// {' '.join(item.ids)}\n{item.value.strip()}"]


def refusal_sigma(observable: Observable) -> str | None:
    """Why a rule may not be passed on; None when it may."""
    return sigma_refusal(observable.value)


def head_sigma(heading: Heading) -> list[str]:
    """The comments and the canary, the first of several documents."""
    about = "One rule a document, as members wrote them."
    return [
        *commented("#", heading, _CANARY_SIGMA, about),
        "title: Bayanihan canary",
        "logsource: {category: dns}",
        "detection: {canary: {query: canary.bayanihan.invalid}, condition: canary}",
    ]


def lines_sigma(item: Item) -> list[str]:
    """One document."""
    return [f"---\n# {' '.join(item.ids)}\n{sigma_bare(item.value)}"]


YARA = Format(
    name="yara.yar",
    engine="yara-x",
    media_type="text/plain; charset=utf-8",
    types=frozenset({"yara"}),
    refusal=refusal_yara,
    head=head_yara,
    lines=lines_yara,
    rival=lambda item: yara_name(item.value),
    end=YARA_END,
    canary=_CANARY_YARA,
    modes=ALERTING,
)
SIGMA = Format(
    name="sigma.yml",
    engine="pySigma",
    media_type="application/yaml",
    types=frozenset({"sigma"}),
    refusal=refusal_sigma,
    head=head_sigma,
    lines=lines_sigma,
    canary=_CANARY_SIGMA,
    end=SIGMA_END,
    modes=ALERTING,
)
