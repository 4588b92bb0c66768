"""Try everything on a tiny model of every architecture and write the table of what came out.

    python docs/architectures.py

Converts each, runs it, looks into it, packs, saves, loads and trains it, and says "yes" or what binviz says instead.
Anything but `binviz.errors.UserError` is a fault and ends the script. Writes docs/architectures.md.
"""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor, nn

import binviz
from binviz import analysis
from binviz.adapters import layout_of
from binviz.analysis.capture import names
from binviz.errors import UserError
from binviz.layers import BinaryEmbedding, BinaryLayer
from binviz.layers.attention import BinaryAttention
from binviz.layers.tap import listening
from binviz.packed import why_not_fused
from binviz.packed.fused import FusedLayers

PAGE = Path(__file__).with_suffix(".md")
#: Its attention lets about half of everything pass, also in an untrained model, so every weight has a gradient.
RECIPE = "bibert"

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
TEXT = {"vocab_size": 40, "max_position_embeddings": 16, "pad_token_id": 1, "num_labels": 3} | SIZES
PICTURE = {"image_size": 8, "patch_size": 4, "num_labels": 3} | SIZES
DECODER = {"bos_token_id": 2, "eos_token_id": 39} | TEXT
MODERN = {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0,
      "pad_token_id": 1, "eos_token_id": 2, "num_labels": 3}  # fmt: skip
SOUND = {"conv_dim": [8, 8], "conv_kernel": [4, 2], "conv_stride": [4, 2], "num_conv_pos_embeddings": 3,
         "num_conv_pos_embedding_groups": 2, "num_feat_extract_layers": 2, "apply_spec_augment": False,
         "layerdrop": 0.0, "hidden_dropout": 0.0, "attention_dropout": 0.0, "feat_proj_dropout": 0.0,
         "activation_dropout": 0.0} | SIZES  # fmt: skip
SWIN = {"image_size": 16, "patch_size": 2, "embed_dim": 8, "depths": [2, 1], "num_heads": [2, 2], "window_size": 4,
        "drop_path_rate": 0.0, "num_labels": 3}  # fmt: skip
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 3}
MOBILE = {
    "depth_multiplier": 0.25,
    "min_depth": 8,
    "image_size": 32,
    "classifier_dropout_prob": 0.0,
    "num_labels": 3,
}


def model_of(name: str, config: str, **settings: Any) -> Callable[[], nn.Module]:
    """How to make a model of transformers of that class, from a configuration of that class."""
    return lambda: getattr(transformers, name)(getattr(transformers, config)(**settings))


def text(name: str, config: str, **settings: Any) -> tuple[str, Callable[[], nn.Module]]:
    """A text encoder of BERT's sizes."""
    return "text", model_of(name, config, **TEXT | NO_DROPOUT | settings)


def towers(name: str, config: str) -> tuple[str, Callable[[], nn.Module]]:
    """A model of a text and a picture tower."""
    tower = {key: value for key, value in PICTURE.items() if key != "num_labels"}
    return "text and picture", model_of(name, config, text_config=TEXT, vision_config=tower, projection_dim=8)


def dual() -> nn.Module:
    """Two encoders of other families behind one name."""
    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        transformers.ViTConfig(**PICTURE), transformers.BertConfig(**TEXT), projection_dim=8
    )
    return transformers.VisionTextDualEncoderModel(config)


def plain() -> nn.Module:
    """A network that transformers does not know."""
    convolutions = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.Flatten()
    return nn.Sequential(*convolutions, nn.Linear(144, 10), nn.Tanh(), nn.Linear(10, 3))


