"""Reads Moonshine's `tokenizer.bin` and turns token ids back to text."""

import re
from collections.abc import Iterable
from pathlib import Path

START, END = 1, 2
_SPECIAL = re.compile(rb"<unk>|</?s>|<<ST_\d+>>")


class Tokenizer:
    """A vocabulary of byte strings, in which `▁` stands for a space."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = [b"" if _SPECIAL.fullmatch(piece) else piece for piece in pieces]

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Parse the file: each piece has its length before it, in one byte, or from 128 on in two, low 7 bits first."""
        data, at, pieces = path.read_bytes(), 0, list[bytes]()
        while at < len(data):
            length, at = data[at], at + 1
            if length >= 0x80:
                length, at = (length & 0x7F) | data[at] << 7, at + 1
            pieces.append(data[at : at + length])
            at += length
        if at != len(data):
            raise ValueError(f"{path} is cut off inside its last piece")
        return cls(pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def text(self, tokens: Iterable[int]) -> str:
        """The text of the tokens, without special ones; half a character at the end is left out."""
        joined = b"".join(self._pieces[token] for token in tokens)
        return joined.decode("utf-8", "ignore").replace("▁", " ").strip()
