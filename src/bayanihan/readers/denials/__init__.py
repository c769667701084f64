"""Truth beside alarm: signed denials, shown wherever what they deny is looked up or listed."""

from bayanihan.readers.denials.matcher import Matcher
from bayanihan.readers.denials.projection import Denials, Standing

__all__ = ["Denials", "Matcher", "Standing"]