#: Title -> what it takes, and how it is made.
ARCHITECTURES: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "BERT": text("BertForSequenceClassification", "BertConfig"),
    "RoBERTa": text("RobertaForSequenceClassification", "RobertaConfig"),
    "XLM-RoBERTa": text("XLMRobertaForSequenceClassification", "XLMRobertaConfig"),
    "CamemBERT": text("CamembertForSequenceClassification", "CamembertConfig"),
    "ELECTRA": text("ElectraForSequenceClassification", "ElectraConfig", embedding_size=8),
    "ERNIE": text("ErnieForSequenceClassification", "ErnieConfig"),
    "data2vec-text": text("Data2VecTextForSequenceClassification", "Data2VecTextConfig"),
    "LayoutLM": text("LayoutLMForSequenceClassification", "LayoutLMConfig"),
    "RoBERTa-PreLayerNorm": text("RobertaPreLayerNormForSequenceClassification", "RobertaPreLayerNormConfig"),
    "MobileBERT": text("MobileBertForSequenceClassification", "MobileBertConfig", embedding_size=8,
                       intra_bottleneck_size=8, num_feedforward_networks=2),
    "ALBERT": text("AlbertForSequenceClassification", "AlbertConfig", embedding_size=8, classifier_dropout_prob=0.0),
    "DistilBERT": ("text", model_of("DistilBertForSequenceClassification", "DistilBertConfig", vocab_size=40, dim=16,
                                    n_layers=2, n_heads=2, hidden_dim=24, dropout=0.0, attention_dropout=0.0,
                                    seq_classif_dropout=0.0, pad_token_id=1, num_labels=3)),
    "DPR": text("DPRQuestionEncoder", "DPRConfig"),
    "EuroBERT": text("EuroBertModel", "EuroBertConfig", num_key_value_heads=1, bos_token_id=2, eos_token_id=39,
                     mask_token_id=3),
    "ModernBERT": text("ModernBertForSequenceClassification", "ModernBertConfig", local_attention=4,
                       global_attn_every_n_layers=2, **MODERN),
    "T5's encoder": ("text", model_of("T5EncoderModel", "T5Config", **T5)),
    "mT5's and Flan-T5's encoder": ("text", model_of("MT5EncoderModel", "MT5Config", **T5,
                                                     feed_forward_proj="gated-gelu")),
    "UMT5's encoder": ("text", model_of("UMT5EncoderModel", "UMT5Config", **T5, feed_forward_proj="gated-gelu")),
    "ViT": ("picture", model_of("ViTForImageClassification", "ViTConfig", **PICTURE)),
    "DeiT": ("picture", model_of("DeiTForImageClassification", "DeiTConfig", **PICTURE)),
    "ViT-MAE": ("picture", model_of("ViTMAEModel", "ViTMAEConfig", **PICTURE)),
    "ViT-MSN": ("picture", model_of("ViTMSNForImageClassification", "ViTMSNConfig", **PICTURE)),
    "BEiT": ("picture", model_of("BeitForImageClassification", "BeitConfig", use_relative_position_bias=True,
                                 drop_path_rate=0.0, **PICTURE)),
    "DINOv2": ("picture", model_of("Dinov2ForImageClassification", "Dinov2Config", mlp_ratio=2, **PICTURE)),
    "DINOv2, gated": ("picture", model_of("Dinov2ForImageClassification", "Dinov2Config", mlp_ratio=2,
                                          use_swiglu_ffn=True, **PICTURE)),
    "DINOv2 with registers": ("picture", model_of("Dinov2WithRegistersForImageClassification",
                                                  "Dinov2WithRegistersConfig", mlp_ratio=2, **PICTURE)),
    "DINOv3": ("picture", model_of("DINOv3ViTModel", "DINOv3ViTConfig", **PICTURE)),
    "DINOv3, gated": ("picture", model_of("DINOv3ViTModel", "DINOv3ViTConfig", use_gated_mlp=True, hidden_act="silu",
                                          **PICTURE)),
    "Swin": ("picture", model_of("SwinForImageClassification", "SwinConfig", **SWIN)),
    "AST": ("spectrogram", model_of("ASTForAudioClassification", "ASTConfig", patch_size=4, num_mel_bins=8,
                                    max_length=16, frequency_stride=4, time_stride=4, num_labels=3, **SIZES)),
    "wav2vec 2.0 base": ("sound", model_of("Wav2Vec2Model", "Wav2Vec2Config", **SOUND)),
    "wav2vec 2.0 large": ("sound", model_of("Wav2Vec2Model", "Wav2Vec2Config", do_stable_layer_norm=True,
                                             feat_extract_norm="layer", **SOUND)),
    "HuBERT": ("sound", model_of("HubertModel", "HubertConfig", **SOUND)),
    "data2vec-audio": ("sound", model_of("Data2VecAudioModel", "Data2VecAudioConfig", conv_pos_kernel_size=3,
                                         **SOUND)),
    "CLIP's picture tower": ("picture", model_of("CLIPVisionModel", "CLIPVisionConfig", **PICTURE)),
    "CLIP's text tower": text("CLIPTextModel", "CLIPTextConfig", eos_token_id=39),
    "SigLIP's picture tower": ("picture", model_of("SiglipVisionModel", "SiglipVisionConfig", **PICTURE)),
    "SigLIP's text tower": text("SiglipTextModel", "SiglipTextConfig"),
    "CLIP": towers("CLIPModel", "CLIPConfig"),
    "AltCLIP": towers("AltCLIPModel", "AltCLIPConfig"),
    "Chinese-CLIP": towers("ChineseCLIPModel", "ChineseCLIPConfig"),
    "VisionTextDualEncoder": ("text and picture", dual),
    "OPT": ("text", model_of("OPTForCausalLM", "OPTConfig", ffn_dim=24, word_embed_proj_dim=16, dropout=0.0,
                             **DECODER)),
    "GPT-2": ("text", model_of("GPT2LMHeadModel", "GPT2Config", n_inner=24, resid_pdrop=0.0, embd_pdrop=0.0,
                               attn_pdrop=0.0, **DECODER)),
    "LLaMA": ("text", model_of("LlamaForCausalLM", "LlamaConfig", num_key_value_heads=1, **DECODER)),
    "Mistral": ("text", model_of("MistralForCausalLM", "MistralConfig", num_key_value_heads=1, **DECODER)),
    "ResNet": ("large picture", model_of("ResNetForImageClassification", "ResNetConfig", embedding_size=8, **STAGES)),
    "RegNet": ("large picture", model_of("RegNetForImageClassification", "RegNetConfig", embedding_size=8,
                                         groups_width=4, **STAGES)),
    "ConvNeXt": ("large picture", model_of("ConvNextForImageClassification", "ConvNextConfig", patch_size=2,
                                           num_stages=2, **STAGES)),
    "ConvNeXt 2": ("large picture", model_of("ConvNextV2ForImageClassification", "ConvNextV2Config", patch_size=2,
                                             num_stages=2, **STAGES)),
    "MobileNet 1": ("large picture", model_of("MobileNetV1ForImageClassification", "MobileNetV1Config", **MOBILE)),
    "MobileNet 2": ("large picture", model_of("MobileNetV2ForImageClassification", "MobileNetV2Config", **MOBILE)),
    "a torch network": ("picture", plain),
}  # fmt: skip


