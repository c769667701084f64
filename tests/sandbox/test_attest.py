"""Attestations: made, verified off-line, and refused for each reason by its own name."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as Dsse
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from bayanihan import cli
from bayanihan.errors import BayanihanError, Refused
from bayanihan.sandbox.attest import (
    check_result,
    decode_envelope,
    new_key,
    read_envelope,
    read_key,
    read_statement,
    sign,
    statement_of,
)
from bayanihan.sandbox.corpus import Corpus
from bayanihan.sandbox.gate import read_rule
from bayanihan.sandbox.isolate import Limits
from bayanihan.sandbox.result import (
    FORMAT,
    Honesty,
    Laboratory,
    Performance,
    Result,
    Subject,
    encode_result,
)
from bayanihan.sandbox.score import asked_of, gates_of, scores_of, slices_of
from bayanihan.sandbox.shift import digest_of_verdicts
from bayanihan.sandbox.tool import load_tool
from bayanihan.sandbox.trust import Trust, read_trust, verify
from bayanihan.sandbox.writing import shipped
from tests.sandbox.tools import answering, isolator_or_skip, no_more_than, write_tool
from tests.sim.process import RunningHub

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)


def result_of(verdicts: str = "", level: str = "L2", digest: str = "0" * 64) -> Result:
    """A result on the scripts, by default of a tool that is always right."""
    corpus: Corpus = shipped("scripts")
    verdicts = verdicts or "".join("m" if i.label == "attack" else "b" for i in corpus.items)
    rules = [read_rule("false_alarm<=5%"), read_rule("detection>=90%")]
    return Result(
        FORMAT, "tests", "2026-11-28T11:00:00Z", "2026-11-28T11:01:00Z", 7,
        Subject("probe", "1", "tests", f"sha256:{digest}", ["malware"], ["en"]),
        asked_of(corpus),
        {"level": level, "isolator": "x", "seccomp": "sha256:00"},
        {"python": "3"}, Limits(),
        scores_of(corpus, verdicts, 7), slices_of(corpus, verdicts, 7),
        gates_of(corpus, verdicts, rules, 7), [],
        Performance(1, 2, 3, 4, 5.0, 0.1, 6), Honesty(5, 0, 0, 0, 1.0, []), {}, [],
        verdicts, digest_of_verdicts(verdicts),
    )  # fmt: skip


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in ("sg", "my", "th"):
        new_key(folder / f"{name}.key")
    return folder


@pytest.fixture(scope="module")
def payload() -> bytes:
    return statement_of(result_of(), NOW, 365)


def signed(payload: bytes, keys: Path, *names: str) -> bytes:
    envelope = None
    for name in names:
        data = sign(payload, read_key(keys / f"{name}.key"), envelope)
        envelope = decode_envelope(data, "test")
    return data


def trusting(keys: Path, text: str, name: str = "trust.toml") -> Trust:
    (keys / name).write_text(text)
    return read_trust(keys / name)


def code_of(data: bytes, trust: Trust, now: dt.datetime = NOW) -> str:
    try:
        verify(decode_envelope(data, "test"), trust, now)
    except BayanihanError as error:
        return error.code
    return "good"


BOTH = """
threshold = 2
[[authority]]
name = "Cyber authority"
member = "SG"
key_file = "sg.key.pub"
[[authority]]
name = "Agency"
member = "MY"
key_file = "my.key.pub"
"""


def test_securesystemslib_verifies_what_we_sign(payload: bytes, keys: Path) -> None:
    data = signed(payload, keys, "sg", "my")
    dsse = Dsse.from_dict(json.loads(data))
    known: list[Any] = [
        SSlibKey.from_crypto(read_key(keys / f"{n}.key").public_key()) for n in ("sg", "my")
    ]
    assert len(dsse.verify(known, 2)) == 2
    statement = json.loads(dsse.payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": "probe@1", "digest": {"sha256": "0" * 64}}]
    assert statement["predicate"]["result"] == "PASSED"
    assert statement["predicate"]["passedTests"] == ["false_alarm<=5%", "detection>=90%"]
    assert statement["predicate"]["failedTests"] == []


def test_half_a_key_is_not_left_behind(tmp_path: Path) -> None:
    with no_more_than(10), pytest.raises(OSError, match="File too large"):
        new_key(tmp_path / "sg.key")
    assert list(tmp_path.iterdir()) == []
    new_key(tmp_path / "sg.key")


def test_a_public_key_is_trust_enough(payload: bytes, keys: Path) -> None:
    trust = read_trust(keys / "sg.key.pub")
    verified = verify(decode_envelope(signed(payload, keys, "sg"), "t"), trust, NOW)
    assert [each.name for each in verified.signers] == ["sg.key.pub"]
    assert verified.statement.predicate.trial == result_of()
    assert code_of(signed(payload, keys, "my"), trust) == "not-trusted"


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_changed_byte_passes(data: st.DataObject, payload: bytes, keys: Path) -> None:
    whole = signed(payload, keys, "sg")
    at = data.draw(st.integers(0, len(whole) - 2))
    changed = bytearray(whole)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    trust = read_trust(keys / "sg.key.pub")
    try:
        again = decode_envelope(bytes(changed), "test")
    except Refused:
        return
    told = code_of(bytes(changed), trust)
    if told == "good":
        # Base64 has spare bits at its end: the bytes behind it must be the same.
        assert again.payload_bytes == payload


def test_a_changed_payload_is_a_bad_signature(payload: bytes, keys: Path) -> None:
    envelope = json.loads(signed(payload, keys, "sg"))
    envelope["payload"] = base64.b64encode(payload.replace(b"PASSED", b"WARNED")).decode()
    told = code_of(json.dumps(envelope).encode(), read_trust(keys / "sg.key.pub"))
    assert told == "bad-signature"


def test_k_of_n(payload: bytes, keys: Path) -> None:
    trust = trusting(keys, BOTH)
    assert code_of(signed(payload, keys, "sg"), trust) == "not-trusted"
    assert code_of(signed(payload, keys, "sg", "th"), trust) == "not-trusted"
    assert code_of(signed(payload, keys, "sg", "th", "my"), trust) == "good"
    with pytest.raises(Refused, match="signed already"):
        signed(payload, keys, "sg", "sg")
    envelope = json.loads(signed(payload, keys, "sg"))
    envelope["signatures"] *= 2
    assert code_of(json.dumps(envelope).encode(), trust) == "bad-value"


def test_one_key_never_counts_for_two(keys: Path) -> None:
    with pytest.raises(Refused, match="same key"):
        trusting(keys, BOTH.replace("my.key.pub", "sg.key.pub"))


def test_it_ends_by_itself_by_policy_and_by_revocation(payload: bytes, keys: Path) -> None:
    data = signed(payload, keys, "sg", "my")
    trust = trusting(keys, BOTH)
    day = dt.timedelta(days=1)
    assert code_of(data, trust, NOW + 364 * day) == "good"
    assert code_of(data, trust, NOW + 365 * day) == "expired"
    assert code_of(data, trust, NOW - day) == "bad-value"
    strict = trusting(keys, f"max_age_days = 30\n{BOTH}")
    assert code_of(data, strict, NOW + 30 * day) == "expired"
    digest = decode_envelope(data, "t").digest
    assert code_of(data, trusting(keys, f'revoked = ["{digest}"]\n{BOTH}')) == "revoked"


def test_an_authority_counts_in_its_time_only(payload: bytes, keys: Path) -> None:
    data = signed(payload, keys, "sg", "my")
    over = BOTH.replace('member = "SG"', 'member = "SG"\nuntil = 2026-11-27')
    assert code_of(data, trusting(keys, over)) == "not-trusted"
    begun = BOTH.replace('member = "SG"', 'member = "SG"\nfrom = 2026-11-28')
    assert code_of(data, trusting(keys, begun)) == "good"


def test_reservations_are_told_where_they_touch(payload: bytes, keys: Path) -> None:
    text = BOTH + "".join(
        f'[[reservation]]\nmember = "TH"\nabout = "{about}"\nreason = "so"\n'
        for about in ("language:en", "language:th", "vector:malware", "sector:banking")
    )
    data = signed(payload, keys, "sg", "my")
    verified = verify(decode_envelope(data, "t"), trusting(keys, text), NOW)
    told = [each.about for each in verified.reservations]
    assert told == ["language:en", "vector:malware", "sector:banking"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "threshold = 0\n" + BOTH.replace("threshold = 2", ""),
        BOTH.replace("threshold = 2", "threshold = 3"),
        BOTH.replace('"MY"', '"XX"'),
        BOTH.replace("my.key.pub", "absent.pub"),
        BOTH.replace("my.key.pub", "my.key"),
        BOTH + "surprise = 1\n",
        "[[authority]\n",
    ],
)
def test_a_bad_trust_list_is_refused(text: str, keys: Path) -> None:
    with pytest.raises(Refused):
        trusting(keys, text, "bad.toml")


def test_nothing_is_signed_that_does_not_follow() -> None:
    corpus = shipped("scripts")
    good = result_of()
    check_result(good, corpus)
    flipped = "b" + good.verdicts[1:]
    bad = result_of("b" * 240)
    missed = {
        name: getattr(bad, name)
        for name in ("scores", "slices", "gates", "verdicts", "verdicts_digest")
    }
    check_result(bad, corpus)
    changes: list[dict[str, Any]] = [
        {"verdicts": flipped},
        {"verdicts": flipped, "verdicts_digest": digest_of_verdicts(flipped)},
        {"verdicts": "m", "verdicts_digest": digest_of_verdicts("m")},
        {"scores": result_of("b" * 240).scores},
        {"slices": good.slices[1:]},
        {"gates": result_of("b" * 240).gates},
        {"isolation": {**good.isolation, "level": "L0"}},
        {"isolation": {}},
        {"format": "other"},
        {"corpus": msgspec.structs.replace(good.corpus, sealed=True)},
        {"corpus": msgspec.structs.replace(good.corpus, limits=[])},
        {"honesty": msgspec.structs.replace(good.honesty, canaries=3)},
        {"honesty": msgspec.structs.replace(good.honesty, differing=1)},
        {"faults": {"timeout": 1}},
        # Warnings that follow, and were taken out: of a vendor's claim, and of a laboratory.
        {
            "tool": msgspec.structs.replace(
                good.tool, declared={"detection": 1.0, "false_alarm": 0.0}
            ),
            **missed,
        },
        {"laboratories": [Laboratory("VN", "L2", "x", "sha256:0", "x", 9, 3, 3, 2)]},
    ]
    for change in changes:
        with pytest.raises(Refused):
            check_result(msgspec.structs.replace(good, **change), corpus)
    with pytest.raises(Refused, match="another corpus"):
        check_result(good, shipped("messages-region"))


def test_the_weakest_laboratory_makes_the_level() -> None:
    lab = Laboratory("VN", "L1", "landlock 7", f"sha256:{'2' * 64}", "bayanihan 1", 9, 3, 3, 0)
    strong = msgspec.structs.replace(lab, origin="MY", level="L2")
    weak = msgspec.structs.replace(result_of(level="L1"), laboratories=[lab, strong])
    check_result(weak, shipped("scripts"))
    predicate = read_statement(statement_of(weak, NOW, 30)).predicate
    assert predicate.trial.laboratories == [lab, strong]
    named = [each.name for each in predicate.configuration]
    assert {"environment of VN", "environment of MY"} <= set(named)
    for level, laboratories in (("L2", [lab]), ("L1", [msgspec.structs.replace(lab, level="L0")])):
        result = msgspec.structs.replace(result_of(level=level), laboratories=laboratories)
        with pytest.raises(Refused, match="isolated less"):
            check_result(result, shipped("scripts"))


def test_subject_and_trial_must_be_the_same_tool(payload: bytes) -> None:
    statement = json.loads(payload)
    statement["subject"][0]["digest"]["sha256"] = "1" * 64
    with pytest.raises(Refused, match="different tools"):
        read_statement(json.dumps(statement).encode())
    statement["predicateType"] = "https://other.example"
    with pytest.raises(Refused, match="not about a trial"):
        read_statement(json.dumps(statement).encode())


def test_a_signature_does_not_make_a_swapped_predicate_true(keys: Path) -> None:
    """Signed by a trusted authority all the same: another word, another list, no isolation."""
    failing = json.loads(statement_of(result_of("b" * 240), NOW, 365))
    assert failing["predicate"]["result"] == "FAILED"
    passing = json.loads(statement_of(result_of(), NOW, 365))["predicate"]
    trust = read_trust(keys / "sg.key.pub")
    for name in ("result", "passedTests", "failedTests", "trial"):
        swapped = {**failing, "predicate": {**failing["predicate"], name: passing[name]}}
        assert code_of(signed(json.dumps(swapped).encode(), keys, "sg"), trust) == "bad-value", name
    loose = statement_of(result_of(level="L0"), NOW, 365)
    assert code_of(signed(loose, keys, "sg"), trust) == "bad-value"
    honest = json.dumps(failing).encode()
    assert code_of(signed(honest, keys, "sg"), trust) == "good"


def test_keys_are_private_and_never_overwritten(tmp_path: Path) -> None:
    public = new_key(tmp_path / "a.key")
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    assert isinstance(read_key(tmp_path / "a.key"), Ed25519PrivateKey)
    with pytest.raises(Refused, match="already"):
        new_key(tmp_path / "a.key")
    with pytest.raises(Refused, match="no Ed25519 signing key"):
        read_key(public)
    with pytest.raises(Refused, match="private key"):
        read_trust(tmp_path / "a.key")


def test_from_command_to_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A result is signed, verified, and 1 % of it asked again; another tool is refused."""
    isolator_or_skip("L1")
    tool = write_tool(tmp_path / "tool", answering("'malicious' if 'v' in item else 'benign'"))
    verdicts = "b" * len(shipped("scripts").items)
    result = result_of(verdicts, digest=load_tool(tool).digest)
    (tmp_path / "trial.json").write_bytes(encode_result(result))

    def run(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            cli.main(["trial", *words])
        told = capfd.readouterr()
        assert ended.value.code == code, told.err
        return told.out + told.err

    at = {name: str(tmp_path / name) for name in ("trial.json", "sg.key", "a.att", "tool")}
    run("signing-key", "--out", at["sg.key"])
    told = run("attest", at["trial.json"], "--sign-with", at["sg.key"], "--out", at["a.att"])
    assert "FAILED for probe 1 on scripts 1" in told
    check = ["verify", at["a.att"], "--trust", at["sg.key"] + ".pub"]
    assert "verified: probe 1 on scripts 1: FAILED" in run(*check)
    again = [*check, "--rerun", at["tool"], "--isolation", "L1"]
    assert "5 items asked again: the same verdict bytes" in run(*again)
    assert json.loads(run(*check, "--json"))["signers"] == [{"name": "sg.key.pub", "member": ""}]
    (tmp_path / "tool" / "tool.py").write_text(answering("'malicious'"))
    assert "not the tool that was tested" in run(*again, code=1)
    assert read_envelope(tmp_path / "a.att").signatures
    liar = msgspec.structs.replace(
        result, tool=Subject("probe", "1", "t", f"sha256:{load_tool(tool).digest}", ["malware"], [])
    )
    (tmp_path / "trial.json").write_bytes(encode_result(liar))
    run("attest", at["trial.json"], "--sign-with", at["sg.key"], "--out", at["a.att"])
    assert "verdicts came out otherwise" in run(*again, code=1)


def test_a_hub_enters_what_it_trusts(own_hub: RunningHub, keys: Path) -> None:
    data = signed(statement_of(result_of(), dt.datetime.now(dt.UTC), 30), keys, "sg")
    own_hub.start()
    key = own_hub.key("SG", scopes=["sandbox", "read"])
    poor = own_hub.key("SG", scopes=["read"])

    def sent(content: bytes, by: str = key) -> dict[str, Any]:
        told: dict[str, Any] = own_hub.ask("POST", "/api/attestations", by, content=content).json()
        return told

    def refused(content: bytes, by: str = key) -> str:
        return str(sent(content, by)["error"]["code"])

    trust = own_hub.data / "trust.toml"
    assert refused(data, poor) == "not-permitted"
    assert refused(data) == "not-trusted"
    trust.write_bytes((keys / "my.key.pub").read_bytes())
    assert refused(data) == "not-trusted"
    trust.write_bytes((keys / "sg.key.pub").read_bytes())
    told = sent(data)
    assert told["result"] == "accepted"
    assert sent(data) == {**told, "result": "duplicate"}
    assert refused(b"{}") == "bad-value"


def test_attest_enters_what_it_signs(
    own_hub: RunningHub, keys: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`attest --enter`: the file is written first, and what the hub says is told."""
    own_hub.start()
    (tmp_path / "trial.json").write_bytes(encode_result(result_of()))
    key, out = own_hub.key("SG", scopes=["sandbox"]), tmp_path / "a.att"
    words = ["trial", "attest", str(tmp_path / "trial.json"), "--sign-with", str(keys / "sg.key")]
    words += ["--out", str(out), "--enter", "--hub", own_hub.url, "--key", key]
    for code, trust in ((1, b""), (0, (keys / "sg.key.pub").read_bytes())):
        if trust:
            (own_hub.data / "trust.toml").write_bytes(trust)
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == code
        assert read_envelope(out).signatures
    told = capfd.readouterr()
    assert "This hub trusts no authority yet" in told.err
    assert f"accepted, sha256:{hashlib.sha256(out.read_bytes()).hexdigest()}" in told.out
