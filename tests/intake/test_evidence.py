"""Hostile evidence, read by the real reader in its own process."""

from __future__ import annotations

import io
import json
import math
import random
import shutil
import struct
import tarfile
import wave
import zipfile
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bayanihan.core.chromaprint import error_rate
from bayanihan.core.examined import Examined
from bayanihan.core.fingerprint import unpacked
from bayanihan.errors import Refused
from bayanihan.intake.evidence import Reader
from bayanihan.intake.evidence.reader import FILE_LIMIT_BYTES
from bayanihan.intake.evidence.victims import url_without_victims, without_victims
from bayanihan.readers.alike.shapes import CHROMAPRINT_MOST

LURES = Path(__file__).parent.parent / "vectors" / "lures"
SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    found = Reader(time_limit_s=20.0)  # the machine may be busy; the bench holds the 2 s
    yield found
    found.stop()


def named(examined: Examined, role: str = "named") -> set[tuple[str, str]]:
    return {(each.type, each.value) for each in examined.findings if each.role == role}


def test_a_mail_is_read_with_its_roles(reader: Reader) -> None:
    found = reader.examine((LURES / "lure-th.eml").read_bytes(), "TH")
    assert (found.kind, found.language.tag) == ("mail", "th")
    kinds = {kind for kind, _ in named(found)}
    assert kinds == {"url", "phone", "handle"}
    assert ("domain", "www.bank-real.example") in named(found, "bait")
    assert ("url", "https://script.example/") in named(found, "script")
    assert ("ipv4", "203.0.113.25") in named(found, "carrier")
    assert found.prints.text
    assert "as:bank" in found.prints.structure


def test_the_victim_is_taken_out_and_the_removal_is_shown(reader: Reader) -> None:
    found = reader.examine((LURES / "lure-th.eml").read_bytes(), "TH")
    told = json.dumps([found.text, [each.value for each in found.findings]], ensure_ascii=False)
    for secret in ("somchai", "Somchai", "สมชาย", "123-4-56789-0", "victim-firm"):
        assert secret not in told
    assert {each.what for each in found.removed} >= {"name", "account", "recipient", "address"}
    assert all("somchai" not in each.shown for each in found.removed)


@pytest.mark.parametrize(
    ("url", "bare"),
    [
        ("https://a.example/x?u=me%40b.example", "https://a.example/x"),
        ("https://a.example/x?id=7", "https://a.example/x?id=7"),
        ("http://u[an_15]@b.example/x?id=7", "http://u[an_15]@b.example/x"),
        ("https://a.example/x#me@b.example", "https://a.example/x"),
        ("https://a.example/me%40b.example/y", "https://a.example//y"),
        ("https://a.example/x?t=dmljdGltQGIuZXhhbXBsZQ", "https://a.example/x"),
    ],
)
def test_a_link_loses_what_names_the_victim(url: str, bare: str) -> None:
    assert url_without_victims(url) == bare


def test_names_cards_and_codes_are_removed_and_customers_are_nobody() -> None:
    text, removed = without_victims(
        "Dear Mr Tan Ah Kow,\nyour card 4111 1111 1111 1111 and OTP: 483920.", "the text", []
    )
    assert "Tan" not in text
    assert "4111" not in text
    assert "483920" not in text
    assert {each.what for each in removed} == {"name", "account"}
    assert without_victims("Dear customer,\nhello", "the text", [])[1] == []


