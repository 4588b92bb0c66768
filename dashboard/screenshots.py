"""Pictures of every page of the dashboard, light and dark, into screenshots/: `make screenshots`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from binviz_dashboard import launch
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parents[1] / "screenshots"
PAGES = {
    "start": "",
    "start-digit": "?model=digits-vit.bit-w1a1&digit=3",
    "start-bad-text": "?text=",
    "lab": "lab",
    "lab-attention": "lab?binarizer=bivit-attention&input=softmax+rows&spread=2.0",
    "lab-weights": "lab?binarizer=bit-weight&input=weights+of+a+model",
    "lab-elastic": "lab?binarizer=elastic-signed&elastic-signed.bits=2&by_hand=true",
    "training": "training?beside=bit%3A+sst2.bibert",
    "training-live": "training?part=Live+on+the+digits",
    "bits": "bits",
    "bits-and": "bits?codes=0+and+1+(AND)",
    "bits-row": "bits?part=A+row+of+a+model&linear=layers.0.fc2&token=2",
    "bits-speed": "bits?part=Speed",
    "bits-costs": "bits?part=Costs&rule=bivit",
    "activations": "activations?tensor=layers.*.ffn_act",
    "errors": "errors",
    "errors-one-layer": "errors?layer=1&places=binarizers&measure=signal+to+noise",
    "attention": "attention",
    "attention-digit": "attention?model=digits-vit.bit-w1a1&digit=3&query=1,2",
    "attention-none": "attention?model=digits-cnn.xnor&head=9",
}


def settled(page: Page) -> None:
    """Wait until the page has run and its charts are drawn."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_selector(".js-plotly-plot .main-svg, [data-testid=stAlert]")
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
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme, viewport={"width": 1440, "height": 1300})
            page = context.new_page()
            for name in wanted or PAGES:
                page.goto(f"{address}/{PAGES[name]}")
                settled(page)
                page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
        browser.close()
    print(f"{len(wanted or PAGES)} pages, light and dark, in {FOLDER}")


if __name__ == "__main__":
    main(sys.argv[1:])
