"""`bayanihan verify`: check the whole record, beside a running hub or without one."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from bayanihan.commands.data_folder import DEFAULT_DATA, DataOption
from bayanihan.commands.hub_client import (
    HubClient,
    JsonOption,
    KeyOption,
    as_json_text,
)
from bayanihan.config import load_settings
from bayanihan.core.checkpoint import Checkpoint, opened, public_of
from bayanihan.core.merkle import verify_consistency
from bayanihan.core.signing import from_text
from bayanihan.errors import Refused
from bayanihan.hub import PROJECTIONS
from bayanihan.ledger import Projection, Report, Store, check_ledger, check_projection, store_at

_FOLDED_WITHIN_S = 1.0


class Witnessed(msgspec.Struct, forbid_unknown_fields=True):
    """What a witness keeps of a hub: its key as first seen, and its last good checkpoint."""

    verifier_key: str
    checkpoint: str


def verify(
    *,
    data: DataOption = Path(DEFAULT_DATA),
    remote: Annotated[str, Parameter(help="Check a hub from outside instead, by address.")] = "",
    witness: Annotated[
        Path, Parameter(help="With --remote: the file that keeps the last good checkpoint.")
    ] = Path("witness.json"),
    store: Annotated[
        str, Parameter(help="Where the ledger is, if not in the data directory: postgresql://…")
    ] = "",
    json: JsonOption = False,
    key: KeyOption = "",
) -> int:
    """Re-check order, stamps, digests, proofs, and every projection against a replay.

    With --remote: check that the hub's signed head extends the one seen before, so that a
    record that was rewritten is noticed. Nothing is changed on the hub. Exit 1 when
    anything is wrong.

    Example: bayanihan verify --data bayanihan-data
    """
    if remote:
        seen = witnessed(remote, key, witness)
        told = {"ok": True, "size": seen.size, "root": seen.root.hex(), "name": seen.origin}
        line = f"{seen.size} entries, root {seen.root.hex()}, signed by {seen.origin}"
        print(as_json_text(told) if json else f"{line}\nverify: ok")
        return 0
    report = verified(data, store)
    if json:
        print(as_json_text({"ok": report.ok, **msgspec.to_builtins(report)}))
    else:
        for fault in report.faults:
            print(f"fault: {fault}")
        for name, position in report.projections.items():
            print(f"projection {name}: replayed up to {position}")
        for name in report.unchecked:
            print(f"projection {name}: not checked, it has yet to fold an erasure; start the hub")
        erased = f", {report.erased} erased" if report.erased else ""
        print(f"{report.entries} entries{erased}, root {report.root or 'none'}")
        print(_verdict(report))
    return 0 if report.ok else 1


def _verdict(report: Report) -> str:
    if report.faults:
        return f"verify: {len(report.faults)} faults"
    skipped = f", {len(report.unchecked)} projections not checked" if report.unchecked else ""
    return f"verify: ok{skipped}"


def verified(data: Path, address: str = "") -> Report:
    """The checker's report on a data directory. Raises `Refused("cannot-read")`."""
    path = data / "ledger.db"
    address = address or load_settings(data).store
    if not address and not path.exists():
        raise Refused(
            "cannot-read",
            "There is no ledger here",
            where=str(path),
            next_step="Name the data directory with --data.",
        )
    store = store_at(address, read_only=True)(path)
    try:
        report = check_ledger(store)
        epoch = store.meta("epoch")
        for kind in PROJECTIONS:
            if kind.exists(data / "projections"):
                _check_projection(kind, data / "projections", epoch, store, report)
        return report
    finally:
        store.close()


def _check_projection(
    kind: type[Projection], folder: Path, epoch: bytes, store: Store, report: Report
) -> None:
    """Check one, and once more where an erasure came between: a hub at work folds it soon."""
    for last in (False, True):
        found = kind(folder, epoch, read_only=True)
        try:
            check_projection(found, partial(kind, None, epoch), store, report)
        finally:
            found.close()
        if last or kind.name not in report.unchecked:
            return
        report.unchecked.remove(kind.name)
        time.sleep(_FOLDED_WITHIN_S)


def witnessed(hub: str, key: str, path: Path) -> Checkpoint:
    """The hub's present checkpoint, once it is shown to extend the one kept in `path`.

    The key that a hub shows first is the one it is held to.

    Raises:
        Refused: `bad-signature` when the key or the signature is another;
            `history-rewritten` when the record does not extend the one seen before.
    """
    with HubClient(hub, key) as client:
        shown = str(client.json("GET", "/api/hub")["verifier_key"])
        kept = _kept(path) or Witnessed(shown, "")
        if shown != kept.verifier_key:
            raise Refused("bad-signature", "The hub shows another key than before", where=hub)
        name, public = public_of(kept.verifier_key)
        note = client.send("GET", "/api/checkpoint").text
        now = opened(note, name, public)
        if kept.checkpoint:
            _check_extends(client, opened(kept.checkpoint, name, public), now)
    partial_path = path.with_name(path.name + ".partial")
    partial_path.write_bytes(msgspec.json.encode(Witnessed(kept.verifier_key, note)))
    partial_path.replace(path)
    return now


def _kept(path: Path) -> Witnessed | None:
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Witnessed)
    except (OSError, msgspec.MsgspecError) as error:
        message = f"The witness file cannot be read: {error}"
        raise Refused("cannot-read", message, where=str(path)) from None


def _check_extends(client: HubClient, old: Checkpoint, new: Checkpoint) -> None:
    if old.epoch != new.epoch:
        raise Refused(
            "history-rewritten",
            "The hub began a new history since the last check (it was restored)",
            next_step="Ask the operator why; then delete the witness file to accept it.",
        )
    if old.size > new.size or (old.size == new.size and old.root != new.root):
        raise Refused("history-rewritten", f"The record of {old.size} entries is gone")
    if 0 < old.size < new.size:
        params = {"old": old.size, "new": new.size}
        answer = client.json("GET", "/api/checkpoint/consistency", params=params)
        path = [from_text(node, size_bytes=32, where="path") for node in answer["path"]]
        if not verify_consistency(old.size, new.size, path, old.root, new.root):
            raise Refused("history-rewritten", "The record does not extend the one seen before")
