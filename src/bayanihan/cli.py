"""The command line: every verb, and how errors are told on it."""

from __future__ import annotations

import sys

from cyclopts import App, CycloptsError

from bayanihan import __version__
from bayanihan.errors import BayanihanError, as_text

app = App(
    name="bayanihan",
    help="One country's AI-driven attack becomes every country's defence.",
    version=__version__,
    result_action="return_value",
)

# Named by path, so that a verb loads what it needs and no more.
COMMANDS = {
    "up": "bayanihan.commands.up:up",
    "push": "bayanihan.commands.push:push",
    "pull": "bayanihan.commands.follow:pull",
    "follow": "bayanihan.commands.follow:follow",
    "feed": "bayanihan.commands.feed:feed",
    "agent": "bayanihan.commands.agent:agent",
    "member": "bayanihan.commands.member:app",
    "key": "bayanihan.commands.key:app",
    "backup": "bayanihan.commands.backup:backup",
    "restore": "bayanihan.commands.backup:restore",
    "verify": "bayanihan.commands.verify:verify",
}
for name, place in COMMANDS.items():
    app.command(place, name=name)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and end the process: 0 done, 1 refused with its reason, 2 wrong use."""
    try:
        code = app(arguments, exit_on_error=False, print_error=True)
    except CycloptsError:
        sys.exit(2)
    except BayanihanError as error:
        print(as_text(error), file=sys.stderr)
        sys.exit(2 if error.code == "wrong-use" else 1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
