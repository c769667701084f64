"""Members, constituents, people, keys and groups: a projection of `registry` entries."""

from bayanihan.registry.changes import (
    AgentKeyAdded,
    AgentKeyTrusted,
    AssetAdded,
    AssetRemoved,
    ConstituentAdded,
    GroupSet,
    KeptOut,
    KeyAdded,
    KeyLimited,
    KeyRevoked,
    KeyRotated,
    LetIn,
    MemberAdded,
    MemberLeft,
    ProtectionShown,
    RegistryChange,
    StateNoted,
    draft_of,
)
from bayanihan.registry.confirmed import Confirmed, Keyring, confirming
from bayanihan.registry.founding import FOUNDER, founding_changes, member_facts
from bayanihan.registry.keys import SCOPES, Key, make_key
from bayanihan.registry.office import KeyOrder, Office, RotationOrder
from bayanihan.registry.offices import OfficeKey, Offices
from bayanihan.registry.registry import AgentKeys, Constituent, Member, Registry

__all__ = [
    "FOUNDER",
    "SCOPES",
    "AgentKeyAdded",
    "AgentKeyTrusted",
    "AgentKeys",
    "AssetAdded",
    "AssetRemoved",
    "Confirmed",
    "Constituent",
    "ConstituentAdded",
    "GroupSet",
    "KeptOut",
    "Key",
    "KeyAdded",
    "KeyLimited",
    "KeyOrder",
    "KeyRevoked",
    "KeyRotated",
    "Keyring",
    "LetIn",
    "Member",
    "MemberAdded",
    "MemberLeft",
    "Office",
    "OfficeKey",
    "Offices",
    "ProtectionShown",
    "Registry",
    "RegistryChange",
    "RotationOrder",
    "StateNoted",
    "confirming",
    "draft_of",
    "founding_changes",
    "make_key",
    "member_facts",
]
