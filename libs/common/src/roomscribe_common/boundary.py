"""One of many: what goes wrong with it is logged, and the others go on."""

import contextlib
import logging
from collections.abc import Generator

from roomscribe_common.errors import Retryable


@contextlib.contextmanager
def one_of_many(
    log: logging.Logger, message: str, *, passing: tuple[type[Exception], ...] = (), **fields: str
) -> Generator[None]:
    """Logs what is raised inside, under that message: as a warning if a server did not answer, else with its trace.

    `passing`: what is not the item's own fault, and is raised. `fields` name the item.
    """
    try:
        yield
    except passing:
        raise
    except Retryable as error:
        log.warning(message, extra={**fields, "reason": error.reason})
    except TimeoutError:
        log.warning(message, extra={**fields, "reason": "took too long"})
    except Exception:  # the boundary of one item
        log.exception(message, extra=fields)
