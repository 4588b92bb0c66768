r"""Low-rank representation mimicking, as BinaryDM trains its students (2404.05662, versions 1 to 4).

$$L = \lVert \epsilon - \epsilon_\theta(x_t, t) \rVert^2 / n
  + \lambda \, \frac1B \sum_{b} \operatorname{MSE}(f^S_b K_b, f^T_b K_b)$$

over the B residual blocks of a U-Net, with features f behind their attention where they have one. The columns of K are
the first quarter, two at least, of the principal directions of the teacher's features in the first batch, and stay.

Along which axis: the paper speaks of a quarter of the channels, its official code takes the last axis of (N, C, H, W),
the picture's width. Here channels are the default: the same features stand in them at every position, where a direction
in the width mixes columns, which convolutions treat alike, and fits no picture of another width. "width" is the code's.

Progressive binarization is here, too: all layers begin float, and every so many steps one more level becomes binary,
from the middle outwards. A float layer multiplies with the weight that its signs are taken of.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.layers import BinaryConv2d, BinaryLinear
from binviz.layers.called import answers
from binviz.losses.labels import label_loss
from binviz.losses.loss import Batch, Loss, inputs_of, register

Axis = Literal["channels", "width"]


def rows_of(feature: Tensor, axis: Axis) -> Tensor:
    """(N, C, H, W) -> rows along that axis, (N * H * W, C) or (N * C * H, W).

    >>> [rows_of(torch.zeros(2, 3, 4, 5), axis).shape for axis in ("channels", "width")]
    [torch.Size([40, 3]), torch.Size([24, 5])]
    """
    last = feature.movedim(1, -1) if axis == "channels" else feature
    return last.flatten(0, -2)


def principal_directions(rows: Tensor) -> Tensor:
    """The first principal directions of (M, D) rows, (D, max(D // 4, 2)), the one of most variance first.

    >>> rows = torch.tensor([[2.0, 0.0, 1.0], [-2.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, -1.0, 1.0]])
    >>> principal_directions(rows).abs().tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """
    centred = rows - rows.mean(0)
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    return vectors.flip(-1)[:, : max(rows.shape[1] // 4, 2)].contiguous()


@contextmanager
def noted(model: nn.Module, paths: list[str]) -> Iterator[list[Tensor]]:
    """Within the block the list has what modules of a model last gave, in the order in which they ran."""
    seen: list[Tensor] = []
    with ExitStack() as hooks:
        for path in paths:
            handle = model.get_submodule(path).register_forward_hook(lambda m, args, out: seen.append(out))
            hooks.callback(handle.remove)
        yield seen


@contextmanager
def unbinarized(layers: list[nn.Module]) -> Iterator[None]:
    """Within the block binary linears and convolutions are float, with the weights that their signs are taken of.

    >>> from binviz import binarizers
    >>> layer = BinaryLinear(2, 1, bias=False, weight=binarizers.get("bnn"), activation=None)
    >>> _ = layer.weight.data.copy_(torch.tensor([[0.5, -2.0]]))
    >>> with unbinarized([layer]):
    ...     layer(torch.ones(1, 2)).item()
    -1.5
    """

    def stand_in(layer: nn.Module) -> Any:
        parent = nn.Linear if isinstance(layer, BinaryLinear) else nn.Conv2d

        def forward(x: Tensor) -> Tensor:
            answers(layer.place)  # type: ignore[arg-type]
            return parent.forward(layer, x)  # type: ignore[arg-type]

        return forward

    try:
        for layer in layers:
            layer.forward = stand_in(layer)
        yield
    finally:
        for layer in layers:
            del layer.forward


@register("low-rank-mimicking")
class LowRankMimickingLoss(Loss):
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient.

    Raises:
        UserError: another axis, or a network that names no features (`binviz.networks.UNet` does).

    >>> from binviz import losses
    >>> from binviz.networks import UNet, UNetConfig
    >>> teacher, student = (UNet(UNetConfig(widths=(8, 16), head_size=8, norm_groups=4)) for _ in range(2))
    >>> batch = {"noisy": torch.randn(2, 1, 8, 8), "labels": torch.randn(2, 1, 8, 8)}
    >>> losses.get("low-rank-mimicking", teacher)(student, batch).requires_grad
    True
    """

    @dataclass(frozen=True)
    class Options:
        """weight: of the features' part. axis: of the principal directions. every: steps after which one more level is
        binary; 0 for all from the first step on. The paper's code has 0.0001, the width and 1.
        """

        weight: float = 1e-4
        axis: Axis = "channels"
        every: int = 0

    needs_teacher = True
    step: Tensor

    def __init__(
        self, options: Any, teacher: nn.Module | None = None, targets: tuple[str, ...] = ("labels",)
    ) -> None:
        super().__init__(options, teacher, targets)
        if options.axis not in get_args(Axis):
            raise UserError(f"axis is 'channels' or 'width', not {options.axis!r}")
        network: Any = self.teacher
        if not hasattr(network, "feature_paths"):
            raise UserError(f"a {type(network).__name__} names no features to mimic; take a UNet")
        self.paths: list[str] = network.feature_paths()
        self.register_buffer("step", torch.tensor(0))
        for number in range(len(self.paths)):
            self.register_buffer(f"directions_{number}", None)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name in self._buffers:
            if (found := state.get(prefix + name)) is not None:
                self._buffers[name] = torch.empty_like(found)
        super()._load_from_state_dict(state, prefix, *rest)

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        inner: Any = getattr(student, "module", student)
        inputs = inputs_of(batch, self.targets)
        device = next(student.parameters()).device
        if next(self.teacher.parameters()).device != device:
            self.teacher.to(device)
        with torch.no_grad(), noted(self.teacher, self.paths) as wanted:
            self.teacher(**inputs)
        with unbinarized(self.still_float(inner)), noted(inner, self.paths) as got:
            logits = student(**inputs).logits.float()
        distances = []
        for number, features in enumerate(zip(got, wanted, strict=True)):
            s, t = (rows_of(feature.float(), self.options.axis) for feature in features)
            directions = self.directions(number, t)
            distances.append(F.mse_loss(s @ directions, t @ directions))
        return label_loss(logits, batch["labels"]) + self.options.weight * torch.stack(distances).mean()

    def directions(self, number: int, rows: Tensor) -> Tensor:
        """K of the block of that number, found from the teacher's rows the first time."""
        name = f"directions_{number}"
        if self._buffers[name] is None:
            self._buffers[name] = principal_directions(rows)
        return getattr(self, name)

    def still_float(self, student: Any) -> list[nn.Module]:
        """The binary layers of the levels whose turn is still to come."""
        if not self.options.every:
            return []
        turns = int(self.step) // self.options.every + 1
        return [
            layer
            for path, layer in student.named_modules()
            if isinstance(layer, BinaryLinear | BinaryConv2d)
            and len(student.config.widths) - student.level_of(path) >= turns
        ]

    def after_step(self, student: nn.Module) -> None:
        self.step += 1
