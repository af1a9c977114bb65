"""Reads an invoice's pages as JSON from standard input, and writes the PDF to standard output."""

import sys
from pathlib import Path

import typst

_HERE = Path(__file__).parent


def main() -> None:
    """The file is the same whenever the pages are: nothing in it depends on when it was made."""
    pages = sys.stdin.buffer.read().decode()
    fonts = typst.Fonts(font_paths=[_HERE / "fonts"])
    file = typst.compile(_HERE / "invoice.typ", font_paths=fonts, sys_inputs={"pages": pages})
    assert isinstance(file, bytes)
    sys.stdout.buffer.write(file)


if __name__ == "__main__":
    main()