def inputs(kind: str, model: nn.Module) -> dict[str, Tensor]:
    """Three examples for a model that takes such a thing."""
    pick = torch.Generator().manual_seed(1)
    found: dict[str, Tensor] = {}
    if "text" in kind:
        found["input_ids"] = torch.randint(4, 39, (3, 6), generator=pick)
    if "picture" in kind:
        side = 32 if kind == "large picture" else getattr(getattr(model, "config", None), "image_size", 8)
        found["input" if isinstance(model, nn.Sequential) else "pixel_values"] = torch.randn(
            3, 3, side, side, generator=pick
        )
    if isinstance(model, transformers.ViTMAEModel):  # it shuffles its patches
        found["noise"] = torch.rand(3, 4, generator=pick)
    if kind in ("sound", "spectrogram"):
        found["input_values"] = torch.randn(3, *((80,) if kind == "sound" else (16, 8)), generator=pick)
    return found


class Trial(NamedTuple):
    """A tiny model of an architecture, before and after its conversion, and three examples for it."""

    kind: str
    float_model: nn.Module
    model: nn.Module
    table: binviz.convert.Conversion
    given: dict[str, Tensor]


def made(title: str, recipe: str | None = None) -> tuple[nn.Module, dict[str, Tensor]]:
    """A seeded model that has seen a batch, in which nothing is all zeros or ones, and inputs for it."""
    kind, make = ARCHITECTURES[title]
    torch.manual_seed(0)
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    given = inputs(kind, model)
    if recipe:
        binviz.binarize_(model, recipe)
    see(model, given)
    return model, given


@torch.no_grad()
def see(model: nn.Module, given: dict[str, Tensor]) -> None:
    """Let scales and batch norms start from a batch."""
    if any(isinstance(part, nn.BatchNorm2d) for part in model.modules()):
        model.train()(**given)
    model.eval()(**given)


def trial(title: str) -> Trial:
    """The architecture of that title, ready to be tried."""
    float_model, given = made(title)
    model = copy.deepcopy(float_model)
    table = binviz.binarize_(model, RECIPE)
    see(model, given)
    return Trial(ARCHITECTURES[title][0], float_model, model, table, given)


@torch.no_grad()
def answers(model: nn.Module, given: dict[str, Tensor]) -> list[Tensor]:
    """Every float tensor that the model gives back."""
    return tensors(model(**given))


def tensors(output: Any) -> list[Tensor]:
    """The float tensors of a model's output."""
    values = output.values() if isinstance(output, dict) else [output]
    return [value for value in values if isinstance(value, Tensor) and value.is_floating_point()]


