"""The shapes of STIX 2.1: one typed struct for each domain, relationship and meta object.

A struct names the properties that STIX defines; others are kept and advised against.
What a type alone cannot say hangs on the annotation (`extra`) or on the class: `needs` is
"at least one of these", `ordered` is "the first no later than the second" and `strictly`
is "the first before the second". `stix_plan` turns both into checks.

Source: OASIS STIX 2.1 sections 3, 4, 5, 7.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bayanihan.core.moment import LENGTH_LIMIT

T = TypeVar("T")
Maybe: TypeAlias = T | UnsetType

# STIX 2.1 section 2.8: every integer fits in 54 bits, sign included.
SAFE = 2**53 - 1
Int = Annotated[int, Meta(ge=-SAFE, le=SAFE)]
Count = Annotated[int, Meta(ge=0, le=SAFE)]
Float = Annotated[float, Meta()]

# As long as `moment` accepts, so that a plan need not measure again.
Time = Annotated[str, Meta(max_length=LENGTH_LIMIT, extra={"check": "time"})]
Texts = Annotated[list[str], Meta(min_length=1)]
Lang = Annotated[str, Meta(extra={"check": "language"})]
Url = Annotated[str, Meta(extra={"check": "url"})]
Hex = Annotated[str, Meta(extra={"check": "hex"})]
Base64 = Annotated[str, Meta(extra={"check": "base64"})]
Dictionary = Annotated[dict[str, Any], Meta(min_length=1, extra={"check": "dictionary"})]
Hashes = Annotated[dict[str, Any], Meta(min_length=1, extra={"check": "hashes"})]
Extensions = Annotated[dict[str, Any], Meta(min_length=1, extra={"check": "extensions"})]

_NO_THING = ("relationship", "sighting", "bundle", "marking-definition", "language-content")

Ref = Annotated[str, Meta(extra={"ref": ()})]
Refs = Annotated[list[str], Meta(min_length=1, extra={"ref": ()})]
CreatorRef = Annotated[str, Meta(extra={"ref": (), "advised": ("identity",)})]
ThingRef = Annotated[str, Meta(extra={"ref": (), "never": _NO_THING})]
ContentRef = Annotated[str, Meta(extra={"ref": (), "never": ("bundle", "language-content")})]
MarkingRef = Annotated[str, Meta(extra={"ref": ("marking-definition",)})]
MarkingRefs = Annotated[list[str], Meta(min_length=1, extra={"ref": ("marking-definition",)})]
SoftwareRef = Annotated[str, Meta(extra={"ref": ("software",)})]
SoftwareRefs = Annotated[list[str], Meta(min_length=1, extra={"ref": ("software",)})]
SampleRef = Annotated[str, Meta(extra={"ref": ("artifact", "file", "network-traffic")})]
SampleRefs = Annotated[list[str], Meta(min_length=1, extra={"ref": ("artifact", "file")})]
ObservedRefs = Annotated[list[str], Meta(min_length=1, extra={"ref": ("observed-data",)})]
PlaceRefs = Annotated[list[str], Meta(min_length=1, extra={"ref": ("identity", "location")})]


Pairs: TypeAlias = tuple[tuple[str, str], ...]


class Part(msgspec.Struct, kw_only=True, gc=False):
    """Base of every shape, with the rules that a class may state."""

    needs: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[Pairs] = ()
    strictly: ClassVar[Pairs] = ()


class KillChainPhase(Part, kw_only=True):
    """Section 2.12."""

    kill_chain_name: str
    phase_name: str


class ExternalReference(Part, kw_only=True):
    """Section 2.5."""

    needs = ("description", "url", "external_id")
    source_name: str
    description: Maybe[str] = UNSET
    url: Maybe[Url] = UNSET
    hashes: Maybe[Hashes] = UNSET
    external_id: Maybe[str] = UNSET


class GranularMarking(Part, kw_only=True):
    """Section 7.2.3.1: exactly one of `lang` and `marking_ref`, checked with the selectors."""

    selectors: Texts
    lang: Maybe[Lang] = UNSET
    marking_ref: Maybe[MarkingRef] = UNSET


Phases = Annotated[list[KillChainPhase], Meta(min_length=1, extra={"check": "phases"})]
References = Annotated[list[ExternalReference], Meta(min_length=1, extra={"check": "references"})]
Granular = Annotated[list[GranularMarking], Meta(min_length=1)]


class Marked(Part, kw_only=True):
    """What every STIX object may carry."""

    type: str
    id: str
    object_marking_refs: Maybe[MarkingRefs] = UNSET
    granular_markings: Maybe[Granular] = UNSET
    extensions: Maybe[Extensions] = UNSET


class Core(Marked, kw_only=True):
    """Common properties of domain, relationship and meta objects, section 3.2."""

    ordered: ClassVar[Pairs] = (("created", "modified"),)
    spec_version: Literal["2.1"]
    created: Time
    modified: Time
    created_by_ref: Maybe[CreatorRef] = UNSET
    revoked: Maybe[bool] = UNSET
    labels: Maybe[Texts] = UNSET
    confidence: Maybe[Annotated[int, Meta(ge=0, le=100)]] = UNSET
    lang: Maybe[Lang] = UNSET
    external_references: Maybe[References] = UNSET


class Described(Core, kw_only=True):
    """A named and described object; nothing more: sections 4.3, 4.6 and 4.19."""

    name: str
    description: Maybe[str] = UNSET


class Seen(Core, kw_only=True):
    """What is seen over a span of time."""

    ordered: ClassVar[Pairs] = (("created", "modified"), ("first_seen", "last_seen"))
    first_seen: Maybe[Time] = UNSET
    last_seen: Maybe[Time] = UNSET


class DescribedSeen(Described, kw_only=True):
    """A named and described object that is seen over a span of time."""

    ordered: ClassVar[Pairs] = (("created", "modified"), ("first_seen", "last_seen"))
    first_seen: Maybe[Time] = UNSET
    last_seen: Maybe[Time] = UNSET


class AttackPattern(Described, kw_only=True):
    """Section 4.1."""

    aliases: Maybe[Texts] = UNSET
    kill_chain_phases: Maybe[Phases] = UNSET


class Campaign(DescribedSeen, kw_only=True):
    """Section 4.2."""

    aliases: Maybe[Texts] = UNSET
    objective: Maybe[str] = UNSET


class Grouping(Core, kw_only=True):
    """Section 4.4."""

    context: Annotated[str, Meta(extra={"vocab": "context"})]
    object_refs: Refs
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET


class Identity(Described, kw_only=True):
    """Section 4.5."""

    roles: Maybe[Texts] = UNSET
    identity_class: Maybe[Annotated[str, Meta(extra={"vocab": "identity-class"})]] = UNSET
    sectors: Maybe[Annotated[list[str], Meta(min_length=1, extra={"vocab": "sector"})]] = UNSET
    contact_information: Maybe[str] = UNSET


IndicatorTypes = Annotated[list[str], Meta(min_length=1, extra={"vocab": "indicator-type"})]


class Indicator(Core, kw_only=True):
    """Section 4.7."""

    strictly = (("valid_from", "valid_until"),)
    pattern: str
    pattern_type: Annotated[str, Meta(extra={"vocab": "pattern-type"})]
    valid_from: Time
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    indicator_types: Maybe[IndicatorTypes] = UNSET
    pattern_version: Maybe[str] = UNSET
    valid_until: Maybe[Time] = UNSET
    kill_chain_phases: Maybe[Phases] = UNSET


InfrastructureTypes = Annotated[
    list[str], Meta(min_length=1, extra={"vocab": "infrastructure-type"})
]


class Infrastructure(DescribedSeen, kw_only=True):
    """Section 4.8."""

    infrastructure_types: Maybe[InfrastructureTypes] = UNSET
    aliases: Maybe[Texts] = UNSET
    kill_chain_phases: Maybe[Phases] = UNSET


Motivation = Annotated[str, Meta(extra={"vocab": "motivation"})]
Motivations = Annotated[list[str], Meta(min_length=1, extra={"vocab": "motivation"})]


class IntrusionSet(DescribedSeen, kw_only=True):
    """Section 4.9."""

    aliases: Maybe[Texts] = UNSET
    goals: Maybe[Texts] = UNSET
    resource_level: Maybe[Annotated[str, Meta(extra={"vocab": "resource-level"})]] = UNSET
    primary_motivation: Maybe[Motivation] = UNSET
    secondary_motivations: Maybe[Motivations] = UNSET


class Location(Core, kw_only=True):
    """Section 4.10; that coordinates come together is checked apart."""

    needs = ("region", "country", "latitude")
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    latitude: Maybe[Annotated[float, Meta(ge=-90, le=90)]] = UNSET
    longitude: Maybe[Annotated[float, Meta(ge=-180, le=180)]] = UNSET
    precision: Maybe[float] = UNSET
    region: Maybe[Annotated[str, Meta(extra={"vocab": "region"})]] = UNSET
    country: Maybe[str] = UNSET
    administrative_area: Maybe[str] = UNSET
    city: Maybe[str] = UNSET
    street_address: Maybe[str] = UNSET
    postal_code: Maybe[str] = UNSET


MalwareTypes = Annotated[list[str], Meta(min_length=1, extra={"vocab": "malware-type"})]
Architectures = Annotated[list[str], Meta(min_length=1, extra={"vocab": "architecture"})]
Languages = Annotated[list[str], Meta(min_length=1, extra={"vocab": "language"})]
Capabilities = Annotated[list[str], Meta(min_length=1, extra={"vocab": "capability"})]


class Malware(Seen, kw_only=True):
    """Section 4.11; a family must have a name, which is checked apart."""

    is_family: bool
    name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    malware_types: Maybe[MalwareTypes] = UNSET
    aliases: Maybe[Texts] = UNSET
    kill_chain_phases: Maybe[Phases] = UNSET
    operating_system_refs: Maybe[SoftwareRefs] = UNSET
    architecture_execution_envs: Maybe[Architectures] = UNSET
    implementation_languages: Maybe[Languages] = UNSET
    capabilities: Maybe[Capabilities] = UNSET
    sample_refs: Maybe[SampleRefs] = UNSET


class MalwareAnalysis(Core, kw_only=True):
    """Section 4.12."""

    needs = ("result", "analysis_sco_refs")
    ordered: ClassVar[Pairs] = (("created", "modified"), ("analysis_started", "analysis_ended"))
    product: str
    version: Maybe[str] = UNSET
    host_vm_ref: Maybe[SoftwareRef] = UNSET
    operating_system_ref: Maybe[SoftwareRef] = UNSET
    installed_software_refs: Maybe[SoftwareRefs] = UNSET
    configuration_version: Maybe[str] = UNSET
    modules: Maybe[Texts] = UNSET
    analysis_engine_version: Maybe[str] = UNSET
    analysis_definition_version: Maybe[str] = UNSET
    submitted: Maybe[Time] = UNSET
    analysis_started: Maybe[Time] = UNSET
    analysis_ended: Maybe[Time] = UNSET
    result_name: Maybe[str] = UNSET
    result: Maybe[Annotated[str, Meta(extra={"vocab": "malware-result"})]] = UNSET
    analysis_sco_refs: Maybe[Refs] = UNSET
    sample_ref: Maybe[SampleRef] = UNSET


class Note(Core, kw_only=True):
    """Section 4.13."""

    content: str
    object_refs: Refs
    abstract: Maybe[str] = UNSET
    authors: Maybe[Texts] = UNSET


class ObservedData(Core, kw_only=True):
    """Section 4.14: exactly one of `objects` (deprecated) and `object_refs`."""

    ordered: ClassVar[Pairs] = (("created", "modified"), ("first_observed", "last_observed"))
    needs = ("objects", "object_refs")
    first_observed: Time
    last_observed: Time
    number_observed: Annotated[int, Meta(ge=1, le=999_999_999)]
    objects: Maybe[Annotated[dict[str, Any], Meta(min_length=1)]] = UNSET
    object_refs: Maybe[Refs] = UNSET


class Opinion(Core, kw_only=True):
    """Section 4.15."""

    opinion: Literal["strongly-disagree", "disagree", "neutral", "agree", "strongly-agree"]
    object_refs: Refs
    explanation: Maybe[str] = UNSET
    authors: Maybe[Texts] = UNSET


class Report(Described, kw_only=True):
    """Section 4.16."""

    published: Time
    object_refs: Refs
    report_types: Maybe[
        Annotated[list[str], Meta(min_length=1, extra={"vocab": "report-type"})]
    ] = UNSET


ActorTypes = Annotated[list[str], Meta(min_length=1, extra={"vocab": "actor-type"})]
ActorRoles = Annotated[list[str], Meta(min_length=1, extra={"vocab": "actor-role"})]


class ThreatActor(DescribedSeen, kw_only=True):
    """Section 4.17."""

    threat_actor_types: Maybe[ActorTypes] = UNSET
    aliases: Maybe[Texts] = UNSET
    roles: Maybe[ActorRoles] = UNSET
    goals: Maybe[Texts] = UNSET
    sophistication: Maybe[Annotated[str, Meta(extra={"vocab": "sophistication"})]] = UNSET
    resource_level: Maybe[Annotated[str, Meta(extra={"vocab": "resource-level"})]] = UNSET
    primary_motivation: Maybe[Motivation] = UNSET
    secondary_motivations: Maybe[Motivations] = UNSET
    personal_motivations: Maybe[Motivations] = UNSET


class Tool(Described, kw_only=True):
    """Section 4.18."""

    aliases: Maybe[Texts] = UNSET
    tool_types: Maybe[Annotated[list[str], Meta(min_length=1, extra={"vocab": "tool-type"})]] = (
        UNSET
    )
    kill_chain_phases: Maybe[Phases] = UNSET
    tool_version: Maybe[str] = UNSET


class Relationship(Core, kw_only=True):
    """Section 5.1."""

    strictly = (("start_time", "stop_time"),)
    relationship_type: Annotated[str, Meta(pattern=r"^[a-z0-9-]+\Z")]
    source_ref: ThingRef
    target_ref: ThingRef
    description: Maybe[str] = UNSET
    start_time: Maybe[Time] = UNSET
    stop_time: Maybe[Time] = UNSET


class Sighting(Seen, kw_only=True):
    """Section 5.2."""

    sighting_of_ref: ThingRef
    description: Maybe[str] = UNSET
    count: Maybe[Annotated[int, Meta(ge=0, le=999_999_999)]] = UNSET
    observed_data_refs: Maybe[ObservedRefs] = UNSET
    where_sighted_refs: Maybe[PlaceRefs] = UNSET
    summary: Maybe[bool] = UNSET


ExtensionType = Literal[
    "new-sdo", "new-sco", "new-sro", "property-extension", "toplevel-property-extension"
]
EXTENSION_TYPES: tuple[str, ...] = get_args(ExtensionType)


class ExtensionDefinition(Core, kw_only=True):
    """Section 7.3."""

    created_by_ref: CreatorRef
    name: str
    schema: str
    version: str
    extension_types: Annotated[list[ExtensionType], Meta(min_length=1)]
    description: Maybe[str] = UNSET
    extension_properties: Maybe[Texts] = UNSET


class LanguageContent(Core, kw_only=True):
    """Section 7.1; the languages inside `contents` are checked apart."""

    object_ref: ContentRef
    contents: Dictionary
    object_modified: Maybe[Time] = UNSET


class MarkingDefinition(Marked, kw_only=True):
    """Section 7.2.1: it has no versions. What `definition` must be is checked apart."""

    spec_version: Literal["2.1"]
    created: Time
    created_by_ref: Maybe[CreatorRef] = UNSET
    external_references: Maybe[References] = UNSET
    name: Maybe[str] = UNSET
    definition_type: Maybe[str] = UNSET
    definition: Maybe[dict[str, Any]] = UNSET


class ExtensionBody(Part, kw_only=True):
    """The value of one key of `extensions` that an extension definition governs."""

    extension_type: ExtensionType


VERSIONED: dict[str, type[Part]] = {
    "attack-pattern": AttackPattern,
    "campaign": Campaign,
    "course-of-action": Described,
    "grouping": Grouping,
    "identity": Identity,
    "incident": Described,
    "indicator": Indicator,
    "infrastructure": Infrastructure,
    "intrusion-set": IntrusionSet,
    "location": Location,
    "malware": Malware,
    "malware-analysis": MalwareAnalysis,
    "note": Note,
    "observed-data": ObservedData,
    "opinion": Opinion,
    "report": Report,
    "threat-actor": ThreatActor,
    "tool": Tool,
    "vulnerability": Described,
    "relationship": Relationship,
    "sighting": Sighting,
    "extension-definition": ExtensionDefinition,
    "language-content": LanguageContent,
}
