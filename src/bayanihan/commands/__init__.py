"""Command groups that `cli` mounts: arguments, files and printing around one room each."""
