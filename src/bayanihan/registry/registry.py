"""Who is who: members, constituents, keys, groups and agents' keys.

A projection of `registry` entries: every change is audited by nature, and what is held in
memory here can be thrown away. The tables are small, so all of it is kept in dicts.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bayanihan.core.marking import REGION, Group, Viewer, group_marking_id
from bayanihan.errors import Refused
from bayanihan.ledger import Entry, Projection
from bayanihan.registry.changes import (
    AgentKeyAdded,
    AgentKeyTrusted,
    AssetAdded,
    AssetRemoved,
    ConsentEnded,
    ConsentGiven,
    ConstituentAdded,
    GroupSet,
    KeptOut,
    KeyAdded,
    KeyLimited,
    KeyRevoked,
    KeyRotated,
    LetIn,
    MemberAdded,
    MemberLeft,
    OfficeEnded,
    OfficeSet,
    ProtectionShown,
    StateNoted,
    change_of,
)
from bayanihan.registry.consents import Consent, Consents
from bayanihan.registry.keys import Key, digest_of, parts_of
from bayanihan.registry.offices import Offices

_NO_END_US = 1 << 63
_ANOTHER_KEY = "Check that you copied it whole; who made it makes you another."


class Member(msgspec.Struct, frozen=True):
    """One of the region's states. `cert` is "" where it has no confirmed national CERT."""

    code: str
    name: str
    cert: str = ""
    languages: tuple[str, ...] = ()


class Constituent(msgspec.Struct, frozen=True):
    """An organisation under a member."""

    member: str
    name: str
    title: str = ""


class AgentKeys(msgspec.Struct, frozen=True):
    """The public keys that agents showed under one API key."""

    trusted: bytes | None = None
    pending: tuple[bytes, ...] = ()


