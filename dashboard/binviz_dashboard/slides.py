"""The figures that a lecturer projects, as files: drawn from bundled models and records, by what the pages draw with.

No Streamlit here. kaleido makes the pictures, in a Chrome or Chromium that is installed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go
import torch
from torch import nn

from binviz import analysis, plots, zoo
from binviz.errors import UserError
from binviz.experiments import questions
from binviz.files import replace_files
from binviz.playground import latent
from binviz.plots import theme
from binviz_dashboard import inside, lab, product, recorded, robust, speed, subject

Format = Literal["svg", "png"]
Theme = Literal["light", "dark"]
TEMPLATES = {"light": "binviz", "dark": "binviz_dark"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTH, HEIGHT, GROWTH = 960, 540, 1.3
DIGITS, MEASURE = "digits-vit.bit-w1a1", "relative error"


@cache
def _digits() -> tuple[nn.Module, nn.Module, Any]:
    """A float network for digits, its 1-bit twin, and a digit."""
    pair = subject.of(DIGITS)
    floats, binaries = map(zoo.load, pair.pair)
    return floats.eval(), binaries.eval(), pair.task.example(3, "", None)


def bits() -> go.Figure:
    """A dot product of eight signs, bit by bit."""
    step: Any = product.step("1 -1 1 1 -1 -1 1 -1", "1 1 -1 1 -1 1 1 -1", signed=True)
    return plots.bit_product(step.a, step.w, step.a_bits, step.w_bits, step.signed)


def words() -> go.Figure:
    """An activation of a network and a row of its weights, as machine words."""
    _, binaries, example = _digits()
    place = product.places(binaries)["layers.0.fc2"]
    seen = analysis.capture(binaries, example.inputs, [*place.inputs, place.path])
    met: Any = product.meet(binaries, place, seen, token=1, row=0)
    return plots.bit_words(met.a_bits, met.w_bits, met.signed)


def scale() -> go.Figure:
    """What a sign loses of normal numbers, against its scale."""
    normal = lab.draw("normal", 0.0, 1.0, seed=0)
    return plots.error_curve(lab.measure(lab.Lab("xnor-weight"), normal).scale, "scale", "times its own")


def surrogates() -> go.Figure:
    """One sign, two slopes in place of the true one."""
    normal = lab.draw("normal", 0.0, 1.0, seed=0)
    chosen = [lab.Lab("bnn"), lab.Lab("bireal-activation")]
    found: Any = lab.compare(chosen, [lab.measure(each, normal) for each in chosen])
    return plots.curves(found.grid, found.outputs, found.slopes)


@cache
def _trained() -> list[latent.Snapshot]:
    return list(latent.train(latent.Settings(), snapshots=30))


def latent_weights() -> go.Figure:
    """Where latent weights go while a net of signs learns digits."""
    seen = _trained()
    steps = [each.step for each in seen]
    return plots.moving_histogram(steps, [each.latent for each in seen], "latent weight (no unit)")


def flips() -> go.Figure:
    """The share of its signs that change in a step."""
    seen = _trained()[1:]
    shares = {"signs that flip": [100 * each.flips for each in seen]}
    return plots.lines(
        [each.step for each in seen], shares, "step (number)", "flips (% of the weights in a step)"
    )


def attention() -> go.Figure:
    """What a patch of a digit attends to: the float network, the 1-bit one, its codes."""
    floats, binaries, example = _digits()
    teacher, student = (analysis.attention(each, example.inputs).map(1, 0) for each in (floats, binaries))
    found: Any = inside.patches(teacher, student, position=6)
    return plots.patch_attention(example.picture, *found)


def errors() -> go.Figure:
    """A network as a map of what each place loses by itself."""
    table = analysis.errors(*_digits()[:2], _digits()[2].inputs)
    return plots.network(*inside.grid(table, "layer", "local", MEASURE), **inside.as_arguments(MEASURE))


def causes() -> go.Figure:
    """Why the places of a layer are wrong, one cause at a time."""
    table = analysis.causes(*_digits()[:2], _digits()[2].inputs)
    found = inside.causes_of(table, 1, MEASURE)
    about = inside.as_arguments(MEASURE)
    return plots.causes(found.places, found.errors, names=found.names, **about)


def sizes() -> go.Figure:
    """The bundled ViTs for digits: accuracy against the size of the file."""
    known = [zoo.describe(name) for name in zoo.names("digits-vit.*")]
    return plots.accuracy_size(
        [each.recipe for each in known],
        [each.bytes / 1e6 for each in known],
        [100 * each.metrics["accuracy"] for each in known],
        [each.recipe != "float" for each in known],
        labelled=("float", "bit-w1a1", "bivit-w1a1"),
    )


def robustness() -> go.Figure:
    """Accuracy under fifteen corruptions, from the records."""
    pair = robust.recorded(subject.of(DIGITS))
    assert pair is not None
    return plots.robustness(robust.curves(pair), 100 * pair.floats.chance, 3)


def _race() -> speed.Race:
    race = speed.recorded_race("768 → 768", 128)
    assert race is not None
    return race


def ratios() -> go.Figure:
    """What became of 1/64 of the operations, from the accepted record of a machine."""
    return plots.ratios(*speed.ratios(_race()))


def roofline() -> go.Figure:
    """The same layer under that machine's limits."""
    race = _race()
    return plots.roofline(*speed.points(race), race.bandwidth)


