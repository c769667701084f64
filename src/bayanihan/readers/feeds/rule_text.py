"""Members' own detection rules, passed through as they wrote them once they are checked.

A rule is text that an engine reads, so each is held to one rule of its language before any
engine sees it: nothing that includes a file, nothing that begins a second rule.
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import yaml

from bayanihan.readers.active import RULE_LIMIT

# No type of value and no part has it.
_BETWEEN = "\x1f"
_ACTIONS = "alert|drop|reject|rejectsrc|rejectdst|rejectboth|pass|log|block"
# An action, a protocol, two ends and an arrow, options in brackets that close at the end.
_RULE = re.compile(
    rf"(?P<action>{_ACTIONS}) ++(?P<head>[^();\x22\x00-\x1f]{{1,2000}})"
    r"\((?P<options>[^\x00-\x1f]*;\s*)\)"
)
# What some reader or other takes for the end of a line.
_ENDS_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OPTION = re.compile(
    r'\s*(?P<name>[a-z0-9_.-]+)\s*(?::(?P<value>(?:[^";\\]|\\.|"(?:[^"\\]|\\.)*")*))?;'
)
_NUMBER = re.compile(r"(?<=[;(\s])(?:sid|gid)\s*:\s*[0-9]+\s*;\s*")
_DIGITS = re.compile(r"\s*[0-9]+\s*")
# What reaches for files, programs or the engine's own state.
_REACHING = frozenset(
    "lua luajit filemd5 filesha1 filesha256 dataset datarep iprep file_data_import".split()
)
YARA_CANARY = "bayanihan_canary"
# What stands behind each rule in its feed.
YARA_END = "\n// end of rule\n"
SIGMA_END = "\n# end of rule\n"
_YARA = re.compile(
    r"\s*(?:import\s+\"[a-z]+\"\s+)*(?:(?:private|global)\s+)*rule\s+([A-Za-z_]\w{0,127})\b"
)
_YARA_SKIPPED = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*|/(?:[^/\\\n]|\\.)+/[is]*|(?P<word>\binclude\b|\brule\b)'
    r"|(?P<open>\{)|(?P<close>\})",
    re.DOTALL,
)


class Named(Protocol):
    """A value with its type."""

    @property
    def type(self) -> str:
        """As of an observable."""

    @property
    def value(self) -> str:
        """As of an observable."""


def one_rule_refusal(text: str) -> str | None:
    """Why a text is not one Suricata or Snort rule that may be passed on; None when it is."""
    text = text.strip()
    if len(text) > RULE_LIMIT:
        return f"The rule is longer than {RULE_LIMIT} characters."
    found = _RULE.fullmatch(text)
    if found is None or _ENDS_LINE.search(text):
        return "It is not one rule on one line."
    if found["action"] == "pass":
        return "A rule that lets traffic pass takes protection away; it is not passed on."
    at, options = 0, found["options"]
    while at < len(options.rstrip()):
        option = _OPTION.match(options, at)
        if option is None:
            return "Its options cannot be read."
        if option["name"] in _REACHING:
            return f"Its option `{option['name']}` reaches for something outside the rule."
        if option["name"] in {"sid", "gid"} and not _DIGITS.fullmatch(option["value"] or ""):
            return f"Its option `{option['name']}` is no number."
        at = option.end()
    return None


def renumbered(text: str, number: int) -> str:
    """A rule under a number of ours."""
    bare = _NUMBER.sub("", text).rstrip()
    return f"{bare.removesuffix(')').rstrip()} sid:{number};)"


def rule_name(item: Named, part: str = "") -> str:
    """The name of one of an item's rules, from which its number follows."""
    return f"{item.type}{_BETWEEN}{item.value}{_BETWEEN}{part}"


def item_of(name: str) -> tuple[str, str]:
    """The type and the value of the item that a rule of this name belongs to."""
    type_, _, rest = name.partition(_BETWEEN)
    return type_, rest.rpartition(_BETWEEN)[0]


def yara_name(text: str) -> str:
    """The name of a YARA rule; "" when the text is none."""
    found = _YARA.match(text)
    return found[1] if found else ""


def yara_refusal(text: str) -> str | None:
    """Why a text is not one YARA rule that may be passed on; None when it is."""
    if len(text) > RULE_LIMIT:
        return f"The rule is longer than {RULE_LIMIT} characters."
    if not yara_name(text):
        return "It does not begin with one named rule."
    if any(char < " " and char not in "\t\n\r" for char in text):
        return "It holds a control character."
    depth, rules, closed = 0, 0, 0
    for found in _YARA_SKIPPED.finditer(text):
        if found["word"] == "include" and depth == 0:
            return "It includes a file."
        rules += found["word"] == "rule" and depth == 0
        depth += bool(found["open"]) - bool(found["close"])
        closed += bool(found["close"]) and depth == 0
        if depth < 0:
            break
    if depth or rules != 1 or closed != 1:
        return "It is not exactly one whole rule."
    if yara_name(text) == YARA_CANARY:
        return "Its name is that of this list's own canary."
    return _end_refusal(text.strip(), YARA_END)


def _end_refusal(text: str, end: str) -> str | None:
    if end in f"\n{text}\n":
        return "It holds the line that ends each rule in this feed."
    return None


def sigma_bare(text: str) -> str:
    """A Sigma rule without the sign that begins a document."""
    return text.strip().removeprefix("---").strip("\n")


def sigma_refusal(text: str) -> str | None:
    """Why a text is not one Sigma rule that may be passed on; None when it is."""
    if len(text) > RULE_LIMIT:
        return f"The rule is longer than {RULE_LIMIT} characters."
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
                return "It uses anchors or tags, which can stand for anything."
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError, RecursionError):
        return "It is not YAML."
    return _sigma_fault(documents) or _end_refusal(sigma_bare(text), SIGMA_END)


def _sigma_fault(documents: list[Any]) -> str | None:
    if len(documents) != 1 or not isinstance(documents[0], dict):
        return "It is not exactly one rule."
    for name, kind in (("title", str), ("logsource", dict), ("detection", dict)):
        if not isinstance(documents[0].get(name), kind):
            return f"It has no `{name}`."
    if "condition" not in documents[0]["detection"]:
        return "Its detection has no `condition`."
    return None
