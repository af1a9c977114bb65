"""Local stacks of real servers and fake services."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from roomscribe_cli.local.record import SERVICES
from roomscribe_cli.testing import Stacks, Up
from roomscribe_common.servers.wait import until

_FAKE = Path(__file__).parent / "fake_service.py"


@pytest.fixture
def stacks(tmp_path: Path) -> Generator[Stacks]:
    """Starts stacks whose services are fakes; nothing of them may be left after the test."""
    with _stacks_of_fakes(tmp_path) as stacks:
        yield stacks


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Up]:
    """One ready stack for the tests that leave it whole. Its media-ingest holds a room."""
    with _stacks_of_fakes(tmp_path_factory.mktemp("shared")) as stacks:
        yield stacks.up(env=_fakes_that({"media-ingest": "holds a room"})).wait_ready()


@pytest.fixture
def misbehaving() -> Callable[[dict[str, str]], dict[str, str]]:
    """Turns {service: how it misbehaves} into the environment that makes the fakes do so."""
    return _fakes_that


def _fakes_that(modes: dict[str, str]) -> dict[str, str]:
    return {"FAKES": json.dumps({_module(name): how for name, how in modes.items()})}


@contextmanager
def _stacks_of_fakes(folder: Path) -> Generator[Stacks]:
    for name in SERVICES:
        package = folder / "fakes" / _module(name)
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(_FAKE.read_text())
    stacks = Stacks(folder, {"PYTHONPATH": str(folder / "fakes")})
    try:
        yield stacks
    finally:
        stacks.close()
    assert until(lambda: not stacks.left_over(), timeout_s=5), stacks.left_over()


def _module(service: str) -> str:
    return f"roomscribe_{service.replace('-', '_')}"
