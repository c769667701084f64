"""OpenTAXII over SQLite: a WSGI module for an interpreter that has it.

`PEER_FOLDER` names a folder that may be written to; `PEER_COLLECTION`, when set, is the
collection's id made by an earlier import. The peer answers 500 to every stored envelope,
because it cannot encode its own status id; here its encoder is told how.
"""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_FOLDER = Path(os.environ["PEER_FOLDER"])
_SETTINGS = """
domain: "127.0.0.1"
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters:
    db_connection: sqlite:///{folder}/auth.db
    create_tables: yes
    secret: measured-and-thrown-away
taxii1:
taxii2:
  title: peer
  description: peer
  contact: peer
  max_content_length: 104857600
  public_discovery: yes
  allow_custom_properties: yes
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters:
      db_connection: sqlite:///{folder}/data.db
      create_tables: yes
logging:
  opentaxii: error
  root: error
"""


def _encoded(data: Any) -> str:
    return json.dumps(data, default=str)


def _application() -> Any:
    settings = _FOLDER / "settings.yml"
    settings.write_text(_SETTINGS.format(folder=_FOLDER))
    os.environ["OPENTAXII_CONFIG"] = str(settings)
    answers: Any = importlib.import_module("opentaxii.taxii2.http")
    answers.json = SimpleNamespace(dumps=_encoded)
    return importlib.import_module("opentaxii.http").app


def _make_collection(made: Any) -> str:
    with made.app_context():
        taxii = made.taxii_server.servers.taxii2.persistence.api
        root = taxii.add_api_root(title="peer", default=True)
        collection = taxii.add_collection(
            api_root_id=root.id, title="all", is_public=True, is_public_write=True
        )
    return f"/taxii2/{root.id}/collections/{collection.id}/objects/"


app = _application()
_ADDRESS = _FOLDER / "address"
if not _ADDRESS.exists():
    _ADDRESS.write_text(_make_collection(app))
