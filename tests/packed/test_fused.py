"""Fused encoders against the fake-quantized model: the same outputs, and the layers where they have to run."""

import copy
from functools import partial

import pytest
import torch
from binviz_kernels import set_threads
from transformers import (
    BertConfig,
    BertModel,
    DeiTConfig,
    DeiTModel,
    RobertaConfig,
    RobertaModel,
    ViTConfig,
    ViTModel,
)

import binviz
from binviz.adapters import layout_of
from binviz.binarizers import Code
from binviz.errors import UserError
from binviz.layers.tap import listening
from binviz.packed.fold import fold_blocks
from binviz.packed.fused import LONGEST, FusedLayers, allowed_keys, fuse_
from binviz.packed.ranges import NotFoldable

RECIPES = ["bit-w1a1", "bibert", "bivit-w1a1", "bipft-b", "bit-w1a2", "bit-w1a4"]
#: Sums of floats are added in another order than torch's; codes next to their threshold may differ then.
CLOSE = 1e-4


def text_model(recipe, heads=2, head=32, kind=BertModel, config=BertConfig, **options):
    torch.manual_seed(0)
    model = kind(
        config(
            hidden_size=heads * head, num_hidden_layers=2, num_attention_heads=heads, intermediate_size=3 * head + 7,
            vocab_size=60, max_position_embeddings=150, **options,
        )
    )  # fmt: skip
    return started(model, recipe, {"input_ids": torch.arange(2, 42).view(2, 20)})


def picture_model(recipe, heads=2, head=16, kind=ViTModel, config=ViTConfig):
    torch.manual_seed(0)
    model = kind(
        config(
            hidden_size=heads * head, num_hidden_layers=2, num_attention_heads=heads, intermediate_size=70,
            image_size=16, patch_size=4,
        )
    )  # fmt: skip
    return started(model, recipe, {"pixel_values": torch.randn(2, 3, 16, 16)})


@torch.no_grad()
def started(model, recipe, batch):
    """The binary model with scales from a batch, and with every bias, shift and gain away from its start."""
    binviz.binarize_(model.eval(), recipe)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            parameter += 0.3 * torch.randn_like(parameter)
            if "norm" in name.lower() and "weight" in name:
                parameter[::5] *= -1
    model(**batch)
    return model


@torch.no_grad()
def fused(model):
    packed = copy.deepcopy(model)
    fuse_(packed, model)
    assert sum(isinstance(module, FusedLayers) for module in packed.modules()) == 1
    return packed


def forbid_layers(packed):
    """From now on, the layers themselves must not run."""
    (both,) = [module for module in packed.modules() if isinstance(module, FusedLayers)]
    for layer in both.children():
        layer.forward = None
    return packed


@torch.no_grad()
def undecided(model, expected, **inputs):
    """Examples in which a code is so near to its threshold that the model's own answer changes with its rounding."""
    changed = torch.zeros(len(expected), dtype=torch.bool)
    for step in (2e-6, -2e-6):  # more than a norm or a sum of exponentials differs
        moved = copy.deepcopy(model)
        for name, value in moved.named_parameters():
            if "norm" in name.lower() and name.endswith("bias"):
                value += step
            elif name.endswith("attention_binarizer.alpha"):
                value *= 1 + step
        changed |= ((moved(**inputs).last_hidden_state - expected).abs() > CLOSE).flatten(1).any(1)
    return changed


@torch.no_grad()
def assert_same(model, packed, **inputs):
    expected, got = model(**inputs).last_hidden_state, packed(**inputs).last_hidden_state
    assert got.dtype == expected.dtype and got.shape == expected.shape
    if not torch.allclose(got, expected, atol=CLOSE, rtol=CLOSE):
        sure = ~undecided(model, expected, **inputs)
        torch.testing.assert_close(got[sure], expected[sure], atol=CLOSE, rtol=CLOSE)


@pytest.fixture
def one_thread():
    """Long inputs would be split, and that takes long to compile; threads have tests of their own."""
    set_threads(1)
    yield
    set_threads(None)


@pytest.mark.parametrize("recipe", ["bnn", "dorefa", "bipft-a", "bivit-w1a1-v"])
def test_further_recipes(recipe):
    model = text_model(recipe)
    ids, mask = torch.randint(60, (2, 17)), torch.ones(2, 17, dtype=torch.long)
    mask[1, 9:] = 0
    assert_same(model, forbid_layers(fused(model)), input_ids=ids, attention_mask=mask)


HEADS = [(2, 16), (2, 32), (1, 48), (2, 64)]
#: Every recipe with two sizes of heads, and one with all.
SIZES = {
    *((RECIPES[0], *size) for size in HEADS),
    *((recipe, *HEADS[(i + j) % 4]) for i, recipe in enumerate(RECIPES) for j in (0, 1)),
}


