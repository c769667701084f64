"""Law as dated data: classification, duties, clocks and the matrix, each derived and cited.

Pure: texts come in as strings, answers go out as values. A text is a YAML file of provisions
with sources and pinned quotations (`load`); a view fixes what was known on a day (`view`); a
derivation says what holds for one system's facts, day by day, unknown kept apart (`derive`).
"""
