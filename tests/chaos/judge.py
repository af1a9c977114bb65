"""The outside judge: what must hold for every meeting, whatever died."""

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos import words
from tests.chaos.evidence import Evidence
from tests.chaos.minutes import wrong_minutes
from tests.chaos.words import Span

_MARGIN_S = 0.6
"""Words are dated by an even pace, and gaps have a little before and after them."""
_STARVED_S = 0.3
_OVERLAP_S = 1.5


@dataclass
class Verdict:
    """What was violated, by kind; each in a sentence. `ok` if nothing was."""

    lost_words: list[str] = field(default_factory=list[str])
    duplicate_finals: list[str] = field(default_factory=list[str])
    double_agents: list[str] = field(default_factory=list[str])
    wrong_minutes: list[str] = field(default_factory=list[str])
    other: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    """What a reader of the verdict should know; no violation."""

    @property
    def violations(self) -> list[str]:
        """All of them."""
        return [*self.lost_words, *self.duplicate_finals, *self.double_agents, *self.wrong_minutes, *self.other]

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return not self.violations


def judge(evidence: Evidence) -> Verdict:
    """What was seen against what must hold."""
    verdict = Verdict(wrong_minutes=wrong_minutes(evidence))
    _words(evidence, verdict)
    _duplicates(evidence, verdict)
    _agents(evidence, verdict)
    verdict.other += [*_sequence(evidence), *_names(evidence), *_utterances(evidence), *_event_stream(evidence)]
    verdict.other += _false_gaps(evidence)
    verdict.other += [*_ending(evidence), *(f"left behind: {what}" for what in evidence.left_behind)]
    return verdict


def holds(*meetings: Evidence) -> None:
    """Raises AssertionError that names every violation in these meetings."""
    wrong = [f"{evidence.script.room}: {what}" for evidence in meetings for what in judge(evidence).violations]
    assert not wrong, "\n".join(wrong)


def _words(evidence: Evidence, verdict: Verdict) -> None:
    late_s = evidence.speakers_late_s()
    if late_s > _STARVED_S:
        verdict.notes.append(f"the machine let people speak {late_s:.1f} s late: judged by stretches, not by words")
    if evidence.stored.gaps:
        verdict.notes.append(f"{evidence.gap_s():.1f} s are declared missing, in {len(evidence.stored.gaps)} gaps")
    for person in evidence.script.people:
        sentences = evidence.sentences(person.identity)
        if not sentences:
            continue
        heard = [final for final in evidence.stored.latest() if final.participant.identity == person.identity]
        excuses = [*gaps_of(evidence, person.identity)]
        if late_s > _STARVED_S:
            # The machine could not even speak in time, so what arrived was garbled: no stretch of speech may be
            # missing all the same, but single words prove nothing.
            excuses += [evidence.span_of(final.start_ms, final.end_ms) for final in heard]
        found = words.examine(words.words_of(sentences), heard, excuses, _MARGIN_S + late_s)
        for number, missing in found.lost.items():
            verdict.lost_words.append(f"line {number} of {person.identity} lacks {' '.join(missing)!r}")
        verdict.duplicate_finals += [f"{person.identity} did not say {text!r} (again)" for text in found.doubled]


def gaps_of(evidence: Evidence, identity: str) -> list[Span]:
    """What is declared missing of one person, or of everybody."""
    return [
        evidence.span_of(gap.start_ms, gap.end_ms)
        for gap in evidence.stored.gaps
        if gap.participant.identity == identity or gap.track.id == "_"
    ]


def _false_gaps(evidence: Evidence) -> list[str]:
    """Gaps that declare missing what is there."""
    wrong: list[str] = []
    for identity in {data.participant.identity for data in evidence.stored.latest()}:
        mine = [data for data in evidence.stored.latest() if data.participant.identity == identity]
        for heard in (evidence.span_of(data.start_ms, data.end_ms) for data in mine):
            for gap in gaps_of(evidence, identity):
                both_s = min(gap.end, heard.end) - max(gap.begin, heard.begin)
                if both_s > _OVERLAP_S + evidence.speakers_late_s():
                    wrong.append(f"a gap declares {both_s:.1f} s missing of {identity} that were heard")
    return wrong


