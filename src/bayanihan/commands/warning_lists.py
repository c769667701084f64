"""Compiles the MISP warning lists into the file that is shipped.

    python -m bayanihan.commands.warning_lists FOLDER_OR_TAR OUT

The first is a checkout of the lists, or an archive of their JSON files. For maintainers: a hub
reads the compiled file alone.
"""

from __future__ import annotations

import gzip
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bayanihan.core.warning_lists import Source, compiled


class _List(msgspec.Struct):
    name: str
    entries: list[str] = msgspec.field(name="list")


def _texts(place: Path) -> Iterator[tuple[str, bytes]]:
    """Each list's stem and bytes. A checkout has `lists/STEM/list.json`, an archive STEM.json."""
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            yield (path.parent.name if path.stem == "list" else path.stem), path.read_bytes()
        return
    with tarfile.open(place) as archive:
        for member in sorted(archive.getmembers(), key=lambda each: each.name):
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            if file is not None:
                path = Path(member.name)
                yield (path.parent.name if path.stem == "list" else path.stem), file.read()


def sources(place: Path) -> Iterator[Source]:
    """The lists of a checkout or an archive; other JSON files are passed over."""
    for stem, text in _texts(place):
        try:
            found = msgspec.json.decode(text, type=_List)
        except msgspec.DecodeError:
            continue
        yield Source(stem, found.name, found.entries)


def main(place: str, out: str) -> None:
    """Compile and write, and say what came of each list."""
    made = compiled(sources(Path(place)))
    Path(out).write_bytes(gzip.compress(made.data, 9, mtime=0))
    for stem, count in made.counts.items():
        print(f"{stem}: {count}")
    for stem in made.unjudged:
        print(f"not judged yet, left out: {stem}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:3])
