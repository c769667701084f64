"""The only way in: objects are checked, marked and appended."""
