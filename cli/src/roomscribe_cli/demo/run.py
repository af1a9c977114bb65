"""The demonstration from start to end: stack, meeting, people, minutes, bill, scorecard."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from nats.js import JetStreamContext
from rich.console import Console
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_cli.client import Endpoint, Gateway, GatewayError
from roomscribe_cli.demo.bill import show_bill, write_bill
from roomscribe_cli.demo.listener import Listener
from roomscribe_cli.demo.people import Cast, Happened
from roomscribe_cli.demo.results import Results, write_results
from roomscribe_cli.demo.scorecard import Connection, Evidence, Outcome, score
from roomscribe_cli.demo.screen import Screen, show_minutes, show_scorecard, show_usage
from roomscribe_cli.demo.script import Script, script_recordings
from roomscribe_cli.demo.stack import StackReady, running_stack
from roomscribe_cli.replay.player import Player, Replay

NO_LIVEKIT = "No livekit-server here: the meeting is replayed from files, without a room. See `roomscribe doctor`."
_AFTER_S = 90.0
"""How long minutes, and then the ledger, may take after the last person left."""


async def _play(cast: Cast) -> list[Happened]:
    """Runs the people's process to its end; what happened, in order."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "roomscribe_cli.demo.people",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(cast.model_dump_json().encode()), cast.script.end_s + 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise GatewayError(f"the people's process failed with exit status {process.returncode}; its error is above")
    return [Happened.model_validate_json(line) for line in out.splitlines()]


def _connections(happened: list[Happened]) -> list[Connection]:
    joined: dict[str, float] = {}
    stays: list[Connection] = []
    for event in happened:
        if event.what == "joined":
            joined[event.identity] = event.at
        elif event.what == "left":
            stays.append(Connection(event.identity, event.at - joined.pop(event.identity)))
    return stays


@asynccontextmanager
async def _following(listener: Listener, gateway: Gateway, meeting: str) -> AsyncGenerator[None]:
    """Listens while the block runs and then to the stream's end; not beyond a block that failed."""
    following = asyncio.create_task(listener.follow(gateway, meeting))
    try:
        yield
        await asyncio.wait_for(following, _AFTER_S)
    finally:
        following.cancel()
        await asyncio.wait([following])


async def _closed_usage(gateway: Gateway, meeting: str) -> MeetingUsageData:
    """The meeting's ledger, as soon as it is closed; the open one after the deadline."""
    deadline = time.monotonic() + _AFTER_S
    while True:
        usage = MeetingUsageData.model_validate(await gateway.usage(meeting))
        if usage.closed or time.monotonic() > deadline:
            return usage
        await asyncio.sleep(0.25)


async def hold_meeting(gateway: Gateway, script: Script, console: Console) -> Outcome:
    """The scripted meeting in a real room, shown live; needs LiveKit."""
    meeting = await gateway.start(script.room, script.title)
    access = {p.identity: await gateway.token(meeting, p.identity, p.name) for p in script.people}
    url = next(iter(access.values()))["url"]
    cast = Cast(url=url, tokens={i: a["token"] for i, a in access.items()}, script=script)
    with Screen(console) as screen:
        listener = Listener(screen)
        async with _following(listener, gateway, meeting):
            happened = await _play(cast)
            await gateway.end(meeting)
    usage = await _closed_usage(gateway, meeting)
    evidence = Evidence(
        script=script,
        starts_at=next(h.at for h in happened if h.what == "began"),
        finals=listener.finals,
        gap_ms=sum(listener.gaps.values()),
        connections=_connections(happened),
        usage=usage,
        minutes=listener.minutes,
    )
    return Outcome(meeting, listener.finals, listener.minutes, usage, score(evidence))


