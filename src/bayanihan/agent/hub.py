"""The hub, as an agent sees it: one feed to fetch, one place for receipts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from bayanihan.agent.place import unwritten
from bayanihan.agent.trust import Trust
from bayanihan.core import feed_delta
from bayanihan.errors import CODES, BayanihanError, Refused, Unavailable

FEED_LIMIT_BYTES = 1024 * 1024 * 1024
# A larger file is fetched whole, rather than held in memory to be changed.
DELTA_LIMIT_BYTES = 128 * 1024 * 1024
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_ANSWER_LIMIT = 2_000


class Fetched(msgspec.Struct, frozen=True):
    """A version of a feed, on disk and checked against its digest.

    `items` is how many values it holds, None where the hub does not say.
    """

    etag: str
    cursor: str
    digest: str
    items: int | None


class Base(msgspec.Struct, frozen=True):
    """The file of a version, and the cursor that came with it."""

    path: Path
    cursor: str


class _Fault(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""
    next_step: str = ""
    where: str = ""


class _Answer(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


class Hub:
    """A connection to one hub.

    Args:
        address: where it is, such as `http://127.0.0.1:8420`.
        key: the API key, or "" to see what is public.
        profile: what loads the feeds, such as `control-network`; "" for no profile.
        trust: whose signature counts; None to look at digests alone.
    """

    def __init__(
        self, address: str, key: str, profile: str = "", trust: Trust | None = None
    ) -> None:
        self._trust = trust
        self._asked = {"profile": profile} if profile else {}
        self.address = address.rstrip("/")
        if not self.address.startswith(("http://", "https://")):
            message = f"{address[:200]!r} is no address of a hub, such as http://127.0.0.1:8420"
            raise Refused("wrong-use", message, where="--hub")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.signed_in = bool(key)
        try:
            self._client = httpx.Client(
                base_url=self.address, headers=headers, timeout=_TIMEOUT, follow_redirects=False
            )
        except (httpx.InvalidURL, ValueError) as error:
            message = f"The hub's address cannot be read: {error}"
            raise Refused("wrong-use", message, where="--hub") from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def fetch(self, feed: str, etag: str, path: Path, base: Base | None = None) -> Fetched | None:
        """Fetch a feed into a file, synced to disk.

        Args:
            feed: its name.
            etag: of what is in force, "" where nothing is.
            path: where to write.
            base: the file of a version, so that what changed since is enough. What does not
                come to the digest that the hub names is fetched whole.

        Returns:
            The version, or None when `etag` is still the latest.

        Raises:
            Unavailable: `hub-unreachable`, `overloaded`, `feed-damaged` (cut short, empty, of
                another digest, or not signed by the hub), `disk-full`.
            Refused: what the hub refused; `hub-key-changed`.
        """
        headers = {"If-None-Match": etag} if etag else {}
        since = self._asked | ({"since": base.cursor} if base and etag else {})
        place = f"/feeds/{feed}"
        try:
            with self._client.stream("GET", place, headers=headers, params=since) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    return None
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise refusal_of(answer)
                if not base or not _is_delta(answer):
                    fetched = _received(answer, _stored(answer, path))
                    self._check(feed, answer, f"sha-256={fetched.digest}")
                    return fetched
                changed = self._changed(feed, answer, base, path)
            return changed or self.fetch(feed, etag, path)
        except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
            raise Unavailable("feed-damaged", f"{feed} arrived damaged: {error}") from error
        except httpx.RequestError as error:
            raise self._unreachable(error) from error

    def send(self, document: dict[str, Any]) -> None:
        """Send a signed receipt.

        Raises:
            Unavailable, Refused: as `fetch`.
        """
        try:
            answer = self._client.post("/api/receipts", json=document)
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        if not answer.is_success:
            raise refusal_of(answer)

    def _check(self, feed: str, answer: httpx.Response, digest: str) -> None:
        if self._trust is not None:
            cursor, signature, key = (
                answer.headers.get(f"Bayanihan-{name}", "")
                for name in ("Cursor", "Signature", "Key")
            )
            self._trust.check(feed, cursor, digest, signature, key)

    def _changed(self, feed: str, answer: httpx.Response, base: Base, path: Path) -> Fetched | None:
        """The version that a delta leads to, written to disk; None when it leads to no such one."""
        try:
            if base.path.stat().st_size > DELTA_LIMIT_BYTES:
                return None
            told = b"".join(_bounded(answer, DELTA_LIMIT_BYTES))
            delta = msgspec.json.decode(told, type=feed_delta.Delta)
            if answer.headers.get("Bayanihan-Cursor") != delta.cursor:
                return None
            self._check(feed, answer, delta.digest)
            body = feed_delta.apply(base.path.read_bytes(), delta)
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError, Refused, Unavailable):
            return None  # the whole file says what is wrong
        if delta.since != base.cursor:
            return None
        digest = _written(iter([body]), path)
        return Fetched(f'"{delta.etag}"', delta.cursor, digest, delta.items)

    def _unreachable(self, error: httpx.RequestError) -> Unavailable:
        reason = str(error) or type(error).__name__
        message = f"The hub at {self.address} cannot be reached: {reason}"
        return Unavailable("hub-unreachable", message)


def _is_delta(answer: httpx.Response) -> bool:
    kind: str = answer.headers.get("Content-Type", "")
    return kind.partition(";")[0] == feed_delta.MEDIA_TYPE


def _stored(answer: httpx.Response, path: Path) -> str:
    """Write the body to disk; its SHA-256, hex."""
    return _written(_bounded(answer), path)


def _written(chunks: Iterator[bytes], path: Path) -> str:
    sha = hashlib.sha256()
    size_bytes = 0
    try:
        with path.open("wb") as file:
            for chunk in chunks:
                size_bytes += len(chunk)
                sha.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unwritten(error, path) from error
    if not size_bytes:
        raise Unavailable("feed-damaged", "The hub sent an empty feed")
    return sha.hexdigest()


def _bounded(answer: httpx.Response, limit_bytes: int = FEED_LIMIT_BYTES) -> Iterator[bytes]:
    size_bytes = 0
    for chunk in answer.iter_bytes():
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise Unavailable("feed-damaged", "The feed is larger than any feed is")
        yield chunk


def _received(answer: httpx.Response, digest: str) -> Fetched:
    expected = answer.headers.get("Bayanihan-Digest", "")
    if not expected:
        message = "The answer has no digest, so it is not from a hub, or something changed it"
        raise Unavailable("feed-damaged", message, where="Bayanihan-Digest")
    if expected != f"sha-256={digest}":
        message = "The feed that arrived is not the one the hub sent: their digests differ"
        raise Unavailable("feed-damaged", message, where="Bayanihan-Digest")
    cursor = answer.headers.get("Bayanihan-Cursor", "")
    if not cursor:
        raise Unavailable("feed-damaged", "The feed has no cursor", where="Bayanihan-Cursor")
    items = answer.headers.get("Bayanihan-Items", "")
    return Fetched(
        etag=answer.headers.get("ETag", ""),
        cursor=cursor,
        digest=digest,
        items=int(items) if items.isdecimal() else None,
    )


def refusal_of(answer: httpx.Response) -> BayanihanError:
    """What the hub answered instead, as an error of ours."""
    try:
        fault = msgspec.json.decode(answer.content, type=_Answer).error
    except msgspec.MsgspecError:
        fault = _Fault()
    status = answer.status_code
    message = fault.message or f"The hub answered {status}"
    if status >= 500 or status == 429:
        wait = answer.headers.get("Retry-After", "")
        return Unavailable(
            fault.code if _is(fault.code, "unavailable") else "overloaded",
            message,
            where=fault.where,
            next_step="Wait: the agent tries again by itself.",
            retry_after_s=int(wait) if wait.isdecimal() else None,
        )
    if answer.is_redirect:
        message = f"The hub answers from elsewhere: {answer.headers.get('Location', '')[:200]}"
        return Refused("wrong-use", message, next_step="Give that address with --hub.")
    codes = {401: "not-signed-in", 403: "not-permitted", 404: "not-found", 413: "too-large"}
    code = fault.code if _is(fault.code, "refused") else codes.get(status, "bad-parameter")
    return Refused(code, message[:_ANSWER_LIMIT], where=fault.where, next_step=_step(code, fault))


def _is(code: str, family: str) -> bool:
    return code in CODES and CODES[code].family == family


def _step(code: str, fault: _Fault) -> str:
    if code == "not-signed-in":
        return "Give a key with --key or BAYANIHAN_KEY; `bayanihan key new` makes one."
    if code == "not-permitted":
        return "Use a key made by `bayanihan key new --scope feed --scope receipt`."
    return fault.next_step