def claim() -> go.Figure:
    """The first claim of BiT: both sides, as they were measured."""
    asked = next(each for each in questions.questions() if each.experiment == "bit" and each.findings)
    figure = recorded.claim_figure(asked.findings[0], {(run.cell, run.seed): run for run in asked.runs})
    assert figure is not None
    return figure


#: In the order of a lecture.
FIGURES: dict[str, Callable[[], go.Figure]] = {
    "bits": bits,
    "words": words,
    "scale": scale,
    "surrogates": surrogates,
    "latent-weights": latent_weights,
    "flips": flips,
    "attention": attention,
    "errors": errors,
    "causes": causes,
    "sizes": sizes,
    "robustness": robustness,
    "ratios": ratios,
    "roofline": roofline,
    "claim": claim,
}


def slide(figure: go.Figure, look: Theme) -> dict[str, Any]:
    """A figure as plotly.js draws it on a slide: large text, a transparent ground, as light or dark as asked.

    >>> parts = slide(plots.bars(["a"], {"float": [1.0]}, "group", "value (%)"), "dark")
    >>> parts["layout"]["font"]["size"], parts["layout"]["width"]
    (18.2, 960)
    """
    large = theme.scaled(figure, GROWTH).update_layout(template=TEMPLATES[look], width=WIDTH)
    large.layout.height = max(large.layout.height or 0, HEIGHT)
    large.layout.meta = None
    return large.to_plotly_json()


def write(out: Path, form: Format, look: Theme) -> Iterator[Path]:
    """Draw every figure into a folder, and figures.md, which says what each shows.

    Args:
        out: the folder; made if it is not there.
        form: of the files. look: of the slides that they are for.

    Yields:
        Each file as it is written.

    Raises:
        UserError: there is nothing to draw with, or the folder cannot be written.
    """
    said = []
    with _pen() as draw, torch.random.fork_rng():
        for name, build in FIGURES.items():
            figure = build()
            said.append(f"**{name}**: {(build.__doc__ or '').strip()} {figure.layout.meta['alt']}\n")
            picture, path = draw(slide(figure, look), form), out / f"{name}.{form}"
            replace_files({path: partial(Path.write_bytes, data=picture)})
            yield path
    text = "\n".join(["# Figures, from binviz (CC BY 4.0)\n", *said])
    replace_files({out / "figures.md": lambda place: place.write_text(text, "utf-8")})
    yield out / "figures.md"


@contextmanager
def _pen() -> Iterator[Callable[[dict[str, Any], str], bytes]]:
    """What turns a figure into a picture; the browser behind it is started once, and stopped.

    Raises:
        UserError: kaleido or a browser is missing.
    """
    try:
        import kaleido
    except ImportError:
        raise UserError("figures are drawn by kaleido; install it: pip install 'kaleido>=1.5,<2'") from None
    browser = os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or not Path(browser).is_file():
        raise UserError(
            "no Chrome or Chromium to draw figures with; install one, or set BROWSER_PATH to its program"
        )
    os.environ["BROWSER_PATH"] = browser
    kaleido.start_sync_server(silence_warnings=True)
    try:
        yield lambda figure, form: kaleido.calc_fig_sync(
            figure, opts={"format": form, "scale": 2 if form == "png" else 1} | _size(figure)
        )
    finally:
        kaleido.stop_sync_server(silence_warnings=True)


def _size(figure: dict[str, Any]) -> dict[str, int]:
    return {side: round(figure["layout"][side]) for side in ("width", "height")}
