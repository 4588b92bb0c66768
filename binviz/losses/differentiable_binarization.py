r"""The other meaning of binarization: a map of probabilities becomes black and white (DBNet, 1911.08947, equation 2).

$$\hat B = \frac{1}{1 + e^{-k (P - T)}}, \qquad
\frac{\partial \hat B}{\partial P} = k\,\hat B\,(1 - \hat B) = -\frac{\partial \hat B}{\partial T}$$

with a probability P and a threshold T at each pixel, and a slope k, 50 in the paper.

Two things are called binarization. In a binary network a step cuts *weights and activations* to two values, so that
products become XNOR and popcount; the step stays hard, its derivative is zero, and the backward pass takes a surrogate
in its place (`binviz.binarizers`). In document analysis the step cuts a *picture*, at a threshold, to ink and paper, or
text and no text. Here that step is made soft instead: forward and backward are the same function, its gradient is the
true one, k says how steep it is, and where to cut is learned. What comes out is not in two values, saves no bit, and is
there in training alone; a finished detector cuts P at a number.

Both ways answer the same question, how to learn through a step, and meet as k grows: the gradient becomes a spike of
height k/4 that is about 4/k wide, where a sign's surrogate keeps a window of width 2.
"""

from __future__ import annotations

from torch import Tensor

#: The paper's slope.
SLOPE = 50.0


def differentiable_binarization(probability: Tensor, threshold: Tensor | float, k: float = SLOPE) -> Tensor:
    """The approximate binary map above, of the shape that both have together.

    Args:
        probability: in [0, 1].
        threshold: in [0, 1], a map, or one number for all.
        k: the slope.

    >>> import torch
    >>> p = torch.tensor([0.2, 0.5, 0.52], requires_grad=True)
    >>> soft = differentiable_binarization(p, torch.tensor([0.3, 0.52, 0.5]))
    >>> soft.sum().backward()
    >>> [round(x, 4) for x in soft.tolist()], [round(x, 4) for x in p.grad.tolist()]
    ([0.0067, 0.2689, 0.7311], [0.3324, 9.8306, 9.8306])
    """
    return ((probability - threshold) * k).sigmoid()
