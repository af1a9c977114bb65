"""`python -m benchmarks [NAME…]`: measures, writes `benchmarks/results/<name>.json`, and prints a table.

Exit status 1 if a benchmark could not run. A goal that is missed is shown as missed, and is no failure to run.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import bus, dispatch, growth, invariants, ledger, meeting, peer, pool, room, segmentation, stt, up
from benchmarks.machine import Watch, versions
from benchmarks.report import RESULTS, CouldNotRun, Findings, Result, show, write_table

# The quietest first: each leaves the machine a little busier for the next.
BENCHMARKS: dict[str, Callable[[bool], Findings]] = {
    "stt": stt.measure,
    "segmentation": segmentation.measure,
    "bus": bus.measure,
    "ledger": ledger.measure,
    "pool": pool.measure,
    "up": up.measure,
    "dispatch": dispatch.measure,
    "room": room.measure,
    "meeting": meeting.measure,
    "peer": peer.measure,
    "growth": growth.measure,
    "invariants": invariants.measure,
}


def _run(name: str, quick: bool) -> Result:
    watch, began, date = Watch(), time.monotonic(), datetime.now(UTC).replace(microsecond=0)
    findings = BENCHMARKS[name](quick)
    return Result(
        benchmark=name,
        date=date,
        took_s=round(time.monotonic() - began, 1),
        command=f"python -m benchmarks {name}" + (" --quick" if quick else ""),
        quick=quick,
        goals=findings.goals,
        figures=findings.figures,
        pictures=findings.pictures,
        machine=watch.machine(),
        versions=versions(),
    )


def main() -> int:
    """Runs what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it works; kept only with --out")
    parser.add_argument("--out", type=Path, help=f"folder for the JSON files; {RESULTS.name}/ beside this by default")
    parser.add_argument("--from", dest="first", choices=BENCHMARKS, help="go on with this one and all after it")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    out: Path | None = options.out or (None if options.quick else RESULTS)
    console, results, failed = Console(), list[Result](), dict[str, str]()
    names = list(BENCHMARKS)
    for name in options.names or names[names.index(options.first) if options.first else 0 :]:
        console.print(f"{name} …")
        try:
            result = _run(name, options.quick)
        except CouldNotRun as error:
            failed[name] = str(error)
        except Exception as error:  # noqa: BLE001  # the process boundary: the others are measured all the same
            traceback.print_exc()
            failed[name] = f"{type(error).__name__}: {error}"
        else:
            results.append(result)
            if out is not None:
                result.write(out)
                write_table(out)
    show(console, results, failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
