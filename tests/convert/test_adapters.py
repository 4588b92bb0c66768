"""Adapters: canonical names lead to the right modules; what binviz does not know is refused in one line."""

import pytest
import transformers
from torch import nn

import binviz
from binviz.adapters import Layout, layout_of, plain
from binviz.errors import UserError
from binviz.networks import DigitsCNN, DigitsCNNConfig

TEXT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


@pytest.mark.parametrize(
    ("name", "architecture", "blocks", "words", "others"),
    [
        ("bert", "BERT", 2, "bert.embeddings.word_embeddings", {"pooler": "bert.pooler.dense"}),
        ("roberta", "BERT", 2, "roberta.embeddings.word_embeddings", {}),
        ("electra", "BERT", 2, "electra.embeddings.word_embeddings", {}),
        ("vit", "ViT", 2, None, {}),
        ("deit", "ViT", 2, None, {}),
        ("swin", "Swin", 3, None, {}),
    ],
)
def test_encoders(models, name, architecture, blocks, words, others):
    model = models.tiny(name)
    layout = layout_of(model)
    assert (layout.architecture, len(layout.blocks), layout.words) == (architecture, blocks, words)
    assert layout.others == others
    assert model.get_submodule(layout.embed)
    for i, block in enumerate(layout.blocks):
        assert block.name == f"layers.{i}"
        names = list(block.linears())
        parts = ("query", "key", "value", "attn_out", "fc1", "fc2")
        assert names == [f"layers.{i}.{part}" for part in parts]
        linears = [model.get_submodule(path) for path in block.linears().values()]
        assert all(type(linear) is nn.Linear for linear in linears)
        fc1, fc2 = linears[4:]
        assert fc1.out_features == fc2.in_features > fc2.out_features
        owner, attribute = block.act
        assert callable(getattr(model.get_submodule(owner), attribute))
        assert model.get_submodule(block.attention) is not None


def test_parts_are_where_their_names_say(models):
    """The projections are told apart by what they do: a zero query makes all scores zero, and so on."""
    model = models.tiny("bert")
    block = layout_of(model).blocks[0]
    assert block.query.endswith("layer.0.attention.self.query")
    assert block.key.endswith("layer.0.attention.self.key")
    assert block.value.endswith("layer.0.attention.self.value")
    assert block.attn_out.endswith("layer.0.attention.output.dense")
    assert block.fc1.endswith("layer.0.intermediate.dense")
    assert block.fc2.endswith("layer.0.output.dense")


