"""The table of a conversion adds up: as many 1-bit weights as bits in the packed file, as many floats as parameters."""

import importlib.util
import json
import math
from pathlib import Path

import pytest
import transformers
from safetensors import safe_open

import binviz
from binviz.layers import BinaryLayer


def beside(name):
    """The test file of that name, for its models."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TEXT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "embedding_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
    "pad_token_id": 0,
}
OTHER_NAMES = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 24, "local_attention": 4}
TOKENS = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3, "mask_token_id": 3}
SMALL_BOTTLENECK = {"embedding_size": 8, "intra_bottleneck_size": 8, "true_hidden_size": 8}
FAMILIES = {
    "bert": transformers.BertConfig,
    "camembert": transformers.CamembertConfig,
    "electra": transformers.ElectraConfig,
    "ernie": transformers.ErnieConfig,
    "mobilebert": transformers.MobileBertConfig,
    "roberta": transformers.RobertaConfig,
    "roberta_prelayernorm": transformers.RobertaPreLayerNormConfig,
    "xlm_roberta": transformers.XLMRobertaConfig,
}
KINDRED = {
    "albert": transformers.AlbertConfig,
    "data2vec": transformers.Data2VecTextConfig,
    "distilbert": transformers.DistilBertConfig,
    "dpr": transformers.DPRConfig,
    "eurobert": transformers.EuroBertConfig,
    "layoutlm": transformers.LayoutLMConfig,
    "modernbert": transformers.ModernBertConfig,
}


def heads(family):
    """Every model class of a family that is no decoder."""
    file = "data2vec_text" if family == "data2vec" else family
    home = importlib.import_module(f"transformers.models.{family}.modeling_{file}")
    return [
        name
        for name in home.__all__
        if ("For" in name or name.endswith(("Model", "Encoder", "Reader")))
        and not any(part in name.lower() for part in ("pretrained", "causallm", "lmhead"))
    ]


def head_model(name, config):
    small = SMALL_BOTTLENECK if config is transformers.MobileBertConfig else {}
    more = OTHER_NAMES | TOKENS if config in KINDRED.values() else {}
    return getattr(transformers, name)(config(**TEXT | small | more))


MODELS = {
    name: (head_model, name, config)
    for family, config in (FAMILIES | KINDRED).items()
    for name in heads(family)
}
#: Heads that the long set alone tries: every run has BERT's, and the masked language models of the other families.
LONG = {
    name
    for family in FAMILIES | KINDRED
    for name in heads(family)
    if family != "bert" and "MaskedLM" not in name
}
for test, made in (
    ("models", "tiny"),
    ("test_architectures", "made"),
    ("test_convnets", "made"),
    ("test_decoders", "decoder"),
):
    home = beside(test)
    known = next(
        getattr(home, key) for key in ("ARCHITECTURES", "NETWORKS", "DECODERS") if hasattr(home, key)
    )
    MODELS |= {f"{test} {name}": (getattr(home, made), name) for name in known}
#: The tests that these models are from save, load and compare each one; what no other test loads are heads.
SAVED = {name for name in MODELS if " " not in name}


def model_of(name):
    make, *arguments = MODELS[name]
    made = make(*arguments)
    return (made[0] if isinstance(made, tuple) else made).eval()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in sorted(MODELS)]
)
def test_as_many_numbers_as_parameters_and_bits_as_in_the_file(name, tmp_path):
    model = model_of(name)
    table = binviz.binarize_(model, "bit-w1a1")
    assert table.bits + table.floats == sum(parameter.numel() for parameter in model.parameters())
    assert table.bits == sum(part.weight.numel() for part in model.modules() if isinstance(part, BinaryLayer))
    if name in SAVED:
        assert_as_many_bits_in_the_file(model, table, tmp_path)


def assert_as_many_bits_in_the_file(model, table, tmp_path):
    binviz.save_packed(model, tmp_path / "packed.safetensors")
    with safe_open(tmp_path / "packed.safetensors", framework="pt") as file:
        shapes = json.loads(file.metadata()["shapes"])
        words = {path: file.get_slice(f"{path}.bits").get_shape() for path in shapes}
    assert table.bits == sum(map(math.prod, shapes.values())) > 0
    assert words == {path: [rows, math.ceil(math.prod(row) / 64)] for path, (rows, *row) in shapes.items()}
    loaded = binviz.load(tmp_path / "packed.safetensors")
    assert set(shapes) == {path for path, part in loaded.named_modules() if isinstance(part, BinaryLayer)}
