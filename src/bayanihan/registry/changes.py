"""What can happen to the registry. Each change is the body of a `registry` entry.

The time is part of each change, so that doing again what was once undone is a new entry
and not a repetition of the old one.
"""

from __future__ import annotations

import msgspec

from bayanihan.core.entrance_order import Limits
from bayanihan.core.marking import Audience, Viewer
from bayanihan.ledger import Draft

# Nobody reads registry entries through an exit: no viewer is this person.
_OPERATION = Audience("red", persons=("registry",))


class _Change(msgspec.Struct, frozen=True, tag_field="change", forbid_unknown_fields=True):
    at_us: int


class MemberAdded(_Change, tag="member-added", frozen=True):
    """A state joins, or joins again; `cert` is its focal point's name, "" where it has none."""

    code: str
    name: str
    cert: str
    languages: tuple[str, ...]


class MemberLeft(_Change, tag="member-left", frozen=True):
    """A state leaves: its keys end, and it loses every group version up to now."""

    code: str


class ConstituentAdded(_Change, tag="constituent-added", frozen=True):
    """An organisation under a member."""

    member: str
    name: str
    title: str


class KeyAdded(_Change, tag="key-added", frozen=True, omit_defaults=True):
    """A key is issued. `digest` is the hex SHA-256 of its secret.

    `until_us` is when it ends by itself, 0 for never; `limits` are its own, see `Limits`.
    `accountable` says whether somebody answers for what it reports; None where nobody said.
    `serves` is the member in whose name it reports, as its named proxy; "" for none.
    """

    id: str
    digest: str
    member: str
    constituent: str
    person: str
    label: str
    scopes: tuple[str, ...]
    level: str
    group: str
    accountable: bool | None = None
    until_us: int = 0
    limits: Limits = Limits()
    serves: str = ""


class KeyRotated(_Change, tag="key-rotated", frozen=True):
    """A key gets a new secret; the one before opens until `before_until_us`."""

    id: str
    digest: str
    before_until_us: int


class KeyLimited(_Change, tag="key-limited", frozen=True):
    """A key gets limits of its own, or none."""

    id: str
    limits: Limits


class KeyRevoked(_Change, tag="key-revoked", frozen=True):
    """A key ends, at once."""

    id: str


class GroupSet(_Change, tag="group-set", frozen=True):
    """A group's members from now on; each setting is the group's next version."""

    name: str
    members: tuple[str, ...]


class AgentKeyAdded(_Change, tag="agent-key-added", frozen=True):
    """An agent showed its public key (hex) under an API key; the first is trusted."""

    key_id: str
    public: str
    trusted: bool


class AgentKeyTrusted(_Change, tag="agent-key-trusted", frozen=True):
    """A person accepted an agent's key; it replaces the one before."""

    key_id: str
    public: str


class ProtectionShown(_Change, tag="protection-shown", frozen=True):
    """A member shows the others its protection, or no longer: then it is `unknown` to them."""

    code: str
    shown: bool


class AssetAdded(_Change, tag="asset-added", frozen=True):
    """A name with all below it, or a range, belongs to a member or somebody it speaks for."""

    code: str
    asset: str
    note: str


class AssetRemoved(_Change, tag="asset-removed", frozen=True):
    """It does so no longer."""

    code: str
    asset: str


class KeptOut(_Change, tag="kept-out", frozen=True):
    """A member keeps a name, address or digest out of the feeds that it is served at home."""

    code: str
    entry: str
    reason: str


class LetIn(_Change, tag="let-in", frozen=True):
    """A member keeps it out no longer."""

    code: str
    entry: str


class OfficeSet(_Change, tag="office-set", frozen=True):
    """An office or person of a member that others pose as, and the public key (hex) it signs with.

    A key before it stays good for what was entered until then.
    """

    code: str
    office: str
    title: str
    public: str


class OfficeEnded(_Change, tag="office-ended", frozen=True):
    """An office's keys are taken back: nothing that they signed counts as verified any more."""

    code: str
    office: str


class ConsentGiven(_Change, tag="consent-given", frozen=True):
    """A member consents in writing that another serves it, from `since_us` until `until_us`.

    `title`, `signed` (a date) and `sha256` name the signed paper, which stays with the member;
    `by` is the origin of whoever recorded it.
    """

    code: str
    proxy: str
    title: str
    signed: str
    sha256: str
    since_us: int
    until_us: int
    by: str


class ConsentEnded(_Change, tag="consent-ended", frozen=True):
    """A member takes its affairs back before the time: its proxy's keys end at once."""

    code: str
    by: str


class StateNoted(_Change, tag="state-noted", frozen=True):
    """The SHA-256 of all state, entered by the hour so that a later change of it shows."""

    digest: str


RegistryChange = (
    MemberAdded
    | MemberLeft
    | ConstituentAdded
    | KeyAdded
    | KeyRotated
    | KeyLimited
    | KeyRevoked
    | GroupSet
    | AgentKeyAdded
    | AgentKeyTrusted
    | ProtectionShown
    | AssetAdded
    | AssetRemoved
    | KeptOut
    | LetIn
    | OfficeSet
    | OfficeEnded
    | ConsentGiven
    | ConsentEnded
    | StateNoted
)

_decoder = msgspec.json.Decoder(RegistryChange)


def draft_of(change: RegistryChange, author: Viewer) -> Draft:
    """The entry that makes a change happen."""
    tag = msgspec.json.decode(msgspec.json.encode(change))["change"]
    return Draft(
        "registry",
        _OPERATION,
        author=author.person,
        origin=author.origin or "HUB",
        object_id=f"registry--{tag}",
        body=msgspec.json.encode(change),
    )


def change_of(body: bytes) -> RegistryChange:
    """The change that an entry's body holds."""
    change: RegistryChange = _decoder.decode(body)
    return change
