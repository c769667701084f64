"""Evidence packages: a case with its hashes, custody and proofs, checkable without the hub."""

from bayanihan.readers.package.assemble import Packages
from bayanihan.readers.package.check import Checked, check

__all__ = ["Checked", "Packages", "check"]
