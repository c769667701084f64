"""The shapes of the STIX 2.1 cyber-observable objects.

What an annotation means is said in `stix_types`; what needs more than one property is
checked in `stix_rules`.

Source: OASIS STIX 2.1 section 6.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta

from bayanihan.core.stix_types import (
    Base64,
    Count,
    Dictionary,
    Hashes,
    Hex,
    Int,
    Marked,
    Maybe,
    Part,
    Ref,
    Refs,
    Texts,
    Time,
    Url,
)

Port = Annotated[int, Meta(ge=0, le=65_535)]
Charset = Annotated[str, Meta(extra={"check": "charset"})]
Mime = Annotated[str, Meta(extra={"check": "mime"})]


class Observable(Marked, kw_only=True):
    """Section 3.2: common properties of cyber-observables."""

    spec_version: Maybe[Literal["2.1"]] = UNSET
    defanged: Maybe[bool] = UNSET


class Artifact(Observable, kw_only=True):
    """Section 6.1."""

    needs = ("payload_bin", "url")
    mime_type: Maybe[Mime] = UNSET
    payload_bin: Maybe[Base64] = UNSET
    url: Maybe[Url] = UNSET
    hashes: Maybe[Hashes] = UNSET
    encryption_algorithm: Maybe[
        Literal["AES-256-GCM", "ChaCha20-Poly1305", "mime-type-indicated"]
    ] = UNSET
    decryption_key: Maybe[str] = UNSET


class AutonomousSystem(Observable, kw_only=True):
    """Section 6.2."""

    number: Int
    name: Maybe[str] = UNSET
    rir: Maybe[str] = UNSET


class Directory(Observable, kw_only=True):
    """Section 6.3."""

    path: str
    path_enc: Maybe[Charset] = UNSET
    ctime: Maybe[Time] = UNSET
    mtime: Maybe[Time] = UNSET
    atime: Maybe[Time] = UNSET
    contains_refs: Maybe[Refs] = UNSET


class DomainName(Observable, kw_only=True):
    """Section 6.4."""

    value: str
    resolves_to_refs: Maybe[Refs] = UNSET


class EmailAddress(Observable, kw_only=True):
    """Section 6.5."""

    value: Annotated[str, Meta(extra={"check": "email"})]
    display_name: Maybe[str] = UNSET
    belongs_to_ref: Maybe[Ref] = UNSET


class MimePart(Part, kw_only=True):
    """Section 6.6.2."""

    needs = ("body", "body_raw_ref")
    body: Maybe[str] = UNSET
    body_raw_ref: Maybe[Ref] = UNSET
    content_type: Maybe[str] = UNSET
    content_disposition: Maybe[str] = UNSET


class EmailMessage(Observable, kw_only=True):
    """Section 6.6."""

    is_multipart: bool
    date: Maybe[Time] = UNSET
    content_type: Maybe[str] = UNSET
    from_ref: Maybe[Ref] = UNSET
    sender_ref: Maybe[Ref] = UNSET
    to_refs: Maybe[Refs] = UNSET
    cc_refs: Maybe[Refs] = UNSET
    bcc_refs: Maybe[Refs] = UNSET
    message_id: Maybe[str] = UNSET
    subject: Maybe[str] = UNSET
    received_lines: Maybe[Texts] = UNSET
    additional_header_fields: Maybe[Dictionary] = UNSET
    body: Maybe[str] = UNSET
    body_multipart: Maybe[Annotated[list[MimePart], Meta(min_length=1)]] = UNSET
    raw_email_ref: Maybe[Ref] = UNSET


class File(Observable, kw_only=True):
    """Section 6.7."""

    needs = ("hashes", "name")
    hashes: Maybe[Hashes] = UNSET
    size: Maybe[Count] = UNSET
    name: Maybe[str] = UNSET
    name_enc: Maybe[Charset] = UNSET
    magic_number_hex: Maybe[Hex] = UNSET
    mime_type: Maybe[Annotated[str, Meta(extra={"check": "mime-advised"})]] = UNSET
    ctime: Maybe[Time] = UNSET
    mtime: Maybe[Time] = UNSET
    atime: Maybe[Time] = UNSET
    parent_directory_ref: Maybe[Ref] = UNSET
    contains_refs: Maybe[Refs] = UNSET
    content_ref: Maybe[Ref] = UNSET


class Ipv4(Observable, kw_only=True):
    """Section 6.8."""

    value: Annotated[str, Meta(extra={"check": "ipv4"})]
    resolves_to_refs: Maybe[Refs] = UNSET
    belongs_to_refs: Maybe[Refs] = UNSET


class Ipv6(Observable, kw_only=True):
    """Section 6.9."""

    value: Annotated[str, Meta(extra={"check": "ipv6"})]
    resolves_to_refs: Maybe[Refs] = UNSET
    belongs_to_refs: Maybe[Refs] = UNSET


class MacAddress(Observable, kw_only=True):
    """Section 6.10."""

    value: Annotated[str, Meta(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")]


class Mutex(Observable, kw_only=True):
    """Section 6.11."""

    name: str


class NetworkTraffic(Observable, kw_only=True):
    """Section 6.12."""

    needs = ("src_ref", "dst_ref")
    ordered = (("start", "end"),)
    protocols: Texts
    start: Maybe[Time] = UNSET
    end: Maybe[Time] = UNSET
    is_active: Maybe[bool] = UNSET
    src_ref: Maybe[Ref] = UNSET
    dst_ref: Maybe[Ref] = UNSET
    src_port: Maybe[Port] = UNSET
    dst_port: Maybe[Port] = UNSET
    src_byte_count: Maybe[Count] = UNSET
    dst_byte_count: Maybe[Count] = UNSET
    src_packets: Maybe[Count] = UNSET
    dst_packets: Maybe[Count] = UNSET
    ipfix: Maybe[Dictionary] = UNSET
    src_payload_ref: Maybe[Ref] = UNSET
    dst_payload_ref: Maybe[Ref] = UNSET
    encapsulates_refs: Maybe[Refs] = UNSET
    encapsulated_by_ref: Maybe[Ref] = UNSET


class Process(Observable, kw_only=True):
    """Section 6.13."""

    needs = (
        "extensions",
        "is_hidden",
        "pid",
        "created_time",
        "cwd",
        "command_line",
        "environment_variables",
        "opened_connection_refs",
        "creator_user_ref",
        "image_ref",
        "parent_ref",
        "child_refs",
    )
    is_hidden: Maybe[bool] = UNSET
    pid: Maybe[Int] = UNSET
    created_time: Maybe[Time] = UNSET
    cwd: Maybe[str] = UNSET
    command_line: Maybe[str] = UNSET
    environment_variables: Maybe[Dictionary] = UNSET
    opened_connection_refs: Maybe[Refs] = UNSET
    creator_user_ref: Maybe[Ref] = UNSET
    image_ref: Maybe[Ref] = UNSET
    parent_ref: Maybe[Ref] = UNSET
    child_refs: Maybe[Refs] = UNSET


class Software(Observable, kw_only=True):
    """Section 6.14."""

    name: str
    cpe: Maybe[Annotated[str, Meta(pattern=r"^cpe:2\.3:[aho*-](:\S+)\Z")]] = UNSET
    swid: Maybe[str] = UNSET
    languages: Maybe[Annotated[list[str], Meta(min_length=1, extra={"check": "language"})]] = UNSET
    vendor: Maybe[str] = UNSET
    version: Maybe[str] = UNSET


class UrlObject(Observable, kw_only=True):
    """Section 6.15."""

    value: Url


class UserAccount(Observable, kw_only=True):
    """Section 6.16."""

    needs = (
        "extensions",
        "user_id",
        "credential",
        "account_login",
        "account_type",
        "display_name",
        "is_service_account",
        "is_privileged",
        "can_escalate_privs",
        "is_disabled",
        "account_created",
        "account_expires",
        "credential_last_changed",
        "account_first_login",
        "account_last_login",
    )
    user_id: Maybe[str] = UNSET
    credential: Maybe[str] = UNSET
    account_login: Maybe[str] = UNSET
    account_type: Maybe[Annotated[str, Meta(extra={"vocab": "account-type"})]] = UNSET
    display_name: Maybe[str] = UNSET
    is_service_account: Maybe[bool] = UNSET
    is_privileged: Maybe[bool] = UNSET
    can_escalate_privs: Maybe[bool] = UNSET
    is_disabled: Maybe[bool] = UNSET
    account_created: Maybe[Time] = UNSET
    account_expires: Maybe[Time] = UNSET
    credential_last_changed: Maybe[Time] = UNSET
    account_first_login: Maybe[Time] = UNSET
    account_last_login: Maybe[Time] = UNSET


class RegistryValue(Part, kw_only=True):
    """Section 6.17.2."""

    needs = ("name", "data", "data_type")
    name: Maybe[str] = UNSET
    data: Maybe[str] = UNSET
    data_type: Maybe[
        Literal[
            "REG_NONE",
            "REG_SZ",
            "REG_EXPAND_SZ",
            "REG_BINARY",
            "REG_DWORD",
            "REG_DWORD_BIG_ENDIAN",
            "REG_DWORD_LITTLE_ENDIAN",
            "REG_LINK",
            "REG_MULTI_SZ",
            "REG_RESOURCE_LIST",
            "REG_FULL_RESOURCE_DESCRIPTION",
            "REG_RESOURCE_REQUIREMENTS_LIST",
            "REG_QWORD",
            "REG_INVALID_TYPE",
        ]
    ] = UNSET


class RegistryKey(Observable, kw_only=True):
    """Section 6.17."""

    needs = ("key", "values", "modified_time", "creator_user_ref", "number_of_subkeys")
    key: Maybe[Annotated[str, Meta(extra={"check": "registry-key"})]] = UNSET
    values: Maybe[Annotated[list[RegistryValue], Meta(min_length=1)]] = UNSET
    modified_time: Maybe[Time] = UNSET
    creator_user_ref: Maybe[Ref] = UNSET
    number_of_subkeys: Maybe[Int] = UNSET


class X509Extensions(Part, kw_only=True):
    """Section 6.18.2."""

    basic_constraints: Maybe[str] = UNSET
    name_constraints: Maybe[str] = UNSET
    policy_constraints: Maybe[str] = UNSET
    key_usage: Maybe[str] = UNSET
    extended_key_usage: Maybe[str] = UNSET
    subject_key_identifier: Maybe[str] = UNSET
    authority_key_identifier: Maybe[str] = UNSET
    subject_alternative_name: Maybe[str] = UNSET
    issuer_alternative_name: Maybe[str] = UNSET
    subject_directory_attributes: Maybe[str] = UNSET
    crl_distribution_points: Maybe[str] = UNSET
    inhibit_any_policy: Maybe[str] = UNSET
    private_key_usage_period_not_before: Maybe[Time] = UNSET
    private_key_usage_period_not_after: Maybe[Time] = UNSET
    certificate_policies: Maybe[str] = UNSET
    policy_mappings: Maybe[str] = UNSET


class X509Certificate(Observable, kw_only=True):
    """Section 6.18."""

    needs = (
        "is_self_signed",
        "hashes",
        "version",
        "serial_number",
        "signature_algorithm",
        "issuer",
        "validity_not_before",
        "validity_not_after",
        "subject",
        "subject_public_key_algorithm",
        "subject_public_key_modulus",
        "subject_public_key_exponent",
        "x509_v3_extensions",
    )
    is_self_signed: Maybe[bool] = UNSET
    hashes: Maybe[Hashes] = UNSET
    version: Maybe[str] = UNSET
    serial_number: Maybe[str] = UNSET
    signature_algorithm: Maybe[str] = UNSET
    issuer: Maybe[str] = UNSET
    validity_not_before: Maybe[Time] = UNSET
    validity_not_after: Maybe[Time] = UNSET
    subject: Maybe[str] = UNSET
    subject_public_key_algorithm: Maybe[str] = UNSET
    subject_public_key_modulus: Maybe[str] = UNSET
    subject_public_key_exponent: Maybe[int] = UNSET
    x509_v3_extensions: Maybe[X509Extensions] = UNSET


OBSERVABLES: dict[str, type[Observable]] = {
    "artifact": Artifact,
    "autonomous-system": AutonomousSystem,
    "directory": Directory,
    "domain-name": DomainName,
    "email-addr": EmailAddress,
    "email-message": EmailMessage,
    "file": File,
    "ipv4-addr": Ipv4,
    "ipv6-addr": Ipv6,
    "mac-addr": MacAddress,
    "mutex": Mutex,
    "network-traffic": NetworkTraffic,
    "process": Process,
    "software": Software,
    "url": UrlObject,
    "user-account": UserAccount,
    "windows-registry-key": RegistryKey,
    "x509-certificate": X509Certificate,
}
