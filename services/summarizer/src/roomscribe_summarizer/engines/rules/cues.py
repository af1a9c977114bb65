"""A small notation for what people say, so that a cue reads as it sounds.

A space stands for any white space, and a cue matches whole words only, in any case. The rest is a regular expression.
"""

import re


def cue(*alternatives: str) -> re.Pattern[str]:
    """A pattern that finds any of the alternatives in plain text (see `plain`)."""
    return re.compile(rf"(?<!\w)(?:{any_of(*alternatives)})(?!\w)", re.IGNORECASE)


def opening(*alternatives: str) -> re.Pattern[str]:
    """As `cue`, but only at the start of a sentence, after words such as "okay, so"."""
    return re.compile(rf"^\W*{FILLER}(?:{any_of(*alternatives)})(?!\w)", re.IGNORECASE)


def whole(*alternatives: str) -> re.Pattern[str]:
    """As `opening`, and nothing may follow."""
    return re.compile(rf"^\W*{FILLER}(?:{any_of(*alternatives)})\W*$", re.IGNORECASE)


def any_of(*alternatives: str) -> str:
    """The alternatives as one regular expression, without the word boundaries."""
    return "(?:" + "|".join(alternatives).replace(" ", r"\s+") + ")"


def plain(text: str) -> str:
    """The text with typewriter apostrophes; every character keeps its place."""
    return text.replace("’", "'")


_FILLERS = (
    "ok|okay|so|and|but|then|also|well|right|great|perfect|cool|good|fine|sure|yes|yeah|yep|alright|all right|oh|hey|hi"
    "|thanks|thank you|no problem|of course|in that case|meanwhile|i think|i guess|actually|now|maybe|mm-?hmm|um|uh"
)
FILLER = rf"(?:{any_of(_FILLERS)}[\s,.!:-]+)*"
"""Words that open a sentence and say nothing."""
