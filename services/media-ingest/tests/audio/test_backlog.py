"""The bounded backlog: what is kept, what is dropped, and the edges of the loss."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.base import Participant, Track
from roomscribe_media_ingest.domain.backlog import Backlog, Budget
from roomscribe_media_ingest.domain.utterance import Outgoing, TrackMeta

META = TrackMeta(
    tenant="local",
    meeting_id="mtg_1",
    room="kitchen",
    epoch=1,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    participant=Participant(identity="ann", name="Ann"),
    track=Track(id="TR_1", source="microphone"),
)
SECOND = 32_000


def say(backlog: Backlog, at_ms: int, chunks: int, *, close: bool = True) -> Outgoing:
    """An utterance of so many one-second chunks."""
    spoken = Outgoing("local", META.utterance(f"utt_{at_ms}", at_ms))
    backlog.open(spoken)
    for _ in range(chunks):
        backlog.append(bytes(SECOND), sent_at_ms=0)
    if close:
        backlog.append(b"", sent_at_ms=0, speech_end=spoken.samples)
    return spoken


def left(backlog: Backlog) -> list[Outgoing]:
    found: list[Outgoing] = []
    while (head := backlog.head) is not None:
        found.append(head)
        backlog.done()
    return found


def test_the_oldest_utterance_is_dropped_whole():
    backlog = Backlog(4 * SECOND)
    first, second, third = (say(backlog, at, 2) for at in (0, 3_000, 6_000))
    assert (first.dropped, second.dropped, third.dropped) == (True, False, False)
    assert not first.chunks
    assert backlog.dropped_samples == 32_000


def test_what_is_begun_stays_and_the_next_is_dropped():
    backlog = Backlog(4 * SECOND)
    first = say(backlog, 0, 2)
    first.begun = True
    second, third = say(backlog, 3_000, 2), say(backlog, 6_000, 2)
    assert (first.dropped, second.dropped, third.dropped) == (False, True, False)


def test_dropped_neighbours_become_one_gap_with_the_edges_of_both():
    backlog = Backlog(2 * SECOND)
    for at_ms in (1_000, 4_000, 8_000):
        say(backlog, at_ms, 2)
    gap = left(backlog)[0].gap().data
    assert (gap.start_ms, gap.end_ms) == (1_000, 6_000)
    assert (gap.utterance_id, gap.reason, gap.whole) == ("utt_1000", "buffer_full", True)


def test_a_dropped_utterance_that_is_still_recorded_is_lost_to_its_end():
    backlog = Backlog(2 * SECOND)
    first = say(backlog, 0, 1)
    first.begun = True
    say(backlog, 2_000, 1)
    lost = say(backlog, 4_000, 4, close=False)
    assert lost.dropped
    backlog.append(bytes(SECOND), sent_at_ms=0)
    backlog.append(b"", sent_at_ms=0, speech_end=1)
    kept, gap = left(backlog)
    assert kept is first
    assert (gap.gap().data.start_ms, gap.gap().data.end_ms) == (2_000, 9_000)


def test_tracks_that_share_a_budget_lose_the_oldest_of_all():
    budget = Budget(6 * SECOND)
    one, two = Backlog(100 * SECOND, budget), Backlog(100 * SECOND, budget)
    spoken = [say(one, 0, 2), say(two, 500, 2), say(one, 3_000, 2)]
    assert not any(each.dropped for each in spoken)
    late = say(two, 4_000, 3)
    assert [each.dropped for each in (*spoken, late)] == [True, True, False, False]
    assert budget.size_bytes == one.size_bytes + two.size_bytes == 5 * SECOND


def test_a_track_that_is_given_up_leaves_its_share_to_the_others():
    budget = Budget(4 * SECOND)
    one, two = Backlog(100 * SECOND, budget), Backlog(100 * SECOND, budget)
    say(one, 0, 3)
    one.clear()
    kept = say(two, 1_000, 4)
    assert (budget.size_bytes, kept.dropped) == (4 * SECOND, False)


def test_one_track_that_would_fill_the_budget_alone_is_held_by_its_own_limit():
    budget = Budget(100 * SECOND)
    one, two = Backlog(3 * SECOND, budget), Backlog(3 * SECOND, budget)
    quiet = say(two, 0, 2)
    for at_ms in range(1_000, 20_000, 3_000):
        say(one, at_ms, 2)
    assert one.size_bytes <= 3 * SECOND
    assert not quiet.dropped


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=30))
def test_the_limit_holds_and_nothing_vanishes_unsaid(spoken: list[tuple[int, bool]]):
    backlog, limit = Backlog(9 * SECOND), 9 * SECOND
    said, at_ms = 0, 0
    for chunks, begin in spoken:
        say(backlog, at_ms, chunks)
        said += chunks
        at_ms += 1_000 * chunks + 500
        head = backlog.head
        if begin and head is not None and not head.dropped:
            head.begun = True
        assert backlog.size_bytes <= limit
    assert said * 16_000 == backlog.dropped_samples + backlog.size_bytes // 2
    covered = [(each.utterance.start_ms, each.end_ms) for each in left(backlog)]
    assert covered == sorted(covered)
    assert not spoken or (covered[0][0], covered[-1][1]) == (0, at_ms - 500)