class Registry(Projection):
    """The registry as it stands at `position`. Read from any thread.

    `now_us` is the clock by which keys end; whoever lets people in sets it.
    """

    name = "registry"
    version = 1
    kinds = ("registry",)
    schema = "CREATE TABLE changes (position INTEGER PRIMARY KEY, body BLOB)"

    def __init__(
        self, folder: Path | None, epoch: bytes, length: int = 0, *, read_only: bool = False
    ) -> None:
        self.members: dict[str, Member] = {}
        self.constituents: dict[tuple[str, str], Constituent] = {}
        self.keys: dict[str, Key] = {}
        # Every key that ever was, as it was issued.
        self.issued: dict[str, Key] = {}
        self.groups: dict[str, Group] = {}
        self.agent_keys: dict[str, AgentKeys] = {}
        self.lost: dict[str, dict[str, int]] = {}
        self.departures: dict[str, int] = {}
        self.persons: set[str] = set()
        self._markings: Mapping[str, str] = {}
        self._markings_of: dict[str, Mapping[str, str]] = {}
        self.hidden: frozenset[str] = frozenset()
        # What belongs to a member, what it keeps out at home, and how often that changed.
        self.assets: dict[str, dict[str, str]] = {}
        self.kept_out: dict[str, dict[str, str]] = {}
        self.editions: dict[str, int] = {}
        self.offices = Offices()
        self.consents = Consents()
        self._answers: dict[str, bool] = {}
        self._viewers: dict[str, Viewer] = {}
        self._waiting: list[tuple[int, bytes]] = []
        self.now_us: Callable[[], int] = _never
        self._next_end_us = _NO_END_US
        super().__init__(folder, epoch, length, read_only=read_only)

    def loaded(self) -> None:
        """Take the saved changes up again."""
        for position, body in self.db.execute(
            "SELECT position, body FROM changes ORDER BY position"
        ):
            self._apply(position, body)

    def begun(self) -> None:
        """No change waits yet."""
        self._waiting = []

    def fold(self, entry: Entry, body: bytes | None) -> None:
        """Save one change; it takes effect in `folded`, once it is committed."""
        if body is not None:
            self.db.execute("INSERT INTO changes VALUES (?, ?)", (entry.position, body))
            self._waiting.append((entry.position, body))

    def folded(self) -> None:
        """Apply what was committed."""
        waiting, self._waiting = self._waiting, []
        for position, body in waiting:
            self._apply(position, body)

    def _apply(self, position: int, body: bytes) -> None:
        change = change_of(body)
        match change:
            case MemberAdded():
                member = Member(change.code, change.name, change.cert, change.languages)
                self.members = {**self.members, change.code: member}
                self._set_group(REGION, tuple(sorted(self.members)))
            case MemberLeft():
                self._leave(change.code)
                self.offices.apply(position, change)
                self.consents.apply(change)
            case ConstituentAdded():
                place = (change.member, change.name)
                self.constituents[place] = Constituent(*place, change.title)
            case KeyAdded():
                self._add_key(change)
            case KeyRotated() | KeyLimited():
                self._change_key(change)
            case KeyRevoked():
                self.keys.pop(change.id, None)
            case GroupSet():
                self._set_group(change.name, change.members)
            case AgentKeyAdded():
                self._add_agent_key(change)
            case AgentKeyTrusted():
                known = self.agent_keys.get(change.key_id, AgentKeys())
                public = bytes.fromhex(change.public)
                pending = tuple(key for key in known.pending if key != public)
                self.agent_keys[change.key_id] = AgentKeys(public, pending)
            case ProtectionShown():
                codes = frozenset({change.code})
                self.hidden = self.hidden - codes if change.shown else self.hidden | codes
            case AssetAdded() | AssetRemoved() | KeptOut() | LetIn() | OfficeSet() | OfficeEnded():
                self._own(position, change)
            case ConsentGiven() | ConsentEnded():
                self._serve(change)
            case StateNoted():
                return  # a fact about state, not about who is who
        self._viewers = {}

    def _set_group(self, name: str, members: tuple[str, ...]) -> None:
        before = self.groups.get(name, Group(name, 0, ()))
        for code in set(before.members) - set(members):
            self.lost.setdefault(code, {})[name] = before.version
        self.groups = {
            **self.groups,
            name: Group(name, before.version + 1, tuple(sorted(members))),
        }
        self._markings = {group_marking_id(each): each for each in self.groups}
        self._markings_of = {}

    def _leave(self, code: str) -> None:
        self.departures[code] = self.departures.get(code, 0) + 1
        for group in list(self.groups.values()):
            if code in group.members:
                self._set_group(group.name, tuple(m for m in group.members if m != code))
        self.members = {known: m for known, m in self.members.items() if known != code}
        self.keys = {
            key_id: key for key_id, key in self.keys.items() if code not in (key.member, key.serves)
        }

    def _serve(self, change: ConsentGiven | ConsentEnded) -> None:
        """A consent begins, or ends with every key that was made under it."""
        self.consents.apply(change)
        if isinstance(change, ConsentEnded):
            self.keys = {i: key for i, key in self.keys.items() if key.serves != change.code}

    def _add_key(self, change: KeyAdded) -> None:
        if change.serves:
            held = self.consents.holding(change.serves, change.at_us)
            if held is None or held.ended_us or held.proxy != change.member:
                return  # the consent was taken back while this key was being made
        self.keys[change.id] = self.issued[change.id] = _key_of(change)
        self.persons.add(change.person)
        if change.accountable is not None:
            self._answers.setdefault(change.person, change.accountable)
        self._next_end_us = min(self._next_end_us, change.until_us or _NO_END_US)

    def _own(
        self,
        position: int,
        change: AssetAdded | AssetRemoved | KeptOut | LetIn | OfficeSet | OfficeEnded,
    ) -> None:
        """What belongs to a member, what it keeps out at home, and its offices."""
        code = change.code
        match change:
            case AssetAdded():
                self.assets[code] = self.assets_of(code) | {change.asset: change.note}
            case AssetRemoved():
                self.assets[code] = _without(self.assets_of(code), change.asset)
            case KeptOut():
                self.kept_out[code] = self.own_list(code) | {change.entry: change.reason}
            case LetIn():
                self.kept_out[code] = _without(self.own_list(code), change.entry)
            case OfficeSet() | OfficeEnded():
                self.offices.apply(position, change)
        if isinstance(change, KeptOut | LetIn):
            self.editions[code] = self.editions.get(code, 0) + 1

    def _add_agent_key(self, change: AgentKeyAdded) -> None:
        known = self.agent_keys.get(change.key_id, AgentKeys())
        public = bytes.fromhex(change.public)
        if change.trusted and known.trusted is None:
            self.agent_keys[change.key_id] = AgentKeys(public, known.pending)
        elif public != known.trusted and public not in known.pending:
            # Of two that were shown at the same moment, the second waits like any other.
            self.agent_keys[change.key_id] = AgentKeys(known.trusted, (*known.pending, public))

    def _change_key(self, change: KeyRotated | KeyLimited) -> None:
        key = self.keys.get(change.id)
        if key is None:
            return
        if isinstance(change, KeyLimited):
            self.keys[change.id] = replace(key, limits=change.limits)
            return
        self.keys[change.id] = replace(
            key,
            digest=bytes.fromhex(change.digest),
            before=key.digest,
            before_until_us=change.before_until_us,
        )

    # look-ups

    def sign_in(self, text: str) -> Viewer:
        """The viewer behind a key's text. Raises `Refused("not-signed-in")`."""
        key_id, secret = parts_of(text)
        key = self.keys.get(key_id)
        if key is None or not key.opens(secret, self.now_us()):
            issued = self.issued.get(key_id)
            if issued and issued.serves and hmac.compare_digest(issued.digest, digest_of(secret)):
                message = f"This key reported for {issued.serves}, and its time is over"
                raise Refused("not-signed-in", message, next_step="Use your own member's key.")
            message = "This key is not known here, or it has ended"
            raise Refused("not-signed-in", message, next_step=_ANOTHER_KEY)
        return self.viewer(key_id)

    def check_serving(self, viewer: Viewer) -> None:
        """Let a named proxy go on only while it serves: a request may outlive its consent.

        Raises:
            Refused: `not-signed-in` once the member took its affairs back.
        """
        code = viewer.serves
        if not code:
            return
        held = self.consents.holding(code, self.now_us())
        if code in self.consents.ending or viewer.key not in self.keys or held is None:
            message = f"{code}'s consent has ended: {viewer.member} reports in its name no longer"
            raise Refused("not-signed-in", message, next_step="Use your own member's key.")

    def every_key(self) -> tuple[Key, ...]:
        """The keys in force as at one moment: a change disturbs nobody who looks through them."""
        return tuple(self.keys.values())

    @property
    def edition(self) -> object:
        """Another object after each change of who may do what."""
        return self._viewers

    def viewer(self, key_id: str) -> Viewer:
        """The viewer that a key stands for now. Raises `Refused("not-signed-in")`."""
        # Taken before the look-up: a change that comes meanwhile puts another in its place.
        viewers = self._viewers
        known = viewers.get(key_id)
        if known is None:
            key = self.key(key_id)
            lost = tuple(sorted(self.lost.get(key.member, {}).items()))
            held = self._serving(key)
            known = Viewer(
                key.id,
                key.person,
                key.member,
                key.constituent,
                frozenset(key.scopes),
                lost,
                key.serves,
                held.since_us if held else 0,
            )
            if not key.until_us:  # else its end is looked at each time
                viewers[key_id] = known
        return known

    def _serving(self, key: Key) -> Consent | None:
        """The consent that a key reports under; None for one that serves nobody."""
        held = self.consents.holding(key.serves, self.now_us()) if key.serves else None
        if key.serves and held is None:
            raise Refused(
                "not-signed-in", f"{key.serves}'s consent has ended, and this key with it"
            )
        return held

    def answered(self, origin: str, author: str) -> bool:
        """Whether somebody answers for what an author of an origin reports.

        Whoever issues the first key of a person says so, and it holds for good. Unless they
        say otherwise a member's own staff and the operator answer, and a constituent does not.
        """
        return self._answers.get(author, "/" not in origin)

    def assets_of(self, code: str) -> dict[str, str]:
        """The names and ranges that were entered as a member's, each with a note."""
        return self.assets.get(code, {})

    def own_list(self, code: str) -> dict[str, str]:
        """What a member keeps out at home, each with the reason."""
        return self.kept_out.get(code, {})

    def key(self, key_id: str) -> Key:
        """A key in force. Raises `Refused("not-signed-in")`."""
        key = self.keys.get(key_id)
        if key is None:
            raise Refused("not-signed-in", "This key was revoked", next_step=_ANOTHER_KEY)
        if key.ended(self.now_us()):
            message = "This key has ended: its time is over"
            raise Refused("not-signed-in", message, next_step=_ANOTHER_KEY)
        return key

    def some_ended(self) -> bool:
        """Whether the time of a key has ended since this was asked last."""
        if (now_us := self.now_us()) < self._next_end_us:
            return False
        ends = [key.until_us for key in self.every_key() if key.until_us > now_us]
        self._next_end_us = min(ends, default=_NO_END_US)
        return True

    def can_name(self, viewer: Viewer, person: str) -> bool:
        """Whether `viewer` may address a person, who holds a key in force.

        Of another member, its own staff may be addressed, by staff that shares a group with it.
        """
        now_us = self.now_us()
        keys = (
            key
            for key in self.every_key()
            # Nobody is addressed in a name that is lent: it is given back.
            if key.person == person and not key.ended(now_us) and not key.serves
        )
        return any(self._reaches(viewer, key) for key in keys)

    def _reaches(self, viewer: Viewer, key: Key) -> bool:
        if not viewer.member or key.member in ("", viewer.member):
            return True
        if viewer.constituent or key.constituent:
            return False
        groups = (group.members for group in self.groups.values())
        return any(viewer.member in members and key.member in members for members in groups)

    def group(self, name: str) -> Group:
        """A group as constituted now. Raises `Refused("bad-parameter")`."""
        group = self.groups.get(name)
        if group is None:
            raise _no_group(name)
        return group

    def own_group(self, viewer: Viewer, name: str) -> Group:
        """As `group`, of the groups that a viewer's member is in; the operator has all.

        A group that others keep among themselves is refused as one that does not exist.
        """
        group = self.groups.get(name)
        if group is not None and viewer.member and viewer.member not in group.members:
            raise _no_group(name)
        return self.group(name)

    def group_markings(self, viewer: Viewer) -> Mapping[str, str]:
        """Group marking id -> group name, of the groups that a viewer may know of.

        These are the groups that their member is in or was in; the operator knows all. Ids
        follow from names: what others keep among themselves must look like what is not there.
        """
        code = viewer.member
        if not code:
            return self._markings
        known = self._markings_of  # what is told of older groups stays in the older one
        if code not in known:
            lost = self.lost.get(code, {})
            known[code] = {
                marking: name
                for marking, name in self._markings.items()
                if name in lost or code in self.groups[name].members
            }
        return known[code]


def _without(entries: dict[str, str], entry: str) -> dict[str, str]:
    return {each: said for each, said in entries.items() if each != entry}


def _never() -> int:
    """The clock of a registry that lets nobody in: no key ends by it."""
    return 0


def _no_group(name: str) -> Refused:
    return Refused("bad-parameter", f"There is no group named {name!r}", where="group")


def _key_of(change: KeyAdded) -> Key:
    return Key(
        change.id,
        bytes.fromhex(change.digest),
        change.member,
        change.scopes,
        change.constituent,
        change.person,
        change.label,
        change.level,
        change.group,
        change.until_us,
        limits=change.limits,
        serves=change.serves,
    )
