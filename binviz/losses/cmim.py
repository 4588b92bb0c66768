r"""Contrast of binary features with float ones, as CMIM trains (Shang et al. 2022, 2207.02970).

What the last linear layer is given, of the float teacher and of the binary student, is projected to 128 numbers of
length 1: u and v. Two memories hold what they last were for each of the n examples, and each side must tell its own
example from N of other classes in the other side's memory, with $\tau = 0.1$:

$$o_{u,j} = \frac1{Z_u} e^{\langle M^v_j, u\rangle / \tau}, \quad
o_{v,j} = \frac1{Z_v} e^{\langle M^u_j, v\rangle / \tau}, \qquad
\ell(o) = -\frac1B \sum \Big[\ln \frac{o_0}{o_0 + c + \epsilon}
  + \sum_{j=1}^{N} \ln \frac{c}{o_j + c + \epsilon}\Big], \quad c = \frac Nn$$

$$L = L_{\text{labels}} + 3.2\,(\ell(o_u) + \ell(o_v)), \qquad
M_i \leftarrow \operatorname{norm}(\tfrac12 M_i + \tfrac12 u_i) \text{, with } v \text{ likewise}$$

Each Z is n times the mean of the first batch's exponentials, and stays; $\epsilon = 10^{-7}$. Memories start at random;
an example is contrasted with itself only when it is met again, so a run has to last for several epochs.

Departures from the official code: its projections never reach the optimizer and stay as they were drawn (`trained` is
False for that); its float network's batch norm runs on the batch and drifts, here the teacher is in eval mode; its
binary network runs forward twice a step. The others of other classes come with the batch, from the augmentation
"numbered".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from binviz.errors import UserError
from binviz.losses.bit import outputs
from binviz.losses.labels import label_loss
from binviz.losses.loss import Batch, Loss, register

EPSILON = 1e-7


def exponentials(features: Tensor, memory: Tensor, index: Tensor, temperature: float = 0.1) -> Tensor:
    """exp(<M_j, u> / tau), (B, 1 + N).

    Args:
        features: (B, D), of length 1.
        memory: (n, D).
        index: (B, 1 + N) of its rows.

    >>> exponentials(torch.tensor([[0.0, 1.0]]), torch.eye(2), torch.tensor([[0, 1]]), temperature=1.0)
    tensor([[1.0000, 2.7183]])
    """
    return (torch.einsum("bd,bjd->bj", features, memory[index]) / temperature).exp()


def contrast(o: Tensor, examples: int) -> Tensor:
    """The loss of one side, a scalar.

    Args:
        o: (B, 1 + N), that of its own example first.
        examples: n.

    >>> round(contrast(torch.tensor([[0.5, 0.1, 0.2], [0.3, 0.4, 0.05]]), 10).item(), 6)
    1.633834
    """
    own, others = o[:, 0], o[:, 1:]
    c = others.shape[1] / examples
    right = (own / (own + c + EPSILON)).log()
    return -(right + (c / (others + c + EPSILON)).log().sum(1)).mean()


def head_of(model: nn.Module) -> nn.Linear:
    """The last linear layer.

    Raises:
        UserError: there is none.

    >>> head_of(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)))
    Linear(in_features=3, out_features=2, bias=True)
    """
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linears:
        raise UserError(f"cmim compares what the last linear layer is given; {type(model).__name__} has none")
    return linears[-1]


@contextmanager
def inputs_to(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Within the block the list has what the layer is given, call by call."""
    seen: list[Tensor] = []
    handle = layer.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    try:
        yield seen
    finally:
        handle.remove()


@register("cmim")
class CmimLoss(Loss):
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient.

    The batch has "index" (B,), numbers of its examples, and "others" (B, N), of examples of other classes, see
    `binviz.training.augment.numbered`.

    Raises:
        UserError: a batch without them or with numbers that are too large, or models whose last linear layer is not
            given one vector an example.

    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> teacher, student = (DigitsCNN(DigitsCNNConfig(width=4, depth=1)) for _ in range(2))
    >>> loss = CmimLoss(CmimLoss.Options(examples=5), teacher, targets=("labels", "index", "others"))
    >>> batch = {"pixel_values": torch.zeros(2, 1, 8, 8), "labels": torch.tensor([3, 7])}
    >>> loss(student, batch | {"index": torch.tensor([0, 4]), "others": torch.tensor([[1], [2]])}).shape
    torch.Size([])
    """

    @dataclass(frozen=True)
    class Options:
        """examples: n, of the training set. weight: of the contrast. trained: whether the projections are.

        size: of what they give. temperature: tau. momentum: of the memories, what they keep.
        """

        examples: int = 50_000
        weight: float = 3.2
        trained: bool = True
        size: int = 128
        temperature: float = 0.1
        momentum: float = 0.5

    needs_teacher = True
    options: Options
    memories: Tensor
    norms: Tensor

    def __init__(
        self, options: Any, teacher: nn.Module | None = None, targets: tuple[str, ...] = ("labels",)
    ) -> None:
        super().__init__(options, teacher, targets)
        given, size = head_of(self.teacher).in_features, options.size
        self.projections = nn.ModuleList([nn.Linear(given, size) for _ in range(2)])
        self.projections.requires_grad_(options.trained)
        # uniform(+- 1 / sqrt(size / 3)): rows of length 1 on average
        edge = (size / 3) ** -0.5
        self.register_buffer("memories", torch.empty(2, options.examples, size).uniform_(-edge, edge))
        self.register_buffer("norms", torch.zeros(2))

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        index = self._index(batch)
        with inputs_to(head_of(self.teacher)) as of_teacher, inputs_to(head_of(student)) as of_student:
            got, _ = outputs(student, self.teacher, batch, self.targets)
        for seen in (of_teacher, of_student):
            if len(seen) != 1 or seen[0].ndim != 2:
                raise UserError(
                    "cmim compares networks whose last linear layer is given one vector an example"
                )
        projected = zip(self.projections, (of_teacher[0], of_student[0]), strict=True)
        features = [F.normalize(project(given.float())).float() for project, given in projected]
        loss = label_loss(got.logits.float(), batch["labels"])
        return loss + self.options.weight * self.contrasted(features[0], features[1], index)

    def _index(self, batch: Batch) -> Tensor:
        """(B, 1 + N)."""
        if "index" not in batch or "others" not in batch:
            raise UserError(
                'cmim needs the numbers of examples; take batches that are augmented by "numbered"'
            )
        index = torch.cat([batch["index"][:, None], batch["others"]], 1)
        if int(index.max()) >= self.options.examples:
            raise UserError(
                f"an example has the number {int(index.max())}; give cmim the number of them as its option examples, "
                f"not {self.options.examples}"
            )
        return index

    def contrasted(self, u: Tensor, v: Tensor, index: Tensor) -> Tensor:
        """Both sides' contrast, behind which the memories follow in training.

        Args:
            u, v: (B, D) of length 1, of the teacher and of the student.
            index: (B, 1 + N) of examples, each one's own first.
        """
        examples, of_both = self.options.examples, (u, v)
        total = u.new_zeros(())
        for side, features in enumerate(of_both):
            o = exponentials(features, self.memories[1 - side], index, self.options.temperature)
            if not self.norms[side]:
                self.norms[side] = o.detach().mean() * examples
            total = total + contrast(o / self.norms[side].clone(), examples)
        if self.training:
            keep, own = self.options.momentum, index[:, 0]
            for side, features in enumerate(of_both):
                moved = keep * self.memories[side][own] + (1 - keep) * features.detach()
                self.memories[side, own] = F.normalize(moved)
        return total
