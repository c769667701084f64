"""Calls everything malicious: full detection, at a price that no gate pays."""

import json
import sys

print('{"ready":1}', flush=True)
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "verdict": "malicious"}), flush=True)
