"""Values and rules: no I/O, no clock, no room of ours but the errors."""
