r"""signSGD: every step has the gradient's signs alone (Bernstein et al. 2018, 1802.04434, algorithm 1).

$$W \leftarrow W - \eta \operatorname{sign} \frac{\partial L}{\partial W}$$

under plain gradient descent; a gradient of exactly 0 moves nothing.
"""

from __future__ import annotations

from torch import nn

from binviz.losses.labels import LabelLoss
from binviz.losses.loss import register


@register("sign-sgd")
class SignSGDLoss(LabelLoss):
    """What the labels say, see `LabelLoss`, with gradients that become their signs before each step.

    >>> import torch
    >>> loss, layer = SignSGDLoss(SignSGDLoss.Options()), nn.Linear(3, 1, bias=False)
    >>> layer.weight.grad = torch.tensor([[0.25, 0.0, -3.0]])
    >>> loss.before_step(layer)
    >>> layer.weight.grad.tolist()
    [[1.0, 0.0, -1.0]]
    """

    def before_step(self, student: nn.Module) -> None:
        for parameter in student.parameters():
            if parameter.grad is not None:
                parameter.grad.sign_()
