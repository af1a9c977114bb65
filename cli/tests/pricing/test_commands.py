"""`roomscribe price` and `roomscribe cost-model`: on the terminal, as JSON, as a page; without a stack."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from roomscribe_cli.commands import cost_model, price
from typer.testing import CliRunner, Result

OWN_BOOK = {
    "schema": "price-book/1",
    "id": "ours",
    "name": "Our contract",
    "kind": "livekit-cloud",
    "currency": "USD",
    "source": {"text": "the contract", "status": "contract"},
    "versions": [{"version": "a", "base": "10", "rates": {"agent_session_minutes": {"unit_price": "0.001"}}}],
}


@pytest.fixture(autouse=True)
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test opens a browser, whatever machine it runs on."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    price.register(app)
    cost_model.register(app)
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})


def test_the_worked_example_is_shown_with_its_lines_total_and_break_evens() -> None:
    result = run("price", "--plan", "livekit-cloud-scale")
    assert result.exit_code == 0, result.output
    for words in ("$1,440.00", "agent session minutes", "40,000", "$400.00", "$0.96 an hour", "983 meetings", "█"):
        assert words in result.output
    assert "cannot serve: 26 agent sessions at once" in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 100


def test_json_is_the_answer_and_nothing_else() -> None:
    answer = json.loads(run("price", "--plan", "livekit-cloud-scale", "--json").stdout)
    assert answer["total"] == "1440.00"
    talking = json.loads(run("price", "--plan", "livekit-cloud-scale", "--mode", "copilot", "--json").stdout)
    assert talking["total"] == "4140.00"
    stack = json.loads(run("price", "--voice-stack", "--json").stdout)
    assert stack["agent_minute"]["total"] == "0.0735"
    assert json.loads(run("cost-model", "--json").stdout)["monthly"] == "1036.60"
    aws = json.loads(run("cost-model", "--cloud", "aws", "--set", "capacity.system_nodes=2", "--json").stdout)
    assert aws["monthly"] == "1009.07"


def test_the_cost_model_is_shown_with_its_margin_and_fleet() -> None:
    result = run("cost-model")
    assert result.exit_code == 0, result.output
    for words in ("$1,036.60", "64.46%", "$310,980.00", "AWS (placeholder prices)", "$948.34", "1,036"):
        assert words in result.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("price", "--meetings", "-1"), "meetings: must be a whole number, 0 to 1000000000; it is '-1'"),
        (("price", "--minutes", "NaN"), "minutes: must be a number, above 0 and at most 44640; it is 'NaN'"),
        (("price", "--plan", "gold"), "unknown plan 'gold'; the plans are"),
        (("price", "--request", "no-such-file.json"), "no-such-file.json cannot be read"),
        (("price", "--book", "no-such-file.json"), "no-such-file.json cannot be read"),
        (("price", "--talk-share", "0.1"), "--talk-share (tts.talk_share) needs --mode copilot; mode is listen"),
        (("price", "--own-agents-usd", "9"), "(own_agents.usd_per_month) needs --own-agents; agents_on is cloud"),
        (("price", "--meetings", "3000", "--peak-meetings", "1"), "peak.meetings: must be at least the mean at once"),
        (("cost-model", "--set", "capacity.nodes=1"), "capacity.nodes: unknown field"),
        (("cost-model", "--set", "nonsense"), "expected GROUP.NAME=VALUE"),
        (("cost-model", "--set", "commercial.customers=1e30"), "must be a whole number, 1 to 10000000; it is '1e30'"),
    ],
)
def test_bad_input_ends_with_status_2_and_names_the_field(arguments: tuple[str, ...], why: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr
    assert not result.stdout


def test_a_request_file_and_a_book_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "request.json").write_text(json.dumps({"meetings": 10, "minutes": 10, "humans": 2, "plan": "ours"}))
    (tmp_path / "book.json").write_text(json.dumps(OWN_BOOK))
    files = ("--request", str(tmp_path / "request.json"), "--book", str(tmp_path / "book.json"))
    answer = json.loads(run("price", *files, "--stt-price", "0", "--json").stdout)
    assert answer["total"] == "10.10"
    assert answer["complete"] is False
    (tmp_path / "request.json").write_text("[]")
    assert "must hold one JSON object" in run("price", *files).stderr


class Page(HTMLParser):
    """Counts plots and collects what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.plots = 0
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.plots += tag == "svg"
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        self.loads += [tag] if tag in ("script", "link", "iframe") else []


