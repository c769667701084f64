"""Calls everything benign: the detection of no tool at all, and its false alarms."""

import json
import sys

print('{"ready":1}', flush=True)
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "verdict": "benign"}), flush=True)