@pytest.mark.parametrize("name", ["cnn", "sequential"])
def test_a_plain_network_keeps_its_first_and_last_layer(models, name):
    model = models.tiny(name)
    layout = layout_of(model)
    paths = [path for path, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    assert list(layout.others) == paths[1:-1]
    assert layout.stay == {paths[0]: "first layer", paths[-1]: "last layer"}


def test_a_convolution_without_a_binary_layer_is_first_and_says_why():
    model = nn.Sequential(
        nn.Conv1d(4, 8, 3), nn.Conv1d(8, 8, 3), nn.Flatten(), nn.Linear(16, 8), nn.Linear(8, 2)
    )
    layout = layout_of(model)
    assert layout.others == {"3": "3"}
    assert layout.stay == {"0": "no binary Conv1d", "1": "no binary Conv1d", "4": "last layer"}
    with pytest.raises(UserError, match="no linear or convolution between"):
        layout_of(nn.Sequential(*(nn.Conv1d(4, 4, 3) for _ in range(4))))


def test_a_submodel_and_a_wrapped_model(models):
    class Wrapper(nn.Module):
        def __init__(self, encoder):
            super().__init__()
            self.encoder, self.head = encoder, nn.Linear(16, 2)

        def forward(self, ids):
            return self.head(self.encoder(ids).last_hidden_state[:, 0])

    model = Wrapper(models.tiny("bert").bert)
    table = binviz.binarize_(model, "bit-w1a1")
    assert table.architecture == "BERT"
    heard = []
    with binviz.layers.tap.listening(lambda module, part, value: heard.append(part)):
        model(models.inputs("bert")["input_ids"])
    assert heard.count("probs.code") == 2


REFUSED = {
    "GPT-NeoX": lambda: transformers.GPTNeoXModel(transformers.GPTNeoXConfig(**TEXT)),
    "a decoder": lambda: transformers.BertModel(transformers.BertConfig(is_decoder=True, **TEXT)),
    "T5": lambda: transformers.T5Model(
        transformers.T5Config(vocab_size=40, d_model=16, num_layers=1, num_heads=2, d_kv=8, d_ff=24)
    ),
    "NomicBERT": lambda: transformers.NomicBertModel(transformers.NomicBertConfig(**TEXT)),
    "a wrapped decoder": lambda: nn.Sequential(
        transformers.BertModel(transformers.BertConfig(is_decoder=True, **TEXT))
    ),
    "a wrapped stranger": lambda: nn.Sequential(
        transformers.NomicBertModel(transformers.NomicBertConfig(**TEXT))
    ),
    "two layers": lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
    "no layer": lambda: nn.Sequential(nn.ReLU()),
    "torch's transformer": lambda: nn.Sequential(
        nn.Linear(4, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 2)
    ),
}
# Some are named like BERT; their attention would stay float unnoticed.
OWN_ATTENTION = {
    "Longformer": lambda: transformers.LongformerModel(
        transformers.LongformerConfig(attention_window=4, **TEXT)
    ),
    "RoFormer": lambda: transformers.RoFormerModel(transformers.RoFormerConfig(embedding_size=16, **TEXT)),
    "ConvBERT": lambda: transformers.ConvBertModel(transformers.ConvBertConfig(embedding_size=16, **TEXT)),
    "MPNet": lambda: transformers.MPNetModel(transformers.MPNetConfig(**TEXT)),
    "DeBERTa": lambda: transformers.DebertaModel(transformers.DebertaConfig(**TEXT)),
    "DeBERTa v2": lambda: transformers.DebertaV2Model(transformers.DebertaV2Config(**TEXT)),
    "Swin v2": lambda: transformers.Swinv2Model(
        transformers.Swinv2Config(
            image_size=16, patch_size=2, embed_dim=8, depths=[1], num_heads=[2], window_size=4
        )
    ),
    "SqueezeBERT": lambda: transformers.SqueezeBertModel(
        transformers.SqueezeBertConfig(embedding_size=16, **TEXT)
    ),
    "XLNet": lambda: transformers.XLNetModel(
        transformers.XLNetConfig(vocab_size=40, d_model=16, n_layer=1, n_head=2, d_inner=24)
    ),
}
REFUSED |= OWN_ATTENTION


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    model = REFUSED[name]()
    before = {path: type(module) for path, module in model.named_modules()}
    reason = "computes attention in its own way" if name in OWN_ATTENTION else None
    with pytest.raises(UserError, match=reason) as caught:
        binviz.binarize_(model, "bit-w1a1")
    assert "\n" not in str(caught.value)
    assert {path: type(module) for path, module in model.named_modules()} == before


def test_layers_that_torch_does_not_call_stay_float():
    """Its attention reads out_proj.weight and never calls out_proj: a binary one would do nothing."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.middle = nn.Linear(8, 8)
            self.last = nn.Linear(8, 2)

    table = binviz.binarize_(Net(), "bnn")
    kinds = {row.name: (row.kind, row.why) for row in table.rows}
    assert kinds["middle"] == ("BinaryLinear", "")
    assert kinds["attention.out_proj"] == (
        "NonDynamicallyQuantizableLinear",
        "used by torch's attention, not called",
    )


def test_a_subclass_of_linear_stays_float():
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    net = nn.Sequential(nn.Linear(4, 4), Doubled(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    table = binviz.binarize_(net, "bnn")
    assert [row.kind for row in table.rows] == ["Linear", "Doubled", "BinaryLinear", "Linear"]


def test_a_subclass_of_linear_in_an_encoder_is_refused(models):
    class Adapted(nn.Linear):
        pass

    model = models.tiny("bert")
    model.bert.encoder.layer[1].attention.self.query = Adapted(16, 16)
    with pytest.raises(
        UserError, match=r"query is a Adapted, no plain Linear; merge adapters or keep it float"
    ):
        binviz.binarize_(model, "bnn")
    binviz.binarize_(model, binviz.recipes.get("bnn").but("mine", keep_float=("layers.1.query",)))


def test_networks_of_ones_own_that_derive_from_transformers():
    class Undeclared(DigitsCNN):
        binviz_layout = None

    assert layout_of(Undeclared(DigitsCNNConfig(width=4, depth=1))).architecture == "plain network"


def test_a_network_that_declares_its_layout_is_asked_first():
    """Ours says what would be found in it as well; a foreign one may keep more float, and says why."""
    model = DigitsCNN(DigitsCNNConfig(width=4, depth=2))
    found, plainly = layout_of(model), plain.layout(model)
    assert (found.others, found.stay) == (plainly.others, plainly.stay)
    binviz.binarize_(model, "xnor")
    assert layout_of(model).others == found.others

    class Declared(nn.Sequential):
        def binviz_layout(self):
            stay = {"0": "sees the input", "1": "is small", "3": "answers"}
            return Layout("mine", others={"middle": "2"}, stay=stay)

    mine = Declared(*(nn.Linear(4, 4) for _ in range(4)))
    table = binviz.binarize_(mine, "bnn")
    assert [type(layer).__name__ for layer in mine] == ["Linear", "Linear", "BinaryLinear", "Linear"]
    assert "is small" in str(table) and table.architecture == "mine"
