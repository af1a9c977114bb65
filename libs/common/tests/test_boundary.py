"""What goes wrong with one of many is told, and keeps nobody from the next."""

import asyncio
import logging

import pytest
from roomscribe_common.boundary import one_of_many
from roomscribe_common.errors import Retryable

log = logging.getLogger(__name__)


@pytest.mark.parametrize(
    ("error", "level", "reason"),
    [
        (Retryable("the server is away"), logging.WARNING, "the server is away"),
        (TimeoutError(), logging.WARNING, "took too long"),
        (KeyError("x"), logging.ERROR, None),
    ],
)
def test_what_goes_wrong_is_logged_with_the_item_and_only_a_fault_with_its_trace(
    caplog: pytest.LogCaptureFixture, error: Exception, level: int, reason: str | None
) -> None:
    with one_of_many(log, "not looked at", meeting="mtg_1"):
        raise error
    [record] = caplog.records
    assert (record.msg, record.levelno, vars(record).get("reason")) == ("not looked at", level, reason)
    assert vars(record)["meeting"] == "mtg_1"
    assert (record.exc_info is not None) == (level == logging.ERROR)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), OSError(), TimeoutError()])
def test_what_is_not_the_items_fault_is_raised(caplog: pytest.LogCaptureFixture, error: BaseException) -> None:
    with pytest.raises(type(error)), one_of_many(log, "not looked at", passing=(OSError, TimeoutError)):
        raise error
    assert caplog.records == []
