r"""QP-SBGD: each step is the signs that would have served a layer best (Krahn et al. 2023, 2310.15128).

With the inputs X of a layer, its outputs $S = \operatorname{sign}(X W^\top)$ and the gradient of the labels' loss by
them,

$$\Gamma = \frac{\partial L}{\partial S}, \qquad
V = \arg\min_{V \in \{\pm 1\}} \lVert \operatorname{sign}(X V^\top) + \Gamma \rVert_F^2, \qquad
W \leftarrow W + \eta V$$

for every layer by itself, all of one backward pass. The gradient of the latent W becomes -V, so that any optimizer may
take the step; the paper's is plain gradient descent.

Departures from the official code: a row on which no example of the batch has a gradient stays where it is, where any V
is optimal and the solver's whim decides; among equals the one nearest to the gradient's own step is taken
(`binviz.losses.quadratic`); layers that are too wide for all signs to be tried are annealed here as a program over the
signs themselves, not over penalties and slack bits. `OfficialQPLoss` has two faults of the official code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from binviz.errors import UserError
from binviz.losses.labels import label_loss
from binviz.losses.loss import Batch, Loss, inputs_of, register
from binviz.losses.quadratic import LARGEST, solve
from binviz.networks import SignLayer


@register("qp")
class QPLoss(Loss):
    """Cross-entropy, whose gradients of sign layers' weights are projected to signs before each step.

    Raises:
        UserError: before a step: the student has no layer that answers in signs, or several processes train it.

    >>> from binviz.networks import SignMLP, SignMLPConfig
    >>> model = SignMLP(SignMLPConfig(inputs=3, width=5, num_labels=2))
    >>> loss = QPLoss(QPLoss.Options())
    >>> loss(model, {"bits": torch.tensor([[1.0, -1, 1], [-1, -1, 1]]), "labels": torch.tensor([0, 1])}).backward()
    >>> loss.before_step(model)
    >>> sorted(model.layers[1].linear.weight.grad.unique().tolist())
    [-1.0, 1.0]
    """

    @dataclass(frozen=True)
    class Options:
        """tried: the most inputs of a layer all of whose signs are tried; what is wider is annealed, in so many
        sweeps, and with none of them the step is the sign of X^T Gamma. seed: of the annealing.
        """

        tried: int = 16
        sweeps: int = 30
        seed: int = 0

        def __post_init__(self) -> None:
            if not 0 <= self.tried <= LARGEST:
                raise UserError(
                    f"tried must be from 0 to {LARGEST} inputs, not {self.tried}; wider layers are annealed"
                )
            if not 0 <= self.sweeps <= 10_000:
                raise UserError(f"sweeps must be from 0 to 10000, not {self.sweeps}")

    def __init__(
        self, options: Any, teacher: nn.Module | None = None, targets: tuple[str, ...] = ("labels",)
    ) -> None:
        super().__init__(options, teacher, targets)
        self._seen: dict[SignLayer, tuple[Tensor, Tensor]] = {}

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        self._seen = {}
        layers = [module for module in student.modules() if isinstance(module, SignLayer)]
        handles = [layer.register_forward_hook(self._watch) for layer in layers]
        try:
            logits = student(**inputs_of(batch, self.targets)).logits.float()
        finally:
            for handle in handles:
                handle.remove()
        return label_loss(logits, batch["labels"])

    def _watch(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep what went into a layer, and the gradient by what came out of it once that is known."""
        assert isinstance(layer, SignLayer)

        def keep(grad: Tensor) -> None:
            self._seen[layer] = inputs[0].detach().flatten(0, -2), grad.flatten(0, -2)

        if output.requires_grad:
            output.register_hook(keep)

    def before_step(self, student: nn.Module) -> None:
        if not self._seen:
            raise UserError(
                f"the loss 'qp' moves layers that answer in signs, and a {type(student).__name__} has none; "
                "train a binviz.networks.SignMLP"
            )
        if distributed.is_initialized() and distributed.get_world_size() > 1:
            raise UserError("the loss 'qp' solves its programs for one batch; train in one process")
        for layer, (x, grad) in self._seen.items():
            # W + eta V is a step of eta against -V
            layer.linear.weight.grad = -self.signs(x, -grad) * grad.any(0)[:, None]
        self._seen = {}

    def signs(self, x: Tensor, y: Tensor) -> Tensor:
        """V (out, in) of a layer's inputs x (B, in) and of what is wished of its outputs, y (B, out)."""
        return solve(x, y, self.options.tried, self.options.sweeps, self.options.seed)


@register("qp-official")
class OfficialQPLoss(QPLoss):
    """What the official experiment of ten layers does: two faults, each of which may be left out.

    Before its solver looks for signs a search for any that are allowed takes the place of the objective; so the wishes
    do not count. And its loop over the layers returns in the first turn; so only that layer is moved. Which of the
    signs that are allowed a solver comes upon is its whim; here they are the best ones for wishes that are drawn.

    >>> x, y = torch.tensor([[1.0, -1], [1, 1]]), torch.tensor([[-0.5], [0.25]])
    >>> blind = OfficialQPLoss(OfficialQPLoss.Options()).signs
    >>> [torch.equal(blind(x, y), blind(x, wishes)) for wishes in (-y, 0 * y, 100 * y)]
    [True, True, True]
    >>> sees = OfficialQPLoss(OfficialQPLoss.Options(blind=False))
    >>> [sees.signs(x, wishes).tolist() for wishes in (y, -y)]
    [[[-1.0, 1.0]], [[-1.0, -1.0]]]
    """

    @dataclass(frozen=True)
    class Options(QPLoss.Options):
        """blind: the solver does not see the wishes. first_only: the first layer alone is moved."""

        blind: bool = True
        first_only: bool = True

    def before_step(self, student: nn.Module) -> None:
        if self.options.first_only and self._seen:
            *others, first = self._seen  # the backward pass comes to the first one last
            self._seen = {first: self._seen[first]}
            for layer in others:
                layer.linear.weight.grad = None
        super().before_step(student)

    def signs(self, x: Tensor, y: Tensor) -> Tensor:
        if self.options.blind:
            drawn = torch.Generator().manual_seed(self.options.seed)
            y = torch.randn(y.shape, generator=drawn).to(y)
        return super().signs(x, y)
