"""A draft of a version: made, and not yet examined by the engine that will load it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from bayanihan.readers.feeds.format import Format, Heading, Item, written
from bayanihan.readers.feeds.left_out import LeftOut
from bayanihan.readers.feeds.lines import File


class Draft(msgspec.Struct, frozen=True):
    """A file, or a folder of files, with what it was made from.

    `news` is what came inside since the engine last saw a version; None where it saw none.
    `items` walks through all that is inside, which may have moved on since.
    """

    format: Format
    heading: Heading
    file: File
    pages: Mapping[str, File]
    news: Sequence[Item] | None
    items: Callable[[], Iterator[Item]]
    position: int
    boundary_us: int
    next_change_us: int
    held: tuple[LeftOut, ...]
    not_expressed: tuple[LeftOut, ...]
    asked: int

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files by name, each read when it is asked for."""
        return Files(self.format.name, self.file, self.pages)

    def only(self, items: Sequence[Item]) -> Mapping[str, bytes]:
        """The files with some of the items alone."""
        files = written(self.format, items, self.heading)
        return {name: file.body() for name, file in files.items()}


class Files(Mapping[str, bytes]):
    """A file and what lies beside it, by name. The file is put together when it is asked for."""

    def __init__(self, name: str, file: File, pages: Mapping[str, File]) -> None:
        self._name = name
        self._file = file
        self._pages = pages

    def __getitem__(self, name: str) -> bytes:
        return (self._file if name == self._name else self._pages[name]).body()

    def __iter__(self) -> Iterator[str]:
        yield self._name
        yield from self._pages

    def __len__(self) -> int:
        return 1 + len(self._pages)
