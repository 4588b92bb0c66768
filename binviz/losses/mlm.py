r"""Masked language modelling (Devlin et al. 2018, 1810.04805): the hidden words, and whether the second part follows.

$$L = -\frac1M \sum_{m} \log p_{m, y_m} \;\bigl[\, -\tfrac1B \sum_b \log p_{b, \text{next}_b} \,\bigr]$$

over the M masked positions; the second term where a batch says which part follows. Only the masked positions are given
to the output layer, whose table of words is as much work as several layers of a small encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from binviz.losses.labels import label_loss
from binviz.losses.loss import Batch, Loss, inputs_of, register

#: Entries of a batch that no model is given: (M,) places in the flattened (B, T), (M,) words, (B,) 0 where B follows A.
TARGETS = ("positions", "labels", "next_sentence_label")


@contextmanager
def at_positions(model: nn.Module, positions: Tensor) -> Iterator[None]:
    """Within the block a model gives logits at some positions only, (M, V) in place of (B, T, V).

    Args:
        model: with output embeddings; one that is wrapped for several processes, too.
        positions: (M,) int64, places in the flattened (B, T).

    >>> import torch
    >>> from transformers import BertConfig, BertForMaskedLM
    >>> model = BertForMaskedLM(BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    ...                                    intermediate_size=8, vocab_size=9))
    >>> with at_positions(model, torch.tensor([1, 6])):
    ...     model(torch.tensor([[2, 4, 5, 3], [2, 6, 4, 3]])).logits.shape
    torch.Size([2, 9])
    """
    inner: Any = getattr(model, "module", model)

    def chosen(layer: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (args[0].flatten(0, -2)[positions],)

    handle = inner.get_output_embeddings().register_forward_pre_hook(chosen)
    try:
        yield
    finally:
        handle.remove()


def predict(model: nn.Module, batch: Batch, targets: tuple[str, ...] = TARGETS, **options: Any) -> Any:
    """What a model gives for a batch, its words at the batch's positions."""
    with at_positions(model, batch["positions"]):
        return model(**inputs_of(batch, targets), **options)


def word_logits(output: Any) -> Tensor:
    """(M, V) float32, of a model with or without a head for the next sentence."""
    logits = getattr(output, "prediction_logits", None)
    return (output.logits if logits is None else logits).float()


def mlm_loss(output: Any, batch: Batch) -> Tensor:
    """The scalar above, of what `predict` gave."""
    loss = label_loss(word_logits(output), batch["labels"])
    if "next_sentence_label" in batch:
        loss = loss + label_loss(output.seq_relationship_logits.float(), batch["next_sentence_label"])
    return loss


@register("mlm")
class MlmLoss(Loss):
    """`mlm_loss` of a model on a batch; see `binviz.tasks.language` for such batches."""

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        return mlm_loss(predict(student, batch, self.targets), batch)
