"""The office: changes the registry by entries, after it looked at who asks for what."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence

import msgspec

from bayanihan.core import moment
from bayanihan.core.entrance_order import Limits
from bayanihan.core.marking import LEVELS, Viewer
from bayanihan.core.scope import require
from bayanihan.errors import Refused
from bayanihan.ledger import Ledger
from bayanihan.registry.changes import (
    AgentKeyAdded,
    AgentKeyTrusted,
    ConstituentAdded,
    GroupSet,
    KeyAdded,
    KeyLimited,
    KeyRevoked,
    KeyRotated,
    MemberAdded,
    MemberLeft,
    ProtectionShown,
    RegistryChange,
    draft_of,
)
from bayanihan.registry.founding import member_facts
from bayanihan.registry.keys import SCOPES, Key, make_key, make_secret
from bayanihan.registry.registry import AgentKeys, Registry
from bayanihan.registry.serving import serving_until_us

_NAME_LIMIT = 64
_TEXT_LIMIT = 200
_OPERATORS_SCOPES = frozenset({"regulate", "sandbox"})
_PERSON = re.compile(r"[\w.@-]{1,64}")
_HOUR_US = 3_600_000_000
_OVERLAP_LIMIT_HOURS = 24 * 90
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class KeyOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new key shall be. `until` is a STIX timestamp at which it ends, "" for never.

    `serves` is the member in whose name it reports, as its named proxy; "" for none.
    """

    scopes: tuple[str, ...]
    member: str = ""
    constituent: str = ""
    person: str = ""
    label: str = ""
    level: str = "amber+strict"
    group: str = "region"
    accountable: bool | None = None
    until: str = ""
    limits: Limits = Limits()
    serves: str = ""


class RotationOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new secret for a key: for how many hours the one before still opens."""

    overlap_hours: int = 24


class ConstituentOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A constituent to add under a member."""

    name: str
    title: str = ""


class ShownOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the others may see a member's protection."""

    shown: bool


class GroupOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of a group from now on."""

    members: tuple[str, ...]


def _check_name(name: str, where: str) -> str:
    if not name or len(name) > _NAME_LIMIT or not name.replace("-", "").isalnum():
        raise Refused("bad-value", "A name is letters, digits and hyphens, 64 at most", where=where)
    return name


def _check_text(text: str, where: str) -> str:
    if len(text) > _TEXT_LIMIT or _CONTROL.search(text):
        message = f"This is one line of {_TEXT_LIMIT} characters at most"
        raise Refused("bad-value", message, where=where)
    return text


def _person_of(order: KeyOrder, key_id: str, departures: int) -> str:
    """Who holds a key: named below their own organisation, so that nobody can be another.

    Whoever comes after their member left, `departures` times, is somebody else: what was
    addressed to the person before is not for them. Who serves another is named after both.
    """
    if not order.person and not order.serves:
        return key_id
    if order.person and not _PERSON.fullmatch(order.person):
        message = "A person's name is letters, digits, dots, hyphens, _ and @, 64 at most"
        raise Refused("bad-value", message, where="person")
    viewer = Viewer(
        key=key_id, member=order.member, constituent=order.constituent, serves=order.serves
    )
    since = f"~{departures + 1}" if departures else ""
    return f"{viewer.voice}/{order.person or key_id}{since}"


class Office:
    """Changes the registry: appends the entries, then folds them in before it answers.

    Args:
        ledger, registry: the record and its projection.
        entropy: random bytes for new keys.

    `told` is called after each change; whoever keeps a viewer for long sets it.
    """

    def __init__(self, ledger: Ledger, registry: Registry, entropy: Callable[[int], bytes]) -> None:
        self._ledger = ledger
        self.registry = registry
        self._entropy = entropy
        self._lock = threading.Lock()
        self.told: Callable[[], None] = _nobody

    async def enter(self, author: Viewer, changes: Sequence[RegistryChange]) -> None:
        """Append changes; they are in force, and `told` was called, when this returns."""
        await self._ledger.append_soon([draft_of(change, author) for change in changes])
        self.fold()
        self.told()

    def now_us(self) -> int:
        """The ledger's clock."""
        return self._ledger.now_us()

    def fold(self) -> None:
        """Bring the registry up to the ledger's end."""
        with self._lock:
            while self.registry.catch_up(self._ledger.scan, self._ledger.length):
                pass

    def _check_place(self, author: Viewer, member: str, constituent: str) -> None:
        """The operator serves all; a member's own administrator only that member."""
        if author.member and (author.constituent or member != author.member):
            raise Refused("not-permitted", "Your key manages your own member only", where="member")
        if member and member not in self.registry.members:
            raise Refused("bad-value", f"There is no member {member!r}", where="member")
        if constituent and (member, constituent) not in self.registry.constituents:
            raise Refused(
                "bad-value",
                f"{member} has no constituent {constituent!r}",
                where="constituent",
                next_step=f"Add it first: bayanihan member constituent {member} {constituent}",
            )

    async def issue(self, author: Viewer, order: KeyOrder) -> dict[str, str]:
        """Make a key. The secret is in the answer and nowhere else."""
        unknown = sorted(set(order.scopes) - set(SCOPES))
        if unknown or not order.scopes:
            raise Refused("bad-value", f"Choose scopes from: {' '.join(SCOPES)}", where="scopes")
        if order.level not in LEVELS:
            raise Refused("bad-value", f"{order.level!r} is no TLP level", where="level")
        self._check_place(author, order.member, order.constituent)
        self.registry.own_group(author, order.group)
        key_id, text, digest = make_key(self._entropy)
        until_us = self._until_us(order.until)
        lent_us = serving_until_us(order, self.registry.consents, self._ledger.now_us())
        self._check_limits(author, order.limits)
        left = self.registry.departures
        departures = left.get(order.member, 0) + left.get(order.serves, 0)
        person = _person_of(order, key_id, departures)
        self._check_grant(author, order, person)
        self._check_answer(order, person)
        change = KeyAdded(
            self._ledger.now_us(),
            id=key_id,
            digest=digest.hex(),
            member=order.member,
            constituent=order.constituent,
            person=person,
            label=_check_text(order.label, "label"),
            scopes=tuple(dict.fromkeys(order.scopes)),
            level=order.level,
            group=order.group,
            accountable=order.accountable,
            until_us=min(until_us or lent_us, lent_us or until_us),
            limits=order.limits,
            serves=order.serves,
        )
        await self.enter(author, [change])
        if key_id not in self.registry.keys:
            message = f"{order.serves} took its affairs back at this moment"
            raise Refused("not-permitted", message, where="serves")
        return {"id": key_id, "key": text, "person": change.person}

    def _check_answer(self, order: KeyOrder, person: str) -> None:
        """Nobody answers for one half of what they report: all keys of a person say the same."""
        place = origin_of(order)
        if order.accountable is None or person not in self.registry.persons:
            return
        if self.registry.answered(place, person) != order.accountable:
            message = f"{person} has a key that says otherwise; a machine's key names no person"
            raise Refused("bad-value", message, where="accountable")

    def _check_grant(self, author: Viewer, order: KeyOrder, person: str) -> None:
        """A member's administrator can become nobody else and grants no power over others."""
        if not author.member:
            return
        kept = [scope for scope in order.scopes if scope in _OPERATORS_SCOPES]
        if kept:
            message = f"Only the operator grants the scope `{kept[0]}`"
            raise Refused("not-permitted", message, where="scopes")
        if person in self.registry.persons and person != author.person:
            raise Refused(
                "not-permitted",
                f"{person} has, or had, a key: what is addressed to them opens with it",
                where="person",
                next_step="Let them make it themselves, or ask the operator.",
            )

    def _until_us(self, until: str) -> int:
        """When a key ends that is ordered to end; 0 for never."""
        if not until:
            return 0
        us = moment.parse(until)
        if us is None or us <= self._ledger.now_us():
            message = "A key ends at a time to come, such as 2027-01-31T00:00:00Z"
            raise Refused("bad-value", message, where="until")
        return us

    def _check_limits(self, author: Viewer, limits: Limits) -> None:
        if limits == Limits():
            return
        if author.member:
            message = "Only the operator gives keys limits of their own"
            raise Refused("not-permitted", message, where="limits")
        if min(limits.requests_per_s, limits.in_flight, limits.body_bytes) < 0:
            raise Refused("bad-value", "A limit is a number, 0 or more", where="limits")

    def _managed(self, author: Viewer, key_id: str) -> Key:
        """A key that an administrator manages. Raises `Refused`."""
        key = self.registry.keys.get(key_id)
        if key and key.serves and key.serves == author.member and not author.constituent:
            return key  # nobody reports in a member's name against its will
        if key is None or (author.member and key.member != author.member):
            raise Refused("not-found", f"There is no key {key_id!r}", where="id")
        self._check_place(author, key.member, key.constituent)
        return key

    async def revoke(self, author: Viewer, key_id: str) -> None:
        """End a key at once. Its holder may do it too."""
        if author.key != key_id:
            require(author, "admin")
        key = self.registry.keys.get(key_id) if author.key == key_id else None
        key = key or self._managed(author, key_id)
        lasting = [
            each
            for each in self.registry.every_key()
            if not each.member and "admin" in each.scopes and not each.until_us
        ]
        if lasting == [key]:
            message = "This is the last key that administers the hub without an end"
            raise Refused("bad-value", message, where="id", next_step="Make another first.")
        await self.enter(author, [KeyRevoked(self._ledger.now_us(), key_id)])

    async def rotate(self, author: Viewer, key_id: str, order: RotationOrder) -> dict[str, str]:
        """Give a key a new secret, which is in the answer and nowhere else.

        Whoever holds a key may do it, and the operator. An administrator of a member may
        not: the new secret would open what is addressed to somebody else.
        """
        if author.key != key_id:
            require(author, "admin")
            key = self._managed(author, key_id)
            if author.member and key.person != author.person:
                message = "Only who holds this key, or the operator, gives it a new secret"
                raise Refused("not-permitted", message, where="id")
        if not 0 <= order.overlap_hours <= _OVERLAP_LIMIT_HOURS:
            message = f"The overlap is 0 to {_OVERLAP_LIMIT_HOURS} hours"
            raise Refused("bad-value", message, where="overlap_hours")
        text, digest = make_secret(key_id, self._entropy)
        now_us = self._ledger.now_us()
        until_us = now_us + order.overlap_hours * _HOUR_US
        await self.enter(author, [KeyRotated(now_us, key_id, digest.hex(), until_us)])
        return {"id": key_id, "key": text, "before_until": moment.render(until_us)}

    async def limit(self, author: Viewer, key_id: str, limits: Limits) -> None:
        """Give a key limits of its own; zeros give it the hub's."""
        if author.member:
            message = "Only the operator gives keys limits of their own"
            raise Refused("not-permitted", message, where="limits")
        self._managed(author, key_id)
        self._check_limits(author, limits)
        await self.enter(author, [KeyLimited(self._ledger.now_us(), key_id, limits)])

    async def show_agent_key(self, viewer: Viewer, public: bytes) -> str:
        """An agent showed a public key: the first is `trusted`, another `pending`."""
        known = self.registry.agent_keys.get(viewer.key, AgentKeys())
        if public == known.trusted:
            return "trusted"
        if public not in known.pending:
            at_us = self._ledger.now_us()
            first = known.trusted is None
            change = AgentKeyAdded(at_us, viewer.key, public.hex(), trusted=first)
            await self.enter(viewer, [change])
        known = self.registry.agent_keys.get(viewer.key, AgentKeys())
        return "trusted" if public == known.trusted else "pending"

    async def trust(self, author: Viewer, key_id: str, public: bytes) -> None:
        """A person accepts an agent's new key in place of the one before."""
        key = self.registry.keys.get(key_id)
        known = self.registry.agent_keys.get(key_id, AgentKeys())
        if key is None or public not in known.pending:
            raise Refused("not-found", "No such agent key is waiting", where="public")
        self._check_place(author, key.member, key.constituent)
        await self.enter(author, [AgentKeyTrusted(self._ledger.now_us(), key_id, public.hex())])

    async def add_constituent(self, author: Viewer, member: str, order: ConstituentOrder) -> None:
        """Add an organisation under a member."""
        self._check_place(author, member, "")
        name = _check_name(order.name, "name")
        title = _check_text(order.title, "title")
        await self.enter(author, [ConstituentAdded(self._ledger.now_us(), member, name, title)])

    async def set_group(self, author: Viewer, name: str, members: tuple[str, ...]) -> None:
        """Set a group's members. `region` follows the membership and is not set."""
        _check_name(name, "name")
        if author.member:
            raise Refused("not-permitted", "Only the operator sets groups", where="group")
        if name == "region":
            raise Refused("bad-value", "`region` is all members, always", where="name")
        chosen = tuple(sorted(set(members)))
        unknown = [code for code in chosen if code not in self.registry.members]
        if unknown:
            raise Refused("bad-value", f"There is no member {unknown[0]!r}", where="members")
        await self.enter(author, [GroupSet(self._ledger.now_us(), name, chosen)])

    async def show_protection(self, author: Viewer, code: str, *, shown: bool) -> None:
        """A member lets the others see its protection, or no longer."""
        self._check_place(author, code, "")
        await self.enter(author, [ProtectionShown(self._ledger.now_us(), code, shown)])

    async def set_membership(self, author: Viewer, code: str, *, present: bool) -> None:
        """A state joins (again), or leaves with all its keys."""
        if author.member:
            raise Refused("not-permitted", "Only the operator changes membership", where="member")
        facts = {fact.code: fact for fact in member_facts()}
        if code not in facts or (code in self.registry.members) == present:
            raise Refused("bad-value", f"{code!r} cannot do that now", where="member")
        at_us, fact = self._ledger.now_us(), facts[code]
        change: RegistryChange = (
            MemberAdded(at_us, code, fact.name, fact.cert, fact.languages)
            if present
            else MemberLeft(at_us, code)
        )
        await self.enter(author, [change])


def origin_of(holder: KeyOrder | Key) -> str:
    """What the holder of a key reports under."""
    return Viewer(key="any", member=holder.member, constituent=holder.constituent).origin


def _nobody() -> None:
    """Nobody is told."""
