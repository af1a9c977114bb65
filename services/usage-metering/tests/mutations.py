"""Are wrong rounding rules noticed? `.venv/bin/python services/usage-metering/tests/mutations.py`

Takes the rules one by one, makes each wrong in a copy, and runs the tests of the ledger and of prices on the copy.
A mutation that every test lets pass is named, and the exit status is 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MEMBER = Path(__file__).parents[1]
PACKAGE = "src/roomscribe_usage_metering"
LEDGER_TESTS = (
    "test_quantise.py",
    "test_translate.py",
    "test_ledger_rules.py",
    "test_ledger_meters.py",
    "test_ledger_ticks.py",
    "test_ledger_invariants.py",
    "test_replay_rules.py",
    "test_replay_invariants.py",
)
PRICING_TESTS = ("pricing/test_rating.py", "pricing/test_goldens.py", "pricing/test_allocation.py")
_LONGEST_S = 300


@dataclass(frozen=True)
class Mutation:
    """`right` becomes `wrong`, once, in `file`."""

    file: str
    right: str
    wrong: str


MUTATIONS = (
    # From measured to billed: up, per connection, in whole steps.
    Mutation("domain/quantise.py", "return -(-quantity //", "return (quantity //"),
    Mutation("domain/quantise.py", "return -(-quantity // RULES[policy][meter].step)", "return quantity // 60_000 + 1"),
    Mutation("domain/quantise.py", "STARTED_MINUTE = Rule(step=60_000", "STARTED_MINUTE = Rule(step=60_001"),
    Mutation("domain/quantise.py", "STARTED_MINUTE = Rule(step=60_000", "STARTED_MINUTE = Rule(step=59_999"),
    Mutation("domain/quantise.py", "STARTED_SECOND = Rule(step=1_000", "STARTED_SECOND = Rule(step=999"),
    Mutation(
        "domain/quantise.py", "STARTED_SECOND = Rule(step=1_000, per=60", "STARTED_SECOND = Rule(step=1_000, per=61"
    ),
    Mutation("domain/quantise.py", "STARTED_10_MB = Rule(step=10_000_000", "STARTED_10_MB = Rule(step=10_485_760"),
    Mutation("domain/quantise.py", "MILLISECOND = Rule(step=1,", "MILLISECOND = Rule(step=2,"),
    Mutation("domain/quantise.py", "TOKEN = Rule(step=1,", "TOKEN = Rule(step=2,"),
    Mutation("domain/quantise.py", "CHARACTER = Rule(step=1,", "CHARACTER = Rule(step=10,"),
    Mutation("domain/quantise.py", '_PLACES = Decimal("1e-12")', '_PLACES = Decimal("1e-6")'),
    Mutation(
        "domain/quantise.py", "Context(prec=60, rounding=ROUND_HALF_EVEN)", "Context(prec=60, rounding='ROUND_DOWN')"
    ),
    # Which period a step is in.
    Mutation(
        "domain/ticks.py",
        "for when, amount in line.parts if when < at_ms",
        "for when, amount in line.parts if when <= at_ms",
    ),
    Mutation("domain/ticks.py", "max(at_ms - line.start_ms, 0)", "max(at_ms - line.start_ms + 1, 0)"),
    Mutation("domain/ticks.py", "* line.per_ms, line.quantity)", "* line.per_ms, line.quantity + 1)"),
    Mutation(
        "domain/ticks.py",
        "return quantise(line.meter, POLICY, measured_before(line, at_ms))",
        "return measured_before(line, at_ms) // RULES[POLICY][line.meter].step",
    ),
    Mutation(
        "domain/ticks.py",
        "return steps_before(line, to_ms) - steps_before(line, from_ms)",
        "return quantise(line.meter, POLICY, measured_between(line, from_ms, to_ms))",
    ),
    Mutation("domain/ticks.py", "number * step // line.per_ms", "(number + 1) * step // line.per_ms"),
    # How long a connection and a session were.
    Mutation("domain/connections.py", "end_ms=max(end, start + 1)", "end_ms=max(end, start)"),
    Mutation("domain/connections.py", "end_ms=max(end, start + 1)", "end_ms=max(end, start + 1_000)"),
    Mutation(
        "domain/connections.py",
        "self.left_ms = earliest(self.left_ms, look.left_ms)",
        "self.left_ms = look.left_ms or self.left_ms",
    ),
    Mutation(
        "domain/connections.py",
        "self.seen_ms = max(self.seen_ms, look.seen_ms or 0)",
        "self.seen_ms = look.seen_ms or self.seen_ms",
    ),
    Mutation("domain/connections.py", "ends.append((max(closed)", "ends.append((min(closed)"),
    Mutation("domain/sessions.py", "signs.alive_ms = max(signs.alive_ms, alive_ms)", "signs.alive_ms = alive_ms"),
    Mutation("domain/sessions.py", "at_sfu[0] < end_ms", "at_sfu[0] > end_ms"),
    Mutation("domain/sessions.py", "end_ms=max(end_ms, signs.start_ms + 1)", "end_ms=end_ms"),
    Mutation("domain/webhooks.py", "self.joined_at * _SECOND_MS", "self.joined_at"),
    Mutation("domain/webhooks.py", "_SECOND_MS, _MS_NS = 1_000, 1_000_000", "_SECOND_MS, _MS_NS = 1_000, 1_000"),
    Mutation("domain/growth.py", "parts.append((at_ms, count - most))", "parts.append((at_ms, count))"),
    Mutation("domain/downstream.py", "person_bytes_per_ms: int = 150", "person_bytes_per_ms: int = 1_200"),
    Mutation("domain/presence.py", "max(0, end - max(start, until))", "end - start"),
    # Sums and money.
    Mutation(
        "domain/ledger.py",
        "steps[one.meter] += quantise(one.meter, POLICY, one.quantity)",
        "steps[one.meter] += one.quantity // RULES[POLICY][one.meter].step",
    ),
    Mutation(
        "domain/ledger.py",
        "Fraction(count, RULES[POLICY][meter].per)",
        "Fraction(round(count / RULES[POLICY][meter].per, 2))",
    ),
    Mutation("pricing/exact.py", "+ steps.denominator) // (2", "+ steps.denominator - 1) // (2"),
    Mutation("pricing/exact.py", "+ steps.denominator) // (2", ") // (2"),
    Mutation("pricing/exact.py", '_CENT = Decimal("0.01")', '_CENT = Decimal("0.001")'),
    Mutation(
        "pricing/rating.py",
        "return max(_ZERO, self.quantity - self.allowance)",
        "return self.quantity - self.allowance",
    ),
)


def main() -> int:
    """Tries them all; 1 if any was let pass."""
    if not all(passes(None, tests) for tests in (LEDGER_TESTS, PRICING_TESTS)):
        sys.stdout.write("the tests fail without a mutation\n")
        return 1
    survived = [
        one for one in MUTATIONS if passes(one, PRICING_TESTS if one.file.startswith("pricing") else LEDGER_TESTS)
    ]
    for one in survived:
        sys.stdout.write(f"NOT NOTICED: {one.file}: {one.wrong}\n")
    sys.stdout.write(f"{len(MUTATIONS) - len(survived)} of {len(MUTATIONS)} mutations noticed\n")
    return 1 if survived else 0


def passes(mutation: Mutation | None, tests: Sequence[str]) -> bool:
    """Whether the tests pass on a copy with this one mistake."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy = Path(folder)
        shutil.copytree(MEMBER / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(MEMBER / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            file = copy / PACKAGE / mutation.file
            text = file.read_text()
            if text.count(mutation.right) != 1:
                raise SystemExit(f"{mutation.file} has no single {mutation.right!r}: bring the mutation up to date")
            file.write_text(text.replace(mutation.right, mutation.wrong))
        found = subprocess.run(
            _command(tests), cwd=copy, env=_environment(copy), capture_output=True, timeout=_LONGEST_S
        )
    if found.returncode not in (0, 1):
        raise SystemExit(found.stdout.decode() + found.stderr.decode())
    told = "" if mutation is None else f"{mutation.file}: {mutation.wrong}"
    sys.stdout.write(f"{'passes' if found.returncode == 0 else 'noticed'}  {told}\n")
    sys.stdout.flush()
    return found.returncode == 0


def _command(tests: Sequence[str]) -> list[str]:
    options = ["-q", "-x", "--noconftest", "--import-mode=importlib", "-p", "no:cacheprovider", "--rootdir", "."]
    return [sys.executable, "-m", "pytest", *options, *(f"tests/{name}" for name in tests)]


def _environment(copy: Path) -> dict[str, str]:
    return {
        "ROOMSCRIBE_TEST_SCENARIOS": "200",
        **os.environ,
        "PYTHONPATH": str(copy / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


if __name__ == "__main__":
    sys.exit(main())
