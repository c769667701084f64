"""Runs isolated in place of a tool that is elsewhere: each item goes out by the one line there is.

A vendor's own client may take its place. The line takes the body of one POST to the declared
address on a line of JSON, and gives back `{"status": 200, "body": "..."}` or `{"error": "..."}`.
"""

import json
import os
import sys

number = int(os.environ["BAYANIHAN_LINE"])
out, back = os.fdopen(number, "wb", closefd=False), os.fdopen(number, "rb", closefd=False)
print('{"ready":1}', flush=True)
for item in sys.stdin.buffer:
    out.write(item)
    out.flush()
    told = json.loads(back.readline())
    try:
        answer = json.loads(told["body"])
    except (KeyError, ValueError):
        sys.stderr.write(f"{told.get('error') or told.get('status')}\n")
        answer = None
    print(json.dumps(answer), flush=True)
