"""Whatever comes when, the books end where the evidence does, and what was closed stays as it was."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_usage_metering.domain.booking import Booked, Use, deltas, desired, digest
from roomscribe_usage_metering.domain.entry import Entry, Slot
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    ConnectionSeen,
    Evidence,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    RoomFinished,
    TokensUsed,
)
from roomscribe_usage_metering.domain.ledger import derive
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.domain.periods import Calendar, Fixed, Period, Timeline

from .scenarios import scenarios

KEY = MeetingKey("acme", "mtg_1")
MIDNIGHT = epoch_ms(datetime(2026, 12, 1, tzinfo=UTC))
CALENDAR = Calendar()
# From before the end of November to after New Year, thick around both midnights.
moments = st.one_of(
    st.integers(-400_000, 400_000), st.integers(31 * 86_400_000 - 400_000, 31 * 86_400_000 + 400_000)
).map(lambda offset: MIDNIGHT + offset)


def price_on(day: date) -> str:
    """The price changes in the second of December."""
    return "book@1" if day < date(2026, 12, 2) else "book@2"


@st.composite
def facts(draw: st.DrawFn) -> Evidence:
    at = draw(moments)
    after = at + draw(st.integers(1, 300_000))
    sid = draw(st.sampled_from(["PA_1", "PA_2"]))
    look = ConnectionSeen(room_sid="RM", participant_sid=sid, identity="x", participant_kind="STANDARD")
    return draw(
        st.sampled_from(
            [
                look.model_copy(update={"joined_ms": at, "seen_ms": after}),
                look.model_copy(update={"joined_ms": at, "left_ms": after}),
                look.model_copy(update={"left_ms": at}),
                AgentSeen(
                    room="r",
                    room_sid="RM",
                    participant_sid="PA_a",
                    identity="a",
                    job_id="job",
                    epoch=1,
                    joined_ms=at,
                    uptime_ms=after - at,
                ),
                AudioDecoded(
                    room="r",
                    utterance_id=f"utt_{at % 7}",
                    track_id="TR",
                    identity="x",
                    provider="p",
                    model="m",
                    audio_ms=after - at,
                    start_ms=at,
                    end_ms=after,
                ),
                TokensUsed(
                    request_id=f"llm_{at % 5}", provider="p", model="m", input_tokens=7, output_tokens=at % 99, at_ms=at
                ),
                RoomFinished(room_sid="RM", at_ms=at),
                MeetingOver(room="r", ended_ms=at),
            ]
        )
    )


class Till:
    """The booking of one meeting and the closing of its tenant's periods, without a database."""

    def __init__(self) -> None:
        self.facts: list[Evidence] = [MeetingBegan(room="r", room_sid="RM", joined_ms=MIDNIGHT)]
        self.entries: list[Entry] = []
        self.closed: list[tuple[Period, str]] = []

    @property
    def timeline(self) -> Timeline:
        def prices(period: Period) -> tuple[tuple[int, str], ...]:
            return tuple((span.start_ms, span.price) for span in open_.spans_of(period))

        open_ = Timeline(CALENDAR, price_on)
        return Timeline(CALENDAR, price_on, [Fixed(period, prices(period)) for period, _ in self.closed])

    def booked(self) -> dict[Slot, Booked]:
        found: dict[Slot, Booked] = {}
        for entry in self.entries:
            have = found.get(entry.slot, Booked(0, Use(0, 0, "", "measured", "")))
            assert entry.version == have.version + 1
            use = Use(have.use.steps + entry.steps, have.use.quantity + entry.quantity, "", "measured", "")
            found[entry.slot] = Booked(entry.version, use)
        return found

    def book(self, through: str = "9999-12") -> None:
        timeline, ledger = self.timeline, derive(KEY, self.facts)
        self.entries += deltas(desired(ledger, timeline, through), self.booked(), timeline, through)

    def close(self) -> None:
        last = self.closed[-1][0] if self.closed else CALENDAR.named("2026-10")
        period = CALENDAR.following(last.name)
        self.book(period.name)
        self.closed.append((period, self.digest(period.name)))

    def digest(self, paid_in: str) -> str:
        sums: dict[Slot, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for entry in self.entries:
            if entry.period == paid_in:
                steps, quantity = sums[entry.slot]
                sums[entry.slot] = steps + entry.steps, quantity + entry.quantity
        return digest((slot, *values) for slot, values in sums.items())


happenings = st.lists(st.one_of(facts(), facts(), st.sampled_from(["book", "close", "twice"])), max_size=14)


def play(happened: list[Evidence | str]) -> Till:
    till = Till()
    for one in happened:
        match one:
            case "book":
                till.book()
            case "twice":
                till.facts += till.facts[-1:]
                till.book()
            case "close":
                if len(till.closed) < 4:
                    till.close()
            case str():
                raise AssertionError(one)
            case fact:
                till.facts.append(fact)
    return till


@given(happenings)
@scenarios
def test_a_closed_period_keeps_its_digest_and_with_its_corrections_is_what_is_derived_anew(
    happened: list[Evidence | str],
) -> None:
    till = play(happened)
    till.book()
    for period, closed in till.closed:
        assert till.digest(period.name) == closed
    wanted = desired(derive(KEY, till.facts), till.timeline)
    booked = {slot: (one.use.steps, one.use.quantity) for slot, one in till.booked().items()}
    nothing = (0, 0)
    for slot in {*wanted, *booked}:
        want = (wanted[slot].steps, wanted[slot].quantity) if slot in wanted else nothing
        assert booked.get(slot, nothing) == want
    assert len({entry.key for entry in till.entries}) == len(till.entries)


@given(happenings)
@scenarios
def test_nothing_is_booked_into_a_closed_period(happened: list[Evidence | str]) -> None:
    till = Till()
    for one in [*happened, "close", "book"]:
        before = len(till.entries)
        closed = {period.name for period, _ in till.closed}
        if isinstance(one, str) and one in ("close", "book"):
            till.close() if one == "close" else till.book()
        elif not isinstance(one, str):
            till.facts.append(one)
        for entry in till.entries[before:]:
            assert entry.period not in closed
            assert entry.period == entry.slot.of_period or entry.slot.of_period <= max(closed, default="")
            # What was booked of later periods is not taken back by a close.
            assert one != "close" or entry.slot.of_period <= till.closed[-1][0].name


@given(happenings)
@scenarios
def test_what_is_booked_twice_is_booked_once(happened: list[Evidence | str]) -> None:
    till = play(happened)
    till.book()
    count = len(till.entries)
    till.book()
    assert len(till.entries) == count


@given(happenings)
@scenarios
def test_periods_and_prices_cut_a_line_without_losing_or_adding_a_step(happened: list[Evidence | str]) -> None:
    ledger = derive(KEY, play(happened).facts)
    steps: dict[str, int] = defaultdict(int)
    quantity: dict[str, int] = defaultdict(int)
    for slot, use in desired(ledger, Timeline(CALENDAR, price_on)).items():
        steps[slot.line_id] += use.steps
        quantity[slot.line_id] += use.quantity
        day = CALENDAR.day(CALENDAR.named(slot.of_period).start_ms)
        assert slot.price in (price_on(day), price_on(day + timedelta(days=1)))
    for line in ledger.lines:
        assert (steps[line.line_id], quantity[line.line_id]) == (line.steps, line.quantity)
