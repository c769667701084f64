"""Bayanihan: one country's AI-driven attack becomes every country's defence."""

__version__ = "0.1.0"