def _duplicates(evidence: Evidence, verdict: Verdict) -> None:
    finals = {
        "the stream": [final.data for final in evidence.stored.finals],
        "a subscriber": [data for _, data in evidence.live.finals],
    }
    for where, found in finals.items():
        for (segment, revision), count in Counter((d.segment_id, d.revision) for d in found).items():
            if count > 1:
                verdict.duplicate_finals.append(f"{where} has {count} finals {segment} of revision {revision}")
    for utterance, count in Counter(final.data.utterance.utterance_id for final in evidence.stored.stt_finals).items():
        if count > 1:
            verdict.duplicate_finals.append(f"utterance {utterance} was recognised {count} times")
    for gap, count in Counter(gap.gap_id for gap in evidence.stored.gaps).items():
        if count > 1:
            verdict.duplicate_finals.append(f"gap {gap} was told {count} times")


def _agents(evidence: Evidence, verdict: Verdict) -> None:
    for at, agents in evidence.agents():
        if len(agents) > 1:
            second = at - evidence.began
            verdict.double_agents.append(f"{len(agents)} agents in the room at second {second:.1f}: {sorted(agents)}")


def _sequence(evidence: Evidence) -> list[str]:
    sequences = [final.data.sequence for final in evidence.stored.finals]
    return [] if sequences == list(range(1, len(sequences) + 1)) else [f"the sequence is {sequences}"]


def _names(evidence: Evidence) -> list[str]:
    names = {person.identity: person.name for person in evidence.script.people}
    return [
        f"{data.segment_id} of {data.participant.identity} goes by {data.participant.name!r}, {data.speaker.label!r}"
        for data in evidence.stored.latest()
        if {data.participant.name, data.speaker.label} != {names.get(data.participant.identity)}
    ]


def _utterances(evidence: Evidence) -> list[str]:
    """Every utterance that was opened ended in one final or one gap, and every final that has words was attributed."""
    stored = evidence.stored
    ended = Counter(final.data.utterance.utterance_id for final in stored.stt_finals)
    ended.update(gap.data.utterance_id for gap in stored.stt_gaps if gap.data.whole)
    wrong = [f"utterance {id} was opened and never ended" for id in evidence.live.opened if not ended[id]]
    wrong += [f"utterance {id} ended {count} times" for id, count in ended.items() if count > 1]
    segments = {final.data.segment_id for final in stored.finals}
    wrong += [
        f"the words of {final.data.utterance.utterance_id} are in no segment"
        for final in stored.stt_finals
        if final.data.text.strip() and final.data.utterance.utterance_id not in segments
    ]
    return wrong


def _event_stream(evidence: Evidence) -> list[str]:
    """The API's event stream, resumed as often as needed, told each final once and in order, and then ended."""
    told = [str(event.data["segment_id"]) for event in evidence.told if event.event == "transcript.final"]
    stored = [final.data.segment_id for final in evidence.stored.finals]
    wrong = [] if told == stored else [f"the event stream told {told}, the stream holds {stored}"]
    if [event.event for event in evidence.told[-1:]] != ["end"]:
        wrong.append("the event stream did not end")
    return wrong


def _ending(evidence: Evidence) -> list[str]:
    stored = evidence.stored
    wrong: list[str] = []
    if len(stored.ended) != 1:
        wrong.append(f"the meeting ended {len(stored.ended)} times")
    if stored.minutes != 1:
        wrong.append(f"minutes were written {stored.minutes} times")
    if len(stored.completed) != 1:
        wrong.append(f"the transcript was completed {len(stored.completed)} times")
    for completed in stored.completed:
        data = completed.data
        if not data.complete or data.segments != len(stored.finals) or data.last_sequence != len(stored.finals):
            found = f"{data.segments} segments to {data.last_sequence}, complete: {data.complete}"
            wrong.append(f"completed with {found}; there are {len(stored.finals)}")
    if set(evidence.archived) != {final.data.segment_id for final in stored.finals}:
        wrong.append(f"the archive has {len(evidence.archived)} segments of {len(stored.finals)}")
    latest = stored.latest()
    wrong += [f"{d.segment_id} ends before it begins" for d in latest if d.end_ms < d.start_ms]
    return wrong
