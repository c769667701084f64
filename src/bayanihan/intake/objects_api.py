"""POST `/api/objects`: STIX objects in, as the bytes they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery
from litestar.response import Response

from bayanihan.core import stix
from bayanihan.core.marking import LEVELS, Group, Viewer, group_marking_id, viewer_in
from bayanihan.core.scope import require
from bayanihan.errors import BayanihanError, Broken, Refused, Unavailable
from bayanihan.intake.acts import Acts
from bayanihan.intake.objects import (
    Admission,
    Candidate,
    Result,
    Terms,
    refusal_of,
    result_of,
    summary_of,
)
from bayanihan.intake.turns import Turns
from bayanihan.intake.upload import Asked, Uploads
from bayanihan.ledger import Appended, Entry, Ledger

PATH = "/api/objects"
SUBMISSION_LIMIT_BYTES = 64 * 1024 * 1024
SUBMISSION_LIMIT_OBJECTS = 100_000
# All submissions that are being received or worked on.
TOGETHER_LIMIT_BYTES = 4 * SUBMISSION_LIMIT_BYTES
# Each value costs memory when it is cut out, and a comma comes before each but the first.
COMMA_LIMIT = 4_000_000
PERSONS_LIMIT = 64
# A marking that is found among none of so many of its own versions counts as unknown.
STATEMENT_VERSIONS = 16
# Objects checked before other requests get a turn.
SLICE = 100
APPEND_LIMIT = 5_000
# A thread for the answer costs a lone report more than the answer does.
INLINE_LIMIT = 1_000


class Directory(Protocol):
    """What intake asks of the registry."""

    def group(self, name: str) -> Group:
        """A group as constituted now."""
        ...

    def group_markings(self, viewer: Viewer) -> Mapping[str, str]:
        """Group marking id -> group name, of the groups that a viewer may know of."""
        ...

    def own_group(self, viewer: Viewer, name: str) -> Group:
        """A group as constituted now, if a viewer may address it."""
        ...

    def can_name(self, viewer: Viewer, person: str) -> bool:
        """Whether a viewer may address a person, who holds a key in force."""
        ...

    def check_serving(self, viewer: Viewer) -> None:
        """Let a named proxy go on only while it serves. Raises `Refused`."""
        ...


Defaults = Callable[[Viewer], tuple[str, str]]
"""A viewer's key's default level and group."""


def terms_of(
    viewer: Viewer, params: Mapping[str, Any], defaults: Defaults, directory: Directory
) -> Terms:
    """The terms that a request's parameters and its key's defaults amount to."""
    default, default_group = defaults(viewer)
    unmarked = params.get("tlp") or default
    if unmarked not in LEVELS:
        raise Refused(
            "bad-parameter",
            f"{unmarked!r} is no TLP level",
            where="tlp",
            next_step=f"Give one of {', '.join(LEVELS)}.",
        )
    name = params.get("group") or default_group
    # Their key's own group is no news to them, and may have been chosen by the operator.
    group = directory.group(name) if name == default_group else directory.own_group(viewer, name)
    persons = sorted(set(params.get("to") or ()))
    if len(persons) > PERSONS_LIMIT:
        message = f"One submission may name {PERSONS_LIMIT} persons"
        raise Refused("bad-parameter", message, where="to")
    for person in persons:
        if not directory.can_name(viewer, person):
            raise Refused("bad-parameter", f"There is no person {person!r} for you", where="to")
    return Terms(
        viewer,
        default=default,
        unmarked=unmarked,
        groups=(group,),
        to=tuple(persons),
        exercise=bool(params.get("exercise")),
        collection=str(params.get("collection") or ""),
    )


Place = Callable[[int], str]
"""The JSON path of a submission's object, by its number."""


