"""The command line: every verb, and how errors are told on it."""

from __future__ import annotations

import errno
import gc
import io
import os
import sys

from cyclopts import App, CycloptsError

from bayanihan import __version__
from bayanihan.errors import BayanihanError, Broken, Refused, Unavailable, as_text

app = App(
    name="bayanihan",
    help="One country's AI-driven attack becomes every country's defence.",
    version=__version__,
    result_action="return_value",
)

# Named by path, so that a verb loads what it needs and no more.
COMMANDS = {
    "up": "bayanihan.commands.up:up",
    "report": "bayanihan.commands.evidence:report",
    "lookup": "bayanihan.commands.evidence:lookup",
    "campaigns": "bayanihan.commands.campaigns:campaigns",
    "campaign": "bayanihan.commands.campaigns:campaign",
    "deny": "bayanihan.commands.deny:deny",
    "case": "bayanihan.commands.case:app",
    "takedown": "bayanihan.commands.takedown:takedown",
    "push": "bayanihan.commands.push:push",
    "pull": "bayanihan.commands.follow:pull",
    "follow": "bayanihan.commands.follow:follow",
    "feed": "bayanihan.commands.feed:feed",
    "agent": "bayanihan.commands.agent:agent",
    "member": "bayanihan.commands.member:app",
    "key": "bayanihan.commands.key:app",
    "law": "bayanihan.commands.law:app",
    "trial": "bayanihan.commands.trial:app",
    "backup": "bayanihan.commands.backup:backup",
    "restore": "bayanihan.commands.backup:restore",
    "verify": "bayanihan.commands.verify:verify",
    "migrate": "bayanihan.commands.migrate:migrate",
}
for name, place in COMMANDS.items():
    app.command(place, name=name)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process: 0 done, 1 refused with its reason, 2 wrong use."""
    # A verb that loads makes much that lives; the collector's own pace walks it again and again.
    gc.set_threshold(50_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal cannot show is shown escaped, and ends no command.
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if arguments is None else arguments
    # The parser takes a lone hyphen for an option without a name.
    if words[:1] in (["push"], ["report"], ["lookup"]):
        words = ["/dev/stdin" if word == "-" else word for word in words]
    if not words or words[0] in app.help_flags:
        # The list of verbs says what each is for; only then are all of them loaded.
        _load(app)
    elif words[0] in COMMANDS and all(word in app.help_flags for word in words[1:]):
        _load(app[words[0]])
    try:
        code = app(words, exit_on_error=False, print_error=True)
        sys.stdout.flush()
    except CycloptsError:
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        told = told_as(error)
        print(as_text(told), file=sys.stderr)
        sys.exit(2 if told.code == "wrong-use" else 1)
    sys.exit(code if isinstance(code, int) else 0)


def _load(group: App) -> None:
    """Load every verb of a group, so that a list of them says what each is for."""
    for name in group:
        group[name]


def told_as(error: Exception) -> BayanihanError:
    """Any error as one of ours. With BAYANIHAN_TRACE in the environment ours are raised on."""
    if isinstance(error, BayanihanError):
        return error
    if os.environ.get("BAYANIHAN_TRACE"):
        raise error
    where = str(getattr(error, "filename", None) or "")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return Unavailable("disk-full", "The disk is full", where=where)
    if isinstance(error, OSError):
        return Refused("cannot-read", error.strerror or str(error), where=where)
    return Broken(
        "internal",
        f"This is a fault of ours: {type(error).__name__}: {error}",
        next_step="Report it, with what BAYANIHAN_TRACE=1 in the environment shows.",
    )
