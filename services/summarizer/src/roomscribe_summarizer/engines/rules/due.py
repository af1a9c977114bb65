"""When something is due, as people say it."""

import re

_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_NUMBER = r"(?:\d+|a|an|one|two|three|four|five|six|seven|ten|a few|a couple of|the next few)"
_DAYPART = r"(?:\s+(?:morning|afternoon|evening|night|noon|at noon|lunch))?"
_CLOCK = r"(?:noon|midday|midnight|\d{1,2}(?::\d\d)?\s*(?:am|pm|a\.m\.|p\.m\.|o'clock))"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_DATE = rf"(?:{_MONTH}\s+(?:the\s+)?{_DAY}|(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}|the\s+\d{{1,2}}(?:st|nd|rd|th))"
_END_OF = r"(?:the\s+)?end\s+of\s+(?:the\s+|this\s+|next\s+)?(?:day|week|month|quarter|year|sprint|business)"
_NEXT = rf"(?:next|this|the coming)\s+(?:week|month|quarter|sprint|year|{_WEEKDAY})"
_EVENT = (
    r"(?:the\s+|our\s+|this\s+)?(?:next\s+)?"
    r"(?:demo|release|launch|review|meeting|call|sync|standup|stand-up|deadline|sprint|workshop|weekend)"
)
_MOMENT = rf"(?:(?:tomorrow|today|tonight|{_NEXT}|{_WEEKDAY}){_DAYPART}|{_END_OF}|{_DATE}|{_MONTH}|{_CLOCK}|eod|eow)"

_DUE = re.compile(
    rf"\b(?:(?:by|before|until|till|no later than|not later than)\s+(?:{_MOMENT}(?:\s+at\s+{_CLOCK})?|then|{_EVENT})"
    rf"|(?:on|for|at|over)\s+(?:{_NEXT}|{_WEEKDAY}{_DAYPART}|{_DATE}|the\s+weekend|{_END_OF})"
    rf"|within\s+(?:the\s+)?(?:{_NUMBER}\s+)?(?:hour|day|week|month)s?"
    rf"|in\s+{_NUMBER}\s+(?:minute|hour|day|week|month)s?"
    rf"|(?:first thing\s+)?(?:tomorrow|today|tonight){_DAYPART}"
    rf"|(?:early\s+|later\s+)?(?:{_NEXT}|this\s+(?:morning|afternoon|evening)){_DAYPART}|later\s+today"
    rf"|{_END_OF}|eod|eow|asap|as soon as possible|(?:right )?after (?:this|the) (?:call|meeting))\b",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?:(?:yes|yeah|sure|okay|ok|so|probably|maybe|let's say)[, ]+)*", re.IGNORECASE)


def due_in(text: str) -> str | None:
    """The due phrase of a sentence, verbatim, such as `by Friday`; the last one if there are several."""
    found = [match[0] for match in _DUE.finditer(text)]
    return found[-1] if found else None


def is_only_due(text: str) -> bool:
    """Whether a sentence says nothing but when: "By Friday."."""
    bare = text.strip(" .!,")
    found = _DUE.search(bare)
    if found is None:
        return False
    before = bare[: found.start()]
    return found.end() == len(bare) and _ALONE.fullmatch(before + " " if before else "") is not None
