"""What the local stack says and does about a disk that fills up."""

from pathlib import Path

import pytest
from roomscribe_cli.local.disk import DiskWatch, Fill


@pytest.mark.parametrize(
    ("looks", "said", "restarts"),
    [
        (["enough", "enough"], [], 0),
        (["low", "low"], ["nearly full"], 0),
        (["full", "full"], ["ALARM"], 0),
        (["full", "enough"], ["ALARM", "space again"], 1),
        (["full", "low"], ["ALARM", "space again", "nearly full"], 1),
        (["low", "full", "enough", "full"], ["nearly full", "ALARM", "space again", "ALARM"], 1),
    ],
)
def test_each_change_is_told_once_and_nats_restarts_when_there_is_space_again(
    looks: list[Fill], said: list[str], restarts: int
) -> None:
    told: list[str] = []
    restarted: list[bool] = []
    watch = DiskWatch(Path("/state"), told.append, lambda: restarted.append(True))
    for look in looks:
        watch.look(look)
    assert len(told) == len(said)
    assert all(word in text for word, text in zip(said, told, strict=True))
    assert len(restarted) == restarts
