"""Subjects are built and parsed in one place, and refuse what NATS would take for structure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.stt import SttFinal
from roomscribe_common.contracts.transcript import TranscriptFinal
from roomscribe_common.ids import TOKEN_PATTERN, is_token, new_id
from roomscribe_common.registry import template
from roomscribe_common.subjects import Subject, UnsafeToken, audio_subject, parse, subject_of, wildcard

TOKENS = st.from_regex(TOKEN_PATTERN, fullmatch=True).map(lambda t: t.rstrip("\n"))


def test_a_transcript_subject_ends_with_the_meeting() -> None:
    assert subject_of(TranscriptFinal, "acme", "m1") == "transcript.v1.final.acme.m1"


def test_an_utterance_subject_goes_on_with_track_and_utterance() -> None:
    assert subject_of(SttFinal, "acme", "m1", "TR_1", "u1") == "stt.v1.final.acme.m1.TR_1.u1"


@given(tenant=TOKENS, meeting=TOKENS, track=TOKENS, utterance=TOKENS)
def test_what_is_built_parses_to_its_parts(tenant: str, meeting: str, track: str, utterance: str) -> None:
    parsed = parse(audio_subject(tenant, meeting, track, utterance))
    assert parsed == Subject("audio.v1.chunk", tenant, meeting, track, utterance)


@pytest.mark.parametrize("bad", ["", ".", "a.b", "*", ">", "a b", "a\n", "ä", "x" * 65, "x" * 300, "a\x00"])
def test_an_unsafe_id_is_refused_with_the_field_and_the_limit(bad: str) -> None:
    with pytest.raises(UnsafeToken, match=r"meeting .*1 to 64 letters"):
        subject_of(TranscriptFinal, "acme", bad)


@pytest.mark.parametrize("bad", ["", "a.b.c", "transcript.v1.final.acme", "a.b.c.d.e.f.g.h", "a.b.c.*.e", "a.b.c.>.e"])
def test_a_foreign_subject_is_refused(bad: str) -> None:
    with pytest.raises(UnsafeToken):
        parse(bad)


def test_filters_are_as_wide_as_asked() -> None:
    assert wildcard(TranscriptFinal) == "transcript.v1.final.>"
    assert wildcard(TranscriptFinal, tenant="acme") == "transcript.v1.final.acme.>"
    assert wildcard(TranscriptFinal, tenant="acme", meeting="m1") == "transcript.v1.final.acme.m1"
    with pytest.raises(UnsafeToken):
        wildcard(TranscriptFinal, tenant="acme.>")


def test_a_template_holds_no_id() -> None:
    assert template("stt.v1.final.acme.m1.TR_1.u1") == "stt.v1.final.<tenant>.<meeting>.<track>.<utterance>"
    assert template("command.v1.room.leave.acme.m1") == "command.v1.room.leave"
    assert template("audio.v1.chunk.acme.m1.TR_1.u1") == "audio.v1.chunk"


@pytest.mark.parametrize("subject", ["", "stt", "stt.v1.invented.acme.m1", "command.v1.x17.y18", "command.v1.room"])
def test_subjects_that_are_none_of_ours_share_one_template(subject: str) -> None:
    assert template(subject) == "unknown"


def test_new_ids_are_safe_and_in_order_of_time() -> None:
    ids = [new_id("utt") for _ in range(200)]
    assert all(is_token(i) for i in ids)
    assert len(set(ids)) == 200
    assert [i[:15] for i in ids] == sorted(i[:15] for i in ids)
