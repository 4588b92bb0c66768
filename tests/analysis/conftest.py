import copy

import pytest
import torch
from torch import nn

from binviz.convert import binarize_

ARCHITECTURES = ("bert", "vit", "swin", "plain")
HEADS, TOKENS, WIDTH, FFN = 2, 7, 32, 64


def make_model(architecture):
    """A tiny model with weights that are large enough for attention to differ from uniform."""
    from transformers import (
        BertConfig,
        BertForSequenceClassification,
        SwinConfig,
        SwinForImageClassification,
        ViTConfig,
        ViTForImageClassification,
    )

    torch.manual_seed(0)
    size = {
        "hidden_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "intermediate_size": FFN,
        "initializer_range": 0.2,
    }
    image = {"image_size": 20, "patch_size": 2, "num_channels": 1, "initializer_range": 0.2}
    if architecture == "bert":
        config = BertConfig(**size, vocab_size=50, max_position_embeddings=32)
        model = BertForSequenceClassification(config)
    elif architecture == "vit":
        model = ViTForImageClassification(ViTConfig(**size | image | {"image_size": 8}))
    elif architecture == "swin":
        # 10 x 10 patches in windows of 4: padded to 12; the second block of a stage is shifted.
        config = SwinConfig(**image, embed_dim=16, depths=[2, 1], num_heads=[2, 4], window_size=4)
        model = SwinForImageClassification(config)
    else:
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(256, 8),
            nn.Dropout(0.5),
            nn.Linear(8, 3),
        )
    return model.train()  # so that a test notices a capture that forgets about dropout


def make_inputs(architecture, batch=2):
    generator = torch.Generator().manual_seed(1)
    if architecture == "bert":
        ids = torch.randint(5, 50, (batch, TOKENS), generator=generator)
        mask = torch.ones_like(ids)
        mask[1:, 4:] = 0
        return {"input_ids": ids, "attention_mask": mask}
    side = 20 if architecture == "swin" else 8
    return torch.randn(batch, 1, side, side, generator=generator)


def make_binary(model, recipe="bit-w1a1"):
    binary = copy.deepcopy(model)
    binarize_(binary, recipe)
    return binary


@pytest.fixture(params=ARCHITECTURES)
def architecture(request):
    return request.param


@pytest.fixture
def model(architecture):
    return make_model(architecture)


@pytest.fixture
def inputs(architecture):
    return make_inputs(architecture)


@pytest.fixture
def bert():
    return make_model("bert")


@pytest.fixture
def text():
    return make_inputs("bert")


@pytest.fixture
def binary_of():
    return make_binary


@pytest.fixture
def make():
    return make_model, make_inputs
