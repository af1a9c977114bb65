"""Minutes without a model: sentences taken from the transcript as they were said, by rule. English cues."""

import asyncio

from roomscribe_summarizer.domain.draft import Draft, Statement
from roomscribe_summarizer.domain.people import Roster
from roomscribe_summarizer.domain.transcript import Transcript
from roomscribe_summarizer.engines.protocol import Written
from roomscribe_summarizer.engines.rules.actions import actions
from roomscribe_summarizer.engines.rules.decisions import decisions
from roomscribe_summarizer.engines.rules.questions import questions
from roomscribe_summarizer.engines.rules.sentences import sentences
from roomscribe_summarizer.engines.rules.summary import summary
from roomscribe_summarizer.engines.rules.topics import topics


class ExtractiveEngine:
    """Nothing it writes was not said. In other languages than English it finds topics and a summary only."""

    async def write(self, transcript: Transcript) -> Written:
        """The draft; never fails. A long transcript takes seconds of CPU, so it runs beside the event loop."""
        return Written(await asyncio.to_thread(extract, transcript), "extractive")


def extract(transcript: Transcript) -> Draft:
    """The draft of a transcript, an empty one if nothing was said."""
    said = sentences(transcript.segments)
    names = transcript.roster | {segment.speaker for segment in transcript.segments}
    english = transcript.language.startswith("en")
    tasks = actions(said, Roster(names)) if english else []
    in_tasks = {task.text for task in tasks}
    decided = [one for one in decisions(said) if one.text not in in_tasks] if english else []
    found = topics(said, names)
    weighty = frozenset(id_ for one in (*decided, *tasks) for id_ in one.segment_ids)
    return Draft(
        title=transcript.title or _title(found, transcript.room),
        summary=tuple(summary(said, weighty)),
        topics=tuple(found),
        decisions=tuple(decided),
        tasks=tuple(tasks),
        questions=tuple(questions(said)) if english else (),
    )


def _title(topics: list[Statement], room: str) -> str:
    return topics[0].text.capitalize() if topics else room