def close(one: list[Tensor], other: list[Tensor], tolerance: float) -> bool:
    """Whether the tensors are the same up to rounding."""
    return len(one) == len(other) > 0 and all(
        torch.allclose(a, b, atol=tolerance, rtol=tolerance) for a, b in zip(one, other, strict=True)
    )


def all_but(missing: list[str]) -> str:
    """What a cell says where some are missing."""
    return f"all but {', '.join(missing)}" if missing else "yes"


def converted(this: Trial) -> str:
    """How many linears, convolutions and embeddings are binary, and how many attentions; what stays float says why."""
    silent = [
        row.name for row in this.table.rows
        if row.weight == "float" and not row.why and "norm" not in row.kind.lower()
    ]  # fmt: skip
    assert not silent, f"no reason for {silent}"
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Embedding)
    places = {row.name: this.model.get_submodule(row.module) for row in this.table.rows}
    layers = [row for row in this.table.rows if isinstance(places[row.name], kinds)]
    attentions = sum(row.kind == "BinaryAttention" for row in this.table.rows)
    said = f"{sum(bool(row.weights) for row in layers)} of {len(layers)} layers"
    return f"{said}, {attentions} attention{'s' * (attentions > 1)}" if attentions else said


def called(this: Trial) -> str:
    """Whether everything binary is called in a pass."""
    heard: set[nn.Module] = set()

    def hear(module: nn.Module, part: str, value: Any) -> None:
        if part.endswith("code"):
            heard.add(getattr(module, "binary", module))

    model = copy.deepcopy(this.model)
    for part in model.modules():
        if isinstance(part, BinaryEmbedding):
            part.register_forward_hook(lambda part, *_: heard.add(part))
    with listening(hear):
        answers(model, this.given)
    kinds = BinaryLayer | BinaryAttention
    return all_but([path for path, p in model.named_modules() if isinstance(p, kinds) and p not in heard])


def padded(this: Trial) -> str:
    """Whether padding behind an example changes nothing."""
    if this.kind not in ("text", "sound"):
        return "–"

    def unchanged(model: nn.Module) -> bool:
        model = copy.deepcopy(model).double()
        ((name, values),) = this.given.items()
        values = values.double() if values.is_floating_point() else values
        longer = torch.cat([values, values.new_ones(3, 2 if this.kind == "text" else 16)], 1)
        mask = (torch.arange(longer.shape[1]) < values.shape[1]).long().expand(longer.shape)
        wanted = answers(model, {name: values})
        found = answers(model, {name: longer, "attention_mask": mask})
        cut = [b[:, : a.shape[1]] if b.ndim == a.ndim > 2 else b for a, b in zip(wanted, found, strict=True)]
        return close(wanted, cut, 1e-6)

    if unchanged(this.model):
        return "changes nothing"
    assert not unchanged(this.float_model)
    return "changes a float model too"


