"""The `law` verbs: fixed JSON shapes, exports, exit codes, errors with file and line."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bayanihan.commands.law import app, main
from bayanihan.errors import Broken, Refused
from bayanihan.rulebook.law import Rulebook

from .conftest import ROOT, SYSTEMS

BANK = str(SYSTEMS / "bank-chatbot.yaml")
COMPOSITE = str(SYSTEMS / "composite.yaml")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    app(list(arguments), exit_on_error=False, print_error=False)
    return capsys.readouterr().out


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    told = json.loads(run(capsys, *arguments, "--json"))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", told["rulebook"])
    assert told["notice"] == "This is not legal advice."
    return told


def test_classify_has_the_fixed_shape(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "classify", BANK, "--as-of", "2026-11-22")
    assert told["as_of"] == "2026-11-22"
    found = {one["finding"]: one for one in told["findings"]}
    assert {"finding", "article", "state", "because"} <= set(found["eu/art50/1"])
    assert found["eu/art50/1"]["state"] == "yes"
    assert found["eu/art6/2"]["state"] == "not-yet"
    assert found["vn/high"]["state"] == "yes"


def test_matrix_has_the_fixed_shape(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "matrix", "--baseline", "model-asean")
    assert told["baseline"] == "model-asean"
    assert told["watermark"] == "proposal, no standing"
    cell = told["cells"][0]
    assert {"member", "obligation", "relation", "source", "as_of"} <= set(cell)
    assert len({one["member"] for one in told["cells"]}) == 11
    assert answer(capsys, "matrix")["baseline"] == "asean-guide"


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", BANK, "--as-of", "2026-11-22"),
        ("classify", BANK, "--as-of", "2026-11-22", "--proof"),
        ("duties", BANK, "--member", "VN", "--member", "SG", "--as-of", "2027-12-03"),
        ("duties", COMPOSITE, "--as-of", "2026-08-01", "--known", "2026-07-26"),
        ("matrix", "--baseline", "model-asean"),
        ("diff", "eu-ai-act@2026-07-26", "eu-ai-act@2026-07-27", "--system", COMPOSITE),
        ("fines", "art16", "--size", "smc", "--turnover-eur", "1000000000"),
        ("adopt", "model/incident/first", "--system", BANK, "--assisted", "2028-06-01"),
        ("clocks", BANK, "--kind", "cyber", "--aware", "2026-11-22T09:30:00Z", "--drafts"),
        ("tracks", "--member", "KH"),
        ("register", COMPOSITE, "--as-of", "2027-12-03"),
        ("assess", BANK, "--template", "art27"),
        ("practices", "incident", "--member", "MY"),
        ("checks", "robustness"),
        ("claims",),
        ("procedures", "eu/art79"),
        ("members", "--member", "MY"),
        ("members",),
        ("show", "eu/art6/2"),
        ("show", "model/incident/first"),
        ("procedures",),
    ],
)
def test_every_verb_prints_and_says_that_it_is_no_advice(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    out = run(capsys, *arguments)
    assert "Rulebook sha256:" in out
    assert "This is not legal advice." in out


def test_proposals_are_watermarked_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    adopted = ("--adopt", "model-asean=2027-01-01", "--as-of", "2030-01-01", "--member", "SG")
    for form in ("text", "json", "csv", "ics", "html"):
        assert (
            "proposal\\, no standing"
            in (out := run(capsys, "duties", BANK, *adopted, "--format", form))
            or "proposal, no standing" in out
        )
    for form in ("text", "json", "csv", "html"):
        out = run(capsys, "matrix", "--baseline", "model-asean", "--format", form)
        assert "proposal, no standing" in out
    for verb in ("adopt", "show"):
        assert "proposal, no standing" in run(capsys, verb, "model/register")
        assert answer(capsys, verb, "model/register")
    assert "proposal, no standing" in run(capsys, "diff", "model-asean", "model-asean")
    told = answer(capsys, "classify", BANK, "--as-of", "2026-11-22")
    marks = {f["text"]: f["watermark"] for f in told["findings"]}
    assert marks["model-asean"] == "proposal, no standing"
    assert marks["eu-ai-act"] == ""


@pytest.mark.parametrize("form", ["csv", "html", "ics"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", COMPOSITE, "--as-of", "2026-11-22"),
        ("duties", COMPOSITE, "--member", "EU", "--as-of", "2026-11-22"),
        ("clocks", BANK, "--kind", "cyber", "--aware", "2026-11-22T09:30:00Z"),
        ("matrix", "--baseline", "model-asean"),
        ("diff", "eu-ai-act@2026-07-26", "eu-ai-act@2026-07-27", "--system", COMPOSITE),
        ("register", COMPOSITE),
        ("practices", "incident"),
    ],
)
def test_every_answer_is_exported(
    capsys: pytest.CaptureFixture[str], book: Rulebook, arguments: tuple[str, ...], form: str
) -> None:
    whole = run(capsys, *arguments, "--format", form).replace("\r\n ", "")
    assert book.digest in whole
    assert "not legal advice" in whole
    if form == "ics":
        assert whole.count("BEGIN:VEVENT") == whole.count("END:VEVENT") > 0
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(whole)))
        assert rows
        assert all(None not in row and row["rulebook"] == book.digest for row in rows)
    else:
        page = Page()
        page.feed(whole)
        assert page.tags.count("tr") > 1
    marked = "model-asean" in arguments
    assert ("no standing" in whole) >= marked


def test_a_provision_is_shown_with_quotation_source_and_pedigree(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (told,) = answer(capsys, "show", "eu/art6/2")["versions"]
    assert any("2 December 2027" in piece["quote"] for piece in told["quotations"])
    (model,) = answer(capsys, "show", "model/incident/first")["versions"]
    assert model["pedigree"][0].startswith("floor met by SG 2 h")
    (incident,) = answer(capsys, "show", "vn/incident")["versions"]
    assert len(incident["disagreement"]) == 2


def test_members_show_their_bills_and_what_was_not_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = answer(capsys, "members")["members"]
    assert len(told) == 11
    drafts = [i["title"] for i in told["MY"]["instruments"] if i["state"] == "draft"]
    assert drafts[0].startswith("AI Governance Bill")
    assert any(i["state"] == "unknown" for i in told["MY"]["instruments"])
    assert told["VN"]["readiness"]["score"] == 61.42


def test_the_sheet_is_csv(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "duties", BANK, "--as-of", "2027-12-03", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) > 20
    assert {"duty", "member", "due", "rulebook", "notice"} <= set(rows[0])


def test_the_calendar_is_rfc_5545(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "duties", COMPOSITE, "--as-of", "2026-11-22", "--format", "ics")
    lines = out.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines[-2] == "END:VCALENDAR"
    assert all(len(line.encode()) <= 75 for line in lines)
    unfolded = out.replace("\r\n ", "")
    events = unfolded.split("BEGIN:VEVENT")[1:]
    assert len(events) > 20
    assert any("DTSTART;VALUE=DATE:20271202" in event for event in events)
    uids = re.findall(r"UID:(\S+)", unfolded)
    assert len(uids) == len(set(uids)) == len(events)


class Page(HTMLParser):
    """Collects tags, and fails on what a printed page must not have."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in ("script", "img", "link", "iframe")
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("src", "href")]


