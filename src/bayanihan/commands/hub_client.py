"""What every hub command shares: finding the hub and the key, and reading its answers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import quote

import httpx
import msgspec
from cyclopts import Parameter

from bayanihan.commands.data_folder import DEFAULT_DATA
from bayanihan.errors import CODES, BayanihanError, Broken, Refused, Unavailable

DEFAULT_HUB = "http://127.0.0.1:8420"

HubOption = Annotated[
    str, Parameter(env_var="BAYANIHAN_HUB", help="Address of the hub.", show_env_var=True)
]
KeyOption = Annotated[
    str,
    Parameter(
        env_var="BAYANIHAN_KEY",
        help="API key; without one, DATA/admin.key is read.",
        show_env_var=True,
    ),
]
JsonOption = Annotated[bool, Parameter(negative="", help="Print JSON.")]


def key_or_admin(key: str, or_else: str = "") -> str:
    """The key given, or the one in the data directory. Raises `Refused("not-signed-in")`.

    `or_else` is what a command can do without a key, for the next step.
    """
    if key:
        return checked_key(key.strip(), "key")
    path = _admin_key_path()
    try:
        return checked_key(path.read_text(encoding="utf-8").strip(), str(path))
    except (OSError, UnicodeDecodeError):
        other = or_else or "run this beside the hub's data directory"
        raise Refused(
            "not-signed-in",
            "There is no key to sign in with",
            where=str(path),
            next_step=f"Give --key or BAYANIHAN_KEY, or {other}.",
        ) from None


def _admin_key_path() -> Path:
    return Path(os.environ.get("BAYANIHAN_DATA", DEFAULT_DATA)) / "admin.key"


def keep_admin_key(key_id: str, text: str) -> None:
    """Keep a new secret in `DATA/admin.key`, where that holds the key of this id."""
    path = _admin_key_path()
    if not path.read_text(encoding="utf-8").startswith(f"byn_{key_id}_"):
        return
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def checked_key(key: str, where: str) -> str:
    """A key that can be put into a header. Raises `Refused("not-signed-in")`."""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Refused(
            "not-signed-in",
            "This is no key: it is empty, or holds spaces or characters that no key has",
            where=where,
            next_step="Give the key as it was printed: byn_...",
        )
    return key


def in_path(text: str) -> str:
    """A value as one segment of an address."""
    if not text.strip("."):
        raise Refused("wrong-use", f"{text!r} names nothing")
    return quote(text.encode(errors="surrogateescape"), safe="")


class HubClient:
    """Speaks to one hub with one key. Use as a context manager.

    Raises:
        BayanihanError: the hub's own errors, as it answered them; `hub-unreachable`.
    """

    def __init__(self, hub: str, key: str, *, timeout_s: float = 60.0) -> None:
        self.hub = hub.rstrip("/")
        try:
            self._client = httpx.Client(
                base_url=self.hub,
                headers={"Authorization": f"Bearer {key_or_admin(key)}"},
                timeout=timeout_s,
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Refused("wrong-use", f"{hub!r} is no address of a hub: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request; answers of 400 and above become our errors."""
        try:
            response = self._client.request(method, path, **options)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OverflowError) as error:
            raise Unavailable(
                "hub-unreachable", f"The hub at {self.hub} does not answer", where=str(error)
            ) from None
        if response.status_code >= 400:
            raise error_of(response)
        return response

    def json(self, method: str, path: str, **options: Any) -> Any:
        """One request whose answer is JSON."""
        response = self.send(method, path, **options)
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            raise Broken("internal", f"{self.hub} did not answer as a hub does") from None


def error_of(response: httpx.Response) -> BayanihanError:
    """The error that an answer holds, of the family its code belongs to."""
    try:
        told = msgspec.json.decode(response.content)["error"]
        code, message = str(told["code"]), str(told["message"])
        where, next_step = str(told["where"]), str(told["next_step"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return Broken("internal", f"The hub answered {response.status_code} without a reason")
    if code not in CODES:
        return Broken("internal", message, where=where, next_step=next_step)
    families = {"refused": Refused, "unavailable": Unavailable, "broken": Broken}
    family = families[CODES[code].family]
    return family(code, message, where=where, next_step=next_step)


def as_json_text(document: Any) -> str:
    """A document as the `--json` of every command prints it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
