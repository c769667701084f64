"""`/api/stream`: entries as server-sent events, to every reader as soon as they commit."""

from bayanihan.readers.stream.api import DESCRIBED, routes
from bayanihan.readers.stream.broadcast import Broadcast
from bayanihan.readers.stream.quota import subscriber_limit

__all__ = ["DESCRIBED", "Broadcast", "routes", "subscriber_limit"]
