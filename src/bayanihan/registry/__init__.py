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
    KeyRevoked,
    LetIn,
    MemberAdded,
    MemberLeft,
    ProtectionShown,
    RegistryChange,
    StateNoted,
    draft_of,
)
from bayanihan.registry.founding import FOUNDER, founding_changes, member_facts
from bayanihan.registry.keys import SCOPES, Key, make_key
from bayanihan.registry.registry import AgentKeys, Constituent, Member, Registry

__all__ = [
    "FOUNDER",
    "SCOPES",
    "AgentKeyAdded",
    "AgentKeyTrusted",
    "AgentKeys",
    "AssetAdded",
    "AssetRemoved",
    "Constituent",
    "ConstituentAdded",
    "GroupSet",
    "KeptOut",
    "Key",
    "KeyAdded",
    "KeyRevoked",
    "LetIn",
    "Member",
    "MemberAdded",
    "MemberLeft",
    "ProtectionShown",
    "Registry",
    "RegistryChange",
    "StateNoted",
    "draft_of",
    "founding_changes",
    "make_key",
    "member_facts",
]
