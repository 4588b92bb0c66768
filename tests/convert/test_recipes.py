"""Recipes: names, JSON and back, one line for whatever is no recipe."""

import json

import pytest

from binviz import binarizers, recipes
from binviz.errors import UserError
from binviz.recipes import Choice, Recipe

NAMES = [
    "bibert",
    "bidense",
    "bidense-bits",
    "binarydm-plain",
    "binarydm-w1a4",
    "binarydm-w1a8",
    "bipft-a",
    "bipft-b",
    "bireal",
    "bireal-threshold",
    "bit-w1a1",
    "bit-w1a2",
    "bit-w1a4",
    "bivit-attention",
    "bivit-mixed",
    "bivit-w1a1",
    "bivit-w1a1-v",
    "bnn",
    "bnn-probs",
    "bnn-threshold",
    "bwta",
    "db-llm",
    "db-llm-g64",
    "dorefa",
    "dorefa-threshold",
    "fda",
    "fda-threshold",
    "ir-net",
    "planes-w1a1",
    "planes-w1a1-17",
    "rbonn",
    "reactnet",
    "reactnet-threshold",
    "recu",
    "recu-threshold",
    "ternary",
    "xnor",
    "xnor-threshold",
    "xnorpp",
    "xnorpp-threshold",
]


def test_names():
    assert recipes.names() == NAMES
    assert recipes.names("bit-*") == ["bit-w1a1", "bit-w1a2", "bit-w1a4"]


def test_every_field_is_what_was_declared(golden):
    golden("recipes.json", {name: recipes.get(name).to_dict() for name in recipes.names()})


def test_json_and_back():
    for name in NAMES:
        recipe = recipes.get(name)
        assert recipe.name == name
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
        assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_every_field_survives_json():
    recipe = recipes.get("bit-w1a2").but(
        "all",
        attention_on="scores",
        ffn_activation="gelu",
        output_scale=True,
        estimator_rank=3,
        float_activations=("*.fc1",),
        keep_float=("pooler", "layers.0.*"),
        input=Choice("bit-planes", {"greys": 17}),
        overrides=(("a*", {"weight": Choice("multi-basis-weight"), "activation": None}), ("*b", {})),
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_weights_are_one_bit():
    for name in NAMES:
        recipe = recipes.get(name)
        for choice in filter(None, (recipe.weight, recipe.embedding)):
            assert choice.make(features=4, channel_axis=0).levels == (-1, 1)


@pytest.mark.parametrize(("bits", "signed"), [(1, (-1, 1)), (2, (-2, -1, 0, 1)), (4, tuple(range(-8, 8)))])
def test_bits_of_bit(bits, signed):
    recipe = recipes.get(f"bit-w1a{bits}")
    for role in ("activation", "query", "key", "value"):
        assert getattr(recipe, role).make(features=1).levels == signed
    for role in ("nonneg_activation", "attention"):
        assert getattr(recipe, role).make(features=1).levels == tuple(range(2**bits))


def test_a_recipe_is_its_own_name():
    recipe = recipes.get("bnn").but("mine")
    assert recipes.get(recipe) is recipe


def test_unknown_name():
    with pytest.raises(UserError, match="did you mean 'bit-w1a1'"):
        recipes.get("bitw1a1")
    with pytest.raises(UserError, match="choose one of: bibert, "):
        recipes.get("")


def test_register_refuses_a_second_of_the_name():
    recipes.register(recipes.get("bnn"))
    with pytest.raises(UserError, match="exists already"):
        recipes.register(recipes.get("xnor").but("bnn"))
    assert recipes.get("bnn").weight.binarizer == "bnn"


GOOD = {"name": "mine", "weight": {"binarizer": "bnn"}}
BAD = {
    "nothing": {},
    "a list": [1, 2],
    "a word": "bnn",
    "none": None,
    "no weight": {"name": "mine"},
    "weight of null": GOOD | {"weight": None},
    "weight as a word": GOOD | {"weight": "bnn"},
    "unknown binarizer": GOOD | {"weight": {"binarizer": "bnnn"}},
    "binarizer of a list": GOOD | {"weight": {"binarizer": []}},
    "unknown option": GOOD | {"weight": {"binarizer": "bnn", "options": {"bits": 1}}},
    "options as a list": GOOD | {"weight": {"binarizer": "bnn", "options": [1]}},
    "option of the layer": GOOD | {"weight": {"binarizer": "bnn", "options": {"features": 3}}},
    "impossible option": GOOD | {"query": {"binarizer": "elastic-signed", "options": {"bits": 3}}},
    "offsets by the million": GOOD | {"weight": {"binarizer": "stored", "options": {"offset": 10**9}}},
    "unknown field": GOOD | {"wieght": {"binarizer": "bnn"}},
    "attention_on": GOOD | {"attention_on": "logits"},
    "overrides as a word": GOOD | {"overrides": "outer.*"},
    "an override of a word": GOOD | {"overrides": [["outer.*", {"weight": "bnn"}]]},
    "an override without a pattern": GOOD | {"overrides": [[3, {}]]},
    "an override of attention": GOOD | {"overrides": [["*", {"query": {"binarizer": "bnn"}}]]},
    "an override that leaves weights float": GOOD | {"overrides": [["*", {"weight": None}]]},
    "three bases": GOOD
    | {"overrides": [["*", {"weight": {"binarizer": "multi-basis-weight", "options": {"bases": 3}}}]]},
    "one pattern": GOOD | {"keep_float": "pooler"},
    "pattern of a number": GOOD | {"keep_float": [3]},
    "patterns of null": GOOD | {"float_activations": None},
    "negative rank": GOOD | {"estimator_rank": -1},
    "rank of a word": GOOD | {"estimator_rank": "1"},
    "version 2": GOOD | {"version": 2},
    "version 2 with new fields": GOOD | {"version": 2, "softmax": "float"},
}


@pytest.mark.parametrize("values", BAD.values(), ids=BAD)
def test_no_recipe(values):
    Recipe.from_dict(GOOD)
    with pytest.raises(UserError) as caught:
        Recipe.from_dict(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ["version 2", "version 2 with new fields"])
def test_a_newer_recipe_is_told_by_its_version(case):
    with pytest.raises(UserError, match="version 2 is unknown; this binviz reads version 1"):
        Recipe.from_dict(BAD[case])


def test_a_choice_makes_a_new_binarizer_each_time():
    choice = Choice("elastic-signed", {"bits": 2, "learn_shift": True})
    one, other = choice.make(features=5), choice.make(features=5)
    assert isinstance(one, binarizers.Binarizer)
    assert one is not other and one.beta.shape == (5,)
