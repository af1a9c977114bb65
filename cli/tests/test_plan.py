from pathlib import Path

from roomscribe_cli.local.births import ProgramBirth
from roomscribe_cli.local.child import Launch
from roomscribe_cli.local.plan import STOP_WAVES, make_plan
from roomscribe_cli.local.record import StackRecord, StateFolder
from roomscribe_common.servers import Program, ServerName
from roomscribe_media_ingest.settings import IngestSettings
from roomscribe_stt_worker.claims import DRAIN_S

_AFTER_KILL_S = 1.0
"""A node waits so long for room processes it had to kill."""


def service(name: str, folder: Path) -> Launch:
    program = Program(Path("/bin/true"), "1", "PATH")
    programs: dict[ServerName, Program] = {"nats": program, "redis": program}
    plan = make_plan(StateFolder(folder), StackRecord.new(), programs, ProgramBirth())
    return next(launch for launch in plan.services if launch.name == name)


def test_nobody_is_killed_while_bringing_home_what_was_said(tmp_path: Path) -> None:
    ingest = service("media-ingest", tmp_path)
    flush_s = float(ingest.env["ROOMSCRIBE_INGEST_FLUSH_TIMEOUT_S"])
    settings = IngestSettings(ingest_flush_timeout_s=flush_s)
    assert ingest.stop_within_s > settings.leave_timeout_s + _AFTER_KILL_S
    assert service("stt-worker", tmp_path).stop_within_s > DRAIN_S


def test_a_stack_under_load_has_stopped_after_35_seconds() -> None:
    assert sum(seconds for _, seconds in STOP_WAVES) <= 35
