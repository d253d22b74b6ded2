"""Start of the real bot until /readyz says so, and its resident memory. `python benchmarks/startup.py [times]`"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from bot_process import bot, cpu_seconds, rss_mib, world


def main(times: int = 5) -> None:
    for mode in ("socket", "http"):
        seconds, cpu, memory = [], [], []
        with tempfile.TemporaryDirectory() as folder, world(Path(folder), mode) as at:
            for _ in range(times):
                with bot(at) as (process, took):
                    cpu.append(cpu_seconds(process.pid))
                    time.sleep(1)  # let what starts in the background start
                    seconds.append(took)
                    memory.append(rss_mib(process.pid))
        print(
            f"{mode:6}  ready after {seconds[0]:.2f} s the first time (new store), then "
            f"{statistics.median(seconds[1:] or seconds):.2f} s (median of {len(seconds[1:] or seconds)})   "
            f"CPU {statistics.median(cpu):.2f} s   RSS {statistics.median(memory):.0f} MiB"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
