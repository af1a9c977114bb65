"""`python -m tests.chaos`: random rounds on a stack of its own, as long as asked; exit status 1 on any violation."""

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from roomscribe_cli.testing import Stacks, Up

from tests.chaos.judge import Verdict
from tests.chaos.plan import Plan, make_plan
from tests.chaos.rounds import Tally, play
from tests.chaos.run import REPLICAS, trial_on


def main() -> int:
    """Plays round after round; the seed of each follows from the one before, so that any can be played alone."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="begin no further round after so long")
    parser.add_argument("--seed", type=int, help="of the first round; the next ones count up from it")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = Path(tempfile.mkdtemp(prefix="roomscribe-chaos-"))
    _say(f"seed {seed}; logs in {folder}")
    tally = Tally()
    stacks = Stacks(folder)
    try:
        _play_rounds(stacks, seed, time.monotonic() + options.seconds, tally)
    finally:
        stacks.close()
    if left := stacks.left_over():
        tally.other += 1
        _say(f"left behind: {left}")
    _say(str(tally))
    if tally.seeds:
        _say("play a round again: " + ", ".join(f"make chaos SECONDS=1 SEED={seed}" for seed in tally.seeds))
    return 1 if tally.seeds or left else 0


def _play_rounds(stacks: Stacks, seed: int, until: float, tally: Tally) -> None:
    up: Up | None = None
    while up is None or time.monotonic() < until:
        plan = make_plan(seed)
        _say(plan.told())
        if up is None or up.process.poll() is not None:
            up = stacks.up(f"stack-{seed}", replicas=REPLICAS).wait_ready()
        verdicts = _round(up, plan)
        tally.add(plan, verdicts)
        if len(verdicts) != len(plan.scripts):  # it was broken off: what comes next must not suffer from it
            up.end()
        seed += 1


def _round(up: Up, plan: Plan) -> list[Verdict]:
    try:
        verdicts = trial_on(up, lambda world: play(world, plan))
    except Exception as error:  # noqa: BLE001  # whatever breaks a round off is a finding, and the next one may go on
        verdicts = [Verdict(other=["the round broke off: " + "".join(traceback.format_exception(error))])]
    for script, verdict in zip(plan.scripts, verdicts, strict=False):
        _say(f"  {script.room}: {'everything held' if verdict.ok else 'VIOLATED'}")
        for line in (*verdict.violations, *verdict.notes):
            _say(f"    {line}")
    return verdicts


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
