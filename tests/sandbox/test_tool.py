"""What is handed in as a tool is read with care: manifests, folders, archives."""

from __future__ import annotations

import io
import json
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayanihan.errors import Refused
from bayanihan.sandbox.manifest import manifest_schema, read_manifest
from bayanihan.sandbox.tool import ToolFile, digest_of, load_tool, packed
from tests.sandbox.tools import answering, files_of, manifest_of, write_tool


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"id": "Upper"}, "$.id"),
        ({"id": "../x"}, "$.id"),
        ({"vectors": []}, "$.vectors"),
        ({"vectors": ["magic"]}, "$.vectors[0]"),
        ({"languages": ["English"]}, "$.languages[0]"),
        ({"accuracy": {"detection": 1.5, "false_alarm": 0}}, "$.accuracy.detection"),
        ({"accuracy": {"detection": 0.5}}, "$.accuracy"),
        ({"settings": ["/srv/secret"]}, "$.settings[0]"),
        ({"settings": ["/etc/../root"]}, "$.settings[0]"),
        ({"packages": ["a b"]}, "$.packages[0]"),
        ({"command": []}, "$"),
        ({"remote": {"url": "https://user@tool.example/ask"}}, "$.remote.url"),
        ({"surprise": 1}, "$"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_place(changes: dict[str, Any], place: str) -> None:
    data = json.dumps(manifest_of(**changes)).encode()
    with pytest.raises(Refused) as refused:
        read_manifest(data)
    assert refused.value.where == f"tool.json {place}"
    if place != "$" or "surprise" in changes:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(json.loads(data), manifest_schema())


def test_a_manifest_that_lacks_something_or_is_no_json() -> None:
    manifest = manifest_of()
    del manifest["vendor"]
    with pytest.raises(Refused, match="vendor") as refused:
        read_manifest(json.dumps(manifest).encode())
    assert refused.value.code == "missing-property"
    with pytest.raises(Refused) as refused:
        read_manifest(b"{")
    assert refused.value.code == "not-json"


def test_a_good_manifest_fits_the_schema() -> None:
    manifest = manifest_of(accuracy={"detection": 0.9, "false_alarm": 0.01}, packages=["numpy"])
    jsonschema.validate(manifest, manifest_schema())
    assert read_manifest(json.dumps(manifest).encode()).id == "probe"


def test_folder_and_archives_are_the_same_tool(tmp_path: Path) -> None:
    files = files_of(answering())
    folder = write_tool(tmp_path / "folder", answering())
    (tmp_path / "tool.tar.gz").write_bytes(packed(files))
    with zipfile.ZipFile(tmp_path / "tool.zip", "w") as archive:
        for name, file in files.items():
            archive.writestr(name, file.data)
    digests = {load_tool(tmp_path / name).digest for name in ("folder", "tool.tar.gz", "tool.zip")}
    assert digests == {digest_of(files)}
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "tool.pyc").write_bytes(b"x")
    assert load_tool(folder).digest == digest_of(files)


def test_an_artefact_is_the_one_that_the_vendor_declares(tmp_path: Path) -> None:
    held = digest_of({"tool.py": ToolFile(answering().encode(), False)})
    good = write_tool(tmp_path / "good", answering(), artefact=f"sha256:{held}")
    assert load_tool(good).manifest.artefact == f"sha256:{held}"
    bad = write_tool(tmp_path / "bad", answering("'malicious'"), artefact=f"sha256:{held}")
    with pytest.raises(Refused, match="not the artefact that its vendor declares") as refused:
        load_tool(bad)
    assert refused.value.where.endswith("$.artefact")
    assert "These files are sha256:" in refused.value.next_step


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text("ab", min_size=1), st.binary(max_size=5), min_size=1, max_size=4))
def test_any_change_changes_the_digest(content: dict[str, bytes]) -> None:
    files = {name: ToolFile(data, False) for name, data in content.items()}
    whole = digest_of(files)
    for name, file in files.items():
        assert digest_of({**files, name: ToolFile(file.data + b"!", False)}) != whole
        assert digest_of({**files, name: ToolFile(file.data, True)}) != whole
        assert digest_of({**files, name + "c": file}) != whole
    assert digest_of(dict(reversed(files.items()))) == whole


def tar_of(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(b"x" * entry.size))
    return path


def entry_of(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    entry.size = 1 if kind == tarfile.REGTYPE else 0
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        entry_of("../out"),
        entry_of("/etc/out"),
        entry_of("a/../../out"),
        entry_of("way", tarfile.SYMTYPE, "/etc/passwd"),
        entry_of("hard", tarfile.LNKTYPE, "tool.json"),
        entry_of("pipe", tarfile.FIFOTYPE),
        entry_of("disk", tarfile.BLKTYPE),
    ],
    ids=lambda entry: entry.name,
)
def test_an_archive_that_climbs_or_links_is_refused(entry: tarfile.TarInfo, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        load_tool(tar_of(tmp_path / "tool.tar", entry))
    assert refused.value.code == "bad-value"


def test_twice_the_same_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="twice"):
        load_tool(tar_of(tmp_path / "tool.tar", entry_of("a"), entry_of("./a")))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bayanihan.sandbox.tool.MAX_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big", b"\0" * (4 << 20))
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive_:
        entry = tarfile.TarInfo("big")
        entry.size = 4 << 20
        archive_.addfile(entry, io.BytesIO(b"\0" * entry.size))
    for name in ("bomb.zip", "bomb.tar.gz"):
        with pytest.raises(Refused) as refused:
            load_tool(tmp_path / name)
        assert refused.value.code == "too-large"


def test_links_in_zips_and_folders_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        entry = zipfile.ZipInfo("way")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    folder = write_tool(tmp_path / "folder", answering())
    (folder / "way").symlink_to("/etc/passwd")
    for place in (tmp_path / "link.zip", folder):
        with pytest.raises(Refused, match="plain files"):
            load_tool(place)


def test_what_is_no_tool_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"hello")
    (tmp_path / "empty").mkdir()
    for name in ("text", "empty", "absent"):
        with pytest.raises(Refused) as refused:
            load_tool(tmp_path / name)
        assert refused.value.next_step
