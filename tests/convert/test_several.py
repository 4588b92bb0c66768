"""Models of several encoders: all are binary, or none; whatever stays float has a reason in the table."""

import pytest
import torch
import transformers
from torch import nn

import binviz
from binviz import recipes
from binviz.adapters import layout_of
from binviz.errors import UserError
from binviz.layers import BinaryLayer
from binviz.layers.attention import BinaryAttention
from binviz.packed import why_not_fused
from binviz.recipes import Choice


def text_and_pictures(models):
    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        transformers.ViTConfig(**models.VIT), transformers.BertConfig(**models.TEXT), projection_dim=8
    )
    return transformers.VisionTextDualEncoderModel(config)


def text_and_windows(models):
    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        transformers.SwinConfig(**models.SWIN), transformers.RobertaConfig(**models.TEXT), projection_dim=8
    )
    return transformers.VisionTextDualEncoderModel(config)


def clip(kind, config, **vision):
    def make(models):
        return kind(config(text_config=models.TEXT, vision_config=models.VIT | vision, projection_dim=8))

    return make


class Towers(nn.Module):
    """Questions and answers; the second encoder has a head with an attention of its own."""

    def __init__(self, models):
        super().__init__()
        self.question, self.answer = (
            transformers.BertModel(transformers.BertConfig(**models.TEXT)) for _ in range(2)
        )
        self.head = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, input_ids, attention_mask):
        q, a = (part(input_ids, attention_mask)[0] for part in (self.question, self.answer))
        return self.head(q, a, a)[0]


SEVERAL = {
    "text and pictures": (text_and_pictures, ("vision_model", "text_model"), "ViT and BERT"),
    "text and windows": (text_and_windows, ("vision_model", "text_model"), "Swin and BERT"),
    "CLIP": (
        clip(transformers.CLIPModel, transformers.CLIPConfig),
        ("text_model", "vision_model"),
        "CLIP and CLIP",
    ),
    "AltCLIP": (
        clip(transformers.AltCLIPModel, transformers.AltCLIPConfig),
        ("text_model.roberta", "vision_model"),
        "BERT and CLIP",
    ),
    "Chinese-CLIP": (
        clip(transformers.ChineseCLIPModel, transformers.ChineseCLIPConfig),
        ("text_model", "vision_model"),
        "BERT and CLIP",
    ),
    "two of a kind": (Towers, ("question", "answer"), "BERT and BERT"),
}


@pytest.fixture(params=SEVERAL)
def several(request, models):
    make, paths, architecture = SEVERAL[request.param]
    torch.manual_seed(0)
    return make(models).eval(), paths, architecture


def given(models, model):
    """Text, and pictures of the size that the model takes."""
    inputs = models.inputs("bert")
    if hasattr(model, "vision_model"):
        swin = "Swin" in type(model.vision_model).__name__
        inputs |= models.inputs("swin" if swin else "vit")
    return inputs


def test_every_encoder_is_binary_under_names_of_its_own(models, several):
    model, paths, architecture = several
    table = binviz.binarize_(model, "bibert")
    assert table.architecture == architecture
    for path in paths:
        encoder = model.get_submodule(path)
        layers = [part for part in encoder.modules() if isinstance(part, BinaryLayer)]
        blocks = [block for block in layout_of(model).blocks if block.name.startswith(f"{path}.layers.")]
        assert len(layers) >= 6 * len(blocks) > 0
        assert [block.name for block in blocks] == [f"{path}.layers.{i}" for i in range(len(blocks))]
        tables = [row.module for row in table.rows if row.name == f"{path}.embed" and row.weights]
        assert len(tables) == sum(type(part).__name__ == "BinaryEmbedding" for part in encoder.modules())
    assert len({row.name for row in table.rows}) == len(table.rows)
    assert table.bits + table.floats == sum(value.numel() for value in model.parameters())
    assert sum(isinstance(part, BinaryAttention) for part in model.modules()) == len(layout_of(model).blocks)
    with torch.no_grad():
        model(**given(models, model))


def test_the_patches_of_its_pictures_are_binary_where_a_recipe_binarizes_pictures(models):
    model = text_and_pictures(models).eval()
    planes = recipes.get("bibert").but("planes", input=Choice("bit-planes"))
    table = binviz.binarize_(model, planes)
    assert [row.name for row in table.rows if row.activation == "bit-planes"] == ["vision_model.patches"]
    captured = binviz.capture(model, given(models, model), "*.patches.code")
    assert captured["vision_model.patches.code"].max() > 100
    assert "vision_model.patches" not in layout_of(text_and_pictures(models)).others


