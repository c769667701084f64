"""A hub, open: the record, what is folded from it, and the parts that work beside them."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import logging
import resource
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from publicsuffixlist import PublicSuffixList

from bayanihan import __version__
from bayanihan.config import Settings, load_settings
from bayanihan.core.marking import REGION, Viewer
from bayanihan.core.never_block import NeverBlock
from bayanihan.core.signing import SigningKey, to_text
from bayanihan.data_folder import SIGNING_KEY_FILE, keep_secret, locked, make_folder, signing_key_in
from bayanihan.errors import Refused
from bayanihan.intake import objects_api as intake_api
from bayanihan.intake.drafts import Drafts
from bayanihan.intake.entrance import Entrance
from bayanihan.intake.evidence import Reader
from bayanihan.ledger import (
    Brake,
    Confirming,
    ErasureList,
    Folding,
    GoingOn,
    Ledger,
    Projection,
    Upkeep,
    check_signer,
    retain,
    state_digest,
    store_at,
    take_turn,
)
from bayanihan.readers import (
    alike,
    denials,
    heads,
    metrics,
    receipts_api,
    stream,
    taxii,
    thinning,
)
from bayanihan.readers.active import Active
from bayanihan.readers.feeds import (
    FORMATS,
    Bounds,
    Disputes,
    Engines,
    Hearing,
    Judge,
    MatchLists,
    Press,
    Rulings,
    Tracer,
    budgeted,
    never_block_lines,
    policy_digest,
    unexamined,
    warning_lists,
)
from bayanihan.readers.protection import APPLIED, Expressed
from bayanihan.registry import (
    FOUNDER,
    AgentKeys,
    Confirmed,
    Office,
    Registry,
    StateNoted,
    draft_of,
    founding_changes,
    member_facts,
)
from bayanihan.rulebook.clocks import WorkingDay
from bayanihan.rulebook.law import Rulebook
from bayanihan.sandbox.exchange import Exchange
from bayanihan.web import entrance, law
from bayanihan.web.latest import Console
from bayanihan.web.session import Sessions

logger = logging.getLogger(__name__)

ADMIN_KEY_FILE = "admin.key"
FOLDED_WITHIN_S = 2.0
FOLLOWED_EVERY_S = 60.0
PROJECTIONS: tuple[type[Projection], ...] = (
    Registry,
    Active,
    taxii.Catalogue,
    law.Docket,
    Rulings,
    alike.Alike,
    denials.Denials,
)


class Hub:
    """One hub, open: the record, what is folded from it, and the lock on its directory.

    Args:
        folder: the data directory; made when absent.
        settings: see `Settings`; read from the directory when None.
        reader: reads evidence; one of the hub's own when None.

    Raises:
        Broken: `data-locked` when another process has this directory.
    """

    def __init__(
        self, folder: Path, settings: Settings | None = None, reader: Reader | None = None
    ) -> None:
        make_folder(folder)
        self.folder = folder
        self.settings = settings or load_settings(folder)
        self._lock = locked(folder / "lock")
        self.brake = Brake()
        self.ledger = Ledger(folder, store=store_at(self.settings.store), brake=self.brake)
        place = (folder / "projections", self.ledger.epoch, self.ledger.length)
        self.registry = Registry(*place)
        self.active = Active(*place)
        self.catalogue = taxii.Catalogue(*place)
        self.docket = law.Docket(*place)
        self.alike = alike.Alike(*place)
        self.denials = denials.Denials(*place)
        self.rulings = Rulings(*place)
        self.registry.now_us = self.ledger.now_us
        self.office = Office(self.ledger, self.registry, secrets.token_bytes)
        self.office.fold()
        self.confirmed = self._open_confirming()
        self.keys = Confirmed(self.registry, self.confirmed)
        signing_key = signing_key_in(folder)
        check_signer(self.ledger, signing_key.public, folder / SIGNING_KEY_FILE)
        if not self.registry.members:
            self._found()
        self.engines = Engines()
        self.reader = reader or Reader()
        self.never_block = NeverBlock(
            never_block_lines(), _is_public_suffix, self.settings.own_names, warning_lists()
        )
        self.hearing = self._open_hearing()
        self.disputes = Disputes(self.ledger, self.hearing)
        self.press = self._open_press(signing_key)
        self.rulings.told = self.press.look_again
        self.matching = self._open_matching()
        self.protection = receipts_api.Protection(
            self.ledger,
            members=lambda: [fact.code for fact in member_facts()],
            feeds=self.press.feeds,
            agent_key=self.agent_key,
            show_agent_key=self.office.show_agent_key,
            expressed=self.expressed,
            sees=self.sees,
            stale_after_us=self.settings.stale_after_s * 1_000_000,
            opted_out=lambda: self.registry.hidden,
        )
        self.broadcast = stream.Broadcast(
            self.ledger,
            renew=lambda viewer: self.keys.viewer(viewer.key),
            limit=stream.subscriber_limit(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
            some_ended=self.registry.some_ended,
        )
        self.entrance = entrance.Entrance(
            self.keys, self.settings.limits, self.settings.proxy, time.monotonic
        )
        self.office.told = self._review
        self.console = self._open_console()
        self.sessions = Sessions(
            self.ledger, self.keys.sign_in, self.keys.viewer, secrets.token_bytes
        )
        self.push = intake_api.Push(self.ledger, self.registry, self.defaults)
        self.erasures = ErasureList(folder, self.ledger)
        self.heads = heads.Heads(self.ledger, self.settings.name, signing_key)
        self.taxii = self._open_taxii()
        self.exchange = Exchange(folder / "trials", time.time, secrets.token_bytes)
        self._length_at_start = self.ledger.length
        self.folding = self._start_folding()
        self.upkeep = self._start_upkeep()

    def _start_folding(self) -> Folding:
        folded = [self.active, self.catalogue, self.docket, self.rulings, self.alike, self.denials]
        folding = Folding(self.ledger, folded)
        folding.start()
        self.brake.folded = folding.reached
        return folding

    def _start_upkeep(self) -> list[Upkeep]:
        found = [Upkeep(self.keep_up)]
        if self.confirmed.shared:
            found.append(Upkeep(self.erasures.follow, FOLLOWED_EVERY_S))
        for each in found:
            each.start()
        return found

    def _open_press(self, key: SigningKey) -> Press:
        order = self.settings.feeds
        bounds = Bounds(order.members_needed, order.reports_needed, order.fading())
        self.rulings.suffixes = _is_public_suffix
        self.rulings.own_list = lambda code: (
            self.registry.own_list(code),
            self.registry.editions.get(code, 0),
        )
        return Press(
            self.active,
            budgeted(FORMATS, order),
            judge=Judge(
                self.never_block,
                bounds=bounds,
                opinions=self.rulings,
                answered=self.registry.answered,
            ),
            policy=policy_digest(
                never_block_lines(), self.settings.own_names, f"{__version__} {order}"
            ),
            level_of=lambda number: self.ledger.store.audiences()[number - 1].level,
            seal=self.ledger.cursors.seal,
            secret=hashlib.blake2b(
                self.ledger.epoch, key=self.ledger.store.meta("cursor-key"), person=b"feed tags"
            ).digest(),
            hub=self.settings.name,
            examine=self.engines.examine if self.settings.engines else unexamined,
            sign=key.sign,
            public_key=to_text(key.public),
        )

    def _open_confirming(self) -> Confirming:
        registry = self.registry
        return Confirming(
            self.ledger, self.office.fold, edition=lambda: registry.edition, told=self._tell
        )

    def _open_console(self) -> Console:
        board = self.protection.board
        return Console(self.ledger, self.registry, self.active, self.press, board, self.disputes)

    def _open_hearing(self) -> Hearing:
        return Hearing(
            self.ledger,
            self.active,
            self.rulings,
            region=lambda: self.registry.group(REGION),
            assets=self.registry.assets_of,
            answered=self.registry.answered,
            never=lambda value, exercise: self.never_block.reason(value, exercise=exercise),
            renew=lambda viewer: self.keys.viewer(viewer.key),
            entropy=secrets.token_bytes,
        )

    def _open_matching(self) -> MatchLists:
        meta = self.ledger.store.meta("cursor-key")
        secret = hashlib.blake2b(key=meta, person=b"match lists").digest()
        self.going_on = GoingOn(self.ledger.cursors.open, self._folded)
        self.tracer = Tracer(self.ledger, self.active, secret, lambda: self.registry.issued)
        days = self.settings.feeds.lookup_days
        return MatchLists(self.ledger, self.active, self.press, secret, lookup_days=days)

    def _open_taxii(self) -> taxii.Interface:
        order = self.settings.taxii
        return taxii.Interface(
            self.ledger,
            self.catalogue,
            taxii.roots_of(order.roots),
            taxii.Discovery(
                order.title, order.description, order.contact, self.settings.public_url
            ),
            Entrance(
                self.ledger,
                intake_api.Intake(self.ledger, self.registry, self.defaults),
                self.erasures.note,
                order.max_content_length,
            ),
            taxii.Statuses(self.ledger, secrets.token_bytes),
            max_content_length=order.max_content_length,
            takes_stix=order.takes_stix,
        )

    def _found(self) -> None:
        """The first start: write the members and the operator's key, and keep its text."""
        changes, text = founding_changes(self.ledger.now_us(), secrets.token_bytes)
        path = self.folder / ADMIN_KEY_FILE
        keep_secret(path, text)
        drafts = [draft_of(change, FOUNDER) for change in changes]
        if self.ledger.append_first(drafts):
            self.new_admin_key = text
        else:  # another node was quicker, and holds the key that counts
            path.unlink()
        self.office.fold()

    new_admin_key = ""

    def _review(self) -> None:
        """The registry changed: what was worked out from it is looked at again."""
        self.broadcast.review()
        self.entrance.limiter.review()

    def admin_key(self) -> str:
        """The operator's key as it was kept at the first start; "" once it was moved away."""
        path = self.folder / ADMIN_KEY_FILE
        return path.read_text(encoding="utf-8").strip() if path.exists() else ""

    @property
    def ready(self) -> bool:
        """Whether the feeds hold everything that was committed before the start."""
        return self.active.position >= self._length_at_start

    @property
    def faults(self) -> dict[str, Exception | None]:
        """Each part that works in the background, and what keeps it from that."""
        return {
            "writer": self.ledger.alarm,
            "folding": self.folding.failed,
            "heads": self.heads.failed,
            "streams": self.broadcast.failed,
            "record": self.confirmed.failed,
        }

    def _tell(self) -> None:
        """Another node changed the registry."""
        self.office.told()

    def _folded(self) -> int:
        """How far the feeds hold the record: what is active, and what people say about it."""
        return min(self.active.position, self.rulings.position)

    async def caught_up(self, path: str) -> None:
        """Wait a moment until feeds hold what the record held when this was called."""
        length = self.ledger.length
        until_s = time.monotonic() + FOLDED_WITHIN_S
        while path.startswith("/feeds/") and self._folded() < length:
            if time.monotonic() > until_s:
                return
            await asyncio.sleep(0.01)

    def keep_up(self) -> None:
        """The hourly work: retention, then the digest of state into the record.

        Where several nodes serve the ledger, one of them does it.
        """
        if self.confirmed.shared and not take_turn(self.ledger):
            return
        self.erasures.follow()  # a note that failed, on a full disk say, is made up for
        retain(self.ledger, self.settings.retain_days, self.erasures.note)
        statuses, drafts = self.taxii.statuses, Drafts(self.ledger)
        for kept in (statuses, drafts, self.disputes, self.matching):
            kept.forget_old()
        state, now_us = self.ledger.state, self.ledger.now_us()
        thinning.thin_applied(state, APPLIED, self.ledger.epoch.hex(), now_us)
        thinning.thin_heads(state, heads.HEADS, heads.MINUTE_PREFIX, now_us)
        noted = StateNoted(self.ledger.now_us(), state_digest(self.ledger.store))
        self.ledger.append([draft_of(noted, FOUNDER)])

    def measure(self) -> Iterator[metrics.Metric]:
        """The hub's numbers at this moment."""
        yield metrics.Metric("entries", "gauge", "Length of the ledger.", self.ledger.length)
        for projection in self.folding.projections:
            yield metrics.Metric(
                "projection_lag",
                "gauge",
                "Positions that a projection stands behind the ledger.",
                self.folding.lag(projection),
                {"projection": projection.name},
            )
        for part, fault in self.faults.items():
            about = "Whether a part that works in the background cannot."
            yield metrics.Metric("fault", "gauge", about, fault is not None, {"part": part})
        waiting_bytes = sum(self.ledger.waiting_bytes().values())
        about = "Bytes handed in that are not written yet."
        yield metrics.Metric("waiting_bytes", "gauge", about, waiting_bytes)
        about = "Whether bulk is held because feeds and collections are far behind."
        yield metrics.Metric("bulk_held", "gauge", about, self.brake.holds)
        yield metrics.Metric("streams", "gauge", "Open streams.", self.broadcast.count)
        yield metrics.Metric(
            "streams_refused",
            "counter",
            "Streams refused because too many were open.",
            self.broadcast.quota.refused,
        )
        over, wrong = self.entrance.limiter.refused, self.entrance.wrong.refused
        about = "Requests refused because a key or an address was over its limits."
        yield metrics.Metric("requests_refused", "counter", about, over)
        yield metrics.Metric("wrong_keys", "counter", "Requests with a wrong key.", wrong)
        yield metrics.Metric("members", "gauge", "Members.", len(self.registry.members))
        yield metrics.Metric("keys", "gauge", "Keys in force.", len(self.registry.keys))

    async def preload(self) -> list[taxii.Loaded]:
        """Load the files that collections begin with, in the operator's name.

        Raises `Refused("bad-setting")` for a file that cannot be used.
        """
        operators = (key for key in self.registry.every_key() if not key.member)
        reporters = [key for key in operators if "report" in key.scopes and not key.until_us]
        viewer = self.registry.viewer(reporters[0].id) if reporters else FOUNDER
        interface = self.taxii
        return await taxii.load(
            self.ledger, interface.entrance, viewer, interface.roots, self.folder
        )

    def sees(self, key_id: str, audience: int) -> bool:
        """Whether the agent of an API key is told what goes to an audience."""
        try:
            return audience in self.ledger.rights(self.registry.viewer(key_id))
        except Refused:
            return False

    def expressed(self, viewer: Viewer, object_id: str) -> Sequence[Expressed]:
        """The feeds that block an object now, as a viewer may see it, and with what."""
        now_us, rights = self.ledger.now_us(), self.ledger.rights(viewer)
        found = self.press.carried(object_id, rights, now_us, self.press.whose(viewer))
        return [Expressed(feed, values) for feed, values in found.items()]

    def defaults(self, viewer: Viewer) -> tuple[str, str]:
        """A viewer's key's default level and group."""
        key = self.registry.key(viewer.key)
        return key.level, key.group

    def agent_key(self, key_id: str) -> tuple[bytes | None, tuple[bytes, ...]]:
        """The trusted public key of the agent behind an API key, and those that wait."""
        known = self.registry.agent_keys.get(key_id, AgentKeys())
        return known.trusted, known.pending

    def law_desk(self, rulebook: Callable[[], Rulebook], working_day: WorkingDay) -> law.Desk:
        """Where the law's record is read and written."""
        entropy = secrets.token_bytes
        return law.Desk(self.ledger, self.docket, self.registry, rulebook, working_day, entropy)

    def close(self) -> None:
        """Stop the threads, close the files, give the directory free."""
        for each in self.upkeep:
            each.stop()
        self.folding.stop()
        self.reader.stop()
        self.exchange.close()
        self.alike.close()
        self.denials.close()
        self.engines.stop()
        self.press.close()
        self.ledger.close()
        self.registry.close()
        self.active.close()
        self.catalogue.close()
        self.docket.close()
        self.rulings.close()
        self._lock.close()


@functools.cache
def _suffixes() -> PublicSuffixList:
    """The list, read at the first question: a start need not wait for it."""
    return PublicSuffixList()


def _is_public_suffix(name: str) -> bool:
    return bool(_suffixes().is_public(name))
