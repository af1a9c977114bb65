"""`roomscribe up`: claims the state folder, finds the servers, starts everything, stays, and stops in order."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from roomscribe_common import servers
from roomscribe_common.servers import MissingServerError, Program, ServerName

from roomscribe_cli.local.disk import DiskWatch
from roomscribe_cli.local.leftovers import check_ports, end_leftovers
from roomscribe_cli.local.plan import Plan, make_plan, named_livekit, service_birth, stop_waves
from roomscribe_cli.local.record import StackError, StackRecord, StateFolder
from roomscribe_cli.local.supervisor import Supervisor

_PROVISION_WITHIN_S = 30.0
_NO_SPACE = "insufficient storage"
"""What NATS says when the disk has no room for what the streams may take."""
_ONE_WISH_S = 1.0
"""`timeout` and terminals tell the process and its group: two signals within this time are one wish."""
_END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Show = Callable[[Plan, StackRecord], None]


def say(text: str) -> None:
    """A line for people, on standard error: standard output is for what was asked for."""
    with suppress(BrokenPipeError):
        print(f"roomscribe: {text}", file=sys.stderr, flush=True)


def run(state: Path, services: list[str], show: Show) -> None:
    """Run the servers and these service processes until told to end; `show` is called once, when all is ready.

    Raises StackError.
    """
    # Until the event loop takes the signals over, they must unwind what is being done (a build, say).
    for number in _END_SIGNALS:
        signal.signal(number, _unwind)
    folder = StateFolder(state)
    with folder.claimed():
        programs = _obtain_programs()
        record = folder.read() or StackRecord.new()
        end_leftovers(record, say)
        record.run(services)
        check_ports(record)
        _put_last_logs_aside(folder)
        folder.write(record)
        asyncio.run(_supervise(folder, record, programs, show))


def _unwind(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _obtain_programs() -> dict[ServerName, Program]:
    programs: dict[ServerName, Program] = {}
    try:
        for name in ("nats", "redis"):
            programs[name] = servers.obtain(name, say)
    except MissingServerError as error:
        raise StackError(str(error)) from error
    if named_livekit(os.environ) is None:
        try:
            programs["livekit"] = servers.obtain("livekit", say)
        except MissingServerError as error:
            say(f"running without LiveKit: meetings come from files only, by `roomscribe replay`. {error}")
    return programs


def _put_last_logs_aside(folder: StateFolder) -> None:
    for log in folder.logs.glob("*.log"):
        log.replace(log.with_suffix(".log.1"))


async def _supervise(folder: StateFolder, record: StackRecord, programs: dict[ServerName, Program], show: Show) -> None:
    def changed(processes: dict[str, int]) -> None:
        record.processes = processes
        folder.write(record)

    nursery = service_birth(folder)
    plan = make_plan(folder, record, programs, nursery)
    supervisor = Supervisor(say, changed)
    told_to_end = _end_on_signals(supervisor)
    await nursery.open()
    disk = DiskWatch(folder.path, say, lambda: supervisor.restart("nats"))
    running = asyncio.create_task(_run_stack(supervisor, plan, lambda: show(plan, record)))
    watching = asyncio.create_task(disk.run())
    ending = asyncio.create_task(told_to_end.wait())
    try:
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        running.cancel()
        watching.cancel()
        ending.cancel()
        say("stopping")
        await supervisor.stop(stop_waves(supervisor.names))
        await nursery.close()


def _end_on_signals(supervisor: Supervisor) -> asyncio.Event:
    told = asyncio.Event()
    first_at = 0.0

    def tell() -> None:
        nonlocal first_at
        now = time.monotonic()
        if not told.is_set():
            first_at = now
        elif now - first_at > _ONE_WISH_S:
            say("told twice: killing what is left")
            supervisor.kill()
        told.set()

    for number in _END_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, tell)
    return told


async def _run_stack(supervisor: Supervisor, plan: Plan, show: Callable[[], None]) -> None:
    supervisor.start(plan.servers)
    await supervisor.wait_ready([launch for launch in plan.servers if launch.name == "nats"])
    await _provision(plan.nats)
    # Services expect their streams, so they come after them; LiveKit and Redis get ready meanwhile.
    supervisor.start(plan.services)
    await supervisor.wait_ready([*plan.servers, *plan.services])
    show()
    await supervisor.watch()


async def _provision(nats_url: str) -> None:
    # Imported here, when the servers are already starting: this takes half a second that they need anyway.
    import nats.errors
    from roomscribe_common import connection, streams

    try:
        async with asyncio.timeout(_PROVISION_WITHIN_S):
            client = await connection.connect(nats_url, "roomscribe-up")
            jetstream = client.jetstream(timeout=_PROVISION_WITHIN_S)  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
            try:
                findings = await streams.apply(jetstream)
            finally:
                await client.close()
    except (connection.Unreachable, TimeoutError, nats.errors.Error) as error:
        reason = f"{error or 'NATS did not answer in time'}"
        if _NO_SPACE in reason:
            reason = f"{reason}. Free some space, or name a state folder on another disk with --state"
        raise StackError(f"the streams could not be provisioned: {reason}") from error
    for finding in findings:
        if finding.kind == "drift":
            say(f"{finding.what} differs from the table and was left as it is: {finding.detail}")
