"""Settings: every one has a default, and what cannot be is refused with its place."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayanihan.config import Settings, checked, load_settings
from bayanihan.errors import Refused


def settings_of(folder: Path, text: str | bytes) -> Settings:
    path = folder / "hub.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_settings(folder)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == checked(Settings())


def test_what_is_set_holds_and_the_rest_stays(tmp_path: Path) -> None:
    found = settings_of(tmp_path, 'port = 9000\nown_names = ["hub.example", "ธนาคาร.example"]\n')
    assert (found.port, found.host) == (9000, Settings().host)
    assert found.own_names == ("hub.example", "ธนาคาร.example")


BAD: dict[str, str | bytes] = {
    "unknown key": "prot = 9000",
    "unknown table": "[server]\nport = 9000",
    "wrong type": 'port = "9000"',
    "wrong item": "own_names = [1]",
    "true is no port": "port = true",
    "negative port": "port = -1",
    "large port": "port = 65536",
    "huge port": "port = " + "9" * 400,
    "name of two lines": 'name = "a\\nb"',
    "empty name": 'name = ""',
    "no level": "[retain_days]\nbeige = 3",
    "no days": "[retain_days]\nred = 0",
    "no patience": "stale_after_s = 0",
    "twice": "port = 1\nport = 2",
    "no toml": "port: 9000",
    "half": 'name = "hub',
    "not utf-8": b'name = "\xff"',
    "nul": b"\x00",
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused) as refusal:
        settings_of(tmp_path, BAD[name])
    assert refusal.value.code == "bad-setting"
    assert refusal.value.where.startswith("hub.toml")


def test_the_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="prot"):
        settings_of(tmp_path, BAD["unknown key"])


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").mkdir()
    with pytest.raises(Refused, match="cannot be read"):
        load_settings(tmp_path)


def test_every_setting_has_a_default() -> None:
    assert all(
        field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        for field in msgspec.structs.fields(Settings)
    )


@given(st.binary(max_size=80))
def test_any_bytes_are_settings_or_refused(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        try:
            settings_of(Path(folder), data)
        except Refused as refusal:
            code = refusal.code
        else:
            code = "bad-setting"
    assert code == "bad-setting"
