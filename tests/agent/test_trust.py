"""An agent takes the word of one hub: the key is kept from the first version, or given."""

from __future__ import annotations

from pathlib import Path

import pytest

from bayanihan.agent.trust import Trust
from bayanihan.core.feed_delta import signed_text
from bayanihan.core.signing import SigningKey, to_text
from bayanihan.errors import Refused, Unavailable

HUB = "https://hub.example"
OURS, THEIRS = SigningKey(b"a" * 32), SigningKey(b"b" * 32)
DIGEST = "sha-256=" + "0" * 64


def told(key: SigningKey, *, digest: str = DIGEST, cursor: str = "c") -> tuple[str, str]:
    """The two headers of a version."""
    signature = to_text(key.sign(signed_text("rpz.zone", cursor, digest)))
    return f"ed25519={signature}", f"ed25519={to_text(key.public)}"


def test_the_first_key_is_kept_and_no_other_taken(tmp_path: Path) -> None:
    trust = Trust(tmp_path / "state", HUB)
    trust.check("rpz.zone", "c", DIGEST, *told(OURS))
    assert trust.path.read_text().strip() == to_text(OURS.public)
    Trust(tmp_path / "state", HUB + "/").check("rpz.zone", "c", DIGEST, *told(OURS))
    with pytest.raises(Refused, match="another key") as refused:
        trust.check("rpz.zone", "c", DIGEST, *told(THEIRS))
    assert (refused.value.code, refused.value.where) == ("hub-key-changed", str(trust.path))
    Trust(tmp_path / "state", "https://other.example").check("rpz.zone", "c", DIGEST, *told(THEIRS))


@pytest.mark.parametrize(
    ("signature", "offered"),
    [
        ("", ""),
        ("", told(OURS)[1]),
        ("ed25519=AAAA", told(OURS)[1]),
        (told(THEIRS)[0], told(OURS)[1]),
        (told(OURS, digest="sha-256=" + "1" * 64)[0], told(OURS)[1]),
        (told(OURS, cursor="other")[0], ""),
    ],
)
def test_what_the_kept_key_did_not_sign_is_damaged(
    tmp_path: Path, signature: str, offered: str
) -> None:
    trust = Trust(tmp_path, HUB)
    trust.check("rpz.zone", "c", DIGEST, *told(OURS))
    with pytest.raises(Unavailable, match="not the hub's"):
        trust.check("rpz.zone", "c", DIGEST, signature, offered)


def test_a_bad_first_version_is_no_key(tmp_path: Path) -> None:
    trust = Trust(tmp_path, HUB)
    with pytest.raises(Unavailable):
        trust.check("rpz.zone", "c", DIGEST, told(THEIRS)[0], told(OURS)[1])
    trust.check("rpz.zone", "c", DIGEST, "", "")
    assert not trust.path.exists()


def test_a_key_that_was_given_counts_alone(tmp_path: Path) -> None:
    trust = Trust(tmp_path, HUB, to_text(OURS.public))
    trust.check("rpz.zone", "c", DIGEST, *told(OURS))
    assert not trust.path.exists()
    with pytest.raises(Refused) as refused:
        trust.check("rpz.zone", "c", DIGEST, *told(THEIRS))
    assert (refused.value.code, refused.value.where) == ("hub-key-changed", "--hub-key")
    with pytest.raises(Refused, match="32 bytes"):
        Trust(tmp_path, HUB, "no key")
