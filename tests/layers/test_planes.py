"""A first layer that multiplies bit planes: identities in integers, and networks of digits without float products."""

import copy
import itertools

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

import binviz
from binviz import analysis, binarizers, costs, recipes
from binviz.adapters import layout_of
from binviz.data import digits
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.networks import StemViT, StemViTConfig
from binviz.packed import pack, why_not_fused
from binviz.packed.layers import PackedConv2d
from binviz.recipes import Choice
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


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0), (2, 1), (3, 0)])
@pytest.mark.parametrize("greys", [17, 256])
def test_planes_sum_up_to_the_convolution_of_the_picture(greys, stride, padding):
    conv, w = layer(greys, stride=stride, padding=padding)
    g, x = picture(greys, 3, 2, 7, 9)
    wanted = convolved(g, w, stride, padding)
    by_planes = sum((convolved(g >> i & 1, w, stride, padding) << i) for i in range(8))
    assert (by_planes == wanted).all()
    # g = (sum of 2^i q_i + 255) / 2 with planes of -1 and +1
    ones = convolved(np.ones_like(g), w, stride, padding)
    signed = sum((convolved(2 * (g >> i & 1) - 1, w, stride, padding) << i) for i in range(8))
    assert (signed + 255 * ones == 2 * wanted).all()
    with torch.no_grad():
        code = conv.encoded(x)
        found = conv.sums(code.q, conv.weight_binarizer(conv.weight))
        value = conv(x)
    assert (found.numpy() == wanted).all()
    # x = g s - 1, and a padded position adds nothing: it is neither black nor white
    np.testing.assert_allclose(value.numpy(), wanted * 2 / (greys - 1) - ones, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, {"padding": 1}, {"stride": 2, "padding": 2}, {"stride": 3}, {"groups": 2}, {"dilation": 2}],
)
@pytest.mark.parametrize("greys", [3, 17, 256])
def test_packed_it_is_the_same_to_the_last_bit(greys, options):
    conv, _ = layer(greys, outputs=6, **options)
    _, x = picture(greys, 2, 2, 7, 9)
    x[0, 0, 0, 0] = float("nan")
    with torch.no_grad():
        torch.testing.assert_close(pack(conv)(x), conv(x), rtol=0, atol=0, equal_nan=True)
        assert torch.equal(pack(conv)(x[1:]), conv(x[1:]))


