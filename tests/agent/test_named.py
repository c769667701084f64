"""A real BIND with a policy zone: what the agent places is in force, and leaves again."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.process import WAIT_S, AgentProcess
from tests.sim.hub import SimulatedHub, zone

NEEDED = ("named", "named-checkzone", "rndc", "dig")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
pytestmark = [
    pytest.mark.consumer,
    pytest.mark.skipif(
        bool(MISSING) and os.environ.get("CI") != "true",
        reason=f"needs BIND 9 on this machine; missing: {' '.join(MISSING)}",
    ),
]

SECRET = base64.b64encode(b"only for this test, on loopback!").decode()
CONF = """
key "k" {{ algorithm hmac-sha256; secret "{secret}"; }};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "k"; }}; }};
options {{
  directory "{folder}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile "{folder}/session.key";
  managed-keys-directory "{folder}";
  recursion yes;
  allow-recursion {{ 127.0.0.1; }};
  dnssec-validation no;
  notify no;
  response-policy {{ zone "rpz.example" min-update-interval 0; }};
}};
zone "." {{ type primary; file "root.zone"; }};
zone "rpz.example" {{ type primary; file "rpz.zone"; }};
"""
# The whole name space of this server, so that no question ever leaves the machine.
ROOT = """$TTL 60
@ SOA localhost. hostmaster.localhost. 1 60 60 60 60
@ NS localhost.
localhost. A 127.0.0.1
good.example. A 192.0.2.1
first.example. A 192.0.2.2
www.first.example. A 192.0.2.3
second.example. A 192.0.2.4
"""
RNDC = """
key "k" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{ default-key "k"; default-server 127.0.0.1; default-port {control}; }};
"""
# Exit 0 when the name is blocked; for the canary, when it answers, and with what.
PROBE = """
import os, subprocess, sys
port, name = sys.argv[1:]
canary = os.environ["BAYANIHAN_PROBE"] == "canary"
line = ["dig", "-p", port, "@127.0.0.1", "+tries=1", "+time=5", name, "TXT" if canary else "A"]
said = subprocess.run(line, capture_output=True, text=True).stdout
if "status:" not in said:
    sys.exit(2)
print(said)
sys.exit(0 if ("IN\\tTXT" if canary else "status: NXDOMAIN") in said else 1)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Named:
    """A running name server with a policy zone in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.control = free_port(), free_port()
        facts = {"folder": folder, "port": self.port, "control": self.control, "secret": SECRET}
        (folder / "named.conf").write_text(CONF.format(**facts))
        (folder / "rndc.conf").write_text(RNDC.format(**facts))
        (folder / "root.zone").write_text(ROOT)
        (folder / "rpz.zone").write_bytes(zone(0))
        self._output = (folder / "named.log").open("wb")
        self._process = subprocess.Popen(
            ["named", "-g", "-n", "1", "-c", str(folder / "named.conf")],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def status(self, name: str) -> str:
        """How a name is answered: NOERROR, NXDOMAIN, or "" for no answer."""
        line = ["dig", "-p", str(self.port), "@127.0.0.1", "+tries=1", "+time=5", name, "A"]
        said = subprocess.run(line, capture_output=True, text=True, check=False).stdout
        return said.partition("status: ")[2].partition(",")[0]

    def wait(self) -> None:
        for _ in range(WAIT_S * 4):
            if self.status("good.example") == "NOERROR":
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.2)
        pytest.fail((self.folder / "named.log").read_text())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)
        self._output.close()

    def options(self) -> list[str]:
        """What the agent is told about this server."""
        probe = [sys.executable, "-c", PROBE, str(self.port), "{}"]
        reload = ["rndc", "-c", str(self.folder / "rndc.conf"), "reload", "rpz.example"]
        return [
            *("--check", "named-checkzone rpz.example {}"),
            *("--reload", shlex.join(reload)),
            *("--probe", shlex.join(probe)),
            *("--control", "good.example"),
        ]


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Named]:
    running = Named(tmp_path)
    try:
        running.wait()
        yield running
    finally:
        running.close()


def test_a_block_comes_into_force_and_goes_again(
    named: Named, hub: SimulatedHub, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path, hub.address)
    assert named.status("first.example") == "NOERROR"

    hub.publish(zone(1, "first.example"))
    code, output, errors = agent.once(*named.options())
    assert (code, errors) == (0, "")
    assert "1 items, probed" in output
    assert named.status("first.example") == "NXDOMAIN"
    assert named.status("www.first.example") == "NXDOMAIN"
    assert named.status("good.example") == "NOERROR"
    assert hub.states == ["probed"]

    hub.publish(zone(2, "second.example"))
    code, output, errors = agent.once(*named.options())
    assert (code, errors, "probed" in output) == (0, "", True)
    assert named.status("first.example") == "NOERROR"
    assert named.status("www.first.example") == "NOERROR"
    assert named.status("second.example") == "NXDOMAIN"
    assert hub.receipts[-1].cursor == hub.cursor()


def test_a_zone_that_bind_refuses_never_reaches_it(
    named: Named, hub: SimulatedHub, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path, hub.address)
    hub.publish(zone(1, "first.example"))
    agent.once(*named.options())
    good = agent.out.read_bytes()
    hub.publish(zone(2, "second.example") + b"this is ( no zone\n")
    code, _, errors = agent.once(*named.options())
    assert code == 1
    assert "[check-failed]" in errors
    assert agent.out.read_bytes() == good
    assert named.status("first.example") == "NXDOMAIN"
    assert named.status("second.example") == "NOERROR"
    assert hub.states == ["probed", "failed"]


@pytest.mark.long
def test_a_server_that_did_not_reload_is_not_probed(
    named: Named, hub: SimulatedHub, tmp_path: Path
) -> None:
    agent = AgentProcess(tmp_path, hub.address)
    hub.publish(zone(1, "first.example"))
    options = named.options()
    options[options.index("--reload") + 1] = "true"
    code, output, _ = agent.once(*options)
    assert code == 0
    assert "1 items, loaded" in output
    assert "not with this version's text" in output
    assert named.status("first.example") == "NOERROR"
