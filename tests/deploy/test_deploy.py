"""What `deploy/` ships is taken by the programs that will read it, and does what it says."""

from __future__ import annotations

import datetime
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.sim.objects import indicator
from tests.sim.process import ROOT, RunningHub, free_port

DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service")) + sorted(DEPLOY.glob("*.timer"))
PLACES = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"
# `systemd-analyze security` counts from 0, which is shut, to 100, which is open.
EXPOSURE_LIMIT = 20


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"{name} is not installed here")
    return found


@pytest.mark.consumer
def test_systemd_takes_every_unit(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    for unit in UNITS:
        text = unit.read_text()
        placed = text.replace("/opt/bayanihan/.venv/bin/bayanihan", sys.executable)
        (tmp_path / unit.name).write_text(placed)
    ran = subprocess.run(
        [analyze, "verify", *(tmp_path / unit.name for unit in UNITS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    own = [line for line in ran.stderr.splitlines() if "bayanihan" in line]
    assert (ran.returncode, own) == (0, [])


@pytest.mark.consumer
@pytest.mark.parametrize("unit", [unit.name for unit in UNITS if unit.suffix == ".service"])
def test_a_service_is_shut_in(unit: str) -> None:
    ran = subprocess.run(
        [
            *(program("systemd-analyze"), "security", "--offline=true", "--no-pager"),
            *(f"--threshold={EXPOSURE_LIMIT}", str(DEPLOY / unit)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


def test_the_image_runs_what_is_locked_as_nobody_special() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    steps = re.findall(r"^([A-Z]+) (.*(?:\\\n.*)*)", text, re.MULTILINE)
    bases = [what.split()[0] for step, what in steps if step == "FROM"]
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", base) for base in bases)
    installs = [what for step, what in steps if step == "RUN" and "pip install" in what]
    assert installs
    assert all("--require-hashes" in what or "--no-index" in what for what in installs)
    assert [what for step, what in steps if step == "USER"] == ["10001"]
    assert "HEALTHCHECK" in dict(steps)
    copied = [what.split()[:-1] for step, what in steps if step == "COPY" and "--from" not in what]
    assert all((ROOT / name).exists() for names in copied for name in names)


@contextmanager
def proxy(hub: RunningHub, folder: Path, before: str = "") -> Iterator[httpx.Client]:
    """nginx with our configuration, before a hub: only ports and the certificate are others.

    `before` is the address of another node, asked first.
    """
    port = free_port()
    certificate, key = self_signed(folder)
    text = (DEPLOY / "nginx.conf").read_text()
    other = f"{before}; server " if before else ""
    for old, new in {
        "127.0.0.1:8420": f"{other}127.0.0.1:{hub.port}",
        "listen 443": f"listen 127.0.0.1:{port}",
        "/etc/ssl/bayanihan/fullchain.pem": str(certificate),
        "/etc/ssl/bayanihan/key.pem": str(key),
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    places = "".join(
        f"{what}_temp_path {folder / what};"
        for what in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; user {'root' if os.geteuid() == 0 else 'nobody'};"
        f" pid {folder / 'pid'}; error_log {folder / 'errors'};"
        f" events {{}} http {{ access_log off; {places} {text} }}"
    )
    command = [program("nginx"), "-e", str(folder / "errors"), "-p", str(folder), "-c", str(conf)]
    subprocess.run([*command, "-t", "-q"], check=True, timeout=30)
    running = subprocess.Popen(command)
    try:
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=False, trust_env=False, timeout=20
        ) as client:
            wait_for(client)
            yield client
    finally:
        running.terminate()
        running.wait(20)


def wait_for(client: httpx.Client) -> None:
    for _ in range(200):
        try:
            client.get("/health/live")
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the proxy does not answer")


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "fullchain.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.mark.consumer
def test_events_pass_the_proxy_as_they_come(hub: RunningHub, tmp_path: Path) -> None:
    key = hub.key("SG")
    program("nginx")
    with proxy(hub, tmp_path) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        with client.stream("GET", "/api/stream?after=now") as stream:
            assert stream.status_code == 200
            one = indicator()
            assert client.post("/api/objects", json=one).json()["accepted"] == 1
            found = next(line for line in stream.iter_lines() if one["id"] in line)
            assert found


class Away(http.server.BaseHTTPRequestHandler):
    """A node that cannot reach its database."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header("Retry-After", "2")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.consumer
def test_a_node_whose_database_is_away_is_passed_over(hub: RunningHub, tmp_path: Path) -> None:
    program("nginx")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Away) as away:
        threading.Thread(target=away.serve_forever, daemon=True).start()
        with proxy(hub, tmp_path, f"127.0.0.1:{away.server_port}") as client:
            found = {client.get("/health/ready").status_code for _ in range(6)}
        away.shutdown()
    assert found == {200}


@pytest.mark.consumer
def test_the_hubs_own_refusals_pass_the_proxy(hub: RunningHub, tmp_path: Path) -> None:
    program("nginx")
    with proxy(hub, tmp_path) as client:
        client.headers["Authorization"] = f"Bearer {hub.key('SG')}"
        large = client.post("/api/objects", content=b"[" + b" " * (64 * 1024 * 1024 + 1))
        assert (large.status_code, large.json()["error"]["code"]) == (413, "too-large")
        assert client.get("/api/objects", headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.parametrize(
    ("linter", "file"), [("hadolint", "Containerfile"), ("compose-lint", "compose.yaml")]
)
def test_the_linters_have_nothing_to_say(linter: str, file: str) -> None:
    """Of the compose file: nothing grave. Images are named by tag, so that their mends come."""
    command = Path(sys.executable).parent / linter
    ran = subprocess.run([command, DEPLOY / file], capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout.decode()


def test_the_nodes_of_the_compose_file_are_shut_in_and_hold_no_secret() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert set(services) == {"database", "one", "two"}
    for name in ("one", "two"):
        node = services[name]
        assert node["read_only"] is True
        assert node["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in node["ports"])
        assert (DEPLOY / node["build"]["dockerfile"].removeprefix("deploy/")).exists()
        # What `up` would say of these words: each is an option that it knows.
        options = {word.partition("=")[0] for word in node["command"][1:]}
        assert options <= {"--data", "--host", "--store"}
    assert services["one"]["volumes"][0] != services["two"]["volumes"][0]
    passwords = re.findall(r"PASSWORD: (.*)", text)
    assert passwords
    assert all(each.startswith("${DB_PASSWORD:?") for each in passwords)
