"""The playground as a visitor meets it: most of it in the one file, which needs no server."""

import json
import re
from urllib.parse import parse_qs, urlparse

import pytest
import torch
from binviz_dashboard import plane
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

USUAL = {control["key"]: control["default"] for control in plane.CONTROLS}


@pytest.fixture
def open_file(chromium, tmp_path):
    """open_file(link): the one file in a browser without a network, all that it complains of in `page.complaints`."""
    (tmp_path / "playground.html").write_text(plane.one_file(USUAL), encoding="utf-8")
    contexts = []

    def go(link="", **given):
        context = chromium.new_context(viewport={"width": 1440, "height": 1000}, offline=True, **given)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "request",
            lambda asked: page.complaints.append(asked.url) if asked.url.startswith("http") else None,
        )
        page.goto(f"file://{tmp_path}/playground.html#{link}")
        page.wait_for_function("document.querySelector('.plane').drawn > 0")
        return page

    yield go
    for context in contexts:
        context.close()


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def run(page, script):
    return page.evaluate(f"(() => {{ const play = window.playground; {script} }})()")


def test_it_plays_and_pauses_and_steps_and_begins_anew(open_file):
    page = open_file()
    before = run(page, "return play.bit.net.layers[1].w.value.join()")
    button(page, "Play").click()
    page.wait_for_function("window.playground.bit.step > 20")
    button(page, "Pause").click()
    at = run(page, "return play.bit.step")
    button(page, "Step").click()
    assert page.locator(".count").text_content() == f"step {at + 1}"
    assert run(page, "return play.float.step") == at + 1
    button(page, "Reset").click()
    assert run(page, "return play.bit.net.layers[1].w.value.join()") == before
    assert not page.complaints


def test_a_dragged_threshold_moves_the_live_net_and_the_link(open_file):
    page = open_file()
    answers = "return Array.from(play.bit.net.forward(play.data.x).at(-1).z).join()"
    before, codes = run(page, answers), run(page, "return play.bit.net.layers[1].w.value.join()")
    box = page.locator("canvas.curve").bounding_box()
    at = run(page, "const {at} = play.held; return [at.x(0), at.y(0), at.x(1)]")
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    page.mouse.down()
    page.mouse.move(box["x"] + at[2], box["y"] + at[1], steps=3)
    assert run(page, answers) != before  # before it is let go
    page.mouse.up()
    page.wait_for_url(lambda url: "activations.threshold=1" in url)
    assert run(page, "return play.bit.net.layers[1].activation.threshold") == pytest.approx(1, abs=0.02)
    assert run(page, "return play.bit.net.layers[1].w.value.join()") == codes  # the run goes on


@pytest.mark.parametrize("what", ["scale", "width"])
def test_the_sliders_do_the_same_by_keyboard(open_file, what):
    page = open_file()
    slider = page.get_by_role("slider", name=f"{what.capitalize()}, times", exact=True)
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: f"activations.{what}=1.05" in url)
    assert run(page, f"return play.bit.net.layers[1].activation.{what}") == 1.05


def test_what_a_binarizer_ignores_is_not_offered(open_file):
    page = open_file("curve=weights&weights.binarizer=bit-weight&weights.threshold=0.5")
    assert page.get_by_role("slider", name="Scale, times", exact=True).is_visible()
    assert not page.get_by_role("slider", name="Threshold", exact=True).count()
    assert run(page, "return play.bit.net.layers[1].weight.threshold") == 0


def test_a_unit_under_the_pointer_or_the_focus_says_its_signs(open_file):
    page = open_file()
    about = page.locator(".about")
    page.get_by_role("button", name="Layer 2, unit 3").hover()
    wanted = run(
        page, "return [...play.bit.net.layers[1].q.slice(16, 24)].map((q) => (q < 0 ? '−' : '+')).join(' ')"
    )
    assert wanted in about.text_content()
    page.mouse.move(5, 5)
    page.get_by_role("button", name="Layer 1, unit 1").focus()
    assert about.text_content().startswith("Layer 1, unit 1: float weights")


