"""`up` over TLS, with certificates that are made anew while it runs."""

from __future__ import annotations

import contextlib
import datetime
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.sim.process import command, environment, free_port
from tests.sim.reader import until

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def make(folder: Path, name: str) -> None:
    """A fresh certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "hub.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "hub.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def connect(port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    return context.wrap_socket(plain, server_hostname="localhost")


def name_at(port: int) -> str:
    """The name in the certificate that a new connection is shown."""
    with contextlib.closing(connect(port)) as wire:
        shown = x509.load_der_x509_certificate(wire.getpeercert(binary_form=True) or b"")
    return str(shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def asked(wire: ssl.SSLSocket) -> bytes:
    wire.sendall(GET)
    told = b""
    while b"}" not in told:
        told += wire.recv(65_536)
    return told.split(b"\r\n")[0]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, int, subprocess.Popen[bytes]]]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    make(data, "first")
    (data / "hub.toml").write_text('[tls]\ncertificate = "hub.crt"\nkey = "hub.key"\n')
    port = free_port()
    words = [sys.executable, "-m", "bayanihan", "up", "--data", str(data), "--port", str(port)]
    with (tmp_path / "told").open("wb") as told:
        process = subprocess.Popen(words, env=environment(), stdout=told, stderr=told)
    try:
        until(lambda: b"listens" in (tmp_path / "told").read_bytes())
        yield data, port, process
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_a_new_certificate_is_taken_up_and_no_connection_drops(
    served: tuple[Path, int, subprocess.Popen[bytes]],
) -> None:
    data, port, process = served
    told = data.parent / "told"
    assert f"https://127.0.0.1:{port}".encode() in told.read_bytes()
    with contextlib.closing(connect(port)) as wire:
        assert asked(wire) == b"HTTP/1.1 200 OK"
        assert name_at(port) == "first"
        make(data, "second")
        process.send_signal(signal.SIGHUP)
        until(lambda: name_at(port) == "second")
        assert asked(wire) == b"HTTP/1.1 200 OK"
        make(data, "third")  # nobody says so: the files are looked at
        until(lambda: name_at(port) == "third")
        (data / "hub.key").write_text("no key")
        process.send_signal(signal.SIGHUP)
        until(lambda: b"the one before stays" in told.read_bytes())
        assert name_at(port) == "third"
        assert asked(wire) == b"HTTP/1.1 200 OK"
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as plain:
        plain.sendall(GET)
        with contextlib.suppress(ConnectionError):
            assert not plain.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("fault", ["missing", "not theirs", "demo"])
def test_a_certificate_that_cannot_be_used_is_refused_at_start(tmp_path: Path, fault: str) -> None:
    make(tmp_path, "other")
    if fault == "missing":
        (tmp_path / "hub.key").unlink()
    if fault == "not theirs":
        kept = (tmp_path / "hub.key").read_bytes()
        make(tmp_path, "mine")
        (tmp_path / "hub.key").write_bytes(kept)
    (tmp_path / "hub.toml").write_text('[tls]\ncertificate = "hub.crt"\nkey = "hub.key"\n')
    words = ["--demo"] if fault == "demo" else []
    done = command("up", "--data", tmp_path, "--port", str(free_port()), *words)
    assert done.returncode == 1
    assert b"[bad-setting]" in done.stderr
    assert b"Traceback" not in done.stderr
