"""Files become tracks, and what is not audio is refused by name."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
from roomscribe_cli.demo.script import Script, script_recordings
from roomscribe_cli.replay.recording import BadRecording, read, read_all


def _write(path: Path, rate: int, channels: int) -> Path:
    tone = 0.5 * np.sin(np.arange(rate) / rate * 2 * np.pi * 440)
    sf.write(path, np.stack([tone] * channels, axis=1), rate)  # pyright: ignore[reportUnknownMemberType]
    return path


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (48_000, 1)])
def test_any_rate_becomes_16_khz_mono(tmp_path: Path, rate: int, channels: int) -> None:
    recording = read(str(_write(tmp_path / "ada.wav", rate, channels)))
    assert len(recording.samples) == pytest.approx(16_000, abs=2)
    assert 15_000 < np.abs(recording.samples).max() <= 32_767
    assert (recording.identity, recording.name) == ("ada", "ada")


def test_a_name_may_be_given(tmp_path: Path) -> None:
    assert read(f"Ada Lindqvist={_write(tmp_path / 'a.wav', 16_000, 1)}").name == "Ada Lindqvist"


def test_a_wav_that_is_not_a_wav_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "fake.wav"
    path.write_text("this is no sound")
    with pytest.raises(BadRecording, match=r"fake\.wav: not audio that can be read"):
        read(str(path))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"gone\.wav: no such file"):
        read(str(tmp_path / "gone.wav"))


def test_an_empty_file_of_samples_is_refused(tmp_path: Path) -> None:
    sf.write(tmp_path / "none.wav", np.zeros(0), 16_000)  # pyright: ignore[reportUnknownMemberType]
    with pytest.raises(BadRecording, match="holds no samples"):
        read(str(tmp_path / "none.wav"))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    files = [_write(tmp_path / "ada.wav", 16_000, 1), _write(tmp_path / "b" / "ada.wav", 16_000, 1)]
    with pytest.raises(BadRecording, match="two files are called 'ada'"):
        read_all(str(file) for file in files)


def test_the_script_becomes_one_recording_a_stay_with_every_line_in_it() -> None:
    script = Script.load()
    recordings = script_recordings(script)
    assert len(recordings) == sum(len(person.presence_s) for person in script.people)
    for line in script.lines:
        inside = [r for r in recordings if r.identity == line.speaker and r.at_s <= line.at_s < r.end_s]
        first = round((line.at_s - inside[0].at_s) * 16_000)
        assert np.abs(inside[0].samples[first : first + 16_000]).max() > 3_000
