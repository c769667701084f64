"""The observables inside STIX 2.0 observed data as STIX 2.1 objects of their own.

In 2.0 they live in a dictionary of the observed data and refer to each other by its keys;
in 2.1 each has an id that follows from its content. Every observable carries the markings
of the observed data it came from, and those granular markings that pointed into it.

Source: OASIS STIX 2.0 part 4; STIX 2.1 sections 2.9, 4.14, 6 and 7.2.3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bayanihan.core.json_bytes import step
from bayanihan.core.stix_id import CONTRIBUTING, observable_id, random_id_from
from bayanihan.errors import Refused

_encode = msgspec.json.Encoder(order="deterministic").encode

# Type -> old name -> new name.
_RENAMED: dict[str, dict[str, str]] = {
    "directory": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "file": {"created": "ctime", "modified": "mtime", "accessed": "atime"},
    "process": {"created": "created_time", "binary_ref": "image_ref"},
    "user-account": {"password_last_changed": "credential_last_changed"},
    "windows-registry-key": {"modified": "modified_time"},
}
_RENAMED_HASHES = {"ssdeep": "SSDEEP"}


def split_observed(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Observed data with `object_refs`, followed by the observables it refers to.

    Args:
        value: decoded observed data of 2.0; it is taken apart.

    Raises:
        Refused: `bad-value` for an inner object without a type, a reference to a key that
            is not there, or observables whose ids would depend on each other in a circle.
    """
    inner = value.pop("objects")
    if not isinstance(inner, dict) or not inner:
        message = "`objects` is not a dictionary of observables."
        raise Refused("bad-value", message, where="$.objects")
    for key, item in inner.items():
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            where = step("$.objects", key)
            raise Refused("bad-value", "An observable is an object with a `type`.", where=where)
    renamed = {key: _renamed(item) for key, item in inner.items()}
    seed = _encode([value.get("id"), value.get("modified")])
    ids = _Ids(renamed, seed)
    marks = value.get("object_marking_refs")
    found: list[dict[str, Any]] = []
    for key, item in renamed.items():
        made = {"type": item["type"], "id": ids.of(key)}
        made |= {
            name: ids.resolved(name, inner_value, step(step("$.objects", key), name))
            for name, inner_value in item.items()
            if name not in ("type", "id")
        }
        if marks is not None:
            made["object_marking_refs"] = list(marks) if isinstance(marks, list) else marks
        found.append(made)
    _move_granular(value, dict(zip(renamed, found, strict=True)))
    value["object_refs"] = list(dict.fromkeys(made["id"] for made in found))
    return [value, *_without_repeats(found)]


def _renamed(item: dict[str, Any]) -> dict[str, Any]:
    names = _RENAMED.get(item["type"], {})
    made: dict[str, Any] = {}
    for name, value in item.items():
        new = names.get(name, name)
        # Where both are there, the old one stays under its own name.
        made[name if new in item and new != name else new] = value
    hashes = made.get("hashes")
    if isinstance(hashes, dict):
        made["hashes"] = {_RENAMED_HASHES.get(name, name): text for name, text in hashes.items()}
    return made


class _Ids:
    """Ids of the observables of one observed data, made as they are asked for."""

    def __init__(self, objects: dict[str, dict[str, Any]], seed: bytes) -> None:
        self._objects = objects
        self._seed = seed
        self._ids: dict[str, str] = {}
        self._open: set[str] = set()

    def of(self, key: str) -> str:
        """The id of the observable at `key`."""
        if key not in self._ids:
            if key in self._open:
                message = "Observables refer to each other in a circle, so none has an id."
                raise Refused("bad-value", message, where=step("$.objects", key))
            self._open.add(key)
            self._ids[key] = self._made(key)
        return self._ids[key]

    def _made(self, key: str) -> str:
        item = self._objects[key]
        kind = item["type"]
        path = step("$.objects", key)
        chosen = {
            name: self.resolved(name, item[name], step(path, name))
            for name in CONTRIBUTING.get(kind, ())
            if name in item
        }
        try:
            made = observable_id(kind, chosen)
        except ValueError:
            message = "The observable holds a number that JSON readers do not agree on."
            raise Refused("bad-number", message, where=path) from None
        return made or random_id_from(kind, self._seed + b"\0" + key.encode())

    def resolved(self, name: str, value: Any, path: str) -> Any:
        """`value` with every reference inside it as an id.

        In 2.0 a property that refers to observables ends in `_ref` or `_refs`, at any depth.
        """
        if name.endswith("_ref") and isinstance(value, str):
            return self._target(value, path)
        if name.endswith("_refs") and isinstance(value, list):
            return [self._target(key, f"{path}[{i}]") for i, key in enumerate(value)]
        if isinstance(value, dict):
            return {key: self.resolved(key, item, step(path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved("", item, f"{path}[{i}]") for i, item in enumerate(value)]
        return value

    def _target(self, key: Any, path: str) -> str:
        if not isinstance(key, str) or key not in self._objects:
            message = "The reference names no observable of this observed data."
            raise Refused("bad-value", message, where=path)
        return self.of(key)


def _move_granular(value: dict[str, Any], made: dict[str, dict[str, Any]]) -> None:
    """Granular markings that point into `objects` follow the observables they point at.

    The observed data itself takes them as a whole, so that nothing becomes less strict.
    """
    markings = value.get("granular_markings")
    if not isinstance(markings, list):
        return
    kept: list[Any] = []
    for marking in markings:
        selectors = marking.get("selectors") if isinstance(marking, dict) else None
        if not isinstance(selectors, list):
            kept.append(marking)
            continue
        inner = [text for text in selectors if _is_inner(text)]
        rest = [text for text in selectors if not _is_inner(text)]
        if rest or not inner:
            kept.append({**marking, "selectors": rest})
        for selector in inner:
            _mark_inner(selector, marking.get("marking_ref"), made)
        if inner:
            _mark(value, marking.get("marking_ref"))
    value.pop("granular_markings")
    if kept:
        value["granular_markings"] = kept


def _is_inner(selector: Any) -> bool:
    return isinstance(selector, str) and (selector == "objects" or selector.startswith("objects."))


def _mark_inner(selector: str, ref: Any, made: dict[str, dict[str, Any]]) -> None:
    _, _, rest = selector.partition(".")
    key, _, inner = rest.partition(".")
    for item in [made[key]] if key in made else made.values():
        if inner and key in made:
            item.setdefault("granular_markings", []).append(
                {"marking_ref": ref, "selectors": [inner]}
            )
        else:
            _mark(item, ref)


def _mark(value: dict[str, Any], ref: Any) -> None:
    refs = value.setdefault("object_marking_refs", [])
    if isinstance(refs, list) and ref not in refs:
        refs.append(ref)


def _without_repeats(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({_encode(item): item for item in found}.values())
