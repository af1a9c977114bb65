"""Open questions: asked and not answered, or said to be open."""

from collections.abc import Sequence

from roomscribe_summarizer.domain.draft import Statement
from roomscribe_summarizer.engines.rules.actions import is_request
from roomscribe_summarizer.engines.rules.cues import cue
from roomscribe_summarizer.engines.rules.replies import knows_not
from roomscribe_summarizer.engines.rules.sentences import Sentence
from roomscribe_summarizer.engines.rules.words import content_words, words

_LEARN = "(decide|figure|find out|agree|know|clarify|work out|determine|answer|resolve|understand|settle|choose)"
_OPEN = cue(
    "open (question|issue|point)s?",
    "(we|we've|i) still (need|have|got) to",
    f"(we|we've) (need|have yet|yet) to (\\w+ )?{_LEARN}",
    "(is|are|it's|that's|remains?) (still )?(unclear|undecided|unresolved|not clear|not decided|up in the air)",
    "(is|are|it's|that's) still (open(?! for)|to be (decided|determined|confirmed))|remains (open|to be seen)",
    "we (still )?(don't|do not) (yet |really |actually |even )?know (yet )?(if|whether|how|who|when|what|where|which)",
    "we (haven't|have not) (yet |really )?(decided|agreed|figured|settled)",
    "(the|one|another|my|big|main) (\\w+ )?question is|(nobody|no one) knows|tbd",
)
_NONE_OPEN = cue("(no|any|other|more) (\\w+ )?open (question|issue|point)s?")
_SMALL_TALK = cue(
    "(can|could|do) (you|everyone|everybody|anyone|people|we) (all )?(hear|see)|am i (audible|muted|on mute)",
    "how are (you|we|things)|how's (it going|everyone|everybody)|how is (it going|everyone)",
    "any(thing else| (other |more |further )?(questions?|comments?|objections?|thoughts?|updates?|concerns?))",
    "makes? sense|what do (you|we|people)( all)? think|what was that|what's (next|up)|what is next|did you (say|mean)",
    "(shall|should|can|could) we (start|begin|get started|move on|wrap|go on|continue)",
    "(is|are) (everyone|everybody|\\w+|we|you) (here|there|ready|on the call|good|all set|done|recording)",
    "who (wants to |would like to )?(go|goes|start|starts|is next)",
)
_TAG = cue("(you know|right|okay|ok|yes|no|correct|really|isn't it|don't you think|sorry)\\W*$")
_REPLIES = 4
_SOON_MS = 60_000
_SHORTEST = 4


def questions(said: Sequence[Sentence]) -> list[Statement]:
    """The questions nobody answered, and what was said to be open, verbatim."""
    return [Statement(one.text, one.segment_ids) for one in said if _is_open(said, one)]


def _is_open(said: Sequence[Sentence], sentence: Sentence) -> bool:
    text = sentence.plain
    if len(words(text)) < _SHORTEST or not content_words(text):
        return False
    if sentence.is_question:
        return not (_SMALL_TALK.search(text) or _TAG.search(text) or is_request(sentence)) and _unanswered(
            said, sentence
        )
    return _OPEN.search(text) is not None and _NONE_OPEN.search(text) is None


def _unanswered(said: Sequence[Sentence], question: Sentence) -> bool:
    following = [s for s in said[question.index + 1 :][:_REPLIES] if s.start_ms - question.start_ms <= _SOON_MS]
    if not following or knows_not(following[0]):
        return True
    # Who goes on alone either answered it or never meant it as a question.
    others = [s for s in following if s.speaker != question.speaker]
    return bool(others) and knows_not(others[0])