def test_stix_misp_tables_pages_and_logs_are_known(reader: Reader) -> None:
    stix = {"type": "indicator", "id": "indicator--1", "pattern": "[domain-name:value = 'a.test']"}
    misp = {
        "Event": {"info": "x", "Attribute": [{"type": "domain|ip", "value": "b.test|192.0.2.7"}]}
    }
    page = "<!doctype html><script>x='https://s.test/'</script><a href='https://c.test/'>d.test</a>"
    log = "".join(
        f'198.51.100.9 - - [01/Mar/2026:10:00:0{n % 10} +0700] "GET /p{n} HTTP/1.1" 404 1 "-" "x"\n'
        for n in range(60)
    )
    assert ("domain", "a.test") in named(reader.examine(json.dumps(stix).encode()))
    found = reader.examine(json.dumps(misp).encode())
    assert (found.kind, named(found)) == ("misp", {("domain", "b.test"), ("ipv4", "192.0.2.7")})
    found = reader.examine(page.encode())
    assert (found.kind, named(found)) == ("html", {("url", "https://c.test/")})
    assert named(found, "bait") == {("domain", "d.test")}
    found = reader.examine(b"when,where\n1,https://e.test/x\n2,f.test\n")
    assert (found.kind, named(found)) == (
        "table",
        {("url", "https://e.test/x"), ("domain", "f.test")},
    )
    found = reader.examine(log.encode())
    assert (found.kind, named(found)) == ("access-log", {("ipv4", "198.51.100.9")})
    assert "60 different pages" in found.cadence[0]
    assert "/p1" not in found.text + str(found.findings)


def test_pictures_are_recognised_and_bombs_are_not_decoded(reader: Reader) -> None:
    noise = Image.effect_noise((12, 9), 90).resize((640, 480), Image.Resampling.BICUBIC)
    small, jpeg = io.BytesIO(), io.BytesIO()
    noise.save(small, "PNG")
    noise.resize((300, 225)).convert("RGB").save(jpeg, "JPEG", quality=60)
    one, other = (reader.examine(each.getvalue()) for each in (small, jpeg))
    near = min(
        (int(a, 16) ^ int(b, 16)).bit_count() for a in one.prints.pdq for b in other.prints.pdq
    )
    assert near <= 31
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR"
    bomb = header + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0) + b"\0" * 64
    assert reader.examine(bomb).prints.pdq == ()


@pytest.mark.skipif(shutil.which("fpcalc") is None, reason="fpcalc is not installed")
def test_a_recording_that_is_sent_again_is_recognised(reader: Reader) -> None:
    """Quieter and cut it is the same; another one is not."""

    def recorded(seed: int, loud: float, skipped: int) -> bytes:
        rng = random.Random(seed)
        samples = []
        for _ in range(60):
            tone = rng.choice([220, 277, 330, 415, 523, 659, 784]) * 2 * math.pi / 11_025
            samples += [math.sin(tone * n) + 0.5 * math.sin(2 * tone * n) for n in range(2_756)]
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(11_025)
            kept = (int(loud * 15_000 * each) for each in samples[skipped:])
            sound.writeframes(b"".join(each.to_bytes(2, "little", signed=True) for each in kept))
        return file.getvalue()

    def printed(*how: Any) -> bytes:
        (code,) = reader.examine(recorded(*how)).prints.chromaprint
        return unpacked(code)

    first = printed(1, 1.0, 0)
    assert error_rate(first, printed(1, 0.4, 11_025)) <= CHROMAPRINT_MOST
    assert error_rate(first, printed(2, 1.0, 0)) > CHROMAPRINT_MOST


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(300):
            archive.writestr(f"{number}.html", b"<a href='https://in.test/'>" + b"0" * 100_000)
    return file.getvalue()


def many_attachments(count: int) -> bytes:
    part = b"--b\r\nContent-Type: application/x\r\nContent-Disposition: attachment\r\n\r\nx\r\n"
    return (
        b"From: a@b.test\r\nTo: c@d.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + part * count
    )


def nested(depth: int) -> bytes:
    lines = [b"From: a@b.test\r\nTo: c@d.test"]
    lines += [
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d" % (n, n) for n in range(depth)
    ]
    return b"\r\n".join([*lines, b"", b"deep"])


def odd_charset() -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "a@b.test", "c@d.test"
    mail.set_content("x")
    raw = mail.as_bytes().replace(b'charset="utf-8"', b'charset="klingon-8"')
    return raw.replace(b"\nx", b"\n\x80\xfd\x81 go to https://odd.test/x")


