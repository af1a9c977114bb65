"""The engine on the bus: what the gateway asks, and a start with bad prices."""

from pathlib import Path

import pytest
from roomscribe_common.contracts.pricing.cost_model import CostModel, CostModelRequest
from roomscribe_common.contracts.pricing.estimate import Estimate
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.errors import ProblemError
from roomscribe_common.service import StartFailed
from roomscribe_common.subjects import COST_MODEL, ESTIMATE

from .conftest import Bench, Start
from .pricing.asking import ARTICLE
from .pricing.test_price_books import BOOK


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/usage.db"


async def test_both_questions_are_answered_and_a_refusal_keeps_its_field(metering: Start, bench: Bench) -> None:
    async with metering():
        request = EstimateRequest.model_validate({**ARTICLE, "book": BOOK})
        answer = await bench.bus.request(ESTIMATE, request, Estimate)
        model = await bench.bus.request(COST_MODEL, CostModelRequest(), CostModel)
        with pytest.raises(ProblemError) as refused:
            await bench.bus.request(ESTIMATE, request.model_copy(update={"plan": "none"}), Estimate)
    assert answer.total == "1440.00"
    assert model.monthly == "1036.60"
    assert refused.value.problem.status == 422
    assert [one.field for one in refused.value.problem.errors] == ["plan"]


async def test_a_bad_price_book_stops_the_start_and_names_its_setting(metering: Start, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "bad.json").write_text("{}")
    with pytest.raises(StartFailed, match=r"bad\.json is no price book[^$]*ROOMSCRIBE_USAGE_PRICE_BOOKS"):
        async with metering(usage_price_books=str(tmp_path / "books")):
            pass
    with pytest.raises(StartFailed, match=r"no price book nobodys \(ROOMSCRIBE_USAGE_PRICE_BOOK\)"):
        async with metering(usage_price_book="nobodys"):
            pass
