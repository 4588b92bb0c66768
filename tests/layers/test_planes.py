"""A first layer that multiplies bit planes: identities in integers, and a network of digits without float products."""

import itertools

import numpy as np
import pytest
import torch

import binviz
from binviz import analysis, binarizers, costs, recipes
from binviz.adapters import layout_of
from binviz.data import digits
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.packed import pack
from binviz.packed.layers import PackedConv2d
from binviz.tasks.digits import start


def planes(greys, axis=1, **options):
    return binarizers.get("bit-planes", greys=greys, channel_axis=axis, **options)


def picture(greys, *shape):
    """Grey levels, all of them where they fit, and the picture in [-1, 1] as a network reads it."""
    g = np.random.default_rng(0).integers(0, greys, shape)
    g.flat[: min(greys, g.size)] = np.arange(greys)[: g.size]
    return g, torch.from_numpy((2 * g / (greys - 1) - 1).astype(np.float32))


def convolved(g, w, stride, padding):
    """Of whole numbers (B, C, H, W) and signs (O, C, h, w), loop by loop; what is padded adds nothing."""
    B, _, H, W = g.shape
    O, _, h, wide = w.shape
    out = np.zeros(
        (B, O, (H + 2 * padding - h) // stride + 1, (W + 2 * padding - wide) // stride + 1), np.int64
    )
    for i, j, y, x in itertools.product(range(out.shape[2]), range(out.shape[3]), range(h), range(wide)):
        row, column = i * stride + y - padding, j * stride + x - padding
        if 0 <= row < H and 0 <= column < W:
            out[:, :, i, j] += g[:, :, row, column] @ w[:, :, y, x].T
    return out


def layer(greys, outputs=5, inputs=2, size=3, **options):
    torch.manual_seed(0)
    conv = BinaryConv2d(
        inputs, outputs, size, bias=False, weight=binarizers.get("bnn"), activation=planes(greys), **options
    )
    return conv.eval(), np.where(conv.weight.detach().numpy() >= 0, 1, -1)


def test_the_example_of_three_pixels():
    """+200 - 77 + 255, plane by plane from the highest: 2, 1, 1, 1, 1, 0, 1, 0."""
    g, w = np.array([200, 77, 255]), np.array([1, -1, 1])
    sums = [int((g >> i & 1) @ w) for i in range(7, -1, -1)]
    assert (
        sums == [2, 1, 1, 1, 1, 0, 1, 0]
        and sum(s << i for s, i in zip(sums, range(7, -1, -1), strict=True)) == 378
    )
    code = planes(256, -1).encode(torch.from_numpy((2 * g / 255 - 1).astype(np.float32)))
    assert (code.q.numpy() == g).all() and int(code.q.numpy() @ w) == 378


@pytest.mark.parametrize("greys", [3, 16, 17, 129, 256])
def test_a_pictures_levels_are_its_codes_whatever_lies_beyond_is_cut(greys):
    g, x = picture(greys, 7, 41)
    code = planes(greys).encode(x)
    assert (code.q.numpy() == g).all() and torch.allclose(code.decode(), x, atol=1e-6)
    assert planes(greys).encode(torch.tensor([-9.0, 9.0])).q.tolist() == [0, greys - 1]
    assert planes(greys).bits == (greys - 1).bit_length()


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0), (2, 1)])
@pytest.mark.parametrize("greys", [17, 256])
def test_planes_sum_up_to_the_convolution_of_the_picture(greys, stride, padding):
    conv, w = layer(greys, stride=stride, padding=padding)
    g, x = picture(greys, 3, 2, 7, 9)
    wanted = convolved(g, w, stride, padding)
    by_planes = sum((convolved(g >> i & 1, w, stride, padding) << i) for i in range(8))
    assert (by_planes == wanted).all()
    with torch.no_grad():
        code = conv.encoded(x)
        found = conv.sums(code.q, conv.weight_binarizer(conv.weight))
        value = conv(x)
    assert (found.numpy() == wanted).all()
    # x = g s - 1, and a padded position adds nothing: it is neither black nor white
    ones = convolved(np.ones_like(g), w, stride, padding)
    np.testing.assert_allclose(value.numpy(), wanted * 2 / (greys - 1) - ones, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"padding": 1}, {"stride": 2, "padding": 2}, {"groups": 2}, {"dilation": 2}]
)
@pytest.mark.parametrize("greys", [3, 17, 256])
def test_packed_it_is_the_same_to_the_last_bit(greys, options):
    conv, _ = layer(greys, outputs=6, **options)
    _, x = picture(greys, 2, 2, 7, 9)
    x[0, 0, 0, 0] = float("nan")
    with torch.no_grad():
        torch.testing.assert_close(pack(conv)(x), conv(x), rtol=0, atol=0, equal_nan=True)
        assert torch.equal(pack(conv)(x[1:]), conv(x[1:]))


@pytest.fixture(scope="module")
def network():
    """The digits' network under both recipes' planes of 17 greys, and pictures."""
    model, _ = start("cnn-16", seed=0)
    images = torch.from_numpy(digits.load("test")[0][:24])
    binviz.binarize_(model, "planes-w1a1-17")
    for _ in range(2):
        model.train()(pixel_values=images).logits.square().sum().backward()
    assert all(value.grad is not None for value in model.parameters())
    return model.eval(), images


def test_no_float_product_is_left_before_the_head(network, tmp_path):
    model, images = network
    with torch.no_grad():
        wanted = model(pixel_values=images).logits
    packed = pack(model)
    floats = [
        path for path, part in packed.named_modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)
    ]
    assert floats == ["head"] and isinstance(packed.stem[0], PackedConv2d)
    assert torch.equal(packed(pixel_values=images).logits, wanted)
    binviz.save_packed(model, tmp_path / "digits.safetensors")
    assert torch.equal(binviz.load(tmp_path / "digits.safetensors")(pixel_values=images).logits, wanted)


def test_what_is_captured_is_the_ink(network):
    model, images = network
    found = analysis.capture(model, {"pixel_values": images}, "stem.0.*")
    assert (found["stem.0.code"][:, 0] == digits.raw("test")[0][: len(images)]).all()
    assert (found["stem.0.decoded"] == images.numpy()).all()


def test_operations_are_those_of_five_planes(network):
    model, _ = network
    stem = next(part for part in costs.of(model).parts if part.path == "stem.0")
    assert (stem.weight_bits, stem.activation_bits, stem.macs) == (1, 5, 8 * 9 * 64)


def test_another_recipe_leaves_the_first_layer_float_again(network):
    model = start("cnn-16", seed=0)[0]
    binviz.binarize_(model, "planes-w1a1")
    assert next(iter(layout_of(model).others)) == "stem.0" and model.stem[0].activation_binarizer.bits == 8
    table = binviz.binarize_(model, "bit-w1a1")
    assert type(model.stem[0]) is torch.nn.Conv2d and "stem.0" not in layout_of(model).others
    assert next(row.why for row in table.rows if row.name == "stem.0") == "first layer"


def test_a_recipe_without_planes_is_written_as_it_always_was():
    assert "input" not in recipes.get("bit-w1a1").to_dict()
    assert recipes.get("planes-w1a1-17").to_dict()["input"] == {
        "binarizer": "bit-planes",
        "options": {"greys": 17},
    }


def test_a_linear_layer_of_planes_is_not_packed():
    linear = BinaryLinear(4, 2, weight=binarizers.get("bnn"), activation=planes(17, -1))
    with pytest.raises(UserError, match="only in a convolution"):
        pack(linear)
