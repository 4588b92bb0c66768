r"""BertAdam, the optimizer of the official codes of BiT, BiBERT and BiBench's BERT.

With the gradient $g$ of one tensor, each tensor clipped by itself:

$$g \leftarrow g \min(1, c / \lVert g \rVert), \quad m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad
v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \qquad
w \leftarrow w - \eta \left(\frac{m}{\sqrt v + \epsilon} + \lambda w\right)$$

There is no bias correction, so the first steps are longer than AdamW's: the first moves a weight by
$(1 - \beta_1) / \sqrt{1 - \beta_2} \approx 3.2$ learning rates, where AdamW moves it by one. $\epsilon$ is 1e-6, where
AdamW's is 1e-8; and with AdamW the loop clips one norm over all gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class BertAdam(torch.optim.Optimizer):
    """The rule above; decay and rate as in `torch.optim.AdamW`, a schedule of the rate is the loop's.

    Args:
        params: parameters or groups of them.
        lr: learning rate.
        betas: of the two averages.
        eps: added to the root.
        weight_decay: decoupled.
        clip: largest norm of one tensor's gradient.

    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = BertAdam([weight], lr=0.1)
    >>> weight.grad = torch.tensor([0.5])
    >>> optimizer.step()
    >>> round(weight.item(), 3)  # 1 - 0.1 * 0.1 / sqrt(0.001)
    0.684
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        clip: float = 1.0,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "clip": clip}
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)

    def _move(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        m, v, (beta1, beta2) = state["exp_avg"], state["exp_avg_sq"], group["betas"]
        # g min(1, c / |g|)
        grad = grad * (group["clip"] / torch.linalg.vector_norm(grad).clamp(min=1e-12)).clamp(max=1.0)
        m.lerp_(grad, 1 - beta1)
        v.lerp_(grad.square(), 1 - beta2)
        # w - lr (m / (sqrt v + eps) + decay w)
        update = m / (v.sqrt() + group["eps"]) + group["weight_decay"] * parameter
        parameter.sub_(group["lr"] * update)
