"""The U-Net that names noise: what diffusers' own says, layers by level, converted, packed and saved."""

import pytest
import torch
from torch import nn

import binviz
from binviz.adapters import layout_of
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.networks import UNet, UNetConfig


def tiny(widths=(8, 16)):
    torch.manual_seed(0)
    model = UNet(UNetConfig(widths=widths, head_size=8, norm_groups=4, num_channels=2))
    return model, {"noisy": torch.randn(3, 2, 8, 8), "timesteps": torch.tensor([0, 500, 999])}


def test_it_is_diffusers_own_and_a_number_for_each():
    model, given = tiny()
    noise = torch.randn(3, 2, 8, 8)
    output = model(**given, labels=noise)
    found = model.unet(given["noisy"], given["timesteps"]).sample
    assert torch.equal(output.logits[..., 0], found)
    assert torch.equal(output.loss, nn.functional.mse_loss(found, noise))
    assert model.config.num_labels == 1 and model.main_input_name == "noisy"
    at_zero = model(given["noisy"], torch.zeros(3, dtype=torch.long)).logits
    assert torch.equal(model(given["noisy"]).logits, at_zero)


@pytest.mark.parametrize(("widths", "outer"), [((8, 16), {0}), ((8, 8, 16), {0}), ((8, 8, 8, 16), {0, 1})])
def test_half_of_the_levels_are_outer_both_ways(widths, outer):
    model, _ = tiny(widths)
    layout = layout_of(model)
    layers = {path for path, part in model.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)}
    assert layers == set(layout.stay) | set(layout.others.values())
    assert len(layout.stay) == 4 and not set(layout.stay) & set(layout.others.values())
    levels = {place: set() for place in ("outer", "inner")}
    for name, path in layout.others.items():
        place, level, _ = name.split(".", 2)
        levels[place].add(int(level))
        if ".resnets.0.conv2" in path:  # as many channels as its level
            width = widths[min(int(level), len(widths) - 1)]
            assert model.get_submodule(path).out_channels == width
    assert levels == {"outer": outer, "inner": set(range(len(widths) + 1)) - outer}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["binarydm-w1a8", "binarydm-w1a4", "binarydm-plain"])
def test_converted_learned_packed_and_saved(recipe, tmp_path):
    model, given = tiny()
    others = layout_of(model).others
    binviz.binarize_(model, recipe)
    for name, path in others.items():
        layer = model.get_submodule(path)
        assert type(layer) in (BinaryLinear, BinaryConv2d)
        assert layer.activation_binarizer.bits == (4 if recipe.endswith("a4") else 8)
        two = name.startswith("outer") and recipe != "binarydm-plain"
        assert layer.weight_binarizer.basis_count == 1 + two
    model.train()(**given).logits.square().sum().backward()
    without = [
        key for key, one in model.named_parameters() if one.grad is None or not one.grad.isfinite().all()
    ]
    assert without == []
    weights = [model.get_submodule(path).weight for path in others.values()]
    assert all(weight.grad.any() for weight in weights)

    with torch.no_grad():
        wanted = model.eval()(**given).logits
        torch.testing.assert_close(binviz.pack(model)(**given).logits, wanted)
        file = tmp_path / "packed.safetensors"
        binviz.save_packed(model, file)
        for again in (binviz.load(file), binviz.load(binviz.save(model, tmp_path / "folder"))):
            assert type(again) is UNet
            torch.testing.assert_close(again(**given).logits, wanted)
