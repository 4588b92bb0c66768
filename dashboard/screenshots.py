"""Pictures of every page of the dashboard, light and dark, into screenshots/: `make screenshots`."""

from __future__ import annotations

import shutil
import sys
from itertools import product
from pathlib import Path

from binviz_dashboard import launch
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parents[1] / "screenshots"
PAGES = {
    "answers": "",
    "answers-digit": "?model=digits-vit.bit-w1a1&digit=3",
    "answers-projector": "?big=true",
    "answers-bad-text": "?text=",
    "playground": "playground",
    "playground-moons": "playground?data=moons&activations.binarizer=reactnet-activation&activations.width=2",
    "playground-own": "playground?data=own&points=10_20_1.-30_40_0.50_-60_1.-5_-5_0",
    "playground-digits": "playground?part=On+digits",
    "binarizers": "binarizers",
    "binarizers-attention": "binarizers?binarizer=bivit-attention&spread=2",
    "binarizers-beside": "binarizers?kind=weight&binarizer=bit-weight&beside-it=xnor-weight",
    "binarizers-learnt": "binarizers?binarizer=elastic-signed&learnt=true",
    "bits": "bits",
    "bits-and": "bits?codes=0+and+1+(AND)",
    "bits-row": "bits?part=A+row+of+a+model&linear=layers.0.fc2&token=2",
    "inside": "inside",
    "inside-place": "inside?place=layers.3.ffn_act",
    "inside-distributions": "inside?view=Distributions&tensor=layers.*.ffn_act",
    "inside-attention": "inside?view=Attention",
    "inside-attention-digit": "inside?view=Attention&model=digits-vit.bit-w1a1&digit=3&query=1,2",
    "inside-residuals": "inside?view=Residuals",
    "inside-signs": "inside?view=Signs",
    "inside-sensitivity": "inside?view=Sensitivity",
    "tradeoffs": "tradeoffs",
    "tradeoffs-time": "tradeoffs?cost=time",
    "tradeoffs-costs": "tradeoffs?part=Costs&rule=bivit",
    "tradeoffs-speed": "tradeoffs?part=Speed",
    "evidence": "evidence",
    "evidence-fails": "evidence?verdict=fails",
    "evidence-beside": "evidence?run=bit/sst2.bibert/0&beside=bit/sst2.bit-w1a1/0",
}
#: Of a laptop's window, a projector's picture, and a phone's screen.
SIZES = {"": (1440, 1300), "-projector": (1280, 720), "-phone": (390, 844)}


def settled(page: Page) -> None:
    """Wait until the page has run and its charts are drawn."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector(
        ".js-plotly-plot .main-svg, .plane canvas, [data-testid=stAlert]", state="attached"
    )
    page.wait_for_timeout(700)


def main(wanted: list[str]) -> None:
    """Take all pictures, or those whose names are given."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("screenshots need chromium on the PATH")
    FOLDER.mkdir(exist_ok=True)
    with launch.serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        for scheme, (size, (width, height)) in product(("light", "dark"), SIZES.items()):
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
            page = context.new_page()
            for name in wanted or PAGES:
                page.goto(f"{address}/{PAGES[name]}")
                settled(page)
                page.screenshot(path=FOLDER / f"{name}-{scheme}{size}.png")
            context.close()
        browser.close()
    print(f"{len(wanted or PAGES)} pages, light and dark, at {len(SIZES)} sizes, in {FOLDER}")


if __name__ == "__main__":
    main(sys.argv[1:])
