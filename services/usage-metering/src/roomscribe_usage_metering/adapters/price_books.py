"""Price books from a folder, beside those that come with the package."""

from pathlib import Path

from roomscribe_common.contracts.pricing.price_book import PriceBook

from roomscribe_usage_metering.pricing.books import BadPriceBook, Books, built_in, read_book

_LARGEST_BYTES = 1_000_000


def load_books(folder: Path | None) -> Books:
    """The built-in books and each `*.json` of the folder; one of the same id takes a built-in's place.

    Raises `BadPriceBook` naming the file, each field, its value and its limit.
    """
    books = built_in()
    if folder is None:
        return books
    if not folder.is_dir():
        raise BadPriceBook(f"{folder} is no folder")
    for path in sorted(folder.glob("*.json")):
        books = books.with_book(load_book(path))
    return books


def load_book(path: Path) -> PriceBook:
    """The book in a file. Raises `BadPriceBook`."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise BadPriceBook(f"{path} is larger than {_LARGEST_BYTES} bytes")
        return read_book(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BadPriceBook(f"{path} cannot be read: {error}") from error
