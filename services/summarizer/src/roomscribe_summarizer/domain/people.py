"""Names: who was there, and who was spoken of."""

import re
from collections.abc import Iterable


class Roster:
    """The people of a meeting, found by their full name or by a first name that only one of them has."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_key: dict[str, str] = {}
        self.names = sorted({name.strip() for name in names if name.strip()})
        firsts: dict[str, set[str]] = {}
        for name in self.names:
            firsts.setdefault(_key(name.split()[0]), set()).add(name)
        for first, owners in firsts.items():
            if len(owners) == 1:
                self._by_key[first] = next(iter(owners))
        self._by_key |= {_key(name): name for name in self.names}

    def find(self, said: str) -> str | None:
        """The roster's spelling of a name somebody said; None if it is nobody here, or could be two people."""
        return self._by_key.get(_key(said))

    @property
    def pattern(self) -> str:
        """A regular expression for any way to say one of the names; matches nothing if there are none."""
        said = sorted(self._by_key, key=len, reverse=True)
        return "|".join(re.escape(name).replace("\\ ", r"\s+") for name in said) or r"(?!)"


def _key(name: str) -> str:
    return " ".join(name.casefold().split())


def is_said(phrase: str, texts: Iterable[str]) -> bool:
    """Whether all words of a phrase stand, in order and as whole words, in one of the texts."""
    words = re.findall(r"\w+", phrase.casefold())
    if not words:
        return False
    wanted = re.compile(r"\b" + r"\W+".join(map(re.escape, words)) + r"\b")
    return any(wanted.search(text.casefold()) for text in texts)
