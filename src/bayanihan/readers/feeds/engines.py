"""Asks the programs that will load a feed whether they take it, each in a bounded process.

A program gets the file in a folder of its own, no network where the system allows that, a
limit on time, memory and what it may write, and a process group that is ended as a whole. It
never decides alone: a program that cannot be asked says nothing for or against a file.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bayanihan.readers.feeds.gate import Verdict

TIMEOUT_S = 60.0
MEMORY_KIB = 8 * 1024 * 1024
WRITTEN_KIB = 4 * 1024 * 1024

_SAID_BYTES = 4_000
_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What programs say when the machine, not the file, is the reason.
_UNABLE = (
    "operation not permitted",
    "message too long",
    "no buffer space",
    "permission denied",
    "cannot allocate memory",
    "no space left",
)


class Engine(msgspec.Struct, frozen=True):
    """How one program is asked about one format.

    Attributes:
        program: its name on the path.
        command: its arguments, from the folder, in which it may write, and the file.
        good: the exit codes that say that it loaded the file.
        bad_words: what in its output says that it did not, whatever its exit code.
        module: the Python package that it is, "" for a program of its own.
        jail: whether it needs to be root in a network of its own.
        apart: whether it can do without any network at all.
    """

    program: str
    command: Callable[[Path, Path], list[str]]
    good: tuple[int, ...] = (0,)
    bad_words: tuple[str, ...] = ()
    module: str = ""
    jail: bool = False
    apart: bool = True


class Engines:
    """The programs of this machine. Safe to call from several threads."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._stopped = False

    def examine(self, name: str, files: Mapping[str, bytes]) -> Verdict:
        """What the program for a format says of a feed's files.

        Args:
            name: of the format, which is also the name of its first file.
            files: by name, folders in it parted by `/`.
        """
        engine = ENGINES.get(name)
        if engine is None:
            return Verdict("unable", "its engine cannot be had here; our own reader checked it")
        command = _found(engine)
        if command is None:
            return Verdict("unable", f"{engine.program} is not installed here")
        try:
            with tempfile.TemporaryDirectory(prefix="feed-") as text:
                folder = Path(text)
                folder.chmod(0o755)
                for path, body in files.items():
                    place = folder / path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(body)
                words = [*command, *engine.command(folder, folder / name)]
                return self._ask(engine, words, folder)
        except OSError as error:
            return Verdict("unable", f"{engine.program} could not be asked: {error.strerror}")

    def stop(self) -> None:
        """End what is running, and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for pid in running:
            _end(pid)

    def _ask(self, engine: Engine, words: list[str], folder: Path) -> Verdict:
        said = folder / ".said"
        way = _apart(jail=engine.jail) if engine.apart else ()
        bounds = (
            f"ulimit -t {int(self._timeout_s)}; ulimit -v {MEMORY_KIB}; "
            f'ulimit -f {WRITTEN_KIB}; exec "$@"'
        )
        with said.open("wb") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", bounds, "sh", *way, *words],
                cwd=folder,
                env={"PATH": _PLACES, "HOME": str(folder), "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with self._lock:
            self._running.add(child.pid)
            stopped = self._stopped
        if stopped:
            _end(child.pid)
        try:
            code = child.wait(self._timeout_s)
        except subprocess.TimeoutExpired:
            return Verdict("unable", f"{engine.program} took longer than {self._timeout_s:g} s")
        finally:
            # The leader is not reaped by `wait` in a time-out, so its group is still its own.
            with self._lock:
                self._running.discard(child.pid)
            _end(child.pid)
            child.wait()
        return _verdict(engine, code, _told(said, folder))


def _verdict(engine: Engine, code: int, told: str) -> Verdict:
    low = told.lower()
    refused = code not in engine.good or any(word in told for word in engine.bad_words)
    if not refused:
        return Verdict("accepted")
    if code < 0 or code > 128 or any(word in low for word in _UNABLE):
        return Verdict("unable", f"{engine.program} could not finish ({code}): {told}")
    return Verdict("refused", told or f"{engine.program} answered {code} and said nothing")


def _told(said: Path, folder: Path) -> str:
    """The end of what a program said, in one line, without the folder's name."""
    with said.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _SAID_BYTES))
        text = file.read().decode("utf-8", "replace").replace(f"{folder}/", "")
        text = text.replace(str(folder), "")
    return " ".join("".join([c if c.isprintable() else " " for c in text]).split())


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _found(engine: Engine) -> list[str] | None:
    """How a program begins, or None where it is not installed."""
    if engine.module:
        known = importlib.util.find_spec(engine.module) is not None
        return [sys.executable, "-I", "-c"] if known else None
    path = shutil.which(engine.program, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
    return [path] if path else None


@functools.cache
def _apart(*, jail: bool) -> tuple[str, ...]:
    """What puts a program into a network of its own; nothing where the system forbids it."""
    way: tuple[str, ...] = ("unshare", "-n")
    if os.geteuid():
        way = ("unshare", "-r" if jail else "-c", "-n")
    if shutil.which("unshare") is None:
        return ()
    tried = subprocess.run([*way, "true"], capture_output=True, check=False)
    return way if tried.returncode == 0 else ()


def _unbound(folder: Path, file: Path) -> list[str]:
    conf = folder / "whole.conf"
    conf.write_text(
        f'server:\n  directory: "{folder}"\n  chroot: ""\n  username: ""\ninclude: "{file}"\n',
        encoding="ascii",
    )
    return [str(conf)]


def _suricata(folder: Path, file: Path) -> list[str]:
    conf = folder / "suricata.yaml"
    layers = "".join(f"    {name}: {{enabled: yes}}\n" for name in ("dns", "tls", "http"))
    conf.write_text(
        "%YAML 1.1\n---\n"
        'vars:\n  address-groups: {HOME_NET: "any", EXTERNAL_NET: "any"}\n'
        '  port-groups: {HTTP_PORTS: "80"}\n'
        f"default-log-dir: {folder}\nunix-command: {{enabled: no}}\noutputs: []\n"
        f"app-layer:\n  protocols:\n{layers}",
        encoding="ascii",
    )
    return ["-T", "-c", str(conf), "-S", str(file), "-l", str(folder)]


def _clamscan(folder: Path, file: Path) -> list[str]:
    subject = folder / "subject"
    subject.write_bytes(b"nothing to be found here\n")
    return ["--no-summary", f"--tempdir={folder}", "-d", str(file), str(subject)]


def _spamassassin(folder: Path, file: Path) -> list[str]:
    site, rules = folder / "site", folder / "rules"
    site.mkdir()
    rules.mkdir()
    plugins = ("Check", "WLBLEval", "HeaderEval", "BodyEval", "HTMLEval")
    loaded = "".join(f"loadplugin Mail::SpamAssassin::Plugin::{name}\n" for name in plugins)
    (site / "plugins.pre").write_text(loaded, encoding="ascii")
    (rules / "basis.cf").write_text("util_rb_tld com invalid\n", encoding="ascii")
    shutil.copyfile(file, site / file.name)
    paths = [f"--siteconfigpath={site}", f"--configpath={rules}", f"--prefspath={folder}/prefs"]
    return ["--lint", "-L", *paths]


def _rspamd(folder: Path, file: Path) -> list[str]:
    """`configtest` reads no maps, so the filter's own expression engine is asked."""
    script = folder / "check.lua"
    script.write_text(
        'local rspamd_regexp = require "rspamd_regexp"\n'
        f'for line in io.lines("{file}") do\n'
        '  if line:sub(1, 1) ~= "#" and not rspamd_regexp.create(line) then\n'
        '    print("refused: " .. line)\n'
        "    os.exit(1)\n"
        "  end\n"
        "end\n"
        "os.exit(0)\n",
        encoding="ascii",
    )
    return ["lua", "-b", "-e", f'dofile("{script}")']


def _postmap(folder: Path, file: Path) -> list[str]:
    conf = folder / "conf"
    conf.mkdir()
    lines = (
        "compatibility_level = 3.6",
        "myhostname = feed.invalid",
        "inet_interfaces = 127.0.0.1",
        "inet_protocols = ipv4",
        "mynetworks = 127.0.0.0/8",
        "",
    )
    (conf / "main.cf").write_text("\n".join(lines), encoding="ascii")
    return ["-c", str(conf), f"hash:{file}"]


def _squid(folder: Path, file: Path) -> list[str]:
    conf = folder / "squid.conf"
    conf.write_text(
        f'acl bayanihan dstdomain "{file}"\nhttp_access deny bayanihan\nhttp_port 127.0.0.1:3128\n'
        f"pid_filename none\ncache_log {folder}/cache.log\ncache_effective_user nobody\n"
        f"access_log none\nvisible_hostname feed.invalid\ncoredump_dir {folder}\n",
        encoding="ascii",
    )
    return ["-k", "parse", "-f", str(conf)]


_YARA = "import sys, yara_x; yara_x.compile(open(sys.argv[1], encoding='utf-8').read())"
_SIGMA = (
    "import sys; from sigma.collection import SigmaCollection as S; "
    "rules = S.from_yaml(open(sys.argv[1], encoding='utf-8').read()); "
    "[c.parsed for rule in rules for c in rule.detection.parsed_condition]"
)
_CLAM = Engine("clamscan", _clamscan, good=(0, 1))

ENGINES: dict[str, Engine] = {
    "rpz.zone": Engine(
        "named-checkzone", lambda folder, file: ["-k", "ignore", "rpz.feed", str(file)]
    ),
    "unbound.conf": Engine("unbound-checkconf", _unbound),
    "dnsmasq.conf": Engine("dnsmasq", lambda folder, file: ["--test", "-C", str(file)]),
    "nftables.nft": Engine("nft", lambda folder, file: ["-c", "-f", str(file)], jail=True),
    "suricata.rules": Engine("suricata", _suricata),
    "clamav.hsb": _CLAM,
    "clamav.ndb": _CLAM,
    "spamassassin.cf": Engine("spamassassin", _spamassassin),
    "rspamd.map": Engine("rspamadm", _rspamd),
    "postfix.access": Engine("postmap", _postmap, bad_words=("warning:",), apart=False),
    "squid.acl": Engine("squid", _squid, bad_words=("ERROR:", "FATAL:", "is a subdomain")),
    "yara.yar": Engine("yara-x", lambda folder, file: [_YARA, str(file)], module="yara_x"),
    "sigma.yml": Engine("pySigma", lambda folder, file: [_SIGMA, str(file)], module="sigma"),
}
