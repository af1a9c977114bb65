"""Words: what counts as one, and which carry no meaning of their own."""

import re
from importlib.resources import files

_WORD = re.compile(r"[^\W\d_][\w]*(?:['’-]\w+)*|\d+(?:[.,]\d+)*%?")

STOPWORDS = frozenset(files("roomscribe_summarizer.engines.rules").joinpath("stopwords.txt").read_text("utf-8").split())


def words(text: str) -> list[str]:
    """The words of a text in lower case, in order."""
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]


def stem(word: str) -> str:
    """The word without its possessive or plural ending, so that `budgets` and `budget` count as one."""
    word = word.removesuffix("'s")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def content_words(text: str) -> list[str]:
    """Stems of the words that carry meaning."""
    return [stem(word) for word in words(text) if is_content(word)]


def is_content(word: str) -> bool:
    """Whether a lower-case word may carry a topic."""
    return len(word) > 2 and word not in STOPWORDS and stem(word) not in STOPWORDS and not word[0].isdigit()