def test_points_are_drawn_and_come_back_from_the_link(open_file):
    page = open_file("data=own")
    button(page, "Play").click()
    assert "Draw points of both kinds" in page.locator(".said").text_content()
    for side, x in (("● −1", 40), ("◆ +1", 200), ("◆ +1", 220)):
        page.get_by_label(side).check()
        page.locator(".plane-bit").click(position={"x": x, "y": 90})
    button(page, "Take back").click()
    page.wait_for_url(lambda url: url.split("#")[1].count("_") == 4)
    assert run(page, "return [...play.data.t]") == [-1, 1]
    link = page.url.split("#")[1]
    again = open_file(link)
    assert run(again, "return [...play.data.x]") == run(page, "return [...play.data.x]")
    button(again, "Step").click()
    assert run(again, "return play.bit.step") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There are no points"),
        ("x,y,label", "There are no points"),
        ("1,2", "Line 1 has 2 parts"),
        ("1,2,a\n1,two,b", 'Line 2: "two" is no number.'),
        ("1,2,a\n3,4,a", "There is 1 label; the points need two."),
        ("1,2,a\n3,4,b\n5,6,c", "There are 3 labels; the points need two."),
        ("1,inf,a\n3,4,b", 'Line 1: "inf" is no number.'),
        ("1,2,a\n" * 201, "201 points are too many; give at most 200."),
    ],
)
def test_csv_that_cannot_be_used_and_then_one_that_can(open_file, text, said):
    page = open_file("data=own")
    button(page, "As CSV").click()
    page.get_by_label("Points", exact=True).fill(text)
    button(page, "Use these points").click()
    assert said in page.locator("dialog .said").text_content()
    page.get_by_label("Points", exact=True).fill("x;y;label\n10;20;cat\n30;40;dog")
    button(page, "Use these points").click()
    assert run(page, "return [...play.data.x, ...play.data.t]") == [-1, -1, 1, 1, -1, 1]
    assert not page.complaints


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("depth=99", "depth cannot be 99; it is 2 instead"),
        ("lr=fast", "lr cannot be fast"),
        ("weights.binarizer=__proto__", "weights.binarizer cannot be __proto__"),
        ("points=1_2_3", "points cannot be 1_2_3; it is empty instead"),
        ("depth=1", "No weight is 1-bit"),
        ("weights.binarizer=float&activations.binarizer=float", "Both nets are float"),
        ("activations.scale=3&activations.width=0.1&lr=10&optimizer=sgd&depth=4&width=1&ends=true", ""),
    ],
)
def test_a_link_that_cannot_be_or_is_no_use(open_file, link, said):
    page = open_file(link)
    assert said in page.locator(".said").text_content()
    button(page, "Step").click()
    assert run(page, "return play.bit.step") == 1
    assert not page.complaints


def test_a_loss_that_is_no_number_stops_the_run_with_one_line(open_file):
    page = open_file()
    run(page, "play.bit.net.layers[2].b.value[0] = NaN")
    button(page, "Play").click()
    assert re.fullmatch(
        r"Training stopped at step 0: the loss is not a number any more\..+",
        page.locator(".said").text_content(),
    )
    assert button(page, "Play").is_visible()


@pytest.mark.parametrize(
    "link",
    [
        "",
        "data=moons&weights.binarizer=recu-weight&activations.binarizer=elastic-unsigned&depth=3&lr=0.1&optimizer=momentum",
        "ends=true&activations.surrogate=triangle&activations.width=1.5&weights.scale=0.7&weights.threshold=0.1",
        "data=own&points=10_20_1.-30_40_0.50_-60_1.-5_-5_0&activations.binarizer=float&optimizer=sgd",
    ],
)  # fmt: skip
def test_as_python_is_the_same_run(open_file, link, capsys):
    page = open_file(link)
    run(page, "play.learn(30); play.draw()")
    button(page, "As Python").click()
    found = {}
    exec(page.locator("dialog pre").text_content(), found)
    for name, learner in (("float", "float"), ("1-bit", "bit")):
        ours = run(
            page, f"return play.{learner}.net.layers.flatMap((each) => [...each.w.value, ...each.b.value])"
        )
        layers = [layer for layer in found["nets"][name] if isinstance(layer, torch.nn.Linear)]
        theirs = torch.cat(
            [part.detach().flatten() for layer in layers for part in (layer.weight, layer.bias)]
        )
        torch.testing.assert_close(torch.tensor(ours, dtype=torch.float64), theirs, rtol=1e-5, atol=1e-5)
    said = re.findall(r"[\d.]+%", capsys.readouterr().out)
    assert said[0].rstrip("0%.") in page.locator(".of-float").text_content()


