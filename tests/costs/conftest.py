import pytest
import torch
from torch import nn

ARCHITECTURES = ("bert", "vit", "swin", "plain")


def make_config(architecture):
    from transformers import BertConfig, SwinConfig, ViTConfig

    size = {
        "hidden_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 72,
    }
    image = {"patch_size": 2, "num_channels": 1}
    if architecture == "bert":
        return BertConfig(**size, vocab_size=50, max_position_embeddings=32)
    if architecture == "vit":
        return ViTConfig(**size, **image, image_size=8)
    # 10 x 10 patches in windows of 4: padded to 12; the second block of a stage is shifted.
    return SwinConfig(
        **image, image_size=20, embed_dim=20, depths=[2, 1], num_heads=[2, 4], window_size=4, mlp_ratio=2
    )


def make_model(architecture):
    from transformers import (
        BertForSequenceClassification,
        SwinForImageClassification,
        ViTForImageClassification,
    )

    torch.manual_seed(0)
    if architecture == "plain":
        return nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 8, 3, padding=1, stride=2, groups=2),
            nn.Hardtanh(),
            nn.Flatten(),
            nn.Linear(128, 70),
            nn.Linear(70, 3, bias=False),
        )
    heads = {
        "bert": BertForSequenceClassification,
        "vit": ViTForImageClassification,
        "swin": SwinForImageClassification,
    }
    return heads[architecture](make_config(architecture))


#: Keyword arguments of `costs.of` for each of them.
INPUTS = {"bert": {"tokens": 7}, "vit": {}, "swin": {}, "plain": {"shape": (1, 8, 8)}}


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture
def model(architecture):
    return make_model(architecture)


@pytest.fixture
def given(architecture):
    return INPUTS[architecture]


@pytest.fixture
def make():
    return make_model, make_config
