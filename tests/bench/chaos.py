"""Thousands of small pages through a whole system while its processes are killed and stopped.

    .venv/bin/python -m tests.bench.chaos [--seconds 60] [--every 1.0] [--seed 1]

Prints the account: what was killed, what was read twice, and every promise that was broken (none
must be). Ends with exit code 1 when one was. Figures of the long run are in CHAOS.md.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.fakes.chaos import run_chaos
from tests.fakes.systems import ROOT


def main() -> int:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two blows")
    parser.add_argument("--pages", type=int, default=20, help="pages of each job")
    parser.add_argument("--jobs", type=int, default=8, help="jobs that are open at once")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="quire-chaos-") as folder:
        account = asyncio.run(
            run_chaos(
                Path(folder),
                seconds=arguments.seconds,
                every_seconds=arguments.every,
                pages_a_job=arguments.pages,
                jobs_open=arguments.jobs,
                seed=arguments.seed,
            )
        )
    print("\n".join(account.lines()))
    return 1 if account.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