def test_filter_and_recipe_choose_by_the_encoders_name(models, several):
    model, (first, second), _ = several
    binviz.binarize_(model, "bibert", lambda module, name: not name.startswith(f"{first}."))
    kinds = [
        {type(part) for part in model.get_submodule(path).modules() if isinstance(part, BinaryLayer)}
        for path in (first, second)
    ]
    assert not kinds[0] and kinds[1]
    binviz.binarize_(model, recipes.get("bibert").but("mine", keep_float=(f"{second}.*",)))
    kept = [path for path, part in model.named_modules() if isinstance(part, BinaryLayer)]
    assert kept and all(path.startswith(f"{first}.") for path in kept)


@torch.no_grad()
def test_it_is_captured_packed_and_counted(models, several):
    model, paths, _ = several
    binviz.binarize_(model, "bibert")
    inputs = given(models, model)
    captured = binviz.capture(model, inputs)
    for path in paths:
        assert captured[f"{path}.layers.0.q"].ndim == 4
        assert captured.flat(f"{path}.layers.1.ffn_out").size
    packed, plain = binviz.pack(model), binviz.pack(model, fused=False)
    assert why_not_fused(packed) == ""
    for one, other in zip(outputs(packed(**inputs)), outputs(plain(**inputs)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def outputs(value):
    return [value] if isinstance(value, torch.Tensor) else [value.text_embeds, value.image_embeds]


def bridge(models):
    wide = {"hidden_size": 64}
    vision = wide | {"num_hidden_layers": 2, "image_size": 8, "patch_size": 4}
    sizes = wide | {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    text = models.TEXT | wide | {"pad_token_id": 1}
    return transformers.BridgeTowerModel(
        transformers.BridgeTowerConfig(**sizes, text_config=text, vision_config=vision)
    )


class WithTorchsEncoder(nn.Module):
    def __init__(self, models):
        super().__init__()
        self.bert = transformers.BertModel(transformers.BertConfig(**models.TEXT))
        self.more = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 24, batch_first=True), 2)


@pytest.mark.parametrize(
    ("make", "unknown", "known"),
    [
        (bridge, "vision_model.visual.transformer.resblocks", "text_model"),
        (WithTorchsEncoder, "more.layers", "bert"),
    ],
    ids=["BridgeTower", "torch's encoder"],
)
def test_an_unknown_encoder_beside_a_known_one_is_refused(models, make, unknown, known):
    model = make(models)
    before = {path: type(part) for path, part in model.named_modules()}
    with pytest.raises(UserError, match=rf"does not know \({unknown}\); .*: {known}$"):
        binviz.binarize_(model, "bibert")
    assert {path: type(part) for path, part in model.named_modules()} == before
    assert binviz.binarize_(model.get_submodule(known), "bibert").bits > 0


def made(models, name):
    torch.manual_seed(0)
    return SEVERAL[name][0](models) if name in SEVERAL else models.tiny(name)


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bnn"])
@pytest.mark.parametrize(
    "name", [*SEVERAL, "bert", "roberta", "electra", "vit", "deit", "swin", "cnn", "sequential"]
)
def test_whatever_stays_float_says_why(models, name, recipe):
    table = binviz.binarize_(made(models, name), recipe)
    for row in table.rows:
        if row.weight == "float" and "norm" not in row.kind.lower():
            assert row.why, row.name
        if row.weight != "float":
            assert not row.why


def test_what_filter_and_recipe_left_says_so(models):
    mine = recipes.get("bit-w1a1").but("mine", keep_float=("layers.0.fc1",))
    table = binviz.binarize_(models.tiny("bert"), mine, lambda module, name: name != "pooler")
    why = {row.module: row.why for row in table.rows}
    assert why["bert.encoder.layer.0.intermediate.dense"] == "kept float by the recipe"
    assert why["bert.pooler.dense"] == "left float by filter_fn"


class PlainViT(nn.Module):
    """A network that transformers does not know, with an attention of its own."""

    def __init__(self):
        super().__init__()
        self.table, self.first = nn.Embedding(4, 8), nn.Linear(8, 8)
        self.qkv, self.proj, self.head = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 2)


@pytest.mark.parametrize(
    ("make", "recipe", "without"),
    [
        ("plain", "bit-w1a1", "embedding, nonneg_activation, query, key, value, attention, ffn_activation"),
        ("plain", "bnn", None),
        ("vit", "bit-w1a1", "embedding"),
        ("bert", "bit-w1a1", None),
    ],
)
def test_fields_without_a_place_are_said(models, make, recipe, without):
    table = binviz.binarize_(PlainViT() if make == "plain" else models.tiny(make), recipe)
    last = str(table).splitlines()[-1]
    if without is None and make == "plain":
        without = ", ".join(table.without_place)
        assert "query" in without
    assert (f"no place here for the recipe's {without}" in last) == (without is not None)
    assert table.without_place == tuple(without.split(", ") if without else ())
