"""Who may see what: the rules of TLP 2.0 and of this hub, told once more and plainly.

This shares nothing with the hub's own code. It keeps for each thing that was said the very
set of members who may see it, and takes members out of that set when they leave: slow, and
easy to believe.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

ORDER = ["clear", "green", "amber", "amber+strict", "red"]
DEFAULT = "amber+strict"


@dataclass
class Who:
    """A reader. `key` is "" for the public; `ended` says that the key is no longer good."""

    name: str
    key: str = ""
    person: str = ""
    member: str = ""
    constituent: str = ""
    scopes: frozenset[str] = frozenset()
    cookie: str = ""
    ended: bool = False
    # In whose name they report, as a named proxy, and how much had been said when that began.
    serves: str = ""
    serves_from: int = 0

    @property
    def origin(self) -> str:
        if not self.member:
            return "HUB"
        return f"{self.member}/{self.constituent}" if self.constituent else self.member

    @property
    def filed_under(self) -> str:
        return self.serves or self.origin


@dataclass
class Said:
    """One entry as the model sees it.

    `secrets` are the words that only those may see who may see the entry; `object_id` is
    one more, which outlives an erasure.
    """

    object_id: str
    author: str
    origin: str
    level: str
    members: set[str]
    groups: tuple[str, ...]
    persons: set[str]
    exercise: bool
    secrets: tuple[str, ...]
    raw: bytes = b""
    marked: bool = False
    kind: str = "object"
    erased: bool = False
    number: int = 0
    # The author's member has left since: they may have lost their own entry, or kept it.
    author_left: bool = False


@dataclass
class Region:
    """Groups and everything that was said, as the model keeps them."""

    groups: dict[str, set[str]] = field(default_factory=dict)
    # Who is in a group or was: to others its marking is an unknown one.
    knowing: dict[str, set[str]] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    # The one constituent of each member, by a name that nothing else is called.
    constituents: dict[str, str] = field(default_factory=dict)

    def audience(
        self, marks: list[str], tlp: str, group: str, member: str
    ) -> tuple[str, tuple[str, ...], set[str]]:
        """Level, groups and members for marks such as `red`, `group:pair`, `other`, `words`.

        `member` is the author's, "HUB" the operator's.
        """
        levels = [mark for mark in marks if mark in ORDER]
        named = {mark[6:] for mark in marks if mark.startswith("group:")}
        groups = sorted(name for name in named if self.knows(member, name) or name == group)
        if "other" in marks or len(groups) < len(named):
            levels.append(DEFAULT)
        if groups and not levels:
            levels = [DEFAULT]
        level = max(levels, key=ORDER.index) if levels else tlp or DEFAULT
        if groups and level in ("clear", "green"):
            level = max("amber", DEFAULT, key=ORDER.index)
        if level not in ("amber", "amber+strict"):
            return level, (), set()
        names = tuple(groups) or (group or "region",)
        return level, names, set.intersection(*(self.groups[name] for name in names))

    def knows(self, member: str, name: str) -> bool:
        """Whether the marking of a group means anything for an author."""
        return member == "HUB" or member in self.knowing.get(name, set())

    def set_group(self, name: str, members: set[str]) -> None:
        """Who is taken out loses everything that was shared with the group until now."""
        for code in self.groups.get(name, set()) - members:
            for said in self.said:
                if name in said.groups:
                    said.members.discard(code)
        self.groups[name] = set(members)
        self.knowing.setdefault(name, set()).update(members)

    def leave(self, code: str) -> None:
        for said in self.said:
            said.author_left |= said.origin.partition("/")[0] == code
        for name, members in self.groups.items():
            self.set_group(name, members - {code})

    def join(self, code: str) -> None:
        self.set_group("region", self.groups["region"] | {code})


def unnamed(who: Who, region: Region) -> set[str]:
    """The constituents whose names are not for this reader, whoever of them reported."""
    return {
        name
        for code, name in region.constituents.items()
        if who.ended or who.member != code or who.constituent not in ("", name)
        if code != who.serves or who.ended
    }


def must_see(who: Who, said: Said) -> bool:
    """Whether a reader is owed an entry: not where their member left, and came again."""
    left = said.author_left and who.person == said.author and who.person not in said.persons
    return may_see(who, said) and (not left or may_see(replace(who, person=""), said))


def may_see(who: Who, said: Said) -> bool:
    """Whether a reader has the right to an entry, or to a draft."""
    if who.ended:
        return False
    if said.kind == "draft":
        return _may_see_draft(who, said)
    if said.level == "clear":
        return True
    if not who.key:
        return False
    if said.level == "green":
        return True
    if who.person in said.persons or who.person == said.author:
        return True
    if said.level == "red" or not who.member:
        return False
    if said.level == "amber+strict" and who.constituent:
        return False
    return who.member in said.members


def _may_see_draft(who: Who, said: Said) -> bool:
    """A draft is for its own side, and for who serves that side if it was made since then."""
    if not who.key or "report" not in who.scopes:
        return False
    if who.serves:
        since = said.number >= who.serves_from
        return since and said.origin.partition("/")[0] == who.serves
    if who.constituent or not who.member:
        return who.origin == said.origin
    return said.origin.partition("/")[0] == who.member


def shown(who: Who, region: Region) -> set[str]:
    """Every word that this reader may meet in some answer, but for those of the law's record."""
    words: set[str] = set()
    for said in region.said:
        if said.kind != "law" and may_see(who, said):
            words.add(said.object_id)
            if not said.erased:
                words.update(said.secrets)
    return words


def shown_of_law(who: Who, region: Region) -> set[str]:
    """What the law's exits may say: what was registered, filed and decided, never a report.

    A key that neither reads, reports nor regulates is told what the public is. The whole of a
    registration is for members' authorities and for its origin, a filing for who may file.
    """
    judges = "regulate" in who.scopes and not who.constituent
    reporting = bool({"report", "regulate"} & who.scopes)
    words: set[str] = set()
    for said in region.said:
        if said.kind != "law" or not may_see(who, said):
            continue
        whole = judges or (who.origin == said.origin and "report" in who.scopes)
        open_to = {"case": "read" in who.scopes or reporting, "filing": reporting}
        if said.level == "clear" or open_to.get(said.object_id.partition("--")[0], whole):
            words.update((said.object_id, *said.secrets))
    return words


def shown_in_feed(who: Who, region: Region, *, exercise: bool) -> set[str]:
    """The same for a feed: RED is never in one, nor an exercise in one that is none."""
    return {
        word
        for said in region.said
        if may_see(who, said) and said.level != "red" and said.exercise == exercise
        if not said.erased and said.kind not in ("law", "draft")
        for word in (said.object_id, *said.secrets)
    }


def words_of(region: Region) -> set[str]:
    """Every word that somebody may not see."""
    return {word for said in region.said for word in (said.object_id, *said.secrets)}