class Intake:
    """Takes submissions into the ledger.

    Args:
        ledger: where accepted objects go.
        directory: the registry's groups.
        defaults: a viewer's key's default level and group.
    """

    def __init__(self, ledger: Ledger, directory: Directory, defaults: Defaults) -> None:
        self._ledger = ledger
        self._directory = directory
        self._defaults = defaults
        self._turns = Turns()
        self.acts = Acts(ledger, directory.check_serving)

    def _knows_statement(self, viewer: Viewer) -> Callable[[str], bool]:
        """Whether the viewer's own origin has published a marking as a statement."""

        def known(ref: str) -> bool:
            own = self._ledger.newest_about(
                viewer, ref, origin=viewer.filed_under, limit=STATEMENT_VERSIONS
            )
            bodies = (self._ledger.body(viewer, entry.position) for entry in own)
            return any(stix.check(body).statement for body in bodies)

        return known

    async def take(self, viewer: Viewer, data: bytes, params: Mapping[str, Any]) -> dict[str, Any]:
        """Check, mark and append one submission; the fixed answer to a push.

        Raises:
            Refused: when nothing in it can be told apart as objects.
            Unavailable, Broken: when the ledger takes none of it; nothing is then stored.
        """
        terms = terms_of(viewer, params, self._defaults, self._directory)
        submission = cut(data)
        async with self._turns.turn(viewer.filed_under, len(submission.objects)):
            return await self._take(terms, submission)

    async def _take(self, terms: Terms, submission: stix.Submission) -> dict[str, Any]:
        place = submission.place
        admission = Admission(
            terms,
            self._markings(terms),
            self._directory.group,
            self._knows_statement(terms.author),
            self._ledger.now_us(),
        )
        found: list[Candidate | Result] = []
        for number, raw in enumerate(submission.objects):
            try:
                found += admission.check(raw, number)
            except Refused as refusal:
                found.append(refusal_of(raw, refusal, place(number)))
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
        if unknown := admission.unknown(each for each in found if isinstance(each, Candidate)):
            await asyncio.to_thread(admission.learn, unknown)
        # Two terms that an object's own marking may not fit.
        if terms.to or terms.author.serves:
            found = [
                admission.fitting(each, place(each.number)) if isinstance(each, Candidate) else each
                for each in found
            ]
            told = [each.checked.id for each in found if isinstance(each, Candidate)]
            await asyncio.to_thread(self.acts.note, terms.author, "entered", told)
        return summary_of(await self._append(admission, terms, found, place))

    def _markings(self, terms: Terms) -> Mapping[str, str]:
        """What of the markings are groups: for others' groups nothing says that they exist."""
        default = {group_marking_id(group.name): group.name for group in terms.groups}
        return {**self._directory.group_markings(terms.author), **default}

    async def _append(
        self,
        admission: Admission,
        terms: Terms,
        found: Sequence[Candidate | Result],
        place: Place,
    ) -> list[Result]:
        """Append part by part; once a part was taken, what fails after it is listed."""
        results: list[Result] = []
        failure: BayanihanError | None = None
        for start in range(0, len(found), APPEND_LIMIT):
            part = found[start : start + APPEND_LIMIT]
            drafts = [admission.mark(each) for each in part if isinstance(each, Candidate)]
            appended: Sequence[Appended] = ()
            try:
                if drafts and not failure:
                    self._directory.check_serving(terms.author)
                    appended = await self._ledger.append_soon(drafts)
            except (Unavailable, Broken) as error:
                if not results:
                    raise
                failure = error
            answered = self._results(terms, part, appended, failure, place)
            if len(part) > INLINE_LIMIT or any(one.outcome == "duplicate" for one in appended):
                results += await asyncio.to_thread(list, answered)  # each duplicate is looked up
            else:
                results += answered
        return results

    def _results(
        self,
        terms: Terms,
        part: Sequence[Candidate | Result],
        appended: Sequence[Appended],
        failure: BayanihanError | None,
        place: Place,
    ) -> Iterator[Result]:
        outcomes = iter(appended)
        for each in part:
            if isinstance(each, Result):
                yield each
            elif failure:
                at, told = place(each.number), failure.message
                yield Result(each.checked.id, "refused", failure.code, at, told)
            else:
                outcome = next(outcomes)
                if outcome.outcome == "accepted" and not each.checked.warnings:
                    yield Result(each.checked.id, "accepted")
                    continue
                yield self._result(terms, each, outcome, place(each.number))

    def _result(self, terms: Terms, candidate: Candidate, outcome: Appended, place: str) -> Result:
        if outcome.outcome != "duplicate":
            return result_of(candidate.checked, place, outcome)
        try:
            repeated = self._ledger.entry(terms.author, outcome.position)
        except Refused:
            return result_of(candidate.checked, place, outcome)
        return result_of(
            candidate.checked,
            place,
            outcome,
            mixed=repeated.header.exercise != terms.exercise,
            elsewhere=terms.collection not in ("", repeated.collection),
            withdrawn=self._is_withdrawn(terms, repeated),
        )

    def _is_withdrawn(self, terms: Terms, repeated: Entry) -> bool:
        """Whether the submitter took back what is repeated."""
        told = self._ledger.newest_about(
            terms.author, repeated.object_id, ("withdrawn",), origin=terms.author.filed_under
        )
        place = (repeated.header.audience, repeated.header.exercise)
        return any(
            each.position > repeated.position
            and (each.header.audience, each.header.exercise) == place
            for each in told
        )


def cut(data: bytes) -> stix.Submission:
    """A submission, cut into its objects. Raises `Refused`, `too-large` when there are too many."""
    message = f"One submission may hold {SUBMISSION_LIMIT_OBJECTS} objects"
    if data.count(b",") > COMMA_LIMIT:
        raise Refused("too-large", message)
    submission = stix.split(data)
    if len(submission.objects) > SUBMISSION_LIMIT_OBJECTS:
        raise Refused("too-large", message)
    return submission


class Push:
    """POST `/api/objects`, for the framework's route and for the way past it.

    Args:
        ledger, directory, defaults: see `Intake`.
    """

    def __init__(self, ledger: Ledger, directory: Directory, defaults: Defaults) -> None:
        self._intake = Intake(ledger, directory, defaults)
        self._uploads = Uploads(SUBMISSION_LIMIT_BYTES, TOGETHER_LIMIT_BYTES)

    async def answer(self, asked: Asked, params: Mapping[str, Any]) -> bytes:
        """Take the body of one request in; the answer as JSON."""
        viewer = viewer_in(asked.scope)
        require(viewer, "report", for_another=True)
        with self._uploads.upload(asked) as upload:
            return _encode(await self._intake.take(viewer, await upload.read(), params))

    async def plain(self, asked: Asked) -> bytes:
        """As `answer`, for a request without parameters."""
        return await self.answer(asked, {})


_encode = msgspec.json.Encoder().encode


def routes(push: Push) -> list[HTTPRouteHandler]:
    """The handler of POST `/api/objects`."""

    @post(PATH, status_code=200, request_max_body_size=None)
    async def push_objects(
        request: Request[Any, Any, Any],
        tlp: FromQuery[str] = "",
        group: FromQuery[str] = "",
        to: FromQuery[list[str] | None] = None,
        exercise: FromQuery[bool] = False,
    ) -> Response[bytes]:
        """Submit one STIX object, a bundle or an envelope; each object gets its own answer."""
        params = {"tlp": tlp, "group": group, "to": to, "exercise": exercise}
        return Response(await push.answer(request, params), media_type="application/json")

    return [push_objects]
