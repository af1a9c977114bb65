"""Short replies, which mean something only after what was said before them."""

from roomscribe_summarizer.engines.rules.cues import cue, opening, whole
from roomscribe_summarizer.engines.rules.sentences import Sentence

_AGREES = whole(
    "agreed( (with (that|you|\\w+)|on that|then|too|everyone))?",
    "(i|i'm|we|we're|we all) agreed?( (with (that|you|\\w+)|on that|too|completely|then))?",
    "deal( then)?",
    "(that |it )?(sounds|works) (good|great|fine|perfect|like a plan|for me|for us)( (to|for) me)?"
    "(,? let'?s do (it|that|this))?",
    "(it's|that's|that is) (a deal|decided|settled|fine|a plan|agreed)( (by|with|for) me)?( then)?",
    "(fine|good|ok|okay) (by|with|for) me",
    "let'?s do (it|that|this)( then)?",
    "no objections?( from (me|my side))?",
    "good plan|works|done|decided",
    "(i'm|i am|we're) (in|(ok|okay|fine|good|happy) with (that|it))",
    "we'll do (it|that|this)( then)?",
)
_ACCEPTS = opening(
    "sure|sure thing|of course|will do|no problem|on it|absolutely|definitely|consider it done|you got it|can do",
    "(i'm|i am|i'd be|i would be) (on it|happy to)|happy to|my pleasure",
    "i('ll| will|'d| would| can)( be)? (do|take|handle|own|get|happy|love|look|send|write|have)",
    "i (can|will)( do (that|it|this))?$",
    "yes|yeah|yep|yup|ok|okay",
)
_DECLINES = opening(
    "no(?! (problem|worries))|nope|sorry|unfortunately|not me",
    "i'm afraid|i am afraid|i can't|i cannot|i won't|i don't|i'd rather not|i would rather not",
    "(i'm|i am) (out|away|off|on holiday|on vacation|swamped|not)",
)
_KNOWS_NOT = cue(
    "(i|we|nobody|no one) (really |still |honestly |just )?(do not|don't|did not|didn't|does not|doesn't) "
    "(really |actually |even )?know",
    "(not|isn't|aren't) (\\w+ )?(sure|clear|decided|certain)",
    "(nobody|no one) knows|no idea|good question|hard to say|it depends|tbd",
    "(park|table) (that|this|it)|take (that|this|it) offline|come back to (that|this|it)",
    "(find|figure) (that |it |this )?out",
    "(have|need|needs|got) to (check|ask|look|see|think)|(i'll|i will) (have to )?(check|ask)",
    "let me (check|think|ask|find|get back)|get back to you",
    "(we'll|we will) see|remains (open|to be \\w+)|to be (decided|determined|confirmed)",
    "still (open|unclear|unknown|waiting)",
    "(stays?|stayed|leave|left|keep|kept)( (it|that|this|the question|that one))? open",
)


def agrees(sentence: Sentence) -> bool:
    """Whether it does nothing but agree: "Agreed.", "Sounds good to me.", "Okay, let'?s do that."."""
    return not sentence.is_question and _AGREES.search(sentence.plain) is not None


def accepts(sentence: Sentence) -> bool:
    """Whether it takes on what was asked: "Sure, will do."."""
    if sentence.is_question or declines(sentence):
        return False
    return _ACCEPTS.search(sentence.plain) is not None or _AGREES.search(sentence.plain) is not None


def declines(sentence: Sentence) -> bool:
    """Whether it refuses what was asked: "Sorry, I'm out next week."."""
    return _DECLINES.search(sentence.plain) is not None


def knows_not(sentence: Sentence) -> bool:
    """Whether it leaves a question open: "Good question, I don't know yet."."""
    return _KNOWS_NOT.search(sentence.plain) is not None
