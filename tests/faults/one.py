"""One run as a process of its own: ``python -m tests.faults.one SCENARIO SEED WORLDS REPORT [CONTROL]``.

Not for: choosing (``__main__``). What it does goes to standard output as it happens; what came of it, as JSON, into REPORT.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.faults.catalog import CASES, Case
from tests.faults.report import details, line, progress
from tests.faults.runs import Run


async def main(scenario: str, seed: str, worlds: str, *control: str) -> dict[str, Any]:
    case = next((case for case in CASES if case.name == scenario), Case(0, scenario, "", 0))
    sabotage = ("-m", "tests.faults.sabotage", *control) if control else ()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # brokers die here on purpose
    work = asyncio.ensure_future(
        Run(case, int(seed), progress, Path(worlds), sabotage).run(keep=os.environ.get("KEEP", ""))
    )
    for number in (signal.SIGTERM, signal.SIGINT):  # with everything of it cleaned up
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    found = line(await work)
    progress(details(found))
    return found


if __name__ == "__main__":
    scenario, seed, worlds, report, *control = sys.argv[1:]
    try:
        found = asyncio.run(main(scenario, seed, worlds, *control))
        Path(report).write_text(json.dumps(found, ensure_ascii=False))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
