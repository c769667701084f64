"""The `law` verbs that keep something on a hub: the register, filings and cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from bayanihan.commands import law_print
from bayanihan.commands.hub_client import (
    DEFAULT_HUB,
    HubClient,
    HubOption,
    JsonOption,
    KeyOption,
    in_path,
)
from bayanihan.commands.law_files import FORMATS, open_rulebook, open_system, today
from bayanihan.errors import Refused
from bayanihan.rulebook.system import System

filing = App(
    name="filing",
    help="""Reports owed after an incident: draft, file, acknowledge.

Example: bayanihan law filing list""",
)
case = App(
    name="case",
    help="""Safeguard and sanction procedures: people take every step.

Example: bayanihan law case list""",
)

Reason = Annotated[str, Parameter(help="Why: a sentence that others can check.")]
After = Annotated[str, Parameter(help="The cursor of the page before.")]
Fields = Annotated[
    tuple[str, ...], Parameter(name="--field", negative="", help="NAME=TEXT; repeat it.")
]


def as_body(system: System) -> dict[str, Any]:
    """A system file as the hub takes it."""
    told = {
        "system": system.id,
        "name": system.name,
        "about": system.about,
        "facts": law_print.plain(dict(system.facts)),
        "register": {key: str(value) for key, value in system.register.items()},
        "attestations": [{"digest": one.digest, "kind": one.kind} for one in system.attestations],
        "artefact": system.artefact,
    }
    return {key: value for key, value in told.items() if value or key == "facts"}


def enter(
    file: Path,
    *,
    id_: Annotated[str, Parameter(name="--id", help="A new version of this entry.")] = "",
    draft: Annotated[bool, Parameter(negative="", help="Only keep it as a draft.")] = False,
    voluntary: Annotated[bool, Parameter(negative="", help="Though no duty asks for it.")] = False,
    reason: Reason = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Enter a system in the hub's register, as a named person of a member.

    The public sees the points of Annex VIII, the members' authorities the whole file.

    Example: bayanihan law enter examples/systems/bank-chatbot.yaml
    """
    body = as_body(open_system(file, open_rulebook()))
    body |= {"id": id_, "draft": draft, "voluntary": voluntary, "reason": reason}
    with HubClient(hub, key) as client:
        told = client.json("POST", "/api/law/register", json=body)
    if json:
        law_print.show_json(told)
        return
    where = f", section {told['section']} ({told['place']})" if told["state"] != "draft" else ""
    print(f"{told['id']}: {told['state']}{where}")
    law_print.show_notice(told)


