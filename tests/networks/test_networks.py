"""Networks of our own: each declares what a look at its forward finds, and is all that a model of transformers is."""

import copy

import pytest
import torch
from torch import nn

import binviz
from binviz import networks
from binviz.adapters import layout_of, plain
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.layers.bypass import bypass

QUICK = ("bnn", "reactnet", "bidense", "bit-w1a1")
SLOW = ("bidense-bits", "xnor", "dorefa", "bireal", "xnorpp", "recu", "fda", "bivit-w1a1")
#: Name -> how it is made, its input's name and shape.
NETWORKS = {
    "points": (lambda: networks.PointNet(networks.PointNetConfig(width=4, num_labels=3)), ("points", (5, 3))),
    "mixer": (
        lambda: networks.Mixer(networks.MixerConfig(width=6, depth=1, patch_size=4, num_labels=3)),
        ("pixel_values", (1, 8, 8)),
    ),
    "resnet": (
        lambda: networks.ResNet(networks.ResNetConfig(width=4, num_labels=3)),
        ("pixel_values", (1, 7, 5)),
    ),
    "birealnet": (
        lambda: networks.ResNet(networks.ResNetConfig(width=4, around="convolution", num_labels=3)),
        ("pixel_values", (1, 7, 5)),
    ),
    "speech": (
        lambda: networks.SpeechCNN(
            networks.SpeechCNNConfig(mels=4, width=4, depth=1, kernel=3, num_labels=3)
        ),
        ("input_values", (4, 7)),
    ),
    "unet": (
        lambda: networks.SceneUNet(networks.SceneUNetConfig(width=4, num_labels=3)),
        ("pixel_values", (3, 13, 6)),
    ),
    "bypassunet": (
        lambda: networks.SceneUNet(networks.SceneUNetConfig(width=4, around_all=True, num_labels=3)),
        ("pixel_values", (3, 13, 6)),
    ),
}


def tiny(name):
    """A network in which no bias or norm is all zeros or ones, and three inputs."""
    make, (entry, shape) = NETWORKS[name]
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += (0.1 if parameter.ndim < 2 else 0.05) * torch.randn_like(parameter)
    return model, {entry: torch.randn(3, *shape)}


def logits(model, given):
    with torch.no_grad():
        return model.eval()(**given).logits


@pytest.mark.parametrize("name", NETWORKS)
def test_it_declares_what_its_forward_shows(name):
    model, given = tiny(name)
    declared, found = layout_of(model), plain.layout(model)
    reasons = {path: why.removesuffix(plain.UNSEEN) for path, why in found.stay.items()}
    assert (declared.others, declared.stay) == (found.others, reasons)
    # Symbols have no height, which the way up of a U-Net asks for
    assert (reasons != found.stay) == ("unet" in name)
    assert model.main_input_name in given
    for module in map(model.get_submodule, declared.others.values()):
        assert type(module) in (nn.Linear, nn.Conv2d)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_loss_and_the_labels(name, tmp_path):
    model, given = tiny(name)
    labels = torch.tensor([0, 2, 1])
    if logits(model, given).ndim == 4:  # one for every pixel
        labels = labels.view(3, 1, 1).expand(3, 13, 6)
    output = model.train()(**given, labels=labels, output_hidden_states=True)
    assert torch.equal(output.loss, nn.functional.cross_entropy(output.logits, labels))
    named = type(model)(type(model.config)(id2label={0: "no", 1: "yes"}))
    named.save_pretrained(tmp_path)
    assert binviz.load(tmp_path).config.id2label == {0: "no", 1: "yes"}
    assert type(model)(type(model.config)()).config.num_labels == 10


