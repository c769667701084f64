"""The open vocabularies of STIX 2.1: values outside them are allowed, and advised against.

Source: OASIS STIX 2.1 section 10; the region vocabulary is UN M49.
"""

from __future__ import annotations


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


HASHES = _terms("MD5 SHA-1 SHA-256 SHA-512 SHA3-256 SHA3-512 SSDEEP TLSH")
MOTIVATION = _terms(
    "accidental coercion dominance ideology notoriety organizational-gain personal-gain "
    "personal-satisfaction revenge unpredictable"
)
RESOURCE_LEVEL = _terms("individual club contest team organization government")

VOCABULARIES: dict[str, frozenset[str]] = {
    "motivation": MOTIVATION,
    "resource-level": RESOURCE_LEVEL,
    "context": _terms("suspicious-activity malware-analysis unspecified"),
    "identity-class": _terms("individual group system organization class unknown"),
    "sector": _terms(
        "agriculture aerospace automotive chemical commercial communications construction "
        "defense education energy engineering entertainment financial-services government "
        "emergency-services government-local government-national government-public-services "
        "government-regional healthcare hospitality-leisure infrastructure dams nuclear water "
        "insurance manufacturing mining non-profit pharmaceuticals retail technology "
        "telecommunications transportation utilities"
    ),
    "indicator-type": _terms(
        "anomalous-activity anonymization benign compromised malicious-activity attribution unknown"
    ),
    "pattern-type": _terms("stix pcre sigma snort suricata yara"),
    "infrastructure-type": _terms(
        "amplification anonymization botnet command-and-control control-system exfiltration "
        "firewall hosting-malware hosting-target-lists phishing reconnaissance "
        "routers-switches staging workstation unknown"
    ),
    "region": _terms(
        "africa eastern-africa middle-africa northern-africa southern-africa western-africa "
        "americas latin-america-caribbean south-america caribbean central-america "
        "northern-america asia central-asia eastern-asia southern-asia south-eastern-asia "
        "western-asia europe eastern-europe northern-europe southern-europe western-europe "
        "oceania antarctica australia-new-zealand melanesia micronesia polynesia"
    ),
    "malware-type": _terms(
        "adware backdoor bot bootkit ddos downloader dropper exploit-kit keylogger ransomware "
        "remote-access-trojan resource-exploitation rogue-security-software rootkit "
        "screen-capture spyware trojan unknown virus webshell wiper worm"
    ),
    "malware-result": _terms("malicious suspicious benign unknown"),
    "capability": _terms(
        "accesses-remote-machines anti-debugging anti-disassembly anti-emulation "
        "anti-memory-forensics anti-sandbox anti-vm captures-input-peripherals "
        "captures-output-peripherals captures-system-state-data cleans-traces-of-infection "
        "commits-fraud communicates-with-c2 compromises-data-availability "
        "compromises-data-integrity compromises-system-availability controls-local-machine "
        "degrades-security-software degrades-system-updates determines-c2-server emails-spam "
        "escalates-privileges evades-av exfiltrates-data fingerprints-host hides-artifacts "
        "hides-executing-code infects-files infects-remote-machines "
        "installs-other-components persists-after-system-reboot prevents-artifact-access "
        "prevents-artifact-deletion probes-network-environment self-modifies "
        "steals-authentication-credentials violates-system-operational-integrity"
    ),
    "language": _terms(
        "applescript bash c c++ c# go java javascript lua objective-c perl php powershell "
        "python ruby scala swift typescript visual-basic x86-32 x86-64"
    ),
    "architecture": _terms("alpha arm ia-64 mips powerpc sparc x86 x86-64"),
    "report-type": _terms(
        "attack-pattern campaign identity indicator intrusion-set malware observed-data "
        "threat-actor threat-report tool vulnerability"
    ),
    "actor-type": _terms(
        "activist competitor crime-syndicate criminal hacker insider-accidental "
        "insider-disgruntled nation-state sensationalist spy terrorist unknown"
    ),
    "actor-role": _terms(
        "agent director independent infrastructure-architect infrastructure-operator "
        "malware-author sponsor"
    ),
    "sophistication": _terms("none minimal intermediate advanced expert innovator strategic"),
    "tool-type": _terms(
        "denial-of-service exploitation information-gathering network-capture "
        "credential-exploitation remote-access vulnerability-scanning unknown"
    ),
    "account-type": frozenset(
        {
            *_terms("facebook ldap nis openid radius skype tacacs twitter unix"),
            "windows-local",
            "windows-domain",
            "windows local",
            "windows domain",
        }
    ),
    "pe-type": _terms("dll exe sys"),
}
