"""What a gradient does at exactly the edge of its window: integers, against definitions for one number."""

from fractions import Fraction

import pytest
import torch

from binviz import recipes
from binviz.binarizers import get, names
from binviz.errors import UserError
from binviz.recipes import recipe as fields

INTEGERS = torch.arange(-4.0, 5.0).repeat(8, 1)  # a row for each of eight channels, or of eight examples
HALVES = torch.arange(-12.0, 20.0) / 2


def window(x, edge):
    return 1.0 if abs(x) < 1 else 0.0 if abs(x) > 1 else float(edge == "passes")


def triangle(x, edge):
    return float(max(2 - 2 * abs(x), 0))


def gradients(binarizer, x, of_value=False):
    leaf = x.clone().requires_grad_()
    code = binarizer.encode(leaf)
    ((code.decode() if of_value else code.q).sum()).backward()
    return leaf.grad


def test_every_activation_is_asked_below():
    known = {
        "bnn",
        "xnor-activation",
        "bibert-attention",
        "bivit-attention",
        "bivit-attention-scores",
        "row-threshold",
        "fda-activation",
    }
    known |= {
        "bireal-activation",
        "bidense-activation",
        "reactnet-activation",
        "recu-activation",
        "elastic-signed",
        "elastic-ternary",
        "elastic-unsigned",
        "ir-net-activation",
    }
    pictures = {"bit-planes"}  # nothing in front of it learns
    assert {name for name in names() if not name.endswith("-weight")} - {"stored"} == known | pictures


@pytest.mark.parametrize("edge", ["passes", "blocks"])
@pytest.mark.parametrize(
    "name",
    ["bnn", "xnor-activation", "bibert-attention", "bivit-attention-scores", "xnor-weight", "dorefa-weight"],
)
def test_a_window_on_integers(name, edge):
    wanted = [window(x, edge) for x in INTEGERS[0].tolist()]
    assert gradients(get(name, edge=edge), INTEGERS).tolist() == [wanted] * 8


@pytest.mark.parametrize("edge", ["passes", "blocks"])
@pytest.mark.parametrize("name", ["bireal-weight", "bibert-weight", "bidense-weight"])
def test_a_window_of_the_scaled_value(name, edge):
    """Rows whose mean is zero, so that centring moves nothing; it takes the gradient's mean away, though."""
    wanted = torch.tensor([window(x, edge) for x in INTEGERS[0].tolist()])
    if name != "bireal-weight":
        wanted = wanted - wanted.mean()
    assert torch.allclose(
        gradients(get(name, edge=edge), INTEGERS, of_value=True), wanted.repeat(8, 1), atol=1e-6
    )


@pytest.mark.parametrize("edge", ["passes", "blocks"])
def test_bivits_learned_scale(edge):
    wanted = torch.tensor([window(x, edge) for x in INTEGERS[0].tolist()])
    binarizer = get("bivit-weight", features=8, edge=edge)
    assert torch.allclose(gradients(binarizer, INTEGERS), (wanted - wanted.mean()).repeat(8, 1), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["bireal-activation", "bidense-activation", "reactnet-activation", "recu-activation"]
)
def test_a_triangle_ends_at_zero_and_has_no_edge(name):
    binarizer = get(name, features=9).eval()
    assert gradients(binarizer, INTEGERS).tolist() == [[triangle(x, None) for x in INTEGERS[0].tolist()]] * 8
    with pytest.raises(UserError, match="edge"):
        get(name, edge="passes")


@pytest.mark.parametrize("edge", ["passes", "blocks"])
@pytest.mark.parametrize("progress", [0, 1])
def test_fouriers_window(edge, progress):
    binarizer = get("fda-activation", noise=False, edge=edge)
    inside = get("fda-activation", noise=False)
    for each in (binarizer, inside):
        each.set_progress(progress)
    near = gradients(inside, torch.nextafter(torch.ones(1), torch.zeros(1))).item()
    found = dict(zip(INTEGERS[0].tolist(), gradients(binarizer, INTEGERS[0]).tolist(), strict=True))
    assert found[0] > 1 and all(found[x] == 0 for x in found if abs(x) > 1)
    for x in (-1.0, 1.0):
        assert found[x] == pytest.approx(near if edge == "passes" else 0, abs=1e-5)


def test_probabilities_pass_straight_through():
    for name in ("row-threshold", "bivit-attention"):
        assert (gradients(get(name), INTEGERS.abs()) == 1).all()


