"""Pictures of every page of the dashboard, light and dark, into screenshots/: `make screenshots`.

A picture shows a page as long as it is. The steps of the tour are shown as a projector shows them.
"""

from __future__ import annotations

import shutil
import sys
from itertools import product
from pathlib import Path
from urllib.parse import urlencode

from binviz_dashboard import launch, tour
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parents[1] / "screenshots"
LANGUAGES = "Das war kein schlechter Film. 这部电影不错。 🙂"
PAGES = {
    "answers": "",
    "answers-digit": "?model=digits-vit.bit-w1a1&digit=3",
    "answers-languages": f"?{urlencode({'text': LANGUAGES})}",
    "gap": "gap",
    "playground": "playground",
    "playground-own": "playground?data=own&points=10_20_1.-30_40_0.50_-60_1.-5_-5_0",
    "playground-digits": "playground?part=On+digits",
    "binarizers": "binarizers",
    "binarizers-attention": "binarizers?binarizer=bivit-attention&spread=2",
    "binarizers-beside": "binarizers?kind=weight&binarizer=bit-weight&beside-it=xnor-weight",
    "bits": "bits",
    "bits-row": "bits?part=A+row+of+a+model&linear=layers.0.fc2&token=2",
    "inside": "inside",
    "inside-distributions": "inside?view=Distributions&tensor=layers.*.ffn_act",
    "inside-attention": "inside?view=Attention",
    "inside-attention-digit": "inside?view=Attention&model=digits-vit.bit-w1a1&digit=3&query=1,2",
    "inside-attention-photo": "inside?view=Attention&model=cifar10-vit.bit-w1a1",
    "inside-residuals": "inside?view=Residuals",
    "inside-attribution": "inside?view=Attribution",
    "inside-margins": "inside?view=Margins",
    "inside-signs": "inside?view=Signs",
    "inside-sensitivity": "inside?view=Sensitivity",
    "text": "text",
    "robustness": "robustness",
    "generate": "generate",
    "tradeoffs": "tradeoffs",
    "tradeoffs-time": "tradeoffs?cost=time",
    "tradeoffs-costs": "tradeoffs?part=Costs&rule=bivit",
    "tradeoffs-speed": "tradeoffs?part=Speed",
    "evidence": "evidence",
    "evidence-fails": "evidence?verdict=fails",
    "evidence-leaderboard": "evidence?part=Leaderboard",
    "field": "field",
    "yours": "yours",
    "evidence-beside": "evidence?run=bit/sst2.bibert/0&beside=bit/sst2.bit-w1a1/0",
}
STEPS = {
    f"tour-{number:02d}": f"{step.page}?{urlencode(step.values | {'tour': number, 'big': 'true'})}".removeprefix(
        "answers"
    )
    for number, step in enumerate(tour.steps(), start=1)
}
#: Of a laptop's window, a projector's picture, and a phone's screen.
SIZES = {"": (1440, 900), "-projector": (1280, 720), "-phone": (390, 844)}
LONGEST = 6000
#: In milliseconds, for a page that computes for the first time.
PATIENCE = 300_000


def settled(page: Page) -> None:
    """Wait until the page has run and its charts are drawn."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector(
        ".js-plotly-plot .main-svg, .plane canvas, [data-testid=stAlert]", state="attached"
    )
    page.wait_for_timeout(700)


def whole(page: Page, width: int, height: int) -> None:
    """Make the window as long as the page."""
    long = page.locator("[data-testid=stMain]").evaluate("each => each.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(max(long, height), LONGEST)})
    page.wait_for_timeout(500)


def main(wanted: list[str]) -> None:
    """Take all pictures, or those whose names are given."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("screenshots need chromium on the PATH")
    FOLDER.mkdir(exist_ok=True)
    known, taken = PAGES | STEPS, 0
    with launch.serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for scheme, (size, (width, height)) in product(("light", "dark"), SIZES.items()):
            context = browser.new_context(
                color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": height}
            )
            context.set_default_timeout(PATIENCE)
            page = context.new_page()
            for name in wanted or known:
                if name in STEPS and size != "-projector":
                    continue
                page.set_viewport_size({"width": width, "height": height})
                page.goto(f"{address}/{known[name]}")
                settled(page)
                if name not in STEPS:
                    whole(page, width, height)
                page.screenshot(path=FOLDER / f"{name}-{scheme}{size}.png")
                taken += 1
            context.close()
        browser.close()
    print(f"{taken} pictures in {FOLDER}")


if __name__ == "__main__":
    main(sys.argv[1:])
