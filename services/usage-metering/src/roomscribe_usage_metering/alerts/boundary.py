"""One of many: what goes wrong with it is logged, and the others go on."""

import contextlib
import logging
from collections.abc import Generator

from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def one_of_many(**fields: str) -> Generator[None]:
    """Logs what is raised inside, with the fields that name the item. A database that is away is not the item's fault:
    that is raised."""
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError):
        raise
    except Exception:  # the boundary of one item
        log.exception("one was left out", extra=fields)
