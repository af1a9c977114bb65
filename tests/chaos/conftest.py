"""One real stack, with replicas, for all trials that leave it whole; and proof that nothing is left behind."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from roomscribe_cli.testing import Stacks, Up

from tests.chaos.beside import Beside, is_beside
from tests.chaos.run import REPLICAS, trial_on
from tests.chaos.trial import World

AnswerT = TypeVar("AnswerT")
Held = Callable[[Callable[[World], Coroutine[Any, Any, AnswerT]]], AnswerT]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is tried beside the rest is judged after it, so that nothing waits."""
    items.sort(key=is_beside)


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    """Starts stacks; each must end well, and leave no process."""
    stacks = Stacks(tmp_path_factory.mktemp("chaos"))
    try:
        yield stacks
        ended = {str(up.state): up.end() for up in stacks.started if up.process.poll() is None}
        assert set(ended.values()) <= {0}, [up.said() for up in stacks.started]
        assert stacks.left_over() == []
    finally:
        stacks.close()


@pytest.fixture(scope="session")
def beside(request: pytest.FixtureRequest, stacks: Stacks) -> Iterator[Beside]:
    """The trials on stacks of their own, which run beside the others."""
    trials = Beside(stacks, request.session.items)
    try:
        yield trials
    finally:
        trials.close()


@pytest.fixture(scope="session")
def stack(stacks: Stacks, beside: Beside) -> Up:
    return stacks.up("shared", replicas=REPLICAS).wait_ready()


@pytest.fixture(scope="session")
def held(stack: Up) -> Held[Any]:
    """Runs a trial on the shared stack, and waits until all of it is ready again."""
    return lambda trial: trial_on(stack, trial)
