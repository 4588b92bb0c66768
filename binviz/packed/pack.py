"""A model that runs on bits, from one that multiplies its codes as floats.

    packed = binviz.pack(model)
    packed(**inputs).logits          # the same call, the same numbers

Every binary layer is replaced by its packed twin (`binviz.packed.layers`). The two products of attention, whose
operands both change with the input, stay those of `BinaryAttention`, which multiplies codes in float32.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from binviz.binarizers import Binarizer
from binviz.binarizers.start import warn_unstarted
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLayer, BinaryLinear
from binviz.layers.attention import require_binviz_attention
from binviz.layers.sharded import require_whole
from binviz.packed.fused import REASON, fuse_
from binviz.packed.layers import PackedConv2d, PackedEmbedding, PackedLayer, PackedLinear


def pack(model: nn.Module, *, fused: bool = True) -> nn.Module:
    """A packed copy of a binary model, for use only: in eval mode, on the CPU, without gradients.

    Codes are multiplied in integers, and scales follow in the order of the layer, so the outputs of the layers are
    those of the model to the last bit; where a recipe keeps activations float, up to the order of a float sum
    (`binviz.packed.layers`). Scales that no batch has started yet start from the copy's own first one, which a line of
    the log says: run one batch before.

    An encoder whose layers the kernels know (`binviz.packed.known`: BERT's and their copies, RoBERTa's with norms
    first, DistilBERT's, ALBERT's, ViT's, DINOv2's, BEiT's, CLIP's, SigLIP's, wav2vec 2.0's; each stage of a Swin),
    whose weights all have one bit and whose activations have one (or 2 or 4, under BiT), with BiPFT's estimators or
    without, runs as one call of the kernels (`binviz.packed.fused`), many times faster;
    `binviz.packed.why_not_fused(packed)` says in one line why another one does not. Its layer norms add in an order of
    their own: outputs may differ in the last digits, and a code that lies next to its threshold may flip. Its weights
    are fixed here: what is edited in place afterwards, a parameter or the list of layers, it does not see
    (`fused=False` does). After the packed model's load_state_dict the layers run one by one.

    The copy computes in float32, also that of a model in float16 or bfloat16, and is meant to stay there:
    the packed layers do, whatever is done to the rest.

    Args:
        model: any network that `binarize_` has converted, or a binary layer. It is not changed, and shares nothing
            with the copy.
        fused: False runs every layer by itself, to the last bit.

    Returns:
        A model of the same class, which takes and returns the same; `save_packed` writes the same file of it.

    Raises:
        UserError: no binary layer in it, or one that cannot be packed.

    >>> from transformers import BertConfig, BertModel
    >>> import binviz
    >>> model = BertModel(BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
    ...                              intermediate_size=64, vocab_size=50)).eval()
    >>> _ = binviz.binarize_(model, "bibert")
    >>> ids = torch.tensor([[2, 7, 3]])
    >>> torch.equal(binviz.pack(model, fused=False)(ids).last_hidden_state, model(ids).last_hidden_state)
    True
    """
    layers = binary_layers(model)
    if not layers:
        packed = any(isinstance(module, PackedLayer) for module in model.modules())
        raise UserError(
            "this model is packed already"
            if packed
            else "this model has no binary layer; call binarize_ first"
        )
    check_packable(model)
    warn_unstarted(model, "the packed model")
    twins = {id(layer): _twin(layer) for layer in layers.values()}
    # deepcopy takes what stands in its memo for the copy: no weight of a binary layer is copied
    twin = copy.deepcopy(model, dict(twins)).cpu().float().requires_grad_(False).eval()
    reason = "fused=False"
    if fused:
        reason = fuse_(twin, model if _in_float32(model) else copy.deepcopy(model).cpu().float())
    setattr(twin, REASON, reason)
    for part in twin.modules():
        if hasattr(part, "save_pretrained"):
            part.save_pretrained = _save_pretrained  # type: ignore[assignment]
    return twin


def _save_pretrained(*args: Any, **options: Any) -> None:
    """In the place of transformers' method, which would write bits that nothing reads."""
    raise UserError("a packed model is saved by binviz.save_packed(model, path)")


def _in_float32(model: nn.Module) -> bool:
    """Whether the model computes in float32 on the CPU, as its packed copy does."""
    return all(value.dtype == torch.float32 and value.device.type == "cpu" for value in model.parameters())


def binary_layers(model: nn.Module) -> dict[str, BinaryLayer]:
    """Path -> layer, in module order."""
    return {path: module for path, module in model.named_modules() if isinstance(module, BinaryLayer)}


def check_packable(model: nn.Module) -> None:
    """Refuse a model of which an activation depends on the batch, or a weight is not there yet.

    Raises:
        UserError: it names the layer; or its binary attention is switched off, or the model is split over processes.
    """
    require_whole(model)
    require_binviz_attention(model)
    pictures = {
        id(layer.activation_binarizer) for layer in model.modules() if isinstance(layer, BinaryConv2d)
    }
    for path, module in model.named_modules():
        if (
            isinstance(module, Binarizer)
            and module.shifted
            and not (module.constant_shift and id(module) in pictures)
        ):
            raise UserError(
                f"{path}: an activation whose shift depends on the batch cannot be packed, and one that is constant "
                "only in a convolution"
            )
    for path, layer in binary_layers(model).items():
        if layer.weight.is_meta:
            raise UserError(f"{path} has no weights yet (it is on the meta device); load them first")


def _twin(layer: BinaryLayer) -> PackedLayer:
    if isinstance(layer, BinaryLinear):
        return PackedLinear(layer)
    if isinstance(layer, BinaryConv2d):
        return PackedConv2d(layer)
    assert isinstance(layer, BinaryEmbedding)
    return PackedEmbedding(layer)
