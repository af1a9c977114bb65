"""The scripted meeting: who is in the room when, who says what at which second, and what should come out."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile as sf  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
import soxr  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
from numpy.typing import NDArray
from pydantic import BaseModel
from roomscribe_common.contracts.audio import SAMPLE_RATE

from roomscribe_cli.replay.recording import Recording

HERE = Path(__file__).parent
_LEVEL = 0.5
_SILENCE = 0.01
"""Below this share of the loudest sample, the end of a clip counts as silence."""


class Person(BaseModel):
    """One attendee; `presence_s` are the spans in the room, in seconds from the start of the script."""

    identity: str
    name: str
    presence_s: list[tuple[float, float]]


class Line(BaseModel):
    """One thing said: by whom, from which second, and the clip that says it."""

    speaker: str
    at_s: float
    file: str
    text: str


class ExpectedItem(BaseModel):
    """An action item the minutes should hold: the line (counted from 1) it was said in, and who is to do it."""

    line: int
    owner: str


class Expected(BaseModel):
    """What the minutes should find, by line."""

    decisions: list[int]
    action_items: list[ExpectedItem]
    open_questions: list[int]

    @property
    def count(self) -> int:
        """All of them."""
        return len(self.decisions) + len(self.action_items) + len(self.open_questions)


class Script(BaseModel):
    """A whole meeting."""

    title: str
    room: str
    people: list[Person]
    lines: list[Line]
    expect: Expected

    @classmethod
    def load(cls, path: Path = HERE / "script.json") -> "Script":
        """The script committed beside this file, unless another is named."""
        return cls.model_validate_json(path.read_bytes())

    @property
    def end_s(self) -> float:
        """When the last person leaves."""
        return max(end for person in self.people for _, end in person.presence_s)

    def name_of(self, identity: str) -> str:
        """The visible name of a person."""
        return next(p.name for p in self.people if p.identity == identity)

    def lines_of(self, identity: str) -> list[Line]:
        """What one person says, in order."""
        return [line for line in self.lines if line.speaker == identity]


@cache
def clip(file: str, rate: int) -> NDArray[np.int16]:
    """The samples of a clip of the script, mono at `rate`, at one loudness for every voice."""
    samples, own_rate = sf.read(HERE / "speech" / file, dtype="float32")  # pyright: ignore[reportUnknownMemberType]
    resampled: NDArray[np.float32] = soxr.resample(np.asarray(samples, dtype=np.float32), own_rate, rate)
    return (resampled / np.abs(resampled).max() * _LEVEL * 32767).astype(np.int16)


def spoken_s(line: Line) -> tuple[float, float]:
    """When speech begins and ends in a line, in seconds of the script: its clip without the silence around it."""
    rate = 16_000
    loud = np.flatnonzero(np.abs(clip(line.file, rate)) > _SILENCE * _LEVEL * 32767)
    return line.at_s + float(loud[0]) / rate, line.at_s + float(loud[-1] + 1) / rate


def script_recordings(script: Script) -> list[Recording]:
    """The script as one recording per stay of a person, for a meeting without a room."""
    recordings: list[Recording] = []
    for person in script.people:
        for begins, ends in person.presence_s:
            samples = np.zeros(round((ends - begins) * SAMPLE_RATE), np.int16)
            for line in script.lines_of(person.identity):
                first = round((line.at_s - begins) * SAMPLE_RATE)
                said = clip(line.file, SAMPLE_RATE)
                if first >= 0 and first + len(said) <= len(samples):
                    samples[first : first + len(said)] += said
            recordings.append(Recording(person.identity, person.name, samples, begins))
    return recordings
