"""A binary layer from a float one, a float layer from a binary one, and what is kept where both are binary."""

from __future__ import annotations

from typing import Any

from torch import nn

from binviz.binarizers.stored import Stored
from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryEmbedding, BinaryLayer, BinaryLinear, BinaryProduct
from binviz.recipes import Choice, Recipe


def _plain_weight(layer: nn.Module) -> nn.Parameter:
    """The layer's weight; signs from a packed file with their scale, since no latent weight is left."""
    binarizer = getattr(layer, "weight_binarizer", None)
    if binarizer is not None and isinstance(getattr(binarizer, "inner", binarizer), Stored):
        return nn.Parameter(binarizer(layer.weight.detach()))  # type: ignore[operator]
    return layer.weight  # type: ignore[return-value]


def _like(new: nn.Module, old: nn.Module) -> nn.Module:
    """The new layer with the old one's parameters, device, dtype and mode."""
    new.to(old.weight.device, old.weight.dtype)  # type: ignore[arg-type]
    if isinstance(getattr(old, "bias", None), nn.Parameter):
        new.bias = old.bias
    if not isinstance(new, BinaryLayer):
        new.weight = _plain_weight(old)
        return new.train(old.training)
    again = isinstance(old, BinaryLayer) and keep(old.weight_binarizer, new.weight_binarizer)
    new.weight = old.weight if again else _plain_weight(old)  # type: ignore[assignment]
    if not again and not new.weight.is_meta:
        new.weight_binarizer.initialize(new.weight.detach())
    if isinstance(old, BinaryProduct) and isinstance(new, BinaryProduct):
        keep(old.activation_binarizer, new.activation_binarizer)
        if old.output_scale is not None and new.output_scale is not None:
            new.output_scale = old.output_scale
    return new.train(old.training)


def keep(old: Any, new: Any) -> bool:
    """Give a new binarizer what an old one has learned: all of it if they are alike, else the shift.

    Returns:
        Whether they are alike.
    """
    if old is None or new is None:
        return False
    before, after = old.state_dict(), new.state_dict()
    alike = type(old) is type(new) and getattr(old, "levels", None) == getattr(new, "levels", None)
    shapes, wanted = ({name: value.shape for name, value in state.items()} for state in (before, after))
    if alike and shapes == wanted:
        new.load_state_dict(before)
        return True
    shift, place = (getattr(binarizer, "learned_shift", None) for binarizer in (old, new))
    if shift is not None and place is not None and shift.shape == place.shape:
        place.detach().copy_(shift.detach())
    return False


def is_transposed(layer: nn.Module) -> bool:
    """Whether it is a linear of GPT-2's, `transformers.pytorch_utils.Conv1D`, whose weight is (in, out)."""
    return f"{type(layer).__module__}.{type(layer).__name__}" == "transformers.pytorch_utils.Conv1D"


def _turned(new: nn.Module, layer: nn.Module) -> nn.Module:
    """The new layer with the transposed weight and the bias of a layer whose weight lies the other way round."""
    new.weight = nn.Parameter(layer.weight.detach().T.contiguous(), layer.weight.requires_grad)  # type: ignore
    new.bias = layer.bias
    return new.train(layer.training)


def _require_plain(path: str, layer: nn.Module, *kinds: type[nn.Module]) -> None:
    if type(layer) not in kinds:
        raise UserError(
            f"{path} is a {type(layer).__name__}, no plain {kinds[0].__name__}; merge adapters or keep it float"
        )


def binary_layer(path: str, layer: nn.Module, recipe: Recipe, activation: Choice | None) -> nn.Module:
    """The binary twin of a linear or a convolution, with its weight and bias.

    Args:
        path: of the layer, for errors.
        layer: float or binary.
        recipe: for the weight and the output scale.
        activation: of the input; None keeps it float.

    Raises:
        UserError: a subclass, of which nobody knows what it computes, or a binarizer that no layer can use.
    """
    if is_transposed(layer):
        linear = _turned(nn.Linear(*layer.weight.shape, device="meta"), layer)  # type: ignore[misc]
        binary = binary_layer(path, linear, recipe, activation)
        binary.was_transposed = True  # type: ignore[assignment]
        return binary
    _require_plain(path, layer, nn.Linear, BinaryLinear, nn.Conv2d, BinaryConv2d)
    if isinstance(layer, nn.Conv2d):
        return _like(
            BinaryConv2d(
                *_conv_options(layer),
                weight=recipe.weight.make(layer.out_channels, channel_axis=0),
                activation=activation.make(layer.in_channels, channel_axis=1) if activation else None,
                output_scale=recipe.output_scale,
            ),
            layer,
        )
    assert isinstance(layer, nn.Linear)
    new = BinaryLinear(
        layer.in_features,
        layer.out_features,
        bias=layer.bias is not None,
        weight=recipe.weight.make(layer.out_features, channel_axis=0, inputs=layer.in_features),
        activation=activation.make(layer.in_features) if activation else None,
        output_scale=recipe.output_scale,
    )
    new.was_transposed = getattr(layer, "was_transposed", False)
    return _like(new, layer)


def _conv_options(layer: nn.Conv2d) -> tuple[Any, ...]:
    return (
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
    )


def _embedding_options(table: nn.Embedding) -> dict[str, Any]:
    return {
        "padding_idx": table.padding_idx,
        "max_norm": table.max_norm,
        "norm_type": table.norm_type,
        "scale_grad_by_freq": table.scale_grad_by_freq,
        "sparse": table.sparse,
    }


def binary_embedding(path: str, table: nn.Module, choice: Choice) -> nn.Module:
    """The binary twin of a word embedding; arguments and errors as `binary_layer`."""
    _require_plain(path, table, nn.Embedding, BinaryEmbedding)
    assert isinstance(table, nn.Embedding)
    weight = choice.make(table.num_embeddings, channel_axis=0)
    if weight.scale_kind != "per_row":
        raise UserError(f"an embedding needs a scale for each row, which {choice.binarizer!r} has not")
    sizes = table.num_embeddings, table.embedding_dim
    return _like(BinaryEmbedding(*sizes, weight=weight, **_embedding_options(table)), table)


def float_layer(layer: BinaryLayer) -> nn.Module:
    """The float layer that a binary one was made from."""
    if isinstance(layer, nn.Conv2d):
        return _like(nn.Conv2d(*_conv_options(layer)), layer)
    if isinstance(layer, nn.Linear):
        linear = _like(nn.Linear(layer.in_features, layer.out_features, layer.bias is not None), layer)
        if not layer.was_transposed:
            return linear
        from transformers.pytorch_utils import Conv1D

        return _turned(Conv1D(layer.out_features, layer.in_features), linear)
    assert isinstance(layer, nn.Embedding)
    return _like(nn.Embedding(layer.num_embeddings, layer.embedding_dim, **_embedding_options(layer)), layer)