def registry(
    id_: str = "",
    *,
    view: Annotated[str, Parameter(help="public, or authority with a `regulate` key.")] = "public",
    withdraw: Annotated[str, Parameter(help="Mark your own entry as withdrawn, and why.")] = "",
    after: After = "",
    duties: Annotated[bool, Parameter(negative="", help="What the system owes now.")] = False,
    member: Annotated[
        tuple[str, ...], Parameter(name="--member", negative="", help="With --duties; repeat it.")
    ] = (),
    output: Annotated[str, Parameter(name="--format", help=FORMATS)] = "text",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """The hub's register of AI systems: all of it, or one entry.

    Example: bayanihan law registry --view public --format csv
    """
    if (withdraw or duties) and not id_:
        raise Refused("wrong-use", "Name the entry.")
    with HubClient(hub, key) as client:
        if duties:
            params = {"member": ",".join(member)}
            told = client.json("GET", f"/api/law/register/{in_path(id_)}/duties", params=params)
            if not law_print.show_as("duties", told, "json" if json else output, today()):
                law_print.show_owed(told)
            return
        if withdraw:
            path = f"/api/law/register/{in_path(id_)}/withdraw"
            told = client.json("POST", path, json={"reason": withdraw})
            print(f"{told['id']}: {told['state']}")
            return
        if id_:
            told = client.json("GET", f"/api/law/register/{in_path(id_)}")
            told = {"entries": [told], "next": "", **told}
        else:
            params = {"view": view, "after": after}
            told = client.json("GET", "/api/law/register", params=params)
    if not law_print.show_as("register", told, "json" if json else output, today()):
        law_print.show_registry(told)


def attestation(
    digest: str,
    *,
    judge: Annotated[str, Parameter(help="Decide that it is revoked, or drifted.")] = "",
    since: Annotated[str, Parameter(help="The day since which that is so; default today.")] = "",
    reason: Reason = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """What the record says of an attestation; an authority may decide that it no longer counts.

    Example: bayanihan law attestation sha256:... --judge drifted --reason "new model since 1 June"
    """
    path = f"/api/law/attestations/{in_path(digest)}"
    with HubClient(hub, key) as client:
        if judge:
            body = {"state": judge, "since": since, "reason": reason}
            told = client.json("POST", f"{path}/judge", json=body)
        else:
            told = client.json("GET", path)
    if json:
        law_print.show_json(told)
        return
    print(f"{told['digest']}  from {told['origin']}, counts from {told['since']}")
    for name in ("until", "revoked", "drifted"):
        if told[name]:
            print(f"    {name}: {told[name]}")
    for one in told["decisions"]:
        print(f"    {one['member']} {one['state']} since {one['since']}: {one['reason']}")
    law_print.show_notice(told)


@filing.command
def report(
    file: Path,
    *,
    kind: Annotated[tuple[str, ...], Parameter(negative="", help="cyber, personal-data, ...")],
    aware: Annotated[str, Parameter(help="When it became known, 2026-11-22T09:30:00Z.")],
    says: Annotated[str, Parameter(help="What happened.")] = "",
    member: Annotated[
        tuple[str, ...], Parameter(name="--member", negative="", help="Repeat it; default all.")
    ] = (),
    field: Fields = (),
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Report an incident once: the hub keeps a draft of each filing owed. Nothing is filed.

    Example: bayanihan law filing report examples/systems/bank-chatbot.yaml --kind cyber \
            --aware 2026-11-22T09:30:00Z --member SG --member MY
    """
    body = as_body(open_system(file, open_rulebook()))
    body.pop("artefact", None)
    body |= {"kind": list(kind), "aware": aware, "says": says, "member": list(member)}
    with HubClient(hub, key) as client:
        told = client.json("POST", "/api/law/incidents", json={**body, "fields": _pairs(field)})
    if json:
        law_print.show_json(told)
        return
    for one in told["filings"]:
        law_print.show_filing(one)
    for one in told["clocks"]:
        if one["state"] != "runs":
            print(f"{one['member']} {one['state']:12} {one['kind']}: {one['note']}")
    law_print.show_notice(told)


@filing.command(name="list")
def list_filings(
    *,
    after: After = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Your drafts and the filings that you may see, each with its clock.

    Example: bayanihan law filing list
    """
    told = _page("/api/law/filings", after, hub, key)
    if json:
        law_print.show_json(told)
    else:
        law_print.show_list(told, [*told["drafts"], *told["filings"]], law_print.show_filing)


@filing.command
def show(
    id_: str, *, json: JsonOption = False, hub: HubOption = DEFAULT_HUB, key: KeyOption = ""
) -> None:
    """One filing: its text, who filed it, its clock.

    Example: bayanihan law filing show filing--...
    """
    with HubClient(hub, key) as client:
        told = client.json("GET", f"/api/law/filings/{in_path(id_)}")
    if json:
        law_print.show_json(told)
        return
    law_print.show_filing(told)
    print(told["text"])
    law_print.show_notice(told)


@filing.command
def file(
    id_: str, *, field: Fields = (), hub: HubOption = DEFAULT_HUB, key: KeyOption = ""
) -> None:
    """File a draft of your organisation, as the person whom your key names. The clock goes on.

    Example: bayanihan law filing file filing--... --field affected="none known"
    """
    path = f"/api/law/filings/{in_path(id_)}/file"
    with HubClient(hub, key) as client:
        told = client.json("POST", path, json={"fields": _pairs(field)})
    law_print.show_filing(told)
    law_print.show_notice(told)


@filing.command
def acknowledge(
    id_: str,
    *,
    reference: Annotated[str, Parameter(help="Your file number.")],
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """The addressee's authority acknowledges a filing: this alone stops its clock.

    Example: bayanihan law filing acknowledge filing--... --reference CSA-2026-17
    """
    path = f"/api/law/filings/{in_path(id_)}/acknowledge"
    with HubClient(hub, key) as client:
        told = client.json("POST", path, json={"reference": reference})
    law_print.show_filing(told)
    law_print.show_notice(told)


@case.command(name="open")
def open_case(
    procedure: str,
    *,
    subject: Annotated[str, Parameter(help="The register entry, or what it is about.")],
    reason: Reason,
    prohibited: Annotated[bool, Parameter(negative="", help="A prohibited practice.")] = False,
    tlp: Annotated[str, Parameter(help="Who may read it; default amber+strict.")] = "",
    group: Annotated[str, Parameter(help="One of your groups; default region.")] = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Open a case, as a named person of your member's authority (scope `regulate`).

    Example: bayanihan law case open eu/art79 --subject ai-system--... --reason "complaint 12"
    """
    body = {"procedure": procedure, "subject": subject, "reason": reason, "tlp": tlp}
    with HubClient(hub, key) as client:
        sent = {**body, "group": group, "prohibited": prohibited}
        told = client.json("POST", "/api/law/cases", json=sent)
    _show_case(told, json=json)


@case.command
def step(
    id_: str,
    name: str,
    *,
    office: Annotated[str, Parameter(help="In which office: authority, commission, ...")],
    reason: Reason,
    reference: Annotated[str, Parameter(help="The document, for an office elsewhere.")] = "",
    prescribed: Annotated[str, Parameter(help="The end of a period that you set.")] = "",
    share: Annotated[int | None, Parameter(help="For a vote: percent in favour.")] = None,
    factor: Annotated[
        tuple[str, ...], Parameter(name="--factor", negative="", help="FACTOR=FINDING; repeat it.")
    ] = (),
    evidence: Annotated[
        tuple[str, ...], Parameter(name="--evidence", negative="", help="An id; repeat it.")
    ] = (),
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """Take a step of a case. What the procedure does not allow is refused with its article.

    Example: bayanihan law case step case--... evaluate --office authority --reason "signs of risk"
    """
    body = {
        "step": name,
        "office": office,
        "reason": reason,
        "reference": reference,
        "prescribed": prescribed,
        "share": share,
        "factors": _pairs(factor),
        "evidence": list(evidence),
    }
    with HubClient(hub, key) as client:
        told = client.json("POST", f"/api/law/cases/{in_path(id_)}/steps", json=body)
    _show_case(told, json=json)


@case.command(name="show")
def show_case(
    id_: str, *, json: JsonOption = False, hub: HubOption = DEFAULT_HUB, key: KeyOption = ""
) -> None:
    """One case: its history, its deadlines, the steps that are open.

    Example: bayanihan law case show case--...
    """
    with HubClient(hub, key) as client:
        told = client.json("GET", f"/api/law/cases/{in_path(id_)}")
    _show_case(told, json=json)


@case.command(name="list")
def list_cases(
    *,
    after: After = "",
    json: JsonOption = False,
    hub: HubOption = DEFAULT_HUB,
    key: KeyOption = "",
) -> None:
    """The cases that you may see, the last changed first.

    Example: bayanihan law case list
    """
    told = _page("/api/law/cases", after, hub, key)
    if json:
        law_print.show_json(told)
    else:
        law_print.show_list(told, told["cases"], law_print.show_case_line)


def _page(path: str, after: str, hub: str, key: str) -> dict[str, Any]:
    with HubClient(hub, key) as client:
        told: dict[str, Any] = client.json("GET", path, params={"after": after})
        return told


def _show_case(told: dict[str, Any], *, json: bool) -> None:
    if json:
        law_print.show_json(told)
    else:
        law_print.show_case(told)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise Refused("wrong-use", f"Write {one!r} as NAME=TEXT.")
        pairs[name] = value
    return pairs
