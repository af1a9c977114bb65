"""One real stack for all whole-meeting tests, and proof that it leaves nothing behind."""

from collections.abc import Iterator

import pytest
from roomscribe_cli.testing import Stacks, Up


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    stacks = Stacks(tmp_path_factory.mktemp("e2e"))
    try:
        up = stacks.up().wait_ready()
        yield up
        assert up.end() == 0, up.said()
        assert stacks.left_over() == []
    finally:
        stacks.close()
