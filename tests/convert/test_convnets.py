"""Convolutional networks of transformers: each converted, run, looked into, packed, saved and loaded."""

import pytest
import torch
import transformers

import binviz
from binviz import analysis
from binviz.adapters import layout_of
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.layers.tap import listening

STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 3}
MOBILE = {"depth_multiplier": 0.25, "min_depth": 8, "image_size": 32, "num_labels": 3}
NETWORKS = {
    "resnet": lambda: transformers.ResNetForImageClassification(
        transformers.ResNetConfig(embedding_size=8, layer_type="basic", **STAGES)
    ),
    "resnet-bottleneck": lambda: transformers.ResNetForImageClassification(
        transformers.ResNetConfig(embedding_size=8, **STAGES)
    ),
    "regnet": lambda: transformers.RegNetForImageClassification(
        transformers.RegNetConfig(embedding_size=8, groups_width=4, **STAGES)
    ),
    "convnext": lambda: transformers.ConvNextForImageClassification(
        transformers.ConvNextConfig(patch_size=2, num_stages=2, **STAGES)
    ),
    "convnextv2": lambda: transformers.ConvNextV2ForImageClassification(
        transformers.ConvNextV2Config(patch_size=2, num_stages=2, **STAGES)
    ),
    "mobilenet-v1": lambda: transformers.MobileNetV1ForImageClassification(
        transformers.MobileNetV1Config(**MOBILE)
    ),
    "mobilenet-v2": lambda: transformers.MobileNetV2ForImageClassification(
        transformers.MobileNetV2Config(**MOBILE)
    ),
}
PICTURES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def made(name, recipe=None):
    """A seeded model whose batch norms have seen numbers, and started scales."""
    torch.manual_seed(0)
    model = NETWORKS[name]()
    if recipe:
        binviz.binarize_(model, recipe)
    with torch.no_grad():
        model.train()(PICTURES)
    return model.eval()


def answer(model):
    with torch.no_grad():
        return model(PICTURES).logits


@pytest.mark.parametrize("recipe", ["xnor", "bit-w1a1"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_between_the_first_and_the_last_is_binary_and_called(name, recipe):
    model = made(name)
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    layers = [path for path, module in model.named_modules() if isinstance(module, kinds)]
    table = binviz.binarize_(model, recipe)
    assert [row.name for row in table.rows if row.weights] == layers[1:-1]
    assert {row.module: row.why for row in table.rows if row.why and row.module in layers} == {
        layers[0]: "first layer",
        layers[-1]: "last layer",
    }
    assert layout_of(model).others == {path: path for path in layers[1:-1]}
    heard = set()
    with listening(lambda module, part, value: heard.add((module, part))):
        answer(model)
    binary = {module for module in model.modules() if isinstance(module, BinaryLinear | BinaryConv2d)}
    assert len(binary) == len(layers) - 2
    assert binary == {module for module, part in heard if part == "code"} & binary


@pytest.mark.parametrize("name", NETWORKS)
def test_looked_into(name):
    float_model, model = made(name), made(name, "xnor")
    first, second = list(layout_of(model).others)[:2]
    seen = binviz.capture(model, PICTURES)
    assert {f"{first}.in", f"{first}.code", first, second} <= set(seen)
    assert len(analysis.errors(float_model, model, PICTURES)) > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_packed_saved_and_loaded(name, tmp_path):
    model = made(name, "xnor")
    wanted = answer(model)
    torch.testing.assert_close(answer(binviz.pack(model)), wanted)
    binviz.save(model, tmp_path / "folder")
    binviz.save_packed(model, tmp_path / "packed.safetensors")
    for place in ("folder", "packed.safetensors"):
        assert torch.equal(answer(binviz.load(tmp_path / place)), wanted)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_binary_weight(name):
    model = made(name, "xnor")  # in eval mode: MobileNet drops nearly all in training
    model(PICTURES).logits.square().sum().backward()
    gradients = [model.get_submodule(path).weight.grad for path in layout_of(model).others]
    # Activations outside of the sign's window may stop those of the first layers, which are there all the same
    assert all(gradient is not None for gradient in gradients) and gradients[-1].any()


def test_a_backbone_of_another_model_is_left_alone():
    backbone = transformers.ResNetConfig(embedding_size=8, out_features=["stage2"], **STAGES)
    model = transformers.DetrModel(
        transformers.DetrConfig(
            use_timm_backbone=False, use_pretrained_backbone=False, backbone=None, backbone_config=backbone,
            d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=16, decoder_ffn_dim=16,
        )
    )  # fmt: skip
    with pytest.raises(UserError):
        binviz.binarize_(model, "xnor")
