"""The published description, with what the framework does not know of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin


class Description(JsonRenderPlugin):
    """OpenAPI as JSON.

    Args:
        more: path items of handlers that stand past the framework.
    """

    def __init__(self, more: Mapping[str, Any]) -> None:
        super().__init__(path="/")
        self._more = more

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """See `OpenAPIRenderPlugin`."""
        paths = dict(sorted({**openapi_schema["paths"], **self._more}.items()))
        return super().render(request, {**openapi_schema, "paths": paths})
