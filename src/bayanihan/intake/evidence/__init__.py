"""Reading hostile evidence: in a process of its own, bounded in time and memory."""

from bayanihan.intake.evidence.reader import Reader

__all__ = ["Reader"]
