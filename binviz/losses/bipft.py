r"""Binary pre-training with distillation from the float self, as BiPFT does it (Xing et al. 2023, 2312.08937).

$$L = L_{\text{mlm}} \;+\; \frac{w}{L+1}\sum_{l=0}^{L}\mathrm{MSE}(h^S_l, h^T_l)
  \;\bigl[\, -\tfrac1{2B}\sum_{b,c} p^{T}_{bc}\log p^{S}_{bc} \,\bigr]$$

with the cross-entropies of `binviz.losses.mlm`, the mean over the embedding's output and every layer's, and the
teacher's softened answer to the next sentence where the batch asks for it. The words' logits are not distilled: the
official code has that term and gives it no weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from binviz.losses.bit import hidden_loss, logit_loss
from binviz.losses.loss import Batch, Loss, inputs_of, register
from binviz.losses.mlm import mlm_loss, predict


@register("bipft")
class BipftLoss(Loss):
    """The loss above as a function of (student, batch); the teacher runs in eval mode, without gradient."""

    @dataclass(frozen=True)
    class Options:
        """hidden_weight: of the hidden states' part, w above."""

        hidden_weight: float = 1.0

    needs_teacher = True

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        teacher, next_sentence = self.teacher, "next_sentence_label" in batch
        device = next(student.parameters()).device
        if next(teacher.parameters()).device != device:
            teacher.to(device)
        # Without a next sentence nothing of the teacher's heads is asked for
        asked: nn.Module = teacher if next_sentence else teacher.base_model  # type: ignore[assignment]
        with torch.no_grad():
            wanted = asked(**inputs_of(batch, self.targets), output_hidden_states=True)
        got = predict(student, batch, self.targets, output_hidden_states=True)
        hidden = hidden_loss(got.hidden_states, wanted.hidden_states, batch.get("attention_mask"))
        loss = mlm_loss(got, batch) + self.options.hidden_weight * hidden / len(wanted.hidden_states)
        if next_sentence:
            loss = loss + logit_loss(
                got.seq_relationship_logits.float(), wanted.seq_relationship_logits.float()
            )
        return loss
