"""Trials on stacks of their own run beside those on the shared one: most of a meeting is waiting."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from roomscribe_cli.testing import Stacks

TRIAL = "trial_beside"
"""A test module that has a function of this name gets what it returns from `Beside`; it is given the stacks."""


def is_beside(item: pytest.Item) -> bool:
    """Whether a test judges such a trial."""
    module = item.getparent(pytest.Module)
    return module is not None and hasattr(module.obj, TRIAL)


class Beside:
    """One trial after another in a thread, begun when the tests begin."""

    def __init__(self, stacks: Stacks, items: list[pytest.Item]) -> None:
        modules = dict.fromkeys(item.getparent(pytest.Module) for item in items if is_beside(item))
        self._thread = ThreadPoolExecutor(1)
        self._held: dict[str, Future[Any]] = {
            module.obj.__name__: self._thread.submit(getattr(module.obj, TRIAL), stacks)
            for module in modules
            if module is not None
        }

    def result(self, module: str) -> Any:
        """What the module's trial returned; raises what it raised."""
        return self._held[module].result()

    def close(self) -> None:
        """Waits for the trial that runs; begins no other."""
        self._thread.shutdown(cancel_futures=True)
