"""What binarizers declare of themselves: bounds of options, what they are made for, and the scales nearest to x."""

import numpy as np
import pytest
import torch

from binviz import recipes
from binviz.binarizers import described, get, least_error, names
from binviz.errors import UserError
from binviz.recipes.recipe import ROLES

OPTIONS = [(name, option) for name in names() for option in described(type(get(name))).values()]
NUMBERS = [
    (name, option) for name, option in OPTIONS if type(option.default) in (int, float) and not option.choices
]


@pytest.mark.parametrize(("name", "option"), OPTIONS, ids=lambda value: getattr(value, "name", value))
def test_every_option_is_explained_and_offers_its_default(name, option):
    assert option.help.endswith(".") and len(option.help) > 10
    assert not option.choices or option.default in option.choices
    assert set(option.declared.words) <= set(option.choices)
    other, values = option.declared.when or ("", ())
    assert not other or set(values) <= set(described(type(get(name)))[other].choices)


@pytest.mark.parametrize(("name", "option"), NUMBERS, ids=lambda value: getattr(value, "name", value))
def test_every_number_has_bounds_that_hold(name, option):
    low, high = option.declared.low, option.declared.high
    for value in (low, high, option.default):
        get(name, **{option.name: value})
    for value in (low - 1, high + 1, 10**8, -4, float("nan"), float("inf"), "5", None, True):
        with pytest.raises(UserError, match=rf"^{option.name} must be .* from {low:g} to {high:g}, not "):
            get(name, **{option.name: value})


def test_an_option_is_only_of_the_class_that_declares_it():
    for name in names():
        cls = type(get(name))
        taken = set(described(cls))
        assert set(cls.options) <= taken | {"subtract_min"}, name  # unsigned only


def used():
    """Binarizer -> what the recipes give it, in the words of `takes`."""
    found: dict[str, set[str]] = {}
    for recipe in map(recipes.get, recipes.names()):
        for role in ROLES:
            choice = getattr(recipe, role)
            if choice is None or (recipe.name, role) == (
                "bnn-probs",
                "attention",
            ):  # which shows that it fails
                continue
            word = {
                "embedding": "weight",
                "query": "activation",
                "key": "activation",
                "value": "activation",
            }.get(role, recipe.attention_on if role == "attention" else role)
            found.setdefault(choice.binarizer, set()).add(word)
    return found


def test_a_binarizer_is_made_for_what_recipes_give_it():
    elsewhere = {
        "bivit-attention-scores": {"scores"},
        "binary-connect-weight": {"weight"},
    }  # of experiments alone
    assert {name: set(get(name).takes) for name in names() if get(name).takes} == used() | elsewhere


def energy(x, y):
    return float((x - y).detach().double().square().sum())


@pytest.mark.parametrize("options", [{}, {"bits": 2}, {"bits": 4}, {"init": "paper"}], ids=str)
@pytest.mark.parametrize("name", ["elastic-signed", "elastic-unsigned"])
def test_no_alpha_of_many_is_nearer(name, options):
    x = torch.randn(2000, generator=torch.Generator().manual_seed(0))
    x = x.relu() if name == "elastic-unsigned" else x
    binarizer = get(name, **options)
    found = energy(x, least_error(binarizer, x)(x))
    for alpha in np.geomspace(1e-3, 10, 400):
        binarizer.alpha.data.fill_(alpha)
        assert found <= energy(x, binarizer(x)) * (1 + 1e-4), alpha


@pytest.mark.parametrize("name", ["bivit-weight", "recu-weight"])
def test_the_least_error_of_a_row_is_that_of_a_projection(name):
    w = torch.randn(5, 64, generator=torch.Generator().manual_seed(0)) + 0.3
    binarizer = get(name, features=5)
    binarizer(w)
    learnt = least_error(binarizer, w)
    for row, code, scale in zip(w, binarizer.encode(w).q, learnt.scale, strict=True):
        assert scale.item() == pytest.approx(float(row @ code) / 64, rel=1e-5)
    assert energy(w, learnt(w)) < energy(w, binarizer(w))
    assert torch.equal(binarizer.scale, get(name, features=5).scale) is False  # the first one is left alone


@pytest.mark.parametrize("name", names())
def test_learning_never_harms_and_a_computed_scale_stays(name):
    binarizer = get(name, features=6).eval()
    x = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)).softmax(-1)
    with torch.no_grad():
        before = binarizer(x)
        after = least_error(binarizer, x)(x)
    assert energy(x, after) <= energy(x, before) * (1 + 1e-6)
    if binarizer.scale_kind != "none" and not binarizer.scales:
        assert torch.equal(before, after)


def test_a_shift_stays_because_every_other_is_farther():
    x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0))
    for name, options in (("elastic-signed", {}), ("elastic-unsigned", {}), ("elastic-signed", {"bits": 2})):
        binarizer = get(name, learn_shift=True, **options)
        binarizer(x)
        learnt = least_error(binarizer, x)
        assert (learnt.beta == 0).all()
        found = energy(x, learnt(x))
        for beta in (-0.5, -0.1, 0.1, 0.5):
            learnt.beta.data.fill_(beta)
            assert energy(x, learnt(x)) > found