@pytest.mark.parametrize(("recipe", "heads", "head"), sorted(SIZES))
def test_text(recipe, heads, head, one_thread):
    model = text_model(recipe, heads, head)
    packed = forbid_layers(fused(model))
    for L in (1, 17, 64, 65, 130):
        ids, mask = torch.randint(60, (4, L)), torch.ones(4, L, dtype=torch.long)
        assert_same(model, packed, input_ids=ids)
        mask[1, L // 2 :], mask[2], mask[3] = 0, torch.rand(L) < 0.5, 0
        assert_same(model, packed, input_ids=ids, attention_mask=mask)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(
    ("kind", "config"), [(ViTModel, ViTConfig), (DeiTModel, DeiTConfig)], ids=["ViT", "DeiT"]
)
def test_pictures(recipe, kind, config):
    model = picture_model(recipe, kind=kind, config=config)
    packed = forbid_layers(fused(model))
    for batch in (1, 3):
        assert_same(model, packed, pixel_values=torch.randn(batch, 3, 16, 16))


def test_roberta():
    model = text_model("bit-w1a1", kind=RobertaModel, config=RobertaConfig)
    assert_same(model, forbid_layers(fused(model)), input_ids=torch.randint(2, 60, (2, 30)))


@pytest.mark.parametrize("threads", [1, None])
def test_threads(threads, monkeypatch):
    monkeypatch.setattr("binviz_kernels.kernel.SMALLEST_WORK", 0)
    model = text_model("bit-w1a1")
    set_threads(threads)
    try:
        assert_same(model, fused(model), input_ids=torch.randint(60, (2, 40)))
    finally:
        set_threads(None)


@torch.no_grad()
def test_attention_maps_and_hidden_states_come_from_the_layers():
    model = text_model("bit-w1a1")
    packed, ids = fused(model), torch.randint(60, (2, 9))
    options = {"output_attentions": True, "output_hidden_states": True}
    expected, got = model(ids, **options), packed(ids, **options)
    for name in ("attentions", "hidden_states"):
        assert len(got[name]) == len(expected[name]) > 1
        for one, other in zip(got[name], expected[name], strict=True):
            assert torch.equal(one, other)
    assert packed(ids).attentions is None
    packed.config.output_hidden_states = True
    assert len(packed(ids).hidden_states) == 3


@torch.no_grad()
def test_what_listeners_hear_comes_from_the_layers():
    model = text_model("bit-w1a1")
    packed, ids = fused(model), torch.randint(60, (2, 9))
    heard = [[], []]
    for twin, values in zip((model, packed), heard, strict=True):
        with listening(lambda module, part, value, values=values: values.append((part, value))):
            twin(ids)
    assert len(heard[0]) == len(heard[1]) > 20
    assert [part for part, _ in heard[0]] == [part for part, _ in heard[1]]


def test_the_layers_are_where_they_were():
    model = text_model("bit-w1a1")
    packed = fused(model)
    assert [name for name, _ in packed.named_modules()] == [name for name, _ in model.named_modules()]
    assert packed.state_dict().keys() == model.state_dict().keys()
    assert len(packed.encoder.layer) == 2 and packed.encoder.layer[1].output.dense.weight.shape == (64, 103)
    assert "BertLayer" in repr(packed)
    assert_same(model, copy.deepcopy(packed), input_ids=torch.randint(60, (2, 9)))


@pytest.mark.parametrize("recipe", RECIPES)
@torch.no_grad()
def test_masks_that_differ_between_queries(recipe, one_thread):
    model = text_model(recipe)
    packed, ids = fused(model), torch.randint(60, (2, 9))
    causal = torch.ones(2, 1, 9, 9).tril().log().clamp(min=-1e9)
    several_bits = recipe in ("bit-w1a2", "bit-w1a4")  # their kernels take one mask for all queries
    assert_same(
        model, packed if several_bits else forbid_layers(packed), input_ids=ids, attention_mask=causal
    )


@torch.no_grad()
def test_other_masks_go_to_the_layers():
    model = text_model("bit-w1a1")
    packed, ids = fused(model), torch.randint(60, (2, 9))
    bias = torch.randn(2, 1, 9, 9)
    expected = model(ids, attention_mask=bias).last_hidden_state
    assert torch.equal(packed(ids, attention_mask=bias).last_hidden_state, expected)


def test_which_masks_are_taken():
    x, lowest = torch.zeros(2, 3, 8), torch.finfo(torch.float32).min
    keys = torch.tensor([[0.0, lowest, 0.0], [lowest] * 3])
    allowed = [[True, False, True], [False] * 3]
    assert allowed_keys(keys[:, None, None], x).tolist() == allowed
    assert allowed_keys(keys[:, None, None].expand(2, 1, 3, 3), x).tolist() == allowed
    causal = (1 - torch.ones(3, 3).tril()) * lowest
    seen = torch.ones(3, 3).tril().bool().tolist()
    assert allowed_keys(causal.expand(1, 1, 3, 3), x).tolist() == [seen, seen]
    assert allowed_keys((causal + keys[:, None]).clamp(min=lowest)[:, None], x)[1].sum() == 0
    for mask in (
        keys,
        keys[:, None],
        keys[:, None, None] * 0 - 1.0,
        torch.zeros(2, 1, 3, 3).bool(),
        keys[:, None, None, :2],
        torch.stack([keys, keys[:, [1, 0, 2]]], 1)[:, :, None],
    ):
        assert allowed_keys(mask, x) is None


@torch.no_grad()
def test_long_inputs_go_to_the_layers():
    model = text_model("bibert")
    packed = forbid_layers(fused(model))
    (both,) = [module for module in packed.modules() if isinstance(module, FusedLayers)]
    assert both(torch.zeros(1, LONGEST, 64)).shape == (1, LONGEST, 64)
    with pytest.raises(TypeError):
        both(torch.zeros(1, LONGEST + 1, 64))


@pytest.mark.parametrize("recipe", ["xnor", "reactnet", "bivit-mixed", "bnn-probs"])
@torch.no_grad()
def test_other_recipes_stay_as_they_are(recipe):
    model = text_model(recipe)
    packed = copy.deepcopy(model)
    fuse_(packed, model)
    assert not any(isinstance(module, FusedLayers) for module in packed.modules())


def fold_encoder(model, longest):
    return fold_blocks(model, layout_of(model).blocks, longest)


def test_a_factor_of_rows_must_not_matter_to_the_next_codes():
    """A sign does not see a positive factor; a sign of what is shifted does."""
    model = text_model("bivit-w1a1-v")
    fold_encoder(model, 64)
    signs = model.encoder.layer[1].attention.output.dense.activation_binarizer
    signs.encode = lambda x: Code(torch.where(x > 0.1, 1.0, -1.0), x.new_ones(()), x.new_zeros(()))
    with pytest.raises(NotFoldable, match="a scale per row that the next codes see"):
        fold_encoder(model, 64)


def test_what_keeps_its_layers():
    kept = text_model("bit-w1a1")
    kept.encoder.layer[1].output.dense = torch.nn.Linear(103, 64)
    with pytest.raises(NotFoldable, match="not binary"):
        fold_encoder(kept, 64)
    with pytest.raises(NotFoldable, match="float32"):
        fold_encoder(text_model("bit-w1a1").double(), 64)
    fresh = BertModel(
        BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, vocab_size=9)
    ).eval()
    binviz.binarize_(fresh, "bit-w1a1")
    with pytest.raises(NotFoldable, match="no batch"):
        fold_encoder(fresh, 64)
    network = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range(3)])
    with pytest.raises(NotFoldable, match="no encoder"):
        fold_encoder(network, 64)


