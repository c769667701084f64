"""What TAXII gives out, in MISP's terms: by PyMISP, and beside the MISP feed of the same hub."""

from __future__ import annotations

import json
import time
from typing import Any

import pymisp
import stix2

from tests.consumers.test_taxii_exact import EVERYTHING, Client
from tests.sim.objects import indicator
from tests.sim.process import RunningHub

_TYPES = {"domain-name": "domain", "ipv4-addr": "ip-dst", "url": "url"}
_FEED_WITHIN_S = 30.0


def event_of(objects: list[dict[str, Any]]) -> pymisp.MISPEvent:
    """An event made of TAXII objects with PyMISP's own classes, one attribute an indicator.

    Its classes check type, category and uuid; the pattern is read by the reference library.
    """
    event = pymisp.MISPEvent()
    event.info = "polled by TAXII"
    for each in objects:
        tested = stix2.pattern_visitor.create_pattern_object(each["pattern"]).operand
        attribute = event.add_attribute(
            _TYPES[tested.lhs.object_type_name],
            tested.rhs.value,
            uuid=each["id"].partition("--")[2],
            first_seen=each["valid_from"],
            comment=each["name"],
        )
        assert isinstance(attribute, pymisp.MISPAttribute)
        attribute.add_tag("tlp:green")
    return event


def test_what_taxii_gives_out_makes_a_misp_event(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    client = Client(hub, hub.key("SG"))
    patterns = {
        "[domain-name:value = 'kho-bạc-example.com']": ("domain", "kho-bạc-example.com"),
        "[ipv4-addr:value = '45.83.7.9']": ("ip-dst", "45.83.7.9"),
        "[url:value = 'http://one-evil.com/x']": ("url", "http://one-evil.com/x"),
    }
    sent = [indicator(pattern=pattern) for pattern in patterns]
    client.post(*sent)
    found = client.get(f"{EVERYTHING}/objects/")["objects"]
    assert found == sent
    event = event_of(found)
    again = pymisp.MISPEvent()
    again.load(event.to_json())
    told = {(each.uuid, each.type, each.value) for each in again.attributes}
    ids = [each["id"].partition("--")[2] for each in sent]
    assert told == {(uuid, *kind) for uuid, kind in zip(ids, patterns.values(), strict=True)}
    assert {tag.name for each in again.attributes for tag in each.tags} == {"tlp:green"}


def test_misp_reads_from_the_feed_what_taxii_gives_out(own_hub: RunningHub) -> None:
    hub = own_hub.start()
    client = Client(hub, hub.key("SG"))
    client.post(*[indicator(value=f"evil-{number}.com") for number in range(3)])
    values = {each["name"] for each in client.get(f"{EVERYTHING}/objects/")["objects"]}
    assert values == _feed_values(hub, client.key, values)


def _feed_values(hub: RunningHub, key: str, wanted: set[str]) -> set[str]:
    """The values in the events of the MISP feed, once as many are there as are wanted."""
    until_s, values = time.monotonic() + _FEED_WITHIN_S, set[str]()
    while len(values) < len(wanted) and time.monotonic() < until_s:
        values = set()
        manifest = hub.ask("GET", "/feeds/misp/manifest.json", key).json()
        for uuid, about in manifest.items():
            assert about["info"]
            event = pymisp.MISPEvent()
            page = hub.ask("GET", f"/feeds/misp/{uuid}.json", key)
            event.load(json.loads(page.content))
            assert event.uuid == uuid
            values |= {str(each.value) for each in event.attributes}
    return values
