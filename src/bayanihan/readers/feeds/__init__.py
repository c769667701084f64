"""Defence feeds: one small file for each format, each a pure function of the active set."""

from __future__ import annotations

from bayanihan.readers.feeds.clamav import HSB, NDB
from bayanihan.readers.feeds.decide import Bounds
from bayanihan.readers.feeds.disputes import Complaint, Disputes
from bayanihan.readers.feeds.dnsmasq import DNSMASQ
from bayanihan.readers.feeds.domains import DOMAINS
from bayanihan.readers.feeds.edl import EXTERNAL_LISTS
from bayanihan.readers.feeds.engines import Engines
from bayanihan.readers.feeds.format import EXERCISE_PREFIX, Format, Heading, Item, render
from bayanihan.readers.feeds.fuzzy import FUZZY
from bayanihan.readers.feeds.hearing import Hearing
from bayanihan.readers.feeds.hosts import HOSTS
from bayanihan.readers.feeds.judge import Judge
from bayanihan.readers.feeds.left_out import LeftOut
from bayanihan.readers.feeds.lists import ADDRESS_LIST, HASHES, URLS
from bayanihan.readers.feeds.mail_maps import POSTFIX, RSPAMD
from bayanihan.readers.feeds.maker import unexamined
from bayanihan.readers.feeds.match_list import MatchLists
from bayanihan.readers.feeds.match_trace import Tracer
from bayanihan.readers.feeds.member_rules import SIGMA, YARA
from bayanihan.readers.feeds.misp import MISP
from bayanihan.readers.feeds.nftables import NFTABLES
from bayanihan.readers.feeds.policy import (
    budgeted,
    never_block_lines,
    policy_digest,
    warning_lists,
)
from bayanihan.readers.feeds.press import Press
from bayanihan.readers.feeds.rpz import RPZ
from bayanihan.readers.feeds.rulings import Rulings
from bayanihan.readers.feeds.scripts import MIKROTIK, WINDOWS_DNS
from bayanihan.readers.feeds.snort import SNORT
from bayanihan.readers.feeds.spamassassin import SPAMASSASSIN
from bayanihan.readers.feeds.spoken import Spoken
from bayanihan.readers.feeds.squid import SQUID
from bayanihan.readers.feeds.stix_bundle import BUNDLE
from bayanihan.readers.feeds.suricata import SURICATA
from bayanihan.readers.feeds.table import CSV
from bayanihan.readers.feeds.unbound import UNBOUND
from bayanihan.readers.feeds.version import Rendered
from bayanihan.readers.feeds.whose import Whose
from bayanihan.readers.feeds.zeek import ZEEK

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        *(ADDRESS_LIST, BUNDLE, CSV, DNSMASQ, DOMAINS, FUZZY, HASHES, HOSTS, HSB, MIKROTIK),
        *(MISP, NDB, NFTABLES, POSTFIX, RPZ, RSPAMD, SIGMA, SNORT, SPAMASSASSIN, SQUID),
        *(SURICATA, UNBOUND, URLS, WINDOWS_DNS, YARA, ZEEK),
        *EXTERNAL_LISTS,
    )
}

__all__ = [
    "EXERCISE_PREFIX",
    "FORMATS",
    "Bounds",
    "Complaint",
    "Disputes",
    "Engines",
    "Format",
    "Heading",
    "Hearing",
    "Item",
    "Judge",
    "LeftOut",
    "MatchLists",
    "Press",
    "Rendered",
    "Rulings",
    "Spoken",
    "Tracer",
    "Whose",
    "budgeted",
    "never_block_lines",
    "policy_digest",
    "render",
    "unexamined",
    "warning_lists",
]
