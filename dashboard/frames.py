"""How often the playground redraws itself in Chromium, at its default size: `python dashboard/frames.py`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from binviz_dashboard import plane
from playwright.sync_api import sync_playwright

SECONDS, WARM = 10, 4
#: Times between redraws in ms, from a clock that each redraw reads.
WATCH = """
(() => {
    const { playground } = window, draw = playground.draw, times = (window.times = []);
    playground.draw = function () { draw.call(this); times.push(performance.now()); };
})()
"""


def main() -> None:
    """Play for some seconds, and print redraws a second and the times between them."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("this needs chromium on the PATH")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "playground.html"
        file.write_text(plane.one_file({each["key"]: each["default"] for each in plane.CONTROLS}), "utf-8")
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(file.as_uri())
        page.evaluate(WATCH)
        page.get_by_role("button", name="Play", exact=True).click(timeout=120_000)
        page.wait_for_timeout(1000 * WARM)
        page.evaluate("window.times.length = 0")
        page.wait_for_timeout(1000 * SECONDS)
        times = page.evaluate("window.times")
        browser.close()
    waits = sorted(after - before for before, after in pairwise(times))
    rate, middle, late = 1000 * len(waits) / sum(waits), waits[len(waits) // 2], waits[int(0.95 * len(waits))]
    print(f"{rate:.1f} redraws a second; {middle:.1f} ms between two, p95 {late:.1f} ms")
    load = os.getloadavg()[0]
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f} in the last minute"
    )


if __name__ == "__main__":
    main()