#: Name -> its first layer by its canonical name and its path, products a picture there, bytes of it, and the head.
NETWORKS = {
    "cnn-16": ("stem.0", "stem.0", 8 * 9 * 64, 8 * 8 + 4, "head"),
    "vit-16": (
        "patches",
        "vit.embeddings.patch_embeddings.projection",
        16 * 4 * 16,
        16 * 8 + 4 + 16 * 4,
        "classifier",
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A network of digits under a recipe of 17 greys, pictures, and what `NETWORKS` says of it."""
    model, _ = start(request.param, seed=0)
    images = torch.from_numpy(digits.load("test")[0][:24])
    binviz.binarize_(model, "planes-w1a1-17")
    for _ in range(2):
        model.train()(pixel_values=images).logits.square().sum().backward()
    assert all(value.grad is not None for value in model.parameters())
    return model.eval(), images, NETWORKS[request.param]


def test_no_float_product_is_left_before_the_head(network, tmp_path):
    model, images, (_, path, _, _, head) = network
    with torch.no_grad():
        wanted = model(pixel_values=images).logits
    packed = pack(model, fused=False)
    floats = [
        path for path, part in packed.named_modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)
    ]
    assert floats == [head] and isinstance(packed.get_submodule(path), PackedConv2d)
    assert torch.equal(packed(pixel_values=images).logits, wanted)
    binviz.save_packed(model, tmp_path / "digits.safetensors")
    assert torch.equal(binviz.load(tmp_path / "digits.safetensors")(pixel_values=images).logits, wanted)


def test_what_is_captured_is_the_ink(network):
    model, images, (name, *_) = network
    found = analysis.capture(model, {"pixel_values": images}, f"{name}.*")
    assert (found[f"{name}.code"][:, 0] == digits.raw("test")[0][: len(images)]).all()
    assert (found[f"{name}.decoded"] == images.numpy()).all()


def test_operations_are_those_of_five_planes(network):
    model, _, (name, _, macs, stored, _) = network
    first = next(part for part in costs.of(model).parts if part.name == name)
    assert (first.weight_bits, first.activation_bits, first.macs, first.stored) == (1, 5, macs, stored)


@pytest.mark.parametrize("name", NETWORKS)
def test_another_recipe_leaves_the_first_layer_float_again(name):
    layer, path, *_ = NETWORKS[name]
    model = start(name, seed=0)[0]
    binviz.binarize_(model, "planes-w1a1")
    assert next(iter(layout_of(model).others)) == layer
    assert model.get_submodule(path).activation_binarizer.bits == 8
    for recipe in ("bit-w1a1", recipes.get("planes-w1a1").but("kept", keep_float=(layer,))):
        table = binviz.binarize_(model, recipe)
        assert type(model.get_submodule(path)) is torch.nn.Conv2d and layer not in layout_of(model).others
        why = next(row.why for row in table.rows if row.module == path)
        assert why == layout_of(model).stay[path]


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


def test_a_patch_embedding_is_a_product_of_rows_of_pixels():
    """Its kernel is its stride: no pixel is in two sums."""
    model = start("vit-16", seed=0)[0].eval()
    with torch.no_grad():
        model.vit.embeddings.patch_embeddings.projection.bias.normal_()
    binviz.binarize_(model, "planes-w1a1-17")
    projection = model.vit.embeddings.patch_embeddings.projection
    ink = digits.raw("test")[0][:9].astype(np.int64)
    rows = ink.reshape(-1, 4, 2, 4, 2).swapaxes(2, 3).reshape(-1, 16, 4)
    with torch.no_grad():
        images = torch.from_numpy(digits.normalise(ink))
        code, w = projection.encoded(images), projection.weight_binarizer.encode(projection.weight)
        found = projection.sums(code.q, w.q)
        tokens = model.vit.embeddings.patch_embeddings(images)
    signs = w.q.numpy().reshape(16, 4).astype(np.int64)
    sums = sum((rows >> i & 1) @ signs.T << i for i in range(5))
    assert (found.flatten(2).mT.numpy() == sums).all()
    wanted = (sums / 8 - signs.sum(1)) * w.scale.item() + projection.bias.detach().numpy()
    np.testing.assert_allclose(tokens.numpy(), wanted, rtol=1e-5, atol=1e-6)


def test_the_layers_behind_the_patches_run_as_one_call():
    model = start("vit-16", seed=0)[0]
    binviz.binarize_(model, recipes.get("bibert").but("planes", input=Choice("bit-planes", {"greys": 17})))
    images = torch.from_numpy(digits.load("test")[0][:5])
    packed = pack(model.eval())
    assert not why_not_fused(packed)
    with torch.no_grad():
        torch.testing.assert_close(
            packed(pixel_values=images).logits, model(pixel_values=images).logits, rtol=0, atol=1e-3
        )


def test_errors_and_their_causes_begin_with_the_patches():
    """A digit has no more greys than planes: all that is wrong there comes of the weights."""
    model, inputs = start("vit-16", seed=0)[0].eval(), {"pixel_values": torch.zeros(2, 1, 8, 8)}
    inputs["pixel_values"][1] = torch.from_numpy(digits.load("test")[0][0])
    binary = copy.deepcopy(model)
    binviz.binarize_(binary, "planes-w1a1-17")
    table = analysis.errors(model, binary, inputs)
    assert table.name[0] == "patches.in" and table.mse[0] == 0 < table.mse[table.name == "patches"].min()
    causes = analysis.causes(model, binary, inputs).set_index(["name", "cause"]).mse
    assert causes["patches", "activations"] < 1e-12 < causes["patches", "all"]


def text_model():
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    return BertModel(BertConfig(vocab_size=20, **sizes))


def model_behind_float_convolutions():
    return StemViT(StemViTConfig(stem=(4,), hidden_size=16, num_hidden_layers=1, intermediate_size=24))


@pytest.mark.parametrize("made", [text_model, model_behind_float_convolutions])
def test_a_model_without_a_layer_that_sees_pictures_says_so(made):
    table = binviz.binarize_(made(), "planes-w1a1")
    assert "input" in table.without_place and "bit-planes" not in {row.activation for row in table.rows}


def test_patches_of_another_kind_are_refused_and_may_stay_float():
    class Shifted(torch.nn.Conv2d):
        pass

    model = start("vit-16", seed=0)[0]
    model.vit.embeddings.patch_embeddings.projection = Shifted(1, 16, 2, stride=2)
    with pytest.raises(UserError, match=r"projection is a Shifted, .* keep it float"):
        binviz.binarize_(model, "planes-w1a1")
    binviz.binarize_(model, recipes.get("planes-w1a1").but("kept", keep_float=("patches",)))
    assert type(model.vit.embeddings.patch_embeddings.projection) is Shifted
