"""TAXII 2.1: collections as saved questions over the record.

`facts` and `question` say what a collection holds, `rows` and `catalogue` keep where it
stands, `versions` decides what one viewer is shown, `query` reads a request, `pages` reads
the ledger, `answers` and `status` write resources, `api` holds the handlers, `preload`
brings files in.
"""

from bayanihan.readers.taxii.api import Discovery, Interface, routes
from bayanihan.readers.taxii.catalogue import Catalogue
from bayanihan.readers.taxii.collections import Collection, Root, roots_of
from bayanihan.readers.taxii.preload import Loaded, load
from bayanihan.readers.taxii.status import Statuses

__all__ = [
    "Catalogue",
    "Collection",
    "Discovery",
    "Interface",
    "Loaded",
    "Root",
    "Statuses",
    "load",
    "roots_of",
    "routes",
]
