"""A strict reader of every text format, written apart from what writes it.

It knows the few shapes of line that our files may have and nothing else. What it lets through
is not verified: only the engine that will load a file can do that. It is there for engines
that are not installed, and it looks before any engine does.
"""

from __future__ import annotations

import re

_NAME = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+"
_V4 = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2})?"
_V6 = r"[0-9a-f]*:[0-9a-f:.]*(?:/[0-9]{1,3})?"
_ADDRESS = rf"(?:{_V4}|{_V6})"
_URL = r"[a-z][a-z0-9+.-]*://[!-~]+"
_MAIL = r"[!-~]+@" + _NAME
_MARK = "bayanihan(?:exercise)?"
_TABLE = "inet bayanihan(?:_exercise)?"
_SA = "BAYANIHAN(?:_EXERCISE)?"
_OPTIONS = r'(?:[^"()\\]|\\.|"(?:[^"\\]|\\.)*")*'

# The lines of each format beside comments and empty lines, as alternatives.
_LINES: dict[str, tuple[str, ...]] = {
    "domains.txt": (_NAME,),
    "addresses.txt": (_ADDRESS,),
    "urls.txt": (_URL,),
    "hashes.txt": ("[0-9a-f]{32,128}",),
    "hosts.txt": (rf"(?:0\.0\.0\.0|::) {_NAME}",),
    "rpz.zone": (
        rf"(?:\*\.)?{_NAME} CNAME \.",
        r"\$TTL 60",
        r"@ SOA localhost\. hostmaster\.localhost\. [0-9]+ 60 60 432000 60",
        r"@ NS localhost\.",
        r'canary\.bayanihan TXT "[A-Za-z0-9_=-]+"',
    ),
    "unbound.conf": (
        "server:",
        rf'local-zone: "{_NAME}\." (?:always_nxdomain|static)',
        r"local-data: 'canary\.bayanihan\. 60 IN TXT \"[A-Za-z0-9_=-]+\"'",
    ),
    "dnsmasq.conf": (rf"local=/{_NAME}/", r'txt-record=canary\.bayanihan,"[A-Za-z0-9_=-]+"'),
    "nftables.nft": (
        rf"(?:delete )?table {_TABLE}(?: \{{|)(?:\}}|)",
        rf"add element {_TABLE} (?:hosts4|ranges4) \{{ {_V4} \}}",
        rf"add element {_TABLE} (?:hosts6|ranges6) \{{ {_V6} \}}",
        r'  comment "version [A-Za-z0-9_=-]+"',
        r"  set (?:hosts|ranges)[46] \{ type ipv[46]_addr;(?: flags interval; auto-merge;)? \}",
        r"  chain (?:input|forward|output) \{",
        r"    type filter hook (?:input|forward|output) priority -10; policy accept;",
        r"    ip6? [sd]addr @(?:hosts|ranges)[46] counter drop",
        r" *\}",
    ),
    "suricata.rules": (rf"[a-z]+ [^()]+\({_OPTIONS}; sid:[0-9]+;\)",),
    "snort.rules": (rf"[a-z]+ [^()]+\({_OPTIONS}; sid:[0-9]+;\)",),
    "clamav.hsb": (r"[0-9a-f]{32,64}:\*:Bayanihan\.[A-Za-z0-9.]+:73",),
    "clamav.ndb": (r"Bayanihan\.[A-Za-z0-9.]+:0:\*:[0-9a-f]+\([0-9a-f|]+\)",),
    "spamassassin.cf": (
        rf"enlist_uri_host \({_SA}\) {_NAME}",
        rf"enlist_addrlist \({_SA}\) {_MAIL}",
        rf"header {_SA}_CANARY X-Bayanihan-Canary =~ /\^canary\\\.bayanihan\\\.invalid\$/",
        rf"header {_SA}_(?:LINK|SENDER) eval:check_[a-z_]+\('{_SA}'\)",
        rf"uri {_SA}_U_[0-9A-F]{{16}} /\^(?:[A-Za-z0-9]|\\x\{{[0-9A-F]{{2}}\}})+\$/",
        rf"describe {_SA}_[A-Z0-9_]+ [ -~]+",
        rf"score {_SA}_[A-Z0-9_]+ [0-9.]+",
    ),
    "rspamd.map": (r"/\^\(\?:\[\^\.\]\+\\\.\)\*[a-z0-9_-]+(?:\\\.[a-z0-9_-]+)+\$/i",),
    "postfix.access": (
        rf"(?:{_NAME}|{_MAIL}|{_ADDRESS}) REJECT (?:EXERCISE: )?on the Bayanihan list",
    ),
    "squid.acl": (rf"\.{_NAME}",),
    "zeek.intel": (r"[^\t]+\tIntel::[A-Z_]+\tbayanihan\t[^\t]*",),
    "fuzzy.csv": (
        "kind,digest,threshold,mode,tlp,objects",
        "tlsh,T1[0-9A-F]{70},[0-9]+,alert,[a-z+]+,[a-z0-9 -]*",
    ),
    "mikrotik.rsc": (
        rf"/ip(?:v6)? firewall address-list remove \[find list={_MARK}\]",
        rf"/ip dns static remove \[find comment={_MARK}\]",
        rf"/ip firewall address-list add list={_MARK} address={_V4}",
        rf"/ipv6 firewall address-list add list={_MARK} address={_V6}",
        rf"/ip dns static add name={_NAME} type=NXDOMAIN match-subdomain=yes comment={_MARK}",
    ),
    "windows-dns.ps1": (
        r"\$ErrorActionPreference = 'Stop'",
        (
            rf"Get-DnsServerQueryResolutionPolicy \| Where-Object Name -Like '{_MARK}-\*' \| "
            r"Remove-DnsServerQueryResolutionPolicy -Force"
        ),
        (
            rf"Add-DnsServerQueryResolutionPolicy -Name '{_MARK}-[a-z0-9]+' -Action DENY "
            rf"-FQDN 'EQ,{_NAME},\*\.{_NAME}'"
        ),
    ),
    **dict.fromkeys(("paloalto-ip.edl", "fortinet-ip.txt"), (_ADDRESS,)),
    **dict.fromkeys(("paloalto-domain.edl", "fortinet-domain.txt"), (_NAME,)),
    "paloalto-url.edl": (r"[!-~]+/[!-~]*",),
}
_COMMENT = {"rpz.zone": ";"}
_SHAPES = {name: re.compile("|".join(f"(?:{each})" for each in s)) for name, s in _LINES.items()}


def fault(name: str, body: bytes) -> str | None:
    """What is wrong with a file of a format; None if nothing, or if the format is not text.

    Args:
        name: of the format.
        body: the file.
    """
    shape = _SHAPES.get(name)
    if shape is None:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if not text.endswith("\n"):
        return "its last line has no end"
    sign = _COMMENT.get(name, "#")
    for number, line in enumerate(text.split("\n")[:-1], 1):
        if line[:1] != sign and shape.fullmatch(line) is None:
            return f"line {number} is none of the lines that this format has"
    return None