def captured(this: Trial) -> str:
    """Whether every name has values, and padding is left out of them."""
    given = dict(this.given)
    if this.kind in ("text", "sound"):
        (values,) = given.values()
        given["attention_mask"] = torch.ones_like(values, dtype=torch.long)
        given["attention_mask"][1, values.shape[1] // 2 :] = 0
    seen = binviz.capture(this.model, given)
    for name in seen:
        assert 0 < seen.flat(name).size <= seen[name].size
    layout = layout_of(this.model)
    if layout.blocks and "attention_mask" in given:
        first = f"{layout.blocks[0].name}.ffn_out"
        assert seen.flat(first).size < seen[first].size
    codes = {
        f"{block.name}.{part}.code" for block in layout.blocks for part in ("q", "k", "v", "scores", "ffn_in")
    }
    # Of a plain network every module has a name, also those that only hold others
    wanted = {*names(this.model), *codes} if layout.blocks else {f"{name}.code" for name in layout.others}
    return all_but(sorted(wanted - set(seen)))


def compared(this: Trial) -> str:
    """Whether there are errors against the float model, place by place."""
    table = analysis.errors(this.float_model, this.model, this.given)
    assert len(table) and table.mse.notna().all()
    return "yes"


def fused(this: Trial) -> str:
    """Whether the layers run as one call of the kernels, or why not; packed, it answers alike."""
    wanted = answers(this.model, this.given)
    assert close(answers(binviz.pack(this.model, fused=False), this.given), wanted, 1e-4)
    packed = binviz.pack(this.model)
    lists = [part for part in packed.modules() if isinstance(part, FusedLayers)]
    for layer in (layer for part in lists for layer in part.children()):
        layer.forward = None  # fused layers do not run one by one
    assert close(answers(packed, this.given), wanted, 1e-3)
    assert lists or why_not_fused(packed)
    return why_not_fused(packed) or "yes"


def kept(this: Trial, write: Callable[[nn.Module, Path], Any]) -> str:
    """Whether it answers the same when it is written and loaded."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "model.safetensors")
        write(this.model, place)
        again = binviz.load(place)
    assert all(map(torch.equal, answers(again, this.given), answers(this.model, this.given)))
    return "yes"


def trained(this: Trial) -> str:
    """Whether three steps move every binary weight."""
    model = copy.deepcopy(this.model)
    weights = {path: part.weight for path, part in model.named_modules() if isinstance(part, BinaryLayer)}
    before = {path: weight.detach().clone() for path, weight in weights.items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    if not any(isinstance(part, nn.BatchNorm2d) for part in model.modules()):
        model.train()  # three pictures are no batch for a norm
    for _ in range(3):
        loss = sum(value.square().mean() for value in tensors(model(**this.given)))
        assert torch.isfinite(loss)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    still = [path for path, weight in weights.items() if torch.equal(weight, before[path])]
    return "in part" if still and not layout_of(model).blocks else all_but(still)


#: Column -> what is tried.
COLUMNS: dict[str, Callable[[Trial], str]] = {
    "binary": converted,
    "all of it called": called,
    "padding": padded,
    "capture": captured,
    "errors": compared,
    "one call of the kernels": fused,
    "save": lambda this: kept(this, binviz.save),
    "save_packed": lambda this: kept(this, binviz.save_packed),
    "three steps train all": trained,
}

#: What `binarize_` refuses: the names of model and configuration begin so.
REFUSED = (
    "Bart", "BigBird", "Bloom", "BridgeTower", "Clap", "ConvBert", "Data2VecVision", "Deberta", "DebertaV2",
    "Funnel", "GPTNeoX", "LayoutLMv3", "Longformer", "MPNet", "NomicBert", "RoFormer", "SEW", "Segformer",
    "SqueezeBert", "Swinv2", "T5", "VideoMAE", "Wav2Vec2Bert", "WavLM", "Whisper", "XLNet",
)  # fmt: skip

HEAD = f"""\
# Every architecture, tried

A tiny untrained model of each is converted under `{RECIPE}`, run, padded, looked into (`capture`, `errors`), packed,
saved, loaded and trained for three steps by `python docs/architectures.py`, which writes this page. A cell says "yes"
or what binviz says instead. An adapter goes by the parts of a model and not by its name, so copies of these under other
names convert too; saved are the families that `binviz.saving.build` lists. Where padding changes the float model too,
a norm runs over time (wav2vec 2.0's small models), neighbours' embeddings are joined (MobileBERT), or the last position
is the answer (SigLIP's text tower). Where three steps train a network in part, a ReLU stands before a sign, which is
then +1 everywhere.

"""
BETWEEN = """
Refused, each in one line, with the model left as it was:

| model | what `binarize_` says |
|---|---|
"""


def first_clause(error: UserError) -> str:
    """What it says, without what to do instead."""
    return str(error).partition("; ")[0].partition(": ")[0]


def row(title: str) -> str:
    """The line of an architecture that converts."""
    logging.disable(logging.WARNING)  # of scales that wait for their first batch
    this, cells = trial(title), [title]
    for check in COLUMNS.values():
        try:
            cells.append(check(this))
        except UserError as error:
            cells.append(first_clause(error))
    logging.disable(logging.NOTSET)
    return f"| {' | '.join(cells)} |\n"


def refusal(name: str) -> str:
    """The line of a model that is refused."""
    with torch.device("meta"):  # no memory for what is never run
        model = model_of(f"{name}Model", f"{name}Config")()
    try:
        binviz.binarize_(model, RECIPE)
    except UserError as error:
        return f"| {name} | {first_clause(error)} |\n"
    raise AssertionError(f"{name} is not refused")


if __name__ == "__main__":
    table = [f"| model | {' | '.join(COLUMNS)} |\n", "|---" * (1 + len(COLUMNS)) + "|\n"]
    PAGE.write_text(
        "".join([HEAD, *table, *map(row, ARCHITECTURES), BETWEEN, *map(refusal, REFUSED)]), encoding="utf-8"
    )
