"""`roomscribe price`: what meetings would cost, without a running stack."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from roomscribe_cli.pricing.output import fail, refusal, request_of, write_report

_DEFAULTS: dict[str, Any] = {"meetings": 2000, "minutes": 45, "humans": 5}
_VOICE_STACK: dict[str, Any] = {
    "mode": "copilot",
    "stt.usd_per_minute": "0.0058",
    "llm.usd_per_minute": "0.0077",
    "telephony.usd_per_minute": "0.01",
    "observability.usd_per_minute": "0.01",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(price)


def price(
    meetings: Annotated[str | None, typer.Option(help="Meetings a month; 2000 by default.")] = None,
    minutes: Annotated[str | None, typer.Option(help="Length of each; 45 by default.")] = None,
    humans: Annotated[str | None, typer.Option(help="People in each; 5 by default.")] = None,
    agents: Annotated[str | None, typer.Option(help="Agents in each; 1 by default.")] = None,
    plan: Annotated[str | None, typer.Option(help="A price book's id; the cheapest hosted plan by default.")] = None,
    mode: Annotated[str | None, typer.Option(help="listen or copilot.")] = None,
    talk_share: Annotated[
        str | None, typer.Option(help="How much of a copilot meeting the agent speaks, 0 to 1.")
    ] = None,
    stt_basis: Annotated[str | None, typer.Option(help="mixed, per_track or spoken.")] = None,
    stt_price: Annotated[
        str | None, typer.Option(help="USD a minute of speech to text; 0 for the embedded one.")
    ] = None,
    tts_price: Annotated[str | None, typer.Option(help="USD a minute of the agent's speech.")] = None,
    llm_price: Annotated[str | None, typer.Option(help="USD a minute of an agent for its language model.")] = None,
    bandwidth: Annotated[bool, typer.Option("--bandwidth", help="Count it, at 1.2 and 0.2 Mbit/s.")] = False,
    model_credit: Annotated[bool, typer.Option("--model-credit", help="Count the plan's credit for models.")] = False,
    own_agents: Annotated[bool, typer.Option("--own-agents", help="Agents run on machines of your own.")] = False,
    own_agents_usd: Annotated[str | None, typer.Option(help="What those machines cost a month.")] = None,
    peak_meetings: Annotated[
        str | None, typer.Option(help="Meetings at once; three times the mean by default.")
    ] = None,
    build_effort: Annotated[
        str | None, typer.Option(help="USD once to build: after how many months it is back.")
    ] = None,
    voice_stack: Annotated[
        bool, typer.Option("--voice-stack", help="The article's prices of an agent that talks.")
    ] = False,
    on: Annotated[str | None, typer.Option(help="The day whose prices hold, as 2026-06-02.")] = None,
    request: Annotated[Path | None, typer.Option(help="A JSON file, as for POST /v1/estimates.")] = None,
    book: Annotated[list[Path] | None, typer.Option(help="A price book of your own; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
    report: Annotated[bool, typer.Option("--open", help="Write a page with plots, and open it.")] = False,
    out: Annotated[Path, typer.Option(help="Where --open writes.")] = Path("roomscribe-price.html"),
) -> None:
    """Price meetings: line by line, on every plan, with what the total depends on. Nothing is sent anywhere."""
    given: dict[str, Any] = {} if request is not None else dict(_DEFAULTS)
    given |= _VOICE_STACK if voice_stack else {}
    options: dict[str, Any] = {
        "meetings": meetings,
        "minutes": minutes,
        "humans": humans,
        "agents": agents,
        "plan": plan,
        "mode": mode,
        "tts.talk_share": talk_share,
        "stt.basis": stt_basis,
        "stt.usd_per_minute": stt_price,
        "tts.usd_per_minute": tts_price,
        "llm.usd_per_minute": llm_price,
        "bandwidth": {} if bandwidth else None,
        "use_model_credit": model_credit or None,
        "agents_on": "own" if own_agents else None,
        "own_agents.usd_per_month": own_agents_usd,
        "peak.meetings": peak_meetings,
        "build.effort_usd": build_effort,
        "on": on,
    }
    given |= {name: value for name, value in options.items() if value is not None}
    _run(given, request, book or [], as_json=as_json, out=out if report else None)


def _refuse_idle(given: dict[str, Any], *, mode: str, agents_on: str) -> None:
    """An option that the total does not count is a mistake."""
    if "tts.talk_share" in given and mode != "copilot":
        fail("price", f"--talk-share (tts.talk_share) needs --mode copilot; mode is {mode}")
    if "own_agents.usd_per_month" in given and agents_on != "own":
        fail("price", f"--own-agents-usd (own_agents.usd_per_month) needs --own-agents; agents_on is {agents_on}")


def _run(given: dict[str, Any], file: Path | None, books: list[Path], *, as_json: bool, out: Path | None) -> None:
    from roomscribe_common.contracts.pricing.request import EstimateRequest
    from roomscribe_common.errors import ProblemError
    from roomscribe_usage_metering.adapters.price_books import load_book
    from roomscribe_usage_metering.pricing.books import BadPriceBook, built_in
    from roomscribe_usage_metering.pricing.estimating import estimate

    from roomscribe_cli.pricing.estimate_report import estimate_report
    from roomscribe_cli.pricing.screen import plain_console, show_estimate

    asked, known, today = request_of("price", EstimateRequest, file, given), built_in(), datetime.now(UTC).date()
    _refuse_idle(given, mode=asked.mode, agents_on=asked.agents_on)
    try:
        for path in books:
            known = known.with_book(load_book(path))
        answer = estimate(asked, known, today)
    except BadPriceBook as error:
        fail("price", str(error))
    except ProblemError as error:
        refusal("price", error)
    if as_json:
        print(answer.model_dump_json(indent=2))
    else:
        show_estimate(plain_console(), answer)
    if out is not None:
        all_books = known if asked.book is None else known.with_book(asked.book)
        write_report("price", estimate_report(answer, asked, all_books, today), out)
