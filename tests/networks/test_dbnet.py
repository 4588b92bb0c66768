"""The detector: its fusion against numbers of the official modules, its form, and its backbone in 1 bit."""

import copy

import pytest
import torch
from torch import nn

import binviz
from binviz.adapters import layout_of
from binviz.errors import UserError
from binviz.layers import BinaryConv2d
from binviz.networks import DBNet, DBNetConfig
from binviz.networks.dbnet import FUSED, Fusion

#: Whether channels are weighed first -> maps of weights of the official modules, (level, pixel).
MAPS = {
    False: [
        [0.520691, 0.512497, 0.518351, 0.507031],
        [0.494141, 0.485317, 0.517258, 0.510766],
        [0.513668, 0.508124, 0.495859, 0.529315],
        [0.512888, 0.545654, 0.524432, 0.519793],
    ],
    True: [
        [0.520874, 0.51268, 0.518534, 0.507214],
        [0.506419, 0.497562, 0.529592, 0.523066],
        [0.538155, 0.532579, 0.52057, 0.553769],
        [0.549746, 0.581968, 0.561408, 0.556686],
    ],
}


@pytest.mark.parametrize("channels", MAPS)
def test_fusion_is_that_of_the_official_code(channels):
    fusion = Fusion(8, 4, 4, channels)
    with torch.no_grad():
        for parameter in fusion.parameters():
            at = torch.arange(parameter.numel())
            parameter.copy_((((at % 5) - 2) * 0.1 + 0.05).reshape(parameter.shape))
    found = fusion(torch.arange(32).reshape(1, 8, 2, 2) / 16 - 1)
    torch.testing.assert_close(found.flatten(2)[0], torch.tensor(MAPS[channels]), atol=1e-5, rtol=0)


def tiny(fusion="none"):
    torch.manual_seed(0)
    return DBNet(DBNetConfig(width=4, pyramid=8, fusion=fusion))


@pytest.mark.parametrize("fusion", FUSED.values())
def test_every_weight_learns_and_maps_are_as_large_as_the_picture(fusion):
    model, x = tiny(fusion), torch.randn(2, 3, 32, 64)
    with torch.no_grad():  # what is the start's: nothing is said of the picture yet
        for head in (model.probability, model.threshold):
            head[-1].weight += 0.3
    found = model(pixel_values=x)
    assert found.logits.shape == found.thresholds.shape == (2, 1, 32, 64)
    (found.logits.square().sum() + found.thresholds.square().sum()).backward()
    assert [key for key, one in model.named_parameters() if one.grad is None or not one.grad.any()] == []


def test_an_untrained_detector_says_a_quarter_and_three_tenths():
    found = DBNet(DBNetConfig())(torch.randn(2, 3, 64, 64))
    assert (found.logits.sigmoid() - 0.25).abs().max() < 0.05 and (found.thresholds - 0.3).abs().max() < 0.05
    assert sum(each.numel() for each in DBNet(DBNetConfig(fusion="channel-spatial")).parameters()) < 150_000


def test_levels_lie_behind_one_another_the_coarsest_first():
    model, seen = tiny().eval(), {}
    model.probability[0].register_forward_pre_hook(lambda layer, given: seen.update(given=given[0]))
    with torch.no_grad():
        model.smooth[0].weight.zero_()
        model(torch.randn(1, 3, 64, 64))
    parts = seen["given"].split(2, 1)
    assert not parts[3].any() and all(part.any() for part in parts[:3])
    for part, size in zip(parts, (8, 4, 2), strict=False):  # what is repeated from 1/32, 1/16 and 1/8
        assert torch.equal(
            part, part[..., ::size, ::size].repeat_interleave(size, 2).repeat_interleave(size, 3)
        )


def test_weights_of_a_half_halve_the_features():
    plain, fused = tiny().eval(), tiny("spatial").eval()
    fused.load_state_dict(plain.state_dict(), strict=False)
    seen = []
    with torch.no_grad():
        fused.fusion.weights.weight.zero_()
        for model in (plain, fused):
            model.probability[0].register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
            model(torch.ones(1, 3, 32, 32))
    torch.testing.assert_close(seen[1], seen[0] / 2)


@pytest.mark.parametrize("recipe", ["bnn", "bireal", "reactnet"])
def test_its_backbone_in_one_bit_is_packed_saved_and_loaded(recipe, tmp_path):
    model, x = tiny("channel-spatial"), torch.randn(2, 3, 32, 32)
    layout = layout_of(model)
    binviz.binarize_(model, recipe)
    binary = {path for path, part in model.named_modules() if isinstance(part, BinaryConv2d)}
    assert binary == set(layout.others.values()) and len(binary) == 8
    floats = {path for path, part in model.named_modules() if type(part) is nn.Conv2d}
    assert floats == set(layout.stay)
    found = model.train()(x)
    (found.logits.square().sum() + found.thresholds.square().sum()).backward()
    assert all(model.get_submodule(path).weight.grad.any() for path in binary)

    @torch.no_grad()
    def maps(one):
        output = one.eval()(pixel_values=x)
        return torch.cat([output.logits, output.thresholds])

    wanted, before = maps(model), copy.deepcopy(model.state_dict())
    torch.testing.assert_close(maps(binviz.pack(model)), wanted)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    binviz.save_packed(model, tmp_path / "packed.safetensors")
    for again in (
        binviz.load(tmp_path / "packed.safetensors"),
        binviz.load(binviz.save(model, tmp_path / "it")),
    ):
        assert type(again) is DBNet and again.config.fusion == "channel-spatial"
        torch.testing.assert_close(maps(again), wanted)


def test_what_there_is_not():
    with pytest.raises(UserError, match="say one of: none, spatial, channel-spatial"):
        DBNet(DBNetConfig(fusion="softmax"))
    with pytest.raises(UserError, match="give a multiple of 4"):
        DBNet(DBNetConfig(pyramid=10))
