import json
import re
from itertools import pairwise
from urllib.parse import parse_qs, urlencode, urlparse

import pytest
from binviz_dashboard import launch, speed, tour
from binviz_dashboard.pages import MOVED, PAGES
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

every_page = pytest.mark.parametrize("path", ["", *list(PAGES)[1:]], ids=lambda path: path or "start")


def colours(page):
    return page.evaluate(
        "[getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor,"
        " getComputedStyle(document.querySelector('.js-plotly-plot .xtick text') ?? document.querySelector('h3'))"
        "[document.querySelector('.js-plotly-plot .xtick text') ? 'fill' : 'color']]"
    )


def brightness(colour):
    return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3


def assert_drawn(page, scheme):
    ground, text = map(brightness, colours(page))
    assert (ground > 128) is (scheme == "light")
    assert abs(ground - text) > 90


@every_page
def test_page_draws_itself_and_names_its_charts_and_asks_nobody_else(visitor, path):
    page = visitor.go(path)
    charts = page.locator("[data-testid=stPlotlyChart], .plane canvas[role=img]")
    described = page.locator("[role=figure], .plane canvas[role=img]").all()
    names = [figure.get_attribute("aria-label") for figure in described]
    assert len([name for name in names if name and name.endswith(".")]) >= charts.count() > 0
    assert page.locator("[data-testid=stAlert]").count() == 0
    assert_drawn(page, "light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(600)
    assert_drawn(page, "dark")
    assert not visitor.complaints
    assert {urlparse(url).hostname for url in visitor.asked if not url.startswith(("data:", "blob:"))} == {
        "localhost"
    }


@pytest.mark.parametrize("scheme", ["dark"])
@pytest.mark.parametrize("path", ["", "playground"])
def test_a_visitor_who_comes_in_the_dark_finds_it_dark(visitor, scheme, path):
    assert_drawn(visitor.go(path), scheme)
    assert not visitor.complaints


def test_a_choice_is_in_the_url_and_the_url_brings_it_back(visitor):
    page = visitor.go("binarizers")
    box = page.get_by_role("combobox", name="Binarizer")
    box.click()
    box.fill("xnor-activation")
    page.wait_for_timeout(300)
    box.press("Enter")
    page.wait_for_url(lambda url: "binarizer=xnor-activation" in url)
    page = visitor.go(page.url.removeprefix(f"{visitor.address}/"))
    assert page.get_by_role("combobox", name="Binarizer").input_value() == "xnor-activation"


def test_a_model_from_the_url_follows_to_the_next_page_and_its_url_and_back_again(visitor):
    page = visitor.go("?model=digits-vit.bit-w1a1&digit=4")
    page.get_by_role("link", name="Inside").click()
    page.wait_for_url(lambda url: "/inside?" in url and "model=" in url)
    visitor.settle()
    assert parse_qs(urlparse(page.url).query) == {"model": ["digits-vit.bit-w1a1"], "digit": ["4"]}
    page.get_by_role("link", name="Bits").click()
    page.get_by_text("Click a bit").wait_for()
    visitor.settle()
    # One entry of the history for each of the three, however often a URL was written
    for way, where in (
        (page.go_back, "/inside"),
        (page.go_back, "/"),
        (page.go_forward, "/inside"),
        (page.go_forward, "/bits"),
    ):
        way()
        page.wait_for_function("where => location.pathname == where", arg=where)
        page.wait_for_timeout(500)
        visitor.settle()
        if where != "/bits":
            assert page.get_by_label("Picture", exact=True).input_value() == "4"
    assert not visitor.complaints


def test_names_in_the_url_that_do_not_exist(visitor):
    page = visitor.go("inside?view=Attention&model=nothing&layer=77")
    lines = page.locator("[data-testid=stAlert]").all_text_contents()
    assert len(lines) == 2
    assert "model='nothing' cannot be shown" in lines[0]
    assert not visitor.complaints


@pytest.mark.parametrize("old", ["lab", "attention"])  # to a page, and to a view of one
def test_an_old_link_is_led_on(visitor, old):
    page = visitor.go(f"{old}?model=digits-vit.bit-w1a1")
    assert urlparse(page.url).path == f"/{MOVED[old][0]}"
    assert not visitor.complaints


def test_a_page_that_does_not_exist_leads_to_the_start(visitor):
    page = visitor.go("nothing")
    assert page.get_by_text("Do a float network and its 1-bit twin").count()


def test_a_click_on_a_bit_turns_it(visitor):
    page = visitor.go("bits?a=1+1+1+1&w=1+1+1+1")
    click(page, "steps", 0)
    page.get_by_text("The dot product of the codes moves by -2, from 4 to 2.").wait_for()
    visitor.settle()
    assert page.get_by_label("Activations a", exact=True).input_value() == "-1 1 1 1"
    click(page, "steps", 0)
    page.get_by_text("moves by +2, from 2 to 4.").wait_for()


def test_a_click_on_a_place_of_the_network_shows_it(visitor):
    page = visitor.go("inside?model=digits-vit.bit-w1a1")
    before = page.get_by_role("combobox", name="Place", exact=True).input_value()
    click(page, "network", 5)
    page.wait_for_url(lambda url: "place=" in url)
    visitor.settle()
    after = page.get_by_role("combobox", name="Place", exact=True).input_value()
    assert after != before and page.get_by_text(f"{after}: teacher, before and after").count()


def click(page, chart, number):
    """Click on one of a figure's points that nobody sees."""
    point = page.locator(f".st-key-chart-{chart} .scatterlayer .point").nth(number)
    box = point.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def size_of_type(page):
    return float(page.evaluate("getComputedStyle(document.documentElement).fontSize")[:-2])


@pytest.fixture(scope="module")
def usual_size(chromium, address):
    with chromium.new_page() as page:
        page.goto(address)
        page.wait_for_selector("h3")
        return size_of_type(page)


@every_page
def test_on_a_projector_a_page_and_its_type_are_large(visitor, path, usual_size):
    visitor.page.set_viewport_size({"width": 1280, "height": 720})
    page = visitor.go(f"{path}?big=true")
    assert size_of_type(page) > 1.2 * usual_size
    tops = [figure.bounding_box() for figure in page.locator(".js-plotly-plot:visible").all()]
    assert all(not (box["width"] < 700) for box in tops[:1])
    assert not visitor.complaints


@every_page
def test_on_a_phone_nothing_is_cut_and_a_question_has_its_whole_width(visitor, path):
    """And it scrolls in one direction only."""
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    page = visitor.go(path)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("each => each.scrollWidth <= each.clientWidth + 1")
    question = page.locator("h3").first.bounding_box()
    buttons = page.get_by_role("button", name="Words").bounding_box()
    assert question["width"] > 300 and buttons["y"] >= question["y"] + question["height"]
    wide = page.locator("[data-testid=stMain] *:visible").evaluate_all(
        "all => all.filter(each => each.getBoundingClientRect().right > innerWidth + 1)"
        ".filter(each => !each.closest('[data-testid=stDataFrame], .katex-display, [data-testid=stCode]'))"
        ".filter(each => each.type !== 'range')"
        ".map(each => each.outerHTML.slice(0, 120))"
    )
    assert not wide, "\n".join(wide[:5])
    assert not visitor.complaints


def test_the_tour_is_walked_without_a_mouse_and_frames_what_it_talks_about(visitor):
    page = visitor.go("")
    page.get_by_role("button", name="Tour").focus()
    page.keyboard.press("Enter")
    for number, step in enumerate(tour.steps(), start=1):
        page.get_by_text(f"{number} of {len(tour.steps())}: {step.title}").wait_for()
        visitor.settle()
        assert f"tour={number}" in page.url
        framed = page.locator(step.selector)
        assert framed.evaluate("each => getComputedStyle(each).outlineWidth") == "3px", step.title
        page.wait_for_timeout(600)
        expect(framed).to_be_in_viewport()
        if number < len(tour.steps()):
            page.keyboard.press("PageDown")
    assert not visitor.complaints


def test_back_and_forward_lead_over_the_pages_of_the_tour(visitor):
    steps = tour.steps()
    first = max(n for n, (a, b) in enumerate(pairwise(steps), 1) if a.page != b.page)
    page = visitor.go(f"{steps[first - 1].page}?{urlencode(steps[first - 1].values | {'tour': first})}")
    page.keyboard.press("PageDown")
    for number, then in ((first + 1, page.go_back), (first, page.go_forward), (first + 1, None)):
        step = steps[number - 1]
        page.get_by_text(f"{number} of {len(steps)}: {step.title}").wait_for()
        page.wait_for_timeout(500)
        visitor.settle()
        assert urlparse(page.url).path == f"/{step.page}"
        assert not page.get_by_text("From the link").count()
        if then:
            then()
    assert not visitor.complaints


def test_an_upload_that_cannot_be_used_and_one_that_can(visitor, tmp_path):
    import numpy as np

    page = visitor.page
    page.goto(f"{visitor.address}/binarizers?input=a+file+of+your+own")
    upload = page.locator("[data-testid=stFileUploader] input[type=file]")
    upload.wait_for(state="attached")
    np.save(tmp_path / "bad.npy", np.array([np.nan, 1.0]))
    upload.set_input_files(tmp_path / "bad.npy")
    page.get_by_text("NaN or infinite").wait_for()
    np.save(tmp_path / "good.npy", np.linspace(-1, 1, 500, dtype=np.float32).reshape(5, 100))
    upload.set_input_files(tmp_path / "good.npy")
    visitor.settle()
    assert not page.locator("[data-testid=stAlert]").count()
    assert not visitor.complaints


def test_the_menu_saves_a_picture_and_a_figure_and_shows_the_code(visitor):
    page = visitor.go("binarizers")
    menu = page.locator(".st-key-menu-curves [data-testid=stPopoverButton]").first
    menu.click()
    page.locator("[data-testid=stPopoverBody] code", has_text="binarizers.get('bnn'").wait_for()
    with page.expect_download() as picture:
        page.get_by_role("button", name="Picture (.png)").click()
    assert picture.value.suggested_filename == "binviz-curves.png"
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
    page.wait_for_timeout(500)
    if not page.locator("[data-testid=stPopoverBody]").count():
        menu.click()
    with page.expect_download() as figure:
        page.get_by_role("button", name="Figure (.json)").click()
    assert json.loads(figure.value.path().read_text())["layout"]["meta"]["alt"]
    assert not visitor.complaints


def test_the_menu_is_the_only_one(visitor):
    page = visitor.go("inside")
    page.locator(".js-plotly-plot").first.hover()
    widths = "all => all.map(each => each.getBoundingClientRect().width)"
    assert set(page.locator(".modebar-container").evaluate_all(widths)) == {0}
    assert not page.get_by_text("Deploy").count()


def test_vectors_are_in_the_url_and_survive_a_look_at_another_part(visitor):
    page = visitor.go("bits")
    a, w = page.get_by_label("Activations a", exact=True), page.get_by_label("Weights w", exact=True)
    a.fill("1 -1 1 0.5")
    a.press("Enter")
    page.get_by_text("list a has 4 numbers").wait_for()
    w.fill("1 1 1 -1")
    w.press("Enter")
    page.wait_for_url(lambda url: "a=1+-1+1+0.5" in url and "w=1+1+1+-1" in url)
    visitor.settle()
    page.get_by_role("radio", name="A row of a model").or_(
        page.get_by_role("button", name="A row of a model")
    ).click()
    page.get_by_text("meets row 0 of the weights").wait_for()
    page.get_by_role("radio", name="Bit by bit").or_(page.get_by_role("button", name="Bit by bit")).click()
    page.get_by_text("Click a bit").wait_for()
    visitor.settle()
    assert page.get_by_label("Activations a", exact=True).input_value() == "1 -1 1 0.5"
    assert page.get_by_label("Weights w", exact=True).input_value() == "1 1 1 -1"
    assert not visitor.complaints


def test_the_race_is_measured_here_and_stays(visitor):
    page = visitor.page
    page.goto(f"{visitor.address}/tradeoffs?part=Speed&shape=384+→+384")
    page.get_by_role("button", name="Measure on this machine").click()
    page.get_by_text("Measured here at").wait_for()
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    # Whatever else the machine does, the page shows times or says that it has none to show
    disturbed = page.get_by_text(speed.DISTURBED).count()
    assert page.get_by_text("of this core's limit").count() == 1 - disturbed
    figures = page.locator(".js-plotly-plot")
    expect(figures).to_have_count(2 * (1 - disturbed) + bool(speed.accepted_maps()))
    assert not visitor.complaints
    assert all("localhost" in url for url in visitor.asked if not url.startswith(("data:", "blob:")))


def test_a_server_that_is_restarted_finds_two_visitors_as_they_were(chromium):
    with launch.serving() as address:
        port = int(urlparse(address).port)
        visitors = []
        for path in ("inside?model=digits-vit.bit-w1a1&digit=4", "bits?a=1+-1+1&w=1+1+1"):
            page = chromium.new_page()
            page.set_default_timeout(60_000)
            page.goto(f"{address}/{path}")
            page.wait_for_selector(".js-plotly-plot .main-svg")
            visitors.append(page)
    with launch.serving(port=port):
        inside, bits = visitors
        bits.get_by_text("Click a bit").wait_for()
        for page in visitors:
            page.wait_for_function(
                "document.querySelector('[data-testid=stApp]').dataset.testConnectionState === 'CONNECTED'"
            )
            page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        box = bits.get_by_role("combobox", name="Codes of a")
        box.click()
        bits.get_by_role("option", name="0 and 1 (AND)").click()  # the first click after it counts
        bits.wait_for_url(lambda url: "codes=" in url)
        for anew in (False, True):
            if anew:
                for page in visitors:
                    page.reload()
                    page.wait_for_selector(".js-plotly-plot .main-svg")
            assert bits.get_by_label("Activations a", exact=True).input_value() == "1 -1 1"
            assert box.input_value() == "0 and 1 (AND)"
            assert inside.get_by_label("Picture", exact=True).input_value() == "4"
        for page in visitors:
            assert not page.locator("[data-testid=stAlert], [data-testid=stException]").count()
            page.close()
