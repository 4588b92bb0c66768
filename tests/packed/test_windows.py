"""Fused layers whose positions have windows or a bias, against the modules: Swin and BEiT."""

import numpy as np
import pytest
import torch
from binviz_kernels import set_threads
from binviz_kernels.encoder import encoder, unpack_codes
from transformers import BeitConfig, BeitModel, SwinBackbone, SwinConfig, SwinModel
from transformers.models.swin.modeling_swin import SwinLayer, window_partition

import binviz
from binviz.adapters import layout_of
from binviz.analysis.capture import capture
from binviz.packed import why_not_fused
from binviz.packed.fold import fold_blocks
from binviz.packed.fused import LONGEST, FusedLayers
from binviz.packed.windows import windows_of

#: Attention by scores and their largest, by scores alone.
RECIPES = ["bivit-w1a1", "bibert"]


@pytest.fixture(autouse=True)
def one_thread():
    """Threads have tests of their own, and take long to compile."""
    set_threads(1)
    yield
    set_threads(None)


@torch.no_grad()
def started(model, recipe, x):
    """The binary model with scales from a batch; biases, gains and tables are away from their start."""
    for name, parameter in model.eval().named_parameters():
        if parameter.ndim == 1 or "bias_table" in name:
            parameter += 0.3 * torch.randn_like(parameter)
    binviz.binarize_(model, recipe)
    model(x)
    return model


def swin(recipe, window=4, side=16, kind=SwinModel, **options):
    """Two stages of two layers, in patches of 2 x 2; their windows are shifted by turns."""
    torch.manual_seed(0)
    sizes = {"embed_dim": 16, "depths": [2, 2], "num_heads": [1, 2], "mlp_ratio": 2.0, "drop_path_rate": 0.0}
    config = SwinConfig(image_size=side, patch_size=2, window_size=window, **sizes, **options)
    return started(kind(config), recipe, torch.randn(2, 3, side, side))


def beit(recipe, side=16, **options):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    config = BeitConfig(image_size=side, patch_size=4, drop_path_rate=0.0, **sizes, **options)
    return started(BeitModel(config), recipe, torch.randn(2, 3, side, side))


def forbid_layers(packed):
    """From now on, the layers themselves must not run."""
    lists = [part for part in packed.modules() if isinstance(part, FusedLayers)]
    assert lists and why_not_fused(packed) == ""
    for layer in (layer for part in lists for layer in part.children()):
        layer.forward = None
    return packed


@torch.no_grad()
def assert_same(model, packed, *given, **options):
    expected, got = model(*given, **options), packed(*given, **options)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("height", "width", "size", "shift"),
    [(8, 8, 4, 2), (7, 9, 4, 0), (7, 9, 4, 2), (5, 14, 5, 2), (3, 2, 2, 1)],
)
def test_windows_are_those_of_the_layers(height, width, size, shift):
    layer = SwinLayer(SwinConfig(window_size=size), 4, (height, width), 1, shift_size=shift)
    picture = torch.arange(1.0, 2 * height * width + 1).view(2, height, width, 1)
    filled, _ = layer.maybe_pad(picture, height, width)
    rows = window_partition(layer.cyclic_shift(filled), size).view(-1, size**2)
    windows = windows_of(2, height, width, size, (shift,))
    # Where the layers fill up with zeros, rows are one behind the last
    wanted = torch.where(rows > 0, rows - 1, 2 * height * width)
    np.testing.assert_array_equal(windows.rows[0], wanted)
    mask = layer.get_attn_mask(*filled.shape[1:3], torch.float32, torch.device("cpu"))
    seen = windows.allowed[windows.kinds[0]].reshape(2, -1, size**2, size**2)
    for example in seen:
        np.testing.assert_array_equal(example, True if mask is None else mask == 0)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("side", "window"), [(16, 4), (26, 5), (28, 7), (34, 8), (70, 7)])
def test_swin(recipe, side, window):
    """Pictures that windows divide and do not; at 28 the second stage is one window, which is not shifted; at 70 there
    are more positions than any of them could attend to."""
    model = swin(recipe, window, side)
    packed = forbid_layers(binviz.pack(model))
    for batch in (1, 3):
        assert_same(model, packed, torch.randn(batch, 3, side, side))