@pytest.mark.parametrize(("command", "plots"), [("price", 5), ("cost-model", 4)])
def test_the_report_is_one_file_with_its_plots_inside(command: str, plots: int, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    result = run(command, "--open", "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    json.loads(result.stdout)
    text = out.read_text("utf-8")
    page = Page()
    page.feed(text)
    assert page.plots == plots
    assert page.loads == []
    assert not re.search(r"https?://|url\(|@import", text)
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_a_report_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    result = run("price", "--open", "--out", str(tmp_path / "none" / "report.html"))
    assert result.exit_code == 2
    assert "name another file with --out" in result.stderr


def test_names_from_a_book_are_text_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text(json.dumps({**OWN_BOOK, "name": "<script>alert(1)</script>"}))
    out = tmp_path / "report.html"
    result = run("price", "--plan", "ours", "--book", str(tmp_path / "book.json"), "--open", "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "<script>" not in out.read_text("utf-8")
    assert "&lt;script&gt;" in out.read_text("utf-8")


def own_book(folder: Path, **changes: object) -> tuple[str, ...]:
    (folder / "book.json").write_text(json.dumps({**OWN_BOOK, **changes}))
    return ("--book", str(folder / "book.json"))


def test_names_from_a_book_are_text_on_the_terminal(tmp_path: Path) -> None:
    result = run("price", "--plan", "ours", *own_book(tmp_path, name="Contract [/EU] [bold]:smile:"))
    assert result.exit_code == 0, result.output
    assert "Contract [/EU] [bold]:smile:" in result.output
    dearer = [{"version": "a", "base": "300", "rates": {"agent_session_minutes": {"unit_price": "0.001"}}}]
    crossing = run("price", "--meetings", "500", *own_book(tmp_path, name="Contract [/EU]", versions=dearer))
    assert crossing.exit_code == 0, crossing.output
    assert re.search(r"Next break-even: from [^.]*Contract \[/EU\]", " ".join(crossing.output.split()))


def test_a_book_in_another_currency_is_told_beside_the_plans_and_never_among_them(tmp_path: Path) -> None:
    files = own_book(tmp_path, currency="JPY")
    result = run("price", "--stt-price", "0", *files)
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "not comparable: its prices are in JPY, those of this estimate in USD; its own total is JPY 100.00" in told
    assert "livekit-cloud" in json.loads(run("price", *files, "--json").stdout)["plan"]
    refused = run("price", "--plan", "ours", *files)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "plan: ours has its prices in JPY, and `currency`" in refused.stderr


def test_no_curve_of_another_currency_is_drawn(tmp_path: Path) -> None:
    drawn = own_book(tmp_path, id="self-hosted", name="A cluster in Tokyo", kind="self-hosted", currency="JPY")
    out = tmp_path / "report.html"
    assert run("price", *drawn, "--open", "--out", str(out)).exit_code == 0
    plots = "".join(re.findall(r"<svg.*?</svg>", out.read_text("utf-8"), re.DOTALL))
    assert "Recall.ai" in plots
    assert "A cluster in Tokyo" not in plots


@pytest.mark.parametrize("arguments", [("--meetings", "0"), ("--meetings", "1", "--humans", "0", "--agents", "0")])
def test_a_report_of_next_to_nothing_is_drawn_too(arguments: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert run("price", *arguments, "--open", "--out", str(out)).exit_code == 0
    assert "<svg" in out.read_text("utf-8")
