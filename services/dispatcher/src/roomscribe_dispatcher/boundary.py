"""One of many: what goes wrong with it is logged, and the others go on."""

import contextlib
import logging
from collections.abc import Generator

from roomscribe_common.errors import Retryable

from roomscribe_dispatcher.adapters.livekit import LivekitUnusable


@contextlib.contextmanager
def one_of_many(log: logging.Logger, message: str) -> Generator[None]:
    """Logs what is raised inside, under that message: as a warning if a server did not answer, else with its trace."""
    try:
        yield
    except (Retryable, LivekitUnusable) as error:
        log.warning(message, extra={"reason": error.reason})
    except TimeoutError:
        log.warning(message, extra={"reason": "took too long"})
    except Exception:  # the boundary of one item
        log.exception(message)
