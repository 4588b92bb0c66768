"""From a link, or a change of a widget, to the last stroke of the charts, in Chromium: `python dashboard/latency.py`.

A page is opened in a browser that has never been there. A change to a value not seen before computes (uncached), the
change back does not (cached); its time runs from the key press to the last change inside a chart that is followed by
400 ms of rest.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles

from binviz_dashboard import launch
from binviz_dashboard.pages import PAGES
from playwright.sync_api import Browser, Page, sync_playwright

from binviz.data.sentences import load

WATCH = """() => {
    window.lastChange = 0;
    const inChart = change => change.target.closest?.('.js-plotly-plot');
    new MutationObserver(changes => {
        if (changes.some(inChart)) window.lastChange = performance.now();
    }).observe(document.querySelector('[data-testid=stMain]'), {subtree: true, childList: true, attributes: true});
}"""
#: Times that each page is opened.
OPENED = 5
REST = "() => window.lastChange > window.began && performance.now() - window.lastChange > 400"


def timed(page: Page, act: Callable[[], None]) -> float:
    """Milliseconds from the act to the charts' last change."""
    page.evaluate("window.began = performance.now()")
    act()
    page.wait_for_function(REST, timeout=90_000)
    return page.evaluate("window.lastChange - window.began")


def press(page: Page, label: str, key: str) -> Callable[[], None]:
    """A key in the widget of that label."""
    widget = page.get_by_label(label, exact=True).first
    return lambda: widget.press(key)


def choose(page: Page, label: str, text: str) -> Callable[[], None]:
    """Type a select box's option and take it; the typing is done before the clock starts."""
    widget = page.get_by_role("combobox", name=label)
    widget.click()
    widget.fill(text)
    page.wait_for_timeout(300)
    return lambda: widget.press("Enter")


def numbers(label: str, count: int) -> Callable[[Page], tuple[list[float], list[float]]]:
    """A number up step by step, and down again."""

    def change(page: Page) -> tuple[list[float], list[float]]:
        up = [timed(page, press(page, label, "ArrowUp")) for _ in range(count)]
        return up, [timed(page, press(page, label, "ArrowDown")) for _ in range(count)]

    return change


def steps(label: str, values: list[str]) -> Callable[[Page], tuple[list[float], list[float]]]:
    """Every value of a select box once, and once more."""

    def change(page: Page) -> tuple[list[float], list[float]]:
        rounds = [[timed(page, choose(page, label, value)) for value in values] for _ in range(2)]
        return rounds[0], rounds[1]

    return change


TEXT, DIGIT = "model=sst2-minilm.bit-w1a1", "model=digits-vit.bit-w1a1"
SENTENCES = steps("Sentence", [sentence.text for sentence in load("negation")])
VIEWS = {
    "binarizers, seed": ("binarizers", numbers("Seed", 20)),
    "binarizers, binarizer": (
        "binarizers",
        steps("Binarizer", ["elastic-signed", "reactnet-activation", "bireal-activation", "bnn"]),
    ),
    "bits, row": ("bits?part=A+row+of+a+model", numbers("Output (weight row)", 12)),
    "bits, sentence": (f"bits?part=A+row+of+a+model&{TEXT}", SENTENCES),
    "trade-offs, task": ("tradeoffs", steps("Task", ["digits", "CIFAR-10", "SST-2"])),
    "claims, claim of": ("evidence", steps("Claims of", ["BiViT", "BiBERT", "BiT"])),
    "costs, rule": (
        "tradeoffs?part=Costs",
        steps("Rule of counting", ["bivit", "everything", "reactnet", "bert-line"]),
    ),
    "costs, recipe": (
        "tradeoffs?part=Costs",
        steps("Recipe", ["bit-w1a2", "bit-w1a4", "bivit-mixed", "bit-w1a1"]),
    ),
    "answers, picture": (f"?{DIGIT}", numbers("Picture", 12)),
    "answers, sentence": (f"?{TEXT}", SENTENCES),
    "activations, picture": (f"inside?view=Distributions&{DIGIT}", numbers("Picture", 12)),
    "activations, sentence": (f"inside?view=Distributions&{TEXT}", SENTENCES),
    "activations, layer": (f"inside?view=Distributions&{TEXT}", steps("Layer", list("123450"))),
    "errors, sentence": (f"inside?{TEXT}", SENTENCES),
    "errors, measure": (f"inside?{TEXT}", steps("Measure", ["cosine", "equal signs", "relative error"])),
    "attention, sentence": (f"inside?view=Attention&{TEXT}", SENTENCES),
}


def spread(times: list[float]) -> str:
    """Median and 95th percentile as two cells."""
    return f"{median(times):.0f} ms | {quantiles(times, n=20, method='inclusive')[-1]:.0f} ms"


def opened(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds until the page's question can be read, and until all of it is drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector("h3:visible")
    question = time.perf_counter()
    page.wait_for_selector(".js-plotly-plot .main-svg, .plane canvas")
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    drawn = time.perf_counter()
    context.close()
    return 1000 * (question - began), 1000 * (drawn - began)


def main() -> None:
    """Print tables of medians and 95th percentiles."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("this needs chromium on the PATH")
    with launch.serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        if not sys.argv[1:]:
            print("| page | question, median | p95 | all of it, median | p95 |\n|---|---|---|---|---|")
            for page in PAGES:
                url = f"{address}/{page}".removesuffix(next(iter(PAGES)))
                questions, drawn = zip(*(opened(browser, url) for _ in range(OPENED)), strict=True)
                print(f"| {page} | {spread(questions)} | {spread(drawn)} |", flush=True)
            print()
        print("| view, widget | uncached, median | p95 | cached, median | p95 |\n|---|---|---|---|---|")
        wanted = [name for name in VIEWS if not sys.argv[1:] or name in sys.argv[1:]]
        for name in wanted:
            path, change = VIEWS[name]
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{address}/{path}")
            page.wait_for_selector(".js-plotly-plot .main-svg")
            page.wait_for_timeout(1500)
            page.evaluate(WATCH)
            print(f"| {name} | {' | '.join(spread(times) for times in change(page))} |", flush=True)
            page.close()
        browser.close()
    print(
        f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
