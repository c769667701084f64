"""The system's bogofilter, trained on the public training items when it starts."""

import json
import os
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(os.environ["TMPDIR"]) / "words"


def mail_of(item):
    """An item as a mail."""
    subject = item.get("subject", "").replace("\n", " ")
    head = f"From: {item.get('sender', '')}\nSubject: {subject}\nContent-Type: text/plain"
    return f"{head}; charset=utf-8\n\n{item['text']}\n".encode()


def bogofilter(option, mail):
    """Runs the program; 0 is spam, 1 is not, 2 is unsure."""
    command = ["bogofilter", "-C", "-d", str(FOLDER), *option]
    done = subprocess.run(command, input=mail, stderr=subprocess.PIPE, check=False)
    if done.returncode > 2:
        sys.exit(f"bogofilter: {done.stderr.decode(errors='replace')}")
    return done.returncode


FOLDER.mkdir()
lines = pathlib.Path(os.environ["BAYANIHAN_TRAINING"]).read_text(encoding="utf-8").splitlines()
items = [json.loads(line) for line in lines]
for label, option in (("attack", "-s"), ("legitimate", "-n")):
    box = b"".join(
        b"From tool Sat Nov 28 00:00:00 2026\n" + mail_of(item) + b"\n"
        for item in items
        if item["label"] == label
    )
    bogofilter(["-M", option], box)
print('{"ready":1}', flush=True)
for line in sys.stdin:
    item = json.loads(line)
    verdict = "malicious" if bogofilter([], mail_of(item)) == 0 else "benign"
    print(json.dumps({"id": item["id"], "verdict": verdict}), flush=True)
