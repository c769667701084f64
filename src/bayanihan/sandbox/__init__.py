"""The sandbox: AI security tools tested in isolation, honestly scored, and signed for."""
