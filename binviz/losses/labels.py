r"""What the labels say: cross-entropy, or the squared distance of a number.

$$L = -\frac1N \sum_{n} \log p_{n, y_n}$$

over the N positions that have a label; -100 marks those that have none, as in masked language modelling. Where an
example is a mixture of several, its label is a probability of each class.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from binviz.losses.loss import Batch, Loss, inputs_of, register

#: The label of a position that has none, transformers' own.
NO_LABEL = -100


def classes_last(logits: Tensor) -> Tensor:
    """Logits with their classes on the last axis: maps (B, C, H, W) as (B, H, W, C), all others as they are.

    >>> import torch
    >>> classes_last(torch.zeros(2, 11, 3, 5)).shape, classes_last(torch.zeros(2, 7, 11)).shape
    (torch.Size([2, 3, 5, 11]), torch.Size([2, 7, 11]))
    """
    return logits.movedim(1, -1) if logits.ndim == 4 else logits


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of (..., C) logits with (...) labels, or mean squared error where C = 1.

    Args:
        logits: float; see `classes_last` for those of maps.
        labels: int64; those that are -100 do not count. Float where C = 1, and all of them count; float (..., C) where
            they are probabilities.

    >>> import torch
    >>> label_loss(torch.tensor([[1.0], [2.0]]), torch.tensor([1.0, 4.0])).item()
    2.0
    >>> round(label_loss(torch.zeros(1, 3, 2), torch.tensor([[0, -100, 1]])).item(), 4)  # ln 2
    0.6931
    """
    logits = classes_last(logits)
    if logits.shape[-1] == 1:
        return F.mse_loss(logits.squeeze(-1), labels.float())
    if labels.shape == logits.shape:
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten(0, -2))
    logits, labels = logits.flatten(0, -2), labels.long().flatten()
    if not (labels != NO_LABEL).any():
        return 0.0 * logits.sum()  # the mean of none is no number
    return F.cross_entropy(logits, labels, ignore_index=NO_LABEL)


@register("labels")
class LabelLoss(Loss):
    """`label_loss` of a model on a batch with "labels".

    >>> import torch
    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> model = DigitsCNN(DigitsCNNConfig(width=4, depth=1))
    >>> batch = {"pixel_values": torch.zeros(2, 1, 8, 8), "labels": torch.tensor([3, 7])}
    >>> LabelLoss(LabelLoss.Options())(model, batch).shape
    torch.Size([])
    """

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        logits = student(**inputs_of(batch, self.targets)).logits.float()
        return label_loss(logits, batch["labels"])
