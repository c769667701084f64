"""HTML as a reader meets it: the text, where links lead, and what they show instead.

Nothing is rendered, run or fetched.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from bayanihan.intake.evidence.part import TEXT_LIMIT, Opened, Part

_HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "title"})
_BREAKS = frozenset("p br div tr li h1 h2 h3 h4 td table section article".split())
_LINKS = {"a": "href", "area": "href", "form": "action", "iframe": "src", "button": "formaction"}
_SHOWN_NAME = re.compile(r"^\s*(?:https?://)?[^\s/@]{1,200}\.[^\s/@.]{2,24}(?:/\S*)?\s*$")
_MARKUP_LIMIT = 500_000
# So many more opened than closed are no markup, and the parser would look for each end anew.
_UNCLOSED_LIMIT = 1_000
_UNCLOSED = re.compile(r"<(?=[^<>]*+(?:<|\Z))")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.links: list[str] = []
        self.bait: list[str] = []
        self._inside: list[str] = []
        self._link = ""
        self._shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _HIDDEN:
            self._inside.append(tag)
        if tag in _BREAKS:
            self.text.append("\n")
        target = given.get(_LINKS.get(tag, ""), "").strip()
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            target = given.get("content", "").partition("=")[2].strip("'\" ")
        if target:
            self.links.append(target)
        if tag == "a":
            self._end_link()
            self._link = target

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _HIDDEN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside and self._inside.pop() != tag:
                pass
        if tag == "a":
            self._end_link()
        if tag in _BREAKS:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if "script" in self._inside:
            self.scripts.append(data)
        elif self._link:
            self._shown.append(data)
        elif not self._inside or self._inside == ["noscript"]:
            self.text.append(data)

    def _end_link(self) -> None:
        shown, self._shown = "".join(self._shown), []
        link, self._link = self._link, ""
        if link and _SHOWN_NAME.match(shown) and not _same_host(shown, link):
            self.bait.append(shown.strip())
        else:
            self.text.append(shown)


def _same_host(shown: str, link: str) -> bool:
    hosts = [re.sub(r"^\s*(?:https?://)?(?:www\.)?", "", each.lower()) for each in (shown, link)]
    return re.split(r"[/?#\s]", hosts[0])[0] == re.split(r"[/?#\s]", hosts[1])[0]


def _closed(text: str) -> str:
    """Markup without its comments, and without what is opened a thousand times for nothing."""
    kept = []
    at = 0
    while (start := text.find("<!--", at)) >= 0:
        kept.append(text[at:start])
        end = text.find("-->", start + 4)
        at = len(text) if end < 0 else end + 3
    text = "".join([*kept, text[at:]])
    if text.count("<") > text.count(">") + _UNCLOSED_LIMIT:
        text = _UNCLOSED.sub("&lt;", text)
    return text


def read_markup(text: str, where: str, opened: Opened) -> None:
    """Add the parts of a page to what a file falls into."""
    if len(text) > _MARKUP_LIMIT:
        opened.left_out.append(f"Of {where} only the first {_MARKUP_LIMIT} characters were read.")
    reader = _Reader()
    try:
        reader.feed(_closed(text[:_MARKUP_LIMIT]))
        reader.close()
    except (AssertionError, ValueError, RecursionError):
        opened.left_out.append(f"The markup of {where} is broken; what stood before was read.")
    body = re.sub(r"[ \t\r\f\v]+", " ", "".join(reader.text))
    opened.parts.append(Part(where, re.sub(r"\n\s*\n+", "\n", body)[:TEXT_LIMIT]))
    for role, found in (
        ("named", reader.links),
        ("bait", reader.bait),
        ("script", reader.scripts),
    ):
        kept = "\n".join(
            each for each in found if not each.startswith(("#", "cid:", "javascript:"))
        )
        if kept:
            told = {"named": "a link of", "bait": "what a link shows in", "script": "a script of"}
            opened.parts.append(Part(f"{told[role]} {where}", kept[:TEXT_LIMIT], role))
