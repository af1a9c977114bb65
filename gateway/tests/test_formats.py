"""Transcripts as text: valid whatever was said."""

import csv
import io
import re

import pytest
from roomscribe_common.contracts.base import Participant
from roomscribe_common.contracts.transcript import TranscriptFinal, TranscriptGap
from roomscribe_gateway.domain import formats
from roomscribe_gateway.domain.transcript import Transcript, line

from .meetings import ADA, START, final, gap

HOSTILE = "a --> b\n\n00:00:01.000 --> 00:00:02.000\n<script>alert(1)</script> & \x00\x1b[31m *bold* [x](y) =1+1"
STRANGE = Participant(identity="eve", name="Eve\n<v Ada> & *Sons* -->")

_CUE = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")
_VOICE = re.compile(r"<v ([^<>\n]+)>([^<>\n]*)</v>")


def transcript(*items: TranscriptFinal | TranscriptGap, title: str = "Planning") -> Transcript:
    segments = [item.data for item in items if isinstance(item, TranscriptFinal)]
    gaps = [item.data for item in items if isinstance(item, TranscriptGap)]
    return Transcript("m1", "planning", title, START, "ended", True, segments, gaps)


def vtt_cues(text: str) -> list[tuple[int, int, str, str]]:
    """A strict reader of the part of WebVTT that is used here."""
    assert text.startswith("WEBVTT")
    cues: list[tuple[int, int, str, str]] = []
    for block in text.rstrip("\n").split("\n\n")[1:]:
        if block.startswith("NOTE"):
            assert "-->" not in block
            continue
        identifier, timing, payload = block.split("\n")
        assert "-->" not in identifier
        found, voice = _CUE.fullmatch(timing), _VOICE.fullmatch(payload)
        assert found, timing
        assert voice, payload
        h1, m1, s1, t1, h2, m2, s2, t2 = (int(part) for part in found.groups())
        start, end = ((h1 * 60 + m1) * 60 + s1) * 1000 + t1, ((h2 * 60 + m2) * 60 + s2) * 1000 + t2
        assert start < end
        cues.append((start, end, voice[1], voice[2]))
    assert [cue[0] for cue in cues] == sorted(cue[0] for cue in cues)
    return cues


def test_webvtt_stays_valid_whatever_is_said_and_whoever_says_it() -> None:
    text = formats.to_vtt(transcript(final("m1", 1, HOSTILE, person=STRANGE), gap("m1", 1, 3000), title=HOSTILE))
    ((start, end, name, said),) = vtt_cues(text)
    assert (start, end) == (1000, 1900)
    assert name == "Eve &lt;v Ada&gt; &amp; *Sons* --&gt;"
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in said


def test_webvtt_cues_have_a_length_and_hours_as_long_as_needed() -> None:
    segment = final("m1", 1, start_ms=100 * 3_600_000)
    short = segment.data.model_copy(update={"end_ms": segment.data.start_ms})
    text = formats.to_vtt(transcript(segment.model_copy(update={"data": short})))
    assert vtt_cues(text)[0][:2] == (360_000_000, 360_000_001)
    assert "100:00:00.000 --> 100:00:00.001" in text


def test_subrip_blocks_are_numbered_and_cannot_be_broken_by_text() -> None:
    text = formats.to_srt(transcript(final("m1", 1, HOSTILE), final("m1", 2)))
    blocks = text.rstrip("\n").split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["1", "2"]
    for block in blocks:
        _, timing, words = block.split("\n")
        assert re.fullmatch(r"\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}", timing)
        assert "-->" not in words


def test_csv_round_trips_and_runs_no_formula() -> None:
    said = '=HYPERLINK("http://evil"), "quoted"'
    text = formats.to_csv(transcript(final("m1", 1, said), gap("m1", 1, 3000)))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows[0]["text"] == f"'{said}"
    assert (rows[0]["identity"], rows[0]["start_ms"], rows[0]["sequence"]) == ("ada", "1000", "1")
    assert (rows[1]["kind"], rows[1]["end_ms"]) == ("gap", "4500")


def test_markdown_shows_what_was_said_and_not_its_markup() -> None:
    text = formats.to_md(transcript(final("m1", 1, "1. # [x](y) <b>*a*</b>"), title="# A *title*"))
    assert text.startswith("# \\# A \\*title\\*\n")
    assert "1\\. \\# \\[x\\](y) \\<b\\>\\*a\\*\\</b\\>" in text


def test_plain_text_has_one_line_a_segment_in_order_with_the_gaps() -> None:
    text = formats.to_txt(transcript(final("m1", 1, "One.\nTwo."), gap("m1", 1, 1500), final("m1", 2)))
    assert text.splitlines()[3:] == [
        "[00:00:01] Ada Lovelace: One. Two.",
        "[00:00:01] (1.5 s of Ada Lovelace are missing: agent lost)",
        "[00:00:02] Ada Lovelace: Good morning.",
    ]


def test_who_has_no_name_is_called_by_identity() -> None:
    person = Participant(identity="sip_4930", name=" \u0000")
    assert "sip_4930: Good morning." in formats.to_txt(transcript(final("m1", 1, person=person)))
    assert ADA.name


@pytest.mark.parametrize("text", ["می‌خواهم", "👩‍💻 Ada", "日本語のテキスト", "naïve"])
def test_scripts_that_need_joiners_keep_them(text: str) -> None:
    assert line(text) == text
