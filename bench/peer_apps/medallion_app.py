"""medallion as it ships, with its memory backend: a WSGI module for an interpreter that has it.

`PEER_FOLDER` names a folder that may be written to. The peer's own defaults hold, but for
limits that would refuse an envelope of 1000 objects.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

ROOT, COLLECTION = "api1", "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
_MEDIA = ["application/taxii+json;version=2.1"]


def _data() -> dict[str, Any]:
    information = {
        "title": "peer",
        "description": "",
        "versions": _MEDIA,
        "max_content_length": 104_857_600,
    }
    collection = {
        "id": COLLECTION,
        "title": "all",
        "description": "",
        "can_read": True,
        "can_write": True,
        "media_types": ["application/stix+json;version=2.1"],
        "objects": [],
        "manifest": [],
    }
    return {
        "/discovery": {"title": "peer", "api_roots": [f"/{ROOT}/"]},
        ROOT: {"information": information, "status": [], "collections": [collection]},
    }


def _application() -> Any:
    folder = Path(os.environ["PEER_FOLDER"])
    data, settings = folder / "data.json", folder / "settings.json"
    data.write_text(json.dumps(_data()))
    backend = {
        "module": "medallion.backends.memory_backend",
        "module_class": "MemoryBackend",
        "filename": str(data),
    }
    told = {"backend": backend, "users": {"bench": "bench"}, "taxii": {"max_page_size": 1000}}
    settings.write_text(json.dumps(told))
    return importlib.import_module("medallion").load_app(str(settings))


app = _application()
