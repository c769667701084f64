"""Evidence packages over real sockets: what is inside, for whom, and what no forger gets past."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import uuid
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.readers.package import check
from bayanihan.readers.package.archive import packed, unpacked
from tests.intake.test_reports import lure, report
from tests.sim.command import run
from tests.sim.process import RunningHub


@pytest.fixture(scope="module")
def th(shared_hub: RunningHub) -> str:
    return shared_hub.key("TH")


def export(hub: RunningHub, key: str, case: str, **order: Any) -> bytes:
    answer = hub.ask("POST", f"/api/cases/{case}/package", key, json=order)
    assert answer.status_code == 200, answer.text
    return answer.content


def published(hub: RunningHub, key: str, **fields: str) -> str:
    draft = report(hub, key, lure(f"w{uuid.uuid4().hex[:9]}"), publish="true", **fields)
    return f"incident--{draft['id']}"


@pytest.fixture(scope="module")
def whole(shared_hub: RunningHub, th: str) -> bytes:
    return export(shared_hub, th, published(shared_hub, th, tlp="green"))


def test_a_package_holds_bytes_custody_times_and_proofs_and_is_checked_off_line(
    at: RunningHub, th: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    case, out = published(at, th, tlp="green"), tmp_path / "case.zip"
    code, told, err = run(capfd, "case", "export", case, "--out", out, "--key", th)
    assert code == 0, err
    hub_key = at.ask("GET", "/api/hub").json()["verifier_key"]
    code, told, _ = run(capfd, "case", "verify", out, "--hub-key", hub_key)
    assert code == 0
    assert "acts by their proofs" in told
    files = unpacked(out.read_bytes())
    manifest = check(out.read_bytes()).manifest
    kinds = [act.object_id.partition("--")[0] for act in manifest.custody]
    assert kinds[0] == "incident"
    assert {"indicator", "report"} <= set(kinds)
    assert all(act.act == "object" and act.held_by == "TH" for act in manifest.custody)
    raw = at.ask("GET", f"/api/objects/{case}", th).content
    assert files["entries/0001.json"] == raw
    assert case.encode() in files["cover.html"]
    assert b"<script" not in files["cover.html"]
    assert (manifest.personal, "redacted.json" in files) == (False, False)
    at.ask("DELETE", f"/api/objects/{case}", th)
    later = check(export(at, th, case)).manifest
    assert [act.act for act in later.custody if act.object_id == case] == ["object", "withdrawn"]
    # From the same position, the same bytes, whatever came since.
    assert export(at, th, case, position=manifest.position) == out.read_bytes()
    code, _, err = run(capfd, "case", "export", case, "--out", out, "--key", th)
    assert (code, "cannot-write" in err or "exists" in err) == (1, True)
    other = hub_key[:-6] + ("AAAAA=" if hub_key[-6:] != "AAAAA=" else "BBBBB=")
    assert run(capfd, "case", "verify", out, "--hub-key", other)[0] == 1


def test_only_who_may_see_a_case_exports_it_and_then_what_they_may_see(
    hub: RunningHub, th: str
) -> None:
    vn = hub.key("VN")
    red = published(hub, th, tlp="red")
    assert hub.ask("POST", f"/api/cases/{red}/package", vn, json={}).status_code == 404
    assert check(export(hub, th, red)).manifest.custody[0].level == "red"
    green = published(hub, th, tlp="green")
    for path in (f"incident--{uuid.uuid4()}", "..%2f..%2fetc"):
        assert hub.ask("POST", f"/api/cases/{path}/package", vn, json={}).status_code == 404
    hub.constituent("VN", "delta-bank")
    bank = hub.key("VN", constituent="delta-bank")
    assert hub.ask("POST", f"/api/cases/{green}/package", bank, json={}).status_code == 403
    assert hub.ask("POST", f"/api/cases/{green}/package", json={}).status_code == 401
    far = {"position": 10**9}
    assert hub.ask("POST", f"/api/cases/{green}/package", vn, json=far).status_code == 404


def test_redacted_evidence_goes_in_for_a_purpose_and_its_own_side_and_is_recorded(
    hub: RunningHub, th: str
) -> None:
    victim = b"From: a@b.example\nTo: Somchai <somchai@victim-bank.example>\n\n"
    draft = report(hub, th, victim + lure(f"w{uuid.uuid4().hex[:9]}"), publish="true", tlp="green")
    case, why = f"incident--{draft['id']}", f"case 7 of the police {uuid.uuid4().hex}"
    path = f"/api/cases/{case}/package"
    assert hub.ask("POST", path, hub.key("VN"), json={"purpose": why}).status_code == 404
    reads = hub.key("TH", scopes=["read"])
    assert hub.ask("POST", path, reads, json={"purpose": why}).status_code == 403
    before = hub.ask("GET", "/metrics", hub.admin).text
    files = unpacked(export(hub, th, case, purpose=why))
    told = json.loads(files["redacted.json"])
    assert told["removed"]
    assert b"somchai@" not in files["redacted.json"]
    assert why.encode() in files["cover.html"]
    assert check(packed(files)).manifest.purpose == why
    after = hub.ask("GET", "/metrics", hub.admin).text

    def entries(text: str) -> int:
        line = next(each for each in text.splitlines() if each.startswith("bayanihan_entries "))
        return int(line.split()[1])

    assert entries(after) == entries(before) + 1
    assert hub.ask("POST", path, th, json={"purpose": "x" * 501}).status_code == 400


def test_an_erased_case_is_exported_no_more(hub: RunningHub, th: str) -> None:
    case = published(hub, th, tlp="green")
    position = check(export(hub, th, case)).manifest.position
    assert hub.ask("POST", f"/api/objects/{case}/erase", th).status_code == 200
    for order in ({}, {"position": position}):
        answer = hub.ask("POST", f"/api/cases/{case}/package", th, json=order)
        assert answer.status_code == 410, answer.text
    hub.ask("GET", "/api/campaigns", th)  # answers once the erasure was folded


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_changed_bit_passes(whole: bytes, place: float, bit: int) -> None:
    at = int(place * len(whole))
    changed = bytearray(whole)
    changed[at] ^= 1 << bit
    with pytest.raises(Refused):
        check(bytes(changed))


def test_a_forged_package_is_refused_with_the_reason(whole: bytes) -> None:
    files = unpacked(whole)
    for name, words in {
        "entries/0001.json": "was changed",
        "proofs/0001.json": "was changed",
        "checkpoint.txt": "was changed",
        "manifest.json": "signature does not hold",
    }.items():
        before = files[name]
        forged = before[:-2] + bytes([before[-2] ^ 1]) + before[-1:]
        if name == "manifest.json":
            forged = before.replace(b'for":"TH', b'for":"VN')
        assert forged != before
        changed = {**files, name: forged}
        with pytest.raises(Refused, match=words):
            check(packed(changed))
    less = {name: body for name, body in files.items() if name != "proofs/0001.json"}
    with pytest.raises(Refused, match="lists other files"):
        check(packed(less))
    with pytest.raises(Refused, match="no manifest"):
        check(packed({"cover.html": b""}))


def archived(*entries: tuple[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, body in entries:
            archive.writestr(name, body)
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no more",
        archived(("../../etc/passwd.json", b"x")),
        archived(("/etc/passwd.json", b"x")),
        archived(("entries\\0001.json", b"x")),
        archived(("a.json", b"x"), ("b.json", b"y")).replace(b"b.json", b"a.json"),
        archived(("a.json", b"0" * 10_000_000), how=zipfile.ZIP_DEFLATED),
        packed({"a.json": b"x"}) + b"more",
    ],
)
def test_a_zip_that_is_no_package_is_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        unpacked(data)
    with pytest.raises(Refused, match="at most"):
        packed({f"entries/{at:04}.json": b"" for at in range(2_001)})


def nested(count: int, size_bytes: int) -> bytes:
    """A ZIP whose files lie inside each other: each holds the record of the next."""
    record, directory = b"0" * size_bytes, list[tuple[bytes, int, bytes]]()
    for number in reversed(range(count)):
        name = b"entries/%04d.json" % number
        sizes = struct.pack("<LLLHH", zlib.crc32(record), len(record), len(record), len(name), 0)
        header = struct.pack("<4s5H", b"PK\3\4", 20, 0, 0, 0, 33) + sizes + name
        directory.append((name, len(header), sizes))
        record = header + record
    central, offset = b"", 0
    for name, header_bytes, sizes in reversed(directory):
        central += struct.pack("<4s6H", b"PK\1\2", 20, 20, 0, 0, 0, 33) + sizes
        central += struct.pack("<HHHLL", 0, 0, 0, 0, offset) + name
        offset += header_bytes
    end = struct.pack("<4s4HLLH", b"PK\5\6", 0, 0, count, count, len(central), len(record), 0)
    return record + central + end


def test_files_that_lie_inside_each_other_fill_no_memory() -> None:
    data = nested(80, 1024 * 1024)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sum(each.file_size for each in archive.infolist()) > 80 * 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(Refused) as caught:
            unpacked(data)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "too-large"
    assert peak_bytes < 8 * len(data)
