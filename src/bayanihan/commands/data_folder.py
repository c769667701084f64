"""Where a hub's data directory is. Apart from the client, which a hub that starts need not load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

DEFAULT_DATA = "bayanihan-data"
DEMO_KEYS_FILE = "demo.json"

DataOption = Annotated[
    Path, Parameter(env_var="BAYANIHAN_DATA", help="The data directory.", show_env_var=True)
]