@torch.no_grad()
def test_every_code_of_swin_is_that_of_the_layers():
    model, x = swin("bivit-w1a1", 5, 26), torch.randn(2, 3, 26, 26)
    captured = capture(model, {"pixel_values": x}, ["layers.*.resid_in", "layers.*.code"])
    sides = (13, 13, 7, 7)
    for i, (block, side, shift) in enumerate(zip(layout_of(model).blocks, sides, (0, 2) * 2, strict=True)):
        layer, windows = fold_blocks(model, [block], LONGEST), windows_of(2, side, side, 5, (shift,))
        _, words = encoder(captured[f"layers.{i}.resid_in"], layer, windows=windows)
        codes, inside = unpack_codes(words, layer), windows.rows[0] < 2 * side**2
        for code, part in zip(codes.qkv, "qkv", strict=True):
            wanted = captured[f"layers.{i}.{part}.code"].swapaxes(1, 2).reshape(*windows.rows[0].shape, -1)
            np.testing.assert_array_equal(code[windows.rows[0][inside]], wanted[inside] > 0)
        for code, part in ((codes.ffn_in, "ffn_in"), (codes.ffn, "ffn_act")):
            np.testing.assert_array_equal(code, captured[f"layers.{i}.{part}.code"].reshape(code.shape) > 0)


@torch.no_grad()
def test_another_picture_and_what_was_seen_before():
    """A small picture makes windows smaller for good, in the model as in its packed copy."""
    model = swin("bivit-w1a1", 4, 16)
    packed = binviz.pack(model)
    for side in (24, 16):
        assert_same(
            model,
            forbid_layers(binviz.pack(model)),
            torch.randn(1, 3, side, side),
            interpolate_pos_encoding=True,
        )
    small = torch.randn(1, 3, 6, 6)
    for twin in (model, packed):
        with pytest.raises(RuntimeError):  # three by three positions, and a bias for four by four
            twin(small, interpolate_pos_encoding=True)


def test_a_backbone_keeps_its_shifts():
    model = swin("bivit-w1a1", 4, 16, SwinBackbone, out_features=["stage1", "stage2"])
    packed, x = forbid_layers(binviz.pack(model)), torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        for one, other in zip(model(x).feature_maps, packed(x).feature_maps, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_maps_and_states_of_swin():
    model, x = swin("bibert"), torch.randn(2, 3, 16, 16)
    packed, options = binviz.pack(model), {"output_attentions": True, "output_hidden_states": True}
    expected, got = model(x, **options), packed(x, **options)
    for name in ("attentions", "hidden_states", "reshaped_hidden_states"):
        assert len(got[name]) == len(expected[name]) > 1
        assert all(torch.equal(one, other) for one, other in zip(got[name], expected[name], strict=True))
    assert_same(model, forbid_layers(packed), x)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("gains", [0.1, 0.0], ids=["with gains", "without"])
@pytest.mark.parametrize("biased", [True, False], ids=["with a bias", "without"])
def test_beit(recipe, gains, biased):
    model = beit(recipe, layer_scale_init_value=gains, use_relative_position_bias=biased)
    assert_same(model, forbid_layers(binviz.pack(model)), torch.randn(3, 3, 16, 16))


@torch.no_grad()
def test_beits_bias_for_another_picture_is_the_layers():
    model, x = beit("bivit-w1a1", use_relative_position_bias=True), torch.randn(1, 3, 8, 32)
    packed = binviz.pack(model)
    assert model.embeddings(x).shape[1] == 17  # as many positions as the configured picture has
    assert_same(model, packed, x)
    shared = beit("bivit-w1a1", use_shared_relative_position_bias=True)
    assert_same(shared, binviz.pack(shared), torch.randn(1, 3, 16, 16))


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("bit-w1a1", "a softmax's sum under a bias of positions"),
        ("bit-w1a2", "codes of several bits under a bias of positions"),
        ("bivit-mixed", "an activation that stays float"),
    ],
)
def test_why_a_swin_is_not_fused(recipe, reason):
    model, x = swin(recipe), torch.randn(1, 3, 16, 16)
    packed = binviz.pack(model)
    assert [line.partition(": ")[2] for line in why_not_fused(packed).split("; ")] == [reason] * 2
    assert_same(model, packed, x)
