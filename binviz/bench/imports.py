"""How much longer a program starts when it imports binviz beside torch."""

import subprocess
import sys

from binviz.bench.timing import spread

PROGRAM = """
import time, torch
start = time.perf_counter()
import binviz
print(time.perf_counter() - start)
"""


def measure(rounds: int = 5) -> dict[str, float]:
    """Seconds of `import binviz` in new processes that have torch already: median and quartiles."""

    def once() -> float:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
        )
        return float(done.stdout)

    return spread([once() for _ in range(rounds)])._asdict()