class Towers(torch.nn.Module):
    """Two encoders in one model."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (text_model("bit-w1a1") for _ in range(2))

    def forward(self, ids):
        return self.a(ids).last_hidden_state, self.b(ids).last_hidden_state


def layer_shared():
    model = text_model("bit-w1a1")
    model.encoder.layer[1] = model.encoder.layer[0]
    return model


def layer_between():
    model = text_model("bit-w1a1")
    model.encoder.layer.insert(1, ScaledDown())
    return model


def layers_with_their_own_forward():
    model = text_model("bit-w1a1")
    model.encoder.layer = torch.nn.Sequential(*model.encoder.layer)
    return model


class ScaledDown(torch.nn.Module):
    def forward(self, hidden_states, *_, **__):
        return hidden_states / 3 - 0.1


@torch.no_grad()
def test_each_of_two_encoders_is_fused():
    model, ids = Towers(), torch.randint(60, (2, 9))
    packed = binviz.pack(model)
    assert sum(isinstance(module, FusedLayers) for module in packed.modules()) == 2
    for name in ("a", "b"):
        assert_same(getattr(model, name), getattr(packed, name), input_ids=ids)


@pytest.mark.parametrize("make", [layer_shared, layer_between, layers_with_their_own_forward])
@torch.no_grad()
def test_lists_of_other_modules_than_the_blocks_stay(make):
    model, ids = make(), torch.randint(60, (2, 9))
    packed = binviz.pack(model)
    assert not any(isinstance(module, FusedLayers) for module in packed.modules())
    expected, got = model(ids), packed(ids)
    outputs = (expected, got) if isinstance(got, tuple) else ((expected[0],), (got[0],))
    assert all(torch.equal(one, other) for one, other in zip(*outputs, strict=True))


class Wrapped(torch.nn.Module):
    """A model inside of another, which has a configuration of its own, or none."""

    def __init__(self, model, **config):
        super().__init__()
        self.model = model
        vars(self).update(config)

    def forward(self, *inputs, **options):
        return self.model(*inputs, **options)


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": BertConfig(output_hidden_states=True)}])
@torch.no_grad()
def test_the_nearest_configuration_counts(config):
    model = Wrapped(text_model("bit-w1a1"), **config).eval()
    assert_same(model, forbid_layers(fused(model)), input_ids=torch.randint(60, (2, 9)))


@torch.no_grad()
def test_layers_without_any_configuration():
    model = text_model("bit-w1a1")
    packed, hidden = copy.deepcopy(model), torch.randn(2, 9, 64)
    for module in packed.modules():
        vars(module).pop("config", None)
    fuse_(packed, model)
    (both,) = [module for module in forbid_layers(packed).modules() if isinstance(module, FusedLayers)]
    assert both(hidden).shape == hidden.shape


def test_parts_of_the_list():
    layers = fused(text_model("bit-w1a1")).encoder.layer
    first, second = layers.children()
    assert layers[0] is first and layers[-1] is second
    assert type(layers[:1]) is torch.nn.ModuleList
    assert list(layers[:1]) == [first] and list(layers[::-1]) == [second, first]


@torch.no_grad()
def test_loaded_weights_count():
    model, other = text_model("bibert"), text_model("bibert")
    for parameter in other.parameters():
        parameter.neg_()
    ids = torch.randint(60, (2, 9))
    for load in (
        lambda packed, state: packed.load_state_dict(state),
        lambda packed, state: packed.load_state_dict(state, assign=True),
        lambda packed, state: torch.nn.ModuleDict({"inside": packed}).load_state_dict(
            {f"inside.{name}": value for name, value in state.items()}
        ),
    ):
        packed = binviz.pack(model)
        load(packed, binviz.pack(other).state_dict())
        assert torch.equal(packed(ids).last_hidden_state, other(ids).last_hidden_state)


HOOKS = {
    "after a layer": (lambda packed: packed.encoder.layer[1], "register_forward_hook"),
    "before a layer": (lambda packed: packed.encoder.layer[0], "register_forward_pre_hook"),
    "after an activation": (
        lambda packed: packed.encoder.layer[0].intermediate.intermediate_act_fn,
        "register_forward_hook",
    ),
    "before a linear": (lambda packed: packed.encoder.layer[0].output.dense, "register_forward_pre_hook"),
}


@pytest.mark.parametrize(("where", "register"), HOOKS.values(), ids=HOOKS)
@torch.no_grad()
def test_hooks_are_called(where, register):
    packed = copy.deepcopy(binviz.pack(text_model("bit-w1a1")))
    ids, calls = torch.randint(60, (2, 9)), []
    handle = getattr(where(packed), register)(partial(lambda *given: calls.append(given)))
    packed(ids)
    assert len(calls) == 1
    handle.remove()
    forbid_layers(packed)(ids)


@torch.no_grad()
def test_what_transformers_leaves_on_the_layers_does_not_slow_them():
    packed, ids = fused(text_model("bit-w1a1")), torch.randint(60, (2, 9))
    packed(ids, output_attentions=True)
    assert any(layer._forward_hooks for layer in packed.encoder.layer.modules())
    forbid_layers(packed)(ids)


@pytest.mark.parametrize(
    ("recipe", "dtype"),
    list(zip(RECIPES, [torch.float16, torch.bfloat16, torch.float64] * 2, strict=True)),
)
@torch.no_grad()
def test_models_in_other_floats(recipe, dtype):
    model = text_model(recipe).to(dtype)
    packed = forbid_layers(binviz.pack(model))
    assert {value.dtype for value in model.parameters()} == {dtype}
    assert_same(model.float(), packed, input_ids=torch.randint(60, (2, 20)))


def test_gradients_are_refused_as_by_the_layers():
    packed = binviz.pack(text_model("bit-w1a1"))
    hidden = torch.randn(1, 5, 64, requires_grad=True)
    with pytest.raises(UserError, match="has no gradients"):
        packed(inputs_embeds=hidden)
    with torch.no_grad():
        packed(inputs_embeds=hidden)
    packed.encoder.requires_grad_(True)
    with pytest.raises(UserError, match="has no gradients"):
        packed(inputs_embeds=hidden.detach())
    with torch.no_grad():
        forbid_layers(packed)(inputs_embeds=hidden)
