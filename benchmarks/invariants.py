"""What must always hold of the ledger and of prices, each rule over thousands of random scenarios on real databases."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.report import CouldNotRun, Findings, Goal

SCENARIOS = 2_000
_TESTS = Path(__file__).parents[1] / "services" / "usage-metering" / "tests"
_WITHIN_S = 3_600


def measure(quick: bool) -> Findings:
    """Every property of usage-metering's tests; the goal is that none is violated."""
    scenarios = 50 if quick else SCENARIOS
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", "--timeout=0", f"--junitxml={report}"]
        ran = subprocess.run(
            [*command, str(_TESTS)],
            env={**os.environ, "ROOMSCRIBE_TEST_SCENARIOS": str(scenarios)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if ran.returncode not in (0, 1):
            raise CouldNotRun(f"pytest ended with {ran.returncode}: {ran.stdout[-500:]}")
        suite = ElementTree.parse(report).getroot()[0]
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors")}
    return Findings(
        goals=[
            Goal(
                what=f"rules of the ledger and of prices violated, of {counts['tests']}, {scenarios} scenarios each",
                unit="",
                value=counts["failures"] + counts["errors"],
                limit=0,
            )
        ],
        figures={"rules": counts["tests"], "scenarios_each": scenarios, "took_s": round(time.monotonic() - began)},
    )