@pytest.mark.parametrize("edge", ["passes", "blocks"])
@pytest.mark.parametrize(
    ("kind", "options", "low", "high"),
    [
        ("signed", {"bits": 1}, -1, 1),
        ("signed", {"bits": 2}, -2, 1),
        ("signed", {"bits": 4}, -8, 7),
        ("ternary", {}, -1, 1),
        ("unsigned", {"bits": 1}, 0, 1),
        ("unsigned", {"bits": 2}, 0, 3),
        ("unsigned", {"bits": 4}, 0, 15),
    ],
)
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_elastic_windows_at_multiples_of_alpha(kind, options, low, high, edge, alpha):
    """Half-integers and an alpha that divides them, so that x / alpha meets every code and both ends exactly."""
    binarizer = get(f"elastic-{kind}", edge=edge, grad_scale=False, learn_shift=True, **options)
    binarizer.initialize(HALVES)
    binarizer.alpha.data.fill_(alpha)
    leaf = HALVES.clone().requires_grad_()
    binarizer(leaf).sum().backward()

    to_x, to_alpha = [], 0.0
    for x in HALVES.tolist():
        ratio = Fraction(x) / Fraction(alpha)
        inside = low <= ratio <= high if edge == "passes" else low < ratio < high
        to_x.append(float(inside))
        if options == {"bits": 1} and low:
            to_alpha += 1 if x >= 0 else -1
        else:  # Fraction rounds half to even, as the definition does
            to_alpha += min(max(round(ratio), low), high) - (float(ratio) if inside else 0.0)
    assert leaf.grad.tolist() == to_x
    assert binarizer.beta.grad.item() == sum(to_x)
    assert binarizer.alpha.grad.item() == pytest.approx(to_alpha, abs=1e-4)


@pytest.mark.parametrize("name", ["bnn", "elastic-unsigned", "fda-weight"])
def test_an_edge_is_one_of_two(name):
    with pytest.raises(UserError, match="edge is 'passes' or 'blocks', not 'open'"):
        get(name, edge="open")


# What the official codes do, looked up comparison by comparison: ge(1) blocks, gt(1) and clamp pass. Roles: weights,
# activations, queries and keys and values, attention; "-" has no edge.
OFFICIAL = {
    "bibert": ("passes", "passes", "blocks", "blocks"),
    "bivit-w1a1": ("blocks", "blocks", "blocks", "-"),
    "bivit-attention": ("blocks", "blocks", "blocks", "-"),
    "bivit-w1a1-v": ("blocks", "blocks", "blocks", "-"),
    "bivit-mixed": ("blocks", "blocks", "blocks", "-"),
    "bit-w1a1": ("-", "passes", "passes", "passes"),
    "bit-w1a2": ("-", "passes", "passes", "passes"),
    "bit-w1a4": ("-", "passes", "passes", "passes"),
    "planes-w1a1": ("-", "passes", "passes", "passes"),
    "planes-w1a1-17": ("-", "passes", "passes", "passes"),
    "binarydm-plain": ("passes", "passes", "-", "-"),
    "binarydm-w1a4": ("-", "passes", "-", "-"),
    "binarydm-w1a8": ("-", "passes", "-", "-"),
    "bipft-a": ("-", "passes", "passes", "passes"),
    "bipft-b": ("-", "passes", "passes", "passes"),
    "bidense": ("passes", "-", "-", "-"),
    "bidense-bits": ("passes", "-", "-", "-"),
    "db-llm": ("-", "-", "-", "-"),
    "db-llm-g64": ("-", "-", "-", "-"),
    "ternary": ("-", "-", "-", "-"),
    "bwta": ("-", "passes", "passes", "passes"),
    "bnn": ("passes", "passes", "blocks", "blocks"),
    "xnor": ("passes", "passes", "blocks", "blocks"),
    "dorefa": ("blocks", "blocks", "blocks", "blocks"),
    "bireal": ("passes", "-", "blocks", "blocks"),
    "xnorpp": ("blocks", "blocks", "blocks", "blocks"),
    "reactnet": ("passes", "-", "blocks", "blocks"),
    "rbonn": ("-", "-", "blocks", "blocks"),
    "ir-net": ("-", "-", "blocks", "blocks"),
    "recu": ("-", "-", "blocks", "blocks"),
    "fda": ("passes", "passes", "blocks", "blocks"),
}
ROLES = ("weight", "activation", "query", "attention")


def edges(recipe):
    chosen = [getattr(recipe, role) for role in ROLES]
    return tuple(
        "-" if choice is None else getattr(choice.make(features=1), "edge", "-") for choice in chosen
    )


@pytest.mark.parametrize("name", OFFICIAL)
def test_recipes_have_the_official_edges(name):
    recipe = recipes.get(name)
    assert edges(recipe) == OFFICIAL[name]
    assert recipe.query == recipe.key == recipe.value


def test_every_recipe_of_a_paper_is_looked_up():
    ours = {name for name in recipes.names() if name.endswith(("-threshold", "-probs"))}
    assert set(recipes.names()) - ours == set(OFFICIAL)


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.parametrize("edge", ["passes", "blocks"])
def test_the_other_edge_changes_nothing_else(name, edge):
    recipe, other = recipes.get(name), recipes.get(name).with_edge(edge)
    assert other.name == f"{name}-edge-{edge}" and recipes.get(other.name) == other
    assert edges(other) == tuple("-" if was == "-" else edge for was in edges(recipe))
    for key, value in vars(recipe).items():
        if key in fields.ROLES and value is not None:
            without = {option: of for option, of in getattr(other, key).options.items() if option != "edge"}
            assert getattr(other, key).binarizer == value.binarizer
            assert without == {option: of for option, of in value.options.items() if option != "edge"}
        elif key != "name":
            assert getattr(other, key) == value