HOSTILE = {
    "nothing but zeros": b"\0" * 100_000,
    "noise": bytes(range(256)) * 500,
    "zip bomb": zip_bomb(),
    "deep mail": nested(3_000),
    "odd charset": odd_charset(),
    "deep json": b'{"a":' * 10_000,
    "long line": b"a." * 20_000,
    "tags": b"<html>" + b"<a" * 30_000,
    "comments": b"<html>" + b"<!--" * 30_000,
    "entities": b"<html>&" + b"amp;" * 20_000,
    "quotes": b'a,"' + b'"' * 40_000,
    "headers": b"From: a\nTo: b\n" + b"X: " + b"=?utf-8?q?x?=" * 50_000,
    "polyglot": b"\xff\xd8\xffGIF89a PK\x03\x04 <html><script>",
    "utf-16": "https://wide.test/x ".encode("utf-16"),
    "utf-32": "https://wider.test/x ".encode("utf-32"),
    "piled marks": ("e" + "\u0301" * 80_000 + " https://piled.test/x").encode(),
    "turned": "\u202ehttps://turn.test/x\u202c".encode(),
    "zawgyi": "\u1031\u1000\u103a \u103c\u1095 \u1031\u1019\u102c\u1004\u1039".encode(),
}


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_evidence_gives_a_draft(reader: Reader, kind: str) -> None:
    found = reader.examine(HOSTILE[kind])
    assert len(found.sha256) == 64
    assert not any("ended while" in each for each in found.left_out), kind


def test_what_was_left_out_is_said(reader: Reader) -> None:
    found = reader.examine(many_attachments(100_000))
    assert any("boundaries" in each for each in found.left_out)
    assert any("none was unpacked" in each for each in reader.examine(HOSTILE["zip bomb"]).left_out)
    assert ("url", "https://odd.test/x") in named(reader.examine(HOSTILE["odd charset"]))
    assert ("url", "https://wide.test/x") in named(reader.examine(HOSTILE["utf-16"]))
    assert ("url", "https://wider.test/x") in named(reader.examine(HOSTILE["utf-32"]))
    assert ("url", "https://piled.test/x") in named(reader.examine(HOSTILE["piled marks"]))
    assert reader.examine(HOSTILE["turned"]).disguises
    assert reader.examine(HOSTILE["zawgyi"]).language.tag == "my-Qaag"


def test_a_reader_that_hangs_is_ended_and_said_so() -> None:
    impatient = Reader(time_limit_s=0.000_1)
    try:
        found = impatient.examine(b"a text that is read in more than no time at all")
        assert found.kind == "file"
        assert "not read within" in found.left_out[0]
        assert found.prints.files
    finally:
        impatient.stop()


def test_a_reader_that_was_killed_starts_anew(reader: Reader) -> None:
    assert reader.examine(b"see https://one.test/x").findings
    child = reader._child
    assert child is not None
    child.kill()
    child.wait()
    assert reader.examine(b"see https://two.test/x").findings


def test_too_much_is_refused(reader: Reader) -> None:
    with pytest.raises(Refused) as caught:
        reader.examine(b"x" * (FILE_LIMIT_BYTES + 1))
    assert caught.value.code == "too-large"


@pytest.mark.long
@pytest.mark.skipif(not SHARED.exists(), reason="the public data are not beside this checkout")
def test_every_real_phishing_mail_is_read(reader: Reader) -> None:
    count = 0
    for data in real_mails():
        found = reader.examine(data)
        assert not [each for each in found.left_out if "reader" in each or "within" in each]
        count += 1
    assert count > 800


def real_mails() -> Iterator[bytes]:
    for name in ("restricted/phishing_pot.tar.gz", "lures/spamassassin-testmails.tar.gz"):
        with tarfile.open(SHARED / name) as archive:
            files = [archive.extractfile(member) for member in archive if member.isfile()]
            yield from (file.read() for file in files if file is not None)
