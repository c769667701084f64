"""YARA rules by yara-x: one rule that matches is malicious."""

import json
import pathlib
import sys

import yara_x

rules = yara_x.compile(pathlib.Path("rules.yar").read_text(encoding="utf-8"))
scanner = yara_x.Scanner(rules)
print('{"ready":1}', flush=True)
for line in sys.stdin:
    item = json.loads(line)
    found = [rule.identifier for rule in scanner.scan(item["text"].encode()).matching_rules]
    verdict = "malicious" if found else "benign"
    answer = {"id": item["id"], "verdict": verdict, "reason": ", ".join(found)}
    print(json.dumps(answer), flush=True)