@pytest.mark.parametrize("recipe", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
@pytest.mark.parametrize("name", NETWORKS)
def test_converted_looked_into_packed_and_saved(name, recipe, tmp_path):
    model, given = tiny(name)
    others = layout_of(model).others
    binviz.binarize_(model, recipe)
    kinds = {path: type(model.get_submodule(path)) for path in others.values()}
    assert set(kinds.values()) <= {BinaryLinear, BinaryConv2d}
    model.train()(**given).logits.square().sum().backward()
    assert [
        key for key, one in model.named_parameters() if one.grad is None or not one.grad.isfinite().all()
    ] == []
    weights = {path: model.get_submodule(path).weight for path in others.values()}
    assert [path for path, weight in weights.items() if not weight.grad.any()] == []

    wanted = logits(model, given)
    seen = binviz.capture(model, given)
    assert {f"{path}.code" for path in others} <= set(seen)
    assert all(len(set(seen[f"{path}.code"].flatten().tolist())) == 2 for path in others)

    before = copy.deepcopy(model.state_dict())
    packed = binviz.pack(model)
    torch.testing.assert_close(logits(packed, given), wanted)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    file = tmp_path / "packed.safetensors"
    binviz.save_packed(model, file)
    for again in (binviz.load(file), binviz.load(binviz.save(model, tmp_path / "folder"))):
        assert type(again) is type(model)
        assert torch.equal(logits(again, given), wanted)


def test_a_mixer_is_its_two_formulas():
    """Patch by patch and channel by channel, with numbers of its own."""
    model, given = tiny("mixer")
    model.eval()
    block = model.blocks[0]
    x = model.embed(given["pixel_values"]).flatten(2).transpose(1, 2)

    def part(which, columns):
        """W2 gelu(W1 column + b1) + b2, of each column by itself."""
        linears = getattr(block, which)
        found = []
        for column in columns:
            middle = nn.functional.gelu(linears.fc1.weight @ column + linears.fc1.bias)
            found.append(linears.fc2.weight @ middle + linears.fc2.bias)
        return torch.stack(found)

    for one, found in zip(x, block(x), strict=True):
        between = one + part("patches", block.patch_norm(one).T).T
        wanted = between + part("channels", block.channel_norm(between))
        torch.testing.assert_close(found, wanted)


def test_forms_of_a_resnet_differ_in_their_shortcuts_alone():
    (plain_net, given), (real, _) = tiny("resnet"), tiny("birealnet")
    real.load_state_dict(plain_net.state_dict())
    assert not torch.allclose(logits(plain_net, given), logits(real, given))
    # Where all convolutions give nothing, the shortcuts carry the stem's features
    with torch.no_grad():
        for model in (plain_net, real):
            for block in model.blocks:
                for part in (block.first, block.second):
                    part.norm.weight.zero_()
                    part.norm.bias.zero_()
    torch.testing.assert_close(logits(plain_net, given), logits(real, given))
    with pytest.raises(UserError, match="say around='block' or 'convolution'"):
        networks.ResNet(networks.ResNetConfig(around="stage"))


def test_forms_of_a_unet_differ_in_what_goes_around_alone():
    (plain_net, given), (around, _) = tiny("unet"), tiny("bypassunet")
    around.load_state_dict(plain_net.state_dict())
    parts = [
        (one, other)
        for path, one in plain_net.named_modules()
        if type(other := around.get_submodule(path)) is type(one) and hasattr(one, "shortcut")
    ]
    for one, other in parts:
        x = torch.randn(2, one.conv.in_channels, 5, 3)
        keeps = (one.conv.in_channels, one.conv.stride) == (one.conv.out_channels, (1, 1))
        assert torch.equal(one.shortcut(x), x if keeps else torch.zeros(()))
        pooled = nn.functional.avg_pool2d(x, one.conv.stride, ceil_mode=True)
        assert torch.equal(other.shortcut(x), bypass(pooled, one.conv.out_channels))
    assert len(parts) == 12 and not torch.allclose(logits(plain_net, given), logits(around, given))


@pytest.mark.parametrize("size", [(1, 1), (7, 33), (16, 16)], ids=str)
def test_a_unet_takes_pictures_of_any_size(size):
    for name in ("unet", "bypassunet"):
        model, _ = tiny(name)
        assert logits(model, {"pixel_values": torch.zeros(2, 3, *size)}).shape == (2, 3, *size)


def test_two_heads_share_a_backbone_that_becomes_binary(tmp_path):
    torch.manual_seed(0)
    model = networks.TwoHeads(networks.TwoHeadsConfig(width=4, num_labels=3))
    given = {"pixel_values": torch.randn(2, 3, 13, 6)}
    assert layout_of(model).others == layout_of(networks.SceneUNet(networks.SceneUNetConfig(width=4))).others
    binviz.binarize_(model, "bidense-bits")
    output = model.train()(**given, sample=True)
    (output.logits.sum() + output.boundary_logits.square().sum()).backward()
    assert [key for key, one in model.named_parameters() if one.grad is None] == []
    wanted = model.eval()(**given)
    again = binviz.load(binviz.save(model, tmp_path / "folder"))
    for found in (binviz.pack(model)(**given), again(**given)):
        torch.testing.assert_close(found.logits, wanted.logits)
        torch.testing.assert_close(found.boundary_logits, wanted.boundary_logits)
