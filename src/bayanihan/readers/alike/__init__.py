"""Have my neighbours seen this, or its like? Each kind of likeness is answered by itself.

What connects cases is looked up among those that the viewer may see, inside the query, so
that nobody learns of what they may not see. A value in too many cases connects nothing.
"""

from bayanihan.readers.alike.match import Match
from bayanihan.readers.alike.projection import Alike
from bayanihan.readers.alike.search import Search

__all__ = ["Alike", "Match", "Search"]
