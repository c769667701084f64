"""The shapes of the predefined extensions of STIX 2.1 cyber-observables.

Source: OASIS STIX 2.1 sections 6.7.2 to 6.7.6, 6.12.3 to 6.12.6, 6.13.2, 6.13.3, 6.16.2.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from bayanihan.core.stix_types import (
    Count,
    Dictionary,
    Hashes,
    Hex,
    Int,
    Maybe,
    Part,
    Ref,
    Refs,
    Texts,
    Time,
)


class AlternateStream(Part, kw_only=True):
    """Section 6.7.3.1."""

    name: str
    hashes: Maybe[Hashes] = UNSET
    size: Maybe[Count] = UNSET


class Ntfs(Part, kw_only=True):
    """Section 6.7.3."""

    needs = ("sid", "alternate_data_streams")
    sid: Maybe[str] = UNSET
    alternate_data_streams: Maybe[Annotated[list[AlternateStream], Meta(min_length=1)]] = UNSET


class RasterImage(Part, kw_only=True):
    """Section 6.7.5."""

    needs = ("image_height", "image_width", "bits_per_pixel", "exif_tags")
    image_height: Maybe[Int] = UNSET
    image_width: Maybe[Int] = UNSET
    bits_per_pixel: Maybe[Int] = UNSET
    exif_tags: Maybe[Dictionary] = UNSET


class Pdf(Part, kw_only=True):
    """Section 6.7.4."""

    needs = ("version", "is_optimized", "document_info_dict", "pdfid0", "pdfid1")
    version: Maybe[str] = UNSET
    is_optimized: Maybe[bool] = UNSET
    document_info_dict: Maybe[
        Annotated[dict[str, Any], Meta(min_length=1, extra={"check": "pdf-info"})]
    ] = UNSET
    pdfid0: Maybe[str] = UNSET
    pdfid1: Maybe[str] = UNSET


class Archive(Part, kw_only=True):
    """Section 6.7.2."""

    contains_refs: Refs
    comment: Maybe[str] = UNSET


class PeOptionalHeader(Part, kw_only=True):
    """Section 6.7.6.1."""

    magic_hex: Maybe[Hex] = UNSET
    major_linker_version: Maybe[Int] = UNSET
    minor_linker_version: Maybe[Int] = UNSET
    size_of_code: Maybe[Count] = UNSET
    size_of_initialized_data: Maybe[Count] = UNSET
    size_of_uninitialized_data: Maybe[Count] = UNSET
    address_of_entry_point: Maybe[Int] = UNSET
    base_of_code: Maybe[Int] = UNSET
    base_of_data: Maybe[Int] = UNSET
    image_base: Maybe[int] = UNSET
    section_alignment: Maybe[Int] = UNSET
    file_alignment: Maybe[Int] = UNSET
    major_os_version: Maybe[Int] = UNSET
    minor_os_version: Maybe[Int] = UNSET
    major_image_version: Maybe[Int] = UNSET
    minor_image_version: Maybe[Int] = UNSET
    major_subsystem_version: Maybe[Int] = UNSET
    minor_subsystem_version: Maybe[Int] = UNSET
    win32_version_value_hex: Maybe[Hex] = UNSET
    size_of_image: Maybe[Count] = UNSET
    size_of_headers: Maybe[Count] = UNSET
    checksum_hex: Maybe[Hex] = UNSET
    subsystem_hex: Maybe[Hex] = UNSET
    dll_characteristics_hex: Maybe[Hex] = UNSET
    size_of_stack_reserve: Maybe[Count] = UNSET
    size_of_stack_commit: Maybe[Count] = UNSET
    size_of_heap_reserve: Maybe[Count] = UNSET
    size_of_heap_commit: Maybe[Count] = UNSET
    loader_flags_hex: Maybe[Hex] = UNSET
    number_of_rva_and_sizes: Maybe[Int] = UNSET
    hashes: Maybe[Hashes] = UNSET


class PeSection(Part, kw_only=True):
    """Section 6.7.6.2."""

    name: str
    size: Maybe[Count] = UNSET
    entropy: Maybe[float] = UNSET
    hashes: Maybe[Hashes] = UNSET


class WindowsPe(Part, kw_only=True):
    """Section 6.7.6: besides its type it must say something."""

    needs = (
        "imphash",
        "machine_hex",
        "number_of_sections",
        "time_date_stamp",
        "pointer_to_symbol_table_hex",
        "number_of_symbols",
        "size_of_optional_header",
        "characteristics_hex",
        "file_header_hashes",
        "optional_header",
        "sections",
    )
    pe_type: Annotated[str, Meta(extra={"vocab": "pe-type"})]
    imphash: Maybe[str] = UNSET
    machine_hex: Maybe[Hex] = UNSET
    number_of_sections: Maybe[Count] = UNSET
    time_date_stamp: Maybe[Time] = UNSET
    pointer_to_symbol_table_hex: Maybe[Hex] = UNSET
    number_of_symbols: Maybe[Count] = UNSET
    size_of_optional_header: Maybe[Count] = UNSET
    characteristics_hex: Maybe[Hex] = UNSET
    file_header_hashes: Maybe[Hashes] = UNSET
    optional_header: Maybe[PeOptionalHeader] = UNSET
    sections: Maybe[Annotated[list[PeSection], Meta(min_length=1)]] = UNSET


class HttpRequest(Part, kw_only=True):
    """Section 6.12.3."""

    request_method: str
    request_value: str
    request_version: Maybe[str] = UNSET
    request_header: Maybe[Dictionary] = UNSET
    message_body_length: Maybe[Int] = UNSET
    message_body_data_ref: Maybe[Ref] = UNSET


class Icmp(Part, kw_only=True):
    """Section 6.12.4."""

    icmp_type_hex: Hex
    icmp_code_hex: Hex


class Socket(Part, kw_only=True):
    """Section 6.12.5."""

    address_family: Literal[
        "AF_UNSPEC",
        "AF_INET",
        "AF_IPX",
        "AF_APPLETALK",
        "AF_NETBIOS",
        "AF_INET6",
        "AF_IRDA",
        "AF_BTH",
    ]
    is_blocking: Maybe[bool] = UNSET
    is_listening: Maybe[bool] = UNSET
    options: Maybe[Dictionary] = UNSET
    socket_type: Maybe[
        Literal["SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET"]
    ] = UNSET
    socket_descriptor: Maybe[Count] = UNSET
    socket_handle: Maybe[Int] = UNSET


class Tcp(Part, kw_only=True):
    """Section 6.12.6."""

    needs = ("src_flags_hex", "dst_flags_hex")
    src_flags_hex: Maybe[Hex] = UNSET
    dst_flags_hex: Maybe[Hex] = UNSET


class WindowsProcess(Part, kw_only=True):
    """Section 6.13.2."""

    needs = (
        "aslr_enabled",
        "dep_enabled",
        "priority",
        "owner_sid",
        "window_title",
        "startup_info",
        "integrity_level",
    )
    aslr_enabled: Maybe[bool] = UNSET
    dep_enabled: Maybe[bool] = UNSET
    priority: Maybe[str] = UNSET
    owner_sid: Maybe[str] = UNSET
    window_title: Maybe[str] = UNSET
    startup_info: Maybe[Dictionary] = UNSET
    integrity_level: Maybe[Literal["low", "medium", "high", "system"]] = UNSET


class WindowsService(Part, kw_only=True):
    """Section 6.13.3."""

    needs = (
        "service_name",
        "descriptions",
        "display_name",
        "group_name",
        "start_type",
        "service_dll_refs",
        "service_type",
        "service_status",
    )
    service_name: Maybe[str] = UNSET
    descriptions: Maybe[Texts] = UNSET
    display_name: Maybe[str] = UNSET
    group_name: Maybe[str] = UNSET
    start_type: Maybe[
        Literal[
            "SERVICE_AUTO_START",
            "SERVICE_BOOT_START",
            "SERVICE_DEMAND_START",
            "SERVICE_DISABLED",
            "SERVICE_SYSTEM_ALERT",
        ]
    ] = UNSET
    service_dll_refs: Maybe[Refs] = UNSET
    service_type: Maybe[
        Literal[
            "SERVICE_KERNEL_DRIVER",
            "SERVICE_FILE_SYSTEM_DRIVER",
            "SERVICE_WIN32_OWN_PROCESS",
            "SERVICE_WIN32_SHARE_PROCESS",
        ]
    ] = UNSET
    service_status: Maybe[
        Literal[
            "SERVICE_CONTINUE_PENDING",
            "SERVICE_PAUSE_PENDING",
            "SERVICE_PAUSED",
            "SERVICE_RUNNING",
            "SERVICE_START_PENDING",
            "SERVICE_STOP_PENDING",
            "SERVICE_STOPPED",
        ]
    ] = UNSET


class UnixAccount(Part, kw_only=True):
    """Section 6.16.2."""

    needs = ("gid", "groups", "home_dir", "shell")
    gid: Maybe[Int] = UNSET
    groups: Maybe[Texts] = UNSET
    home_dir: Maybe[str] = UNSET
    shell: Maybe[str] = UNSET


PREDEFINED: dict[str, dict[str, type[Part]]] = {
    "file": {
        "archive-ext": Archive,
        "ntfs-ext": Ntfs,
        "pdf-ext": Pdf,
        "raster-image-ext": RasterImage,
        "windows-pebinary-ext": WindowsPe,
    },
    "network-traffic": {
        "http-request-ext": HttpRequest,
        "icmp-ext": Icmp,
        "socket-ext": Socket,
        "tcp-ext": Tcp,
    },
    "process": {
        "windows-process-ext": WindowsProcess,
        "windows-service-ext": WindowsService,
    },
    "user-account": {"unix-account-ext": UnixAccount},
}