async def _report(gateway: Gateway, outcome: Outcome, console: Console, out: Path) -> None:
    if outcome.minutes is not None:
        show_minutes(console, outcome.minutes, {f.data.segment_id: f.data for f in outcome.finals})
    if outcome.usage is not None:
        show_usage(console, outcome.usage)
        await show_bill(console, gateway, outcome.usage)
    show_scorecard(console, outcome.card)
    await write_results(out, gateway, outcome.meeting, Results(outcome.minutes, outcome.usage, outcome.card))
    if outcome.usage is not None:
        await write_bill(out, gateway)
    console.print(f"Files: {out}")


async def hold_replay(gateway: Gateway, nats_url: str, replay: Replay, console: Console) -> tuple[Listener, float]:
    """A meeting from files, shown live; what was heard, and the Unix time of its second 0."""
    nc = await connection.connect(nats_url, "replay")
    try:
        player = Player(replay, Bus(nc, JetStreamContext(nc), "replay"))
        await player.announce()
        await _until_known(gateway, replay.meeting_id)
        with Screen(console) as screen:
            listener = Listener(screen)
            async with _following(listener, gateway, replay.meeting_id):
                await player.run()
    finally:
        await connection.close(nc)
    return listener, replay.started_at.timestamp()


async def _until_known(gateway: Gateway, meeting: str) -> None:
    """The archive reads the bus: it knows of a meeting milliseconds after it was told."""
    async with asyncio.timeout(10):
        while True:
            try:
                await gateway.meeting(meeting)
                return
            except GatewayError:
                await asyncio.sleep(0.05)


async def replay_script(ready: StackReady, gateway: Gateway, script: Script, console: Console) -> Outcome:
    """The scripted meeting from its files, where there is no LiveKit: no connections, so nothing to bill for them."""
    replay = Replay.of(script_recordings(script), title=script.title, speed=1.0)
    listener, starts_at = await hold_replay(gateway, ready.nats, replay, console)
    gap_ms = sum(listener.gaps.values())
    evidence = Evidence(script, starts_at, listener.finals, gap_ms, [], None, listener.minutes)
    return Outcome(replay.meeting_id, listener.finals, listener.minutes, None, score(evidence))


async def _run_on(ready: StackReady, console: Console, out: Path, keep: bool) -> int:
    async with Gateway(Endpoint(ready.gateway, ready.api_key)) as gateway:
        if ready.livekit is None:
            console.print(NO_LIVEKIT)
            outcome = await replay_script(ready, gateway, Script.load(), console)
        else:
            outcome = await hold_meeting(gateway, Script.load(), console)
        await _report(gateway, outcome, console, out)
        if ready.livekit is None:
            console.print(NO_LIVEKIT)
        if keep:
            address = f"{ready.gateway}/meetings/{outcome.meeting}#key={ready.api_key}"
            console.print(f"Still running: {address}", soft_wrap=True)
            console.print("Ctrl-C stops it.")
            await asyncio.Event().wait()
    return 1 if outcome.card.failures else 0


async def run_demo(state: Path, out: Path, *, keep: bool, console: Console) -> int:
    """Starts a stack of its own, holds the meeting and reports; the exit status."""
    async with running_stack(state) as ready:
        return await _run_on(ready, console, out, keep)


async def run_replay(replay: Replay, running: StackReady | None, state: Path, out: Path, console: Console) -> None:
    """Replays files on the running stack, or on one of its own in `state`, and writes what came out."""
    async with AsyncExitStack() as stack:
        ready = running or await stack.enter_async_context(running_stack(state))
        gateway = await stack.enter_async_context(Gateway(Endpoint(ready.gateway, ready.api_key)))
        listener, _ = await hold_replay(gateway, ready.nats, replay, console)
        if listener.minutes is not None:
            show_minutes(console, listener.minutes, {f.data.segment_id: f.data for f in listener.finals})
        usage = await _closed_usage(gateway, replay.meeting_id)
        show_usage(console, usage)
        await write_results(out, gateway, replay.meeting_id, Results(listener.minutes, usage, None))
        console.print(f"Files: {out}")