def test_a_lesson_link_hides_what_is_ticked_and_names_of_other_versions_do_no_harm(open_file):
    page = open_file()
    button(page, "Lesson link").click()
    page.get_by_label("Optimizer").last.check()
    page.get_by_label("Loss").last.check()
    link = page.get_by_label("Link", exact=True).input_value()
    assert "hide=optimizer%2Closses" in link
    again = open_file(link.split("#")[1] + "%2Cgone-since-then")
    assert not again.locator("[data-key=optimizer]").is_visible()
    assert not again.locator("canvas.loss").is_visible()
    assert again.locator("[data-key=lr]").is_visible()
    assert not again.locator(".said").text_content()
    button(again, "Step").click()
    assert not again.complaints


def test_with_reduced_motion_nothing_grows_and_frames_are_few(open_file):
    page = open_file("weights.binarizer=bnn&lr=0.3", reduced_motion="reduce")
    run(
        page,
        """window.ages = new Set();
        const draw = play.draw;
        play.draw = function () { for (const { age } of this.sparks) ages.add(age); draw.call(this); }""",
    )
    button(page, "Play").click()
    page.wait_for_function("window.playground.bit.step > 5")
    assert page.evaluate("[...window.ages]") == [0]


@pytest.mark.parametrize("size", [(390, 844), (1280, 720)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_page_and_every_widget_has_a_name(open_file, size, scheme):
    page = open_file(color_scheme=scheme)
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    nameless = "all => all.filter((each) => !(each.labels?.length || each.ariaLabel || each.textContent.trim())).length"
    assert page.locator(".plane :is(button, input, select, textarea)").evaluate_all(nameless) == 0
    assert page.evaluate("document.querySelector('.plane').classList.contains('dark')") is (scheme == "dark")


def test_in_the_dashboard_the_link_follows_what_is_chosen_and_the_back_button_too(visitor):
    page = visitor.go("playground?depth=3")
    page.locator("[data-key=data] select").select_option("xor")
    page.wait_for_url(lambda url: "data=xor" in url)
    page.locator("[data-key=ends] input").check()
    page.wait_for_url(lambda url: "ends=true" in url)
    assert parse_qs(urlparse(page.url).query) == {"depth": ["3"], "data": ["xor"], "ends": ["true"]}
    visitor.settle()
    again = visitor.go(page.url.removeprefix(f"{visitor.address}/"))
    assert again.locator("[data-key=data] select").input_value() == "xor"
    assert again.locator("[data-key=ends] input").is_checked()
    with again.expect_download() as file:
        again.get_by_role("button", name="As one file").click()
    saved = file.value.path().read_text(encoding="utf-8")
    _, settings = json.loads(re.search(r"\.\.\.(\[.+\])\);", saved)[1])
    assert settings == USUAL | {"depth": 3, "data": "xor", "ends": True}
    assert not visitor.complaints


def test_a_choice_while_it_learns_reaches_the_link_and_does_not_stop_it(visitor):
    page = visitor.go("playground")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("slider", name="Threshold", exact=True).fill("0.5")
    page.wait_for_url(lambda url: "activations.threshold=0.5" in url)
    visitor.settle()
    step = page.locator(".count").text_content()
    expect(page.locator(".count")).not_to_have_text(step)
    assert page.get_by_role("button", name="Pause").is_visible()
    assert not visitor.complaints
