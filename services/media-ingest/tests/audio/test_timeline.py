"""Samples to times: anchored on the earliest arrival, moved forward only by frames that never came."""

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_media_ingest.domain.timeline import MAX_LAG_MS, Timeline

FRAME = 1536
FRAME_MS = 96.0


def test_the_first_sample_was_heard_one_frame_before_the_first_arrival():
    timeline = Timeline()
    timeline.advance(FRAME, 5_000.0)
    assert timeline.start_ms(0) == 4_904
    assert timeline.start_ms(FRAME) == 5_000


@given(st.lists(st.floats(0.0, MAX_LAG_MS), min_size=1, max_size=50))
def test_late_frames_do_not_move_the_count(delays_ms: list[float]):
    timeline = Timeline()
    timeline.advance(FRAME, FRAME_MS)
    for at, delay_ms in enumerate(delays_ms):
        timeline.advance(FRAME, (at + 2) * FRAME_MS + delay_ms)
    assert timeline.start_ms(10 * FRAME) == 960


def test_missing_frames_move_the_anchor_to_the_clock():
    timeline = Timeline()
    timeline.advance(FRAME, FRAME_MS)
    timeline.advance(FRAME, 10_000.0)
    assert timeline.start_ms(FRAME) == 10_000 - 96


def test_frames_that_only_waited_put_the_anchor_back():
    timeline = Timeline()
    timeline.advance(FRAME, FRAME_MS)
    for _ in range(10):
        timeline.advance(FRAME, 11 * FRAME_MS)
    assert timeline.start_ms(11 * FRAME) == round(11 * FRAME_MS)


def test_a_first_frame_that_came_late_is_corrected():
    timeline = Timeline()
    timeline.advance(FRAME, 500.0)
    timeline.advance(FRAME, 510.0)
    assert timeline.start_ms(2 * FRAME) == 510


@given(st.lists(st.tuples(st.integers(1, 3_000), st.floats(0, 5_000)), min_size=1, max_size=40))
def test_utterances_never_start_before_the_one_before_ended(steps: list[tuple[int, float]]):
    timeline, now_ms, samples, ended_ms = Timeline(), 0.0, 0, 0
    for count, waited_ms in steps:
        now_ms += waited_ms
        timeline.advance(count, now_ms)
        start_ms = timeline.start_ms(samples)
        assert start_ms >= ended_ms
        samples += count
        ended_ms = start_ms + count // 16
        timeline.ended(ended_ms)
