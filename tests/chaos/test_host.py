"""The machine misbehaves: first the disk of the state folder is full, then the clock is set back by an hour.

The state folder is a file system of its own in memory, shrunk to what is in it and grown again. That needs the right to
mount one: root's, or a user namespace's. The clock is that of every process but LiveKit and NATS.
"""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from roomscribe_cli.testing import Stacks

from tests.chaos.beside import Beside
from tests.chaos.evidence import Evidence
from tests.chaos.faults import At, Faults
from tests.chaos.judge import holds
from tests.chaos.run import not_ready, trial_on
from tests.chaos.speech import in_turn, middle_s
from tests.chaos.trial import World

pytestmark = pytest.mark.timeout(300)

FULL = in_turn("disk", [("ada", 5), ("ben", 9), ("ada", 4), ("ben", 13)])
FULL_S = 7.0
_NOTICED_S = 20.0
"""A service learns that the disk is full when it next writes."""
BACK = in_turn("clock", [("ada", 9), ("ben", 8), ("ada", 5), ("ben", 10)])
_ENOUGH = "4g"
"""Only what is written takes memory; NATS asks for much, lest it runs out."""


@dataclass
class Outcome:
    """Two meetings, what services lacked while the disk was full, and what was said of it."""

    full: Evidence
    back: Evidence
    lacking: dict[str, str]
    said: str
    logs: dict[str, str]


class Disk:
    """The file system of one stack's state folder, in the mount namespace of its process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own_namespace = [] if os.geteuid() == 0 else ["--user"]

    @property
    def within(self) -> list[str]:
        """Runs a stack on it."""
        mount = f'mount -t tmpfs -o size={_ENOUGH} tmpfs "$0" && exec "$@"'
        mapped = ["--map-root-user"] if self._own_namespace else []
        return ["unshare", "--mount", *self._own_namespace, *mapped, "sh", "-c", mount, str(self.folder)]

    def seen_by(self, pid: int) -> Path:
        """The folder as that process has it."""
        return Path(f"/proc/{pid}/root{self.folder}")

    def resize(self, pid: int, size: str) -> None:
        """Give it another size."""
        credentials = ["--preserve-credentials"] if self._own_namespace else []
        enter = ["nsenter", "--target", str(pid), "--mount", *self._own_namespace, *credentials]
        subprocess.run([*enter, "mount", "-o", f"remount,size={size}", str(self.folder)], check=True)

    def fill(self, pid: int) -> None:
        """Leave no byte."""
        self.resize(pid, f"{shutil.disk_usage(self.seen_by(pid)).used // 1024}k")


def _faked(clock: Path) -> dict[str, str]:
    """The environment in which a process reads its wall clock's offset from a file, every second."""
    found = importlib.util.find_spec("libfaketime")
    assert found is not None
    assert found.submodule_search_locations is not None
    library = Path(found.submodule_search_locations[0]) / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "DONT_FAKE_MONOTONIC": "1",
    }


def trial_beside(stacks: Stacks) -> Outcome:
    folder, clock = stacks.folder / "host", stacks.folder / "offset"
    folder.mkdir()
    clock.write_text("+0s\n")
    disk = Disk(folder)
    up = stacks.up("host", _faked(clock), within=disk.within).wait_ready()
    seen = replace(up, state=disk.seen_by(up.process.pid))
    outcome = trial_on(seen, lambda world: _trial(world, disk, clock))
    outcome.said = up.said()
    outcome.logs = {log.stem: log.read_text() for log in (seen.state / "logs").glob("*.log")}
    assert up.end() == 0
    return outcome


async def _trial(world: World, disk: Disk, clock: Path) -> Outcome:
    lacking: dict[str, str] = {}

    async def full(faults: Faults) -> None:
        pid = faults.up.process.pid
        await asyncio.to_thread(disk.fill, pid)
        began = time.monotonic()
        while (full_s := time.monotonic() - began) < FULL_S or (not lacking and full_s < _NOTICED_S):
            await asyncio.sleep(0.5)
            lacking.update(await not_ready(faults.up))
        await asyncio.to_thread(disk.resize, pid, _ENOUGH)

    async def set_back(_: Faults) -> None:
        await asyncio.to_thread(clock.write_text, "-3600s\n")

    first = await world.hold(FULL, At(middle_s(FULL, 2), full))
    second = await world.hold(BACK, At(middle_s(BACK, 2), set_back))
    return Outcome(first, second, lacking, "", {})


@pytest.fixture(scope="module")
def outcome(beside: Beside) -> Outcome:
    return beside.result(__name__)


def test_a_full_disk_loses_and_repeats_nothing_while_rooms_can_keep_it(outcome: Outcome) -> None:
    holds(outcome.full)
    assert outcome.full.stored.gaps == []


def test_a_full_disk_is_alarmed_with_what_helps(outcome: Outcome) -> None:
    assert "ALARM: the disk of" in outcome.said
    assert "Free some space" in outcome.said
    assert outcome.lacking, "every service was ready although nothing could be stored"


def test_after_a_full_disk_and_with_a_clock_set_back_nothing_is_lost_doubled_or_billed_wrongly(
    outcome: Outcome,
) -> None:
    holds(outcome.back)
    assert outcome.back.stored.gaps == []


def test_every_word_keeps_its_place_in_the_meeting(outcome: Outcome) -> None:
    evidence = outcome.back
    heard = [evidence.span_of(final.start_ms, final.end_ms).begin for final in evidence.stored.latest()]
    for number in range(1, len(BACK.lines) + 1):
        said = evidence.sentence(number)
        assert any(said.begin - 1.5 < begin < said.end for begin in heard), (number, said, heard)


def test_no_time_is_negative_and_nothing_lasts_an_hour(outcome: Outcome) -> None:
    evidence = outcome.back
    assert evidence.usage is not None
    for line in evidence.usage.lines:
        assert line.quantity >= 0, line
        assert line.unit != "ms" or line.quantity < 10 * 60_000, line
        assert line.started_at is None or line.ended_at is None or line.started_at <= line.ended_at, line
    for final in evidence.stored.latest():
        assert 0 <= final.start_ms <= final.end_ms < 10 * 60_000, final


def test_the_leap_of_the_clock_is_alarmed_by_every_service(outcome: Outcome) -> None:
    said = {name for name, log in outcome.logs.items() if "the clock was set back" in log}
    assert said >= {"dispatcher", "media-ingest", "stt-worker", "attribution", "usage-metering", "gateway"}