def test_the_page_is_plain_and_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hostile = (
        Path(BANK)
        .read_text(encoding="utf-8")
        .replace("name: Loan assistant", "name: '<script>alert(1)</script>'")
    )
    path = tmp_path / "hostile.yaml"
    path.write_text(hostile, encoding="utf-8")
    out = run(capsys, "duties", str(path), "--as-of", "2027-12-03", "--format", "html")
    page = Page()
    page.feed(out)
    assert page.tags.count("tr") > 20
    assert "&lt;script&gt;" in out


def test_a_formula_in_a_sheet_is_defused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = Path(BANK).read_text(encoding="utf-8").replace("sha256:demo-robustness", "=1+1")
    path = tmp_path / "formula.yaml"
    path.write_text(text, encoding="utf-8")
    out = run(capsys, "duties", str(path), "--as-of", "2027-12-03", "--format", "csv")
    cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
    assert "'=1+1" in cells
    assert not [cell for cell in cells if cell.startswith("=")]


def test_the_cases_run_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "0 do not" in run(capsys, "test", str(ROOT / "tests" / "rulebook" / "cases"))


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("system: x\nfacts:\n  chatbott: true\n", "bad-value", "s.yaml:3"),
        ("system: x\nfacts:\n  annex_iii: [9z]\n", "bad-value", "s.yaml:3"),
        ("system: x\nfacts:\n  profiling: maybe\n", "bad-value", "s.yaml:3"),
        ("system: x\nfacts:\n  training_flop: -1\n", "bad-value", "s.yaml:3"),
        ("system: x\nfacts:\n  training_flop: lots\n", "bad-value", "s.yaml:3"),
        ("system: x\nfacts:\n  placed_on_market: 2026-02-30\n", "bad-value", "s.yaml:3"),
        ("system: x\nfacts:\n  only_personal: true\n  roles: [deployer]\n", "conflict", "s.yaml:4"),
        ("system: x\n", "missing-property", "s.yaml:1"),
        ("system: x\nfacts: {}\nfact: {}\n", "bad-value", "s.yaml:3"),
        ("a: &a [1]\nb: *a\n", "bad-value", "s.yaml:1"),
        ("system: !!python/name:os.system x\nfacts: {}\n", "bad-value", "s.yaml:1"),
        ("just words\n", "bad-value", "s.yaml:1"),
    ],
)
def test_a_bad_system_file_is_refused_with_its_line(
    tmp_path: Path, text: str, code: str, where: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        app(["classify", str(path)], exit_on_error=False, print_error=False)
    assert (caught.value.code, caught.value.where) == (code, where)


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", BANK, "--as-of", "2026-02-30"),
        ("classify", BANK, "--as-of", "1999-01-01"),
        ("classify", BANK, "--as-of", "2026-11-22", "--known", "1999-01-01"),
        ("duties", BANK, "--member", "XX"),
        ("duties", BANK, "--adopt", "model-asean"),
        ("duties", BANK, "--adopt", "nothing=2028-01-01"),
        ("duties", BANK, "--format", "pdf"),
        ("matrix", "--baseline", "nothing"),
        ("matrix", "--format", "pdf"),
        ("fines", "art16", "--turnover-eur", "much"),
        ("fines", "art16", "--size", "huge"),
        ("clocks", BANK, "--kind", "cyber", "--aware", "2026-11-22"),
        ("adopt", "model/nothing"),
        ("show", "eu/nothing"),
        ("classify", "nowhere.yaml"),
    ],
)
def test_a_bad_question_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(Refused):
        app(list(arguments), exit_on_error=False, print_error=False)


def test_main_tells_errors_in_a_sentence_and_exits_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["classify", "nowhere.yaml"])
    assert caught.value.code == 1
    assert "Next:" in capsys.readouterr().err


def test_seals_notice_an_edit(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    law = tmp_path / "eu-ai-act.yaml"
    law.write_text(files["eu-ai-act.yaml"] + "\n# a word by hand\n", encoding="utf-8")
    with pytest.raises(Broken) as caught:
        app(["classify", BANK, "--rulebook", str(tmp_path)], exit_on_error=False)
    assert caught.value.where == "eu-ai-act.yaml"
    app(["seal", str(tmp_path)], exit_on_error=False)
    app(["classify", BANK, "--rulebook", str(tmp_path)], exit_on_error=False)


def test_a_folder_that_does_not_load_is_not_sealed(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / "facts.yaml").write_text(files["facts.yaml"], encoding="utf-8")
    (tmp_path / "bad.yaml").write_text("text: t\n", encoding="utf-8")
    with pytest.raises(Refused):
        app(["seal", str(tmp_path)], exit_on_error=False)
    assert not (tmp_path / "seals.yaml").exists()
