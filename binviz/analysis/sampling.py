r"""Pictures from noise: DDIM's update, step by step (Song et al. 2021, 2010.02502).

A network of diffusion says which noise $\epsilon$ is in a picture $x_t = \sqrt{\bar\alpha_t}\, x_0 +
\sqrt{1 - \bar\alpha_t}\, \epsilon$. Without fresh noise ($\eta = 0$) the next picture follows from this one alone:

$$\hat x_0 = \frac{x_t - \sqrt{1 - \bar\alpha_t}\, \epsilon}{\sqrt{\bar\alpha_t}}, \qquad
x_s = \sqrt{\bar\alpha_s}\, \hat x_0 + \sqrt{1 - \bar\alpha_s}\, \epsilon, \qquad s < t$$

so that two networks that are given the same noise may be compared picture by picture.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from binviz.errors import UserError

if TYPE_CHECKING:
    from diffusers import DDIMScheduler


class Step(NamedTuple):
    """A step of sampling: after it, `t` of the schedule's noise is left; 0 where none is.

    picture: (N, C, H, W), x_s. clean: the same shape, the clean picture that the network saw in x_t.
    """

    t: int
    picture: Tensor
    clean: Tensor


def noise(count: int, shape: tuple[int, int, int], seed: int) -> Tensor:
    """(count, *shape) of standard normal noise, the same for a seed whatever the count.

    >>> torch.equal(noise(3, (1, 2, 2), seed=0)[:2], noise(2, (1, 2, 2), seed=0))
    True
    """
    draws = (torch.Generator().manual_seed(seed * 100_003 + i) for i in range(count))
    return torch.stack([torch.randn(shape, generator=draw) for draw in draws])


def sample(model: nn.Module, given: Tensor, schedule: DDIMScheduler, steps: int) -> Iterator[Step]:
    """Turn noise into pictures, a step at a time.

    Args:
        model: called with pictures and a time for each, gives the noise that it sees in `logits`, (N, C, H, W, 1), as
            `binviz.networks.UNet` does.
        given: (N, C, H, W), the noise to begin with.
        schedule: says how much noise each time has; a copy of it is used.
        steps: of the schedule's times, of which they are a divisor.

    Raises:
        UserError: a number of steps with which diffusers' update would not meet the times that follow.

    >>> from diffusers import DDIMScheduler
    >>> from transformers.modeling_outputs import ImageClassifierOutput
    >>> class Silent(nn.Module):
    ...     def forward(self, x, t):
    ...         return ImageClassifierOutput(logits=torch.zeros(*x.shape, 1))
    >>> schedule = DDIMScheduler(timestep_spacing="trailing")
    >>> [step.t for step in sample(Silent(), noise(1, (1, 8, 8), seed=0), schedule, steps=4)]
    [749, 499, 249, 0]
    """
    times = schedule.config.num_train_timesteps
    if steps < 1 or times % steps:
        raise UserError(f"{times} times have no {steps} equal steps; choose a divisor of {times}, such as 20")
    schedule = copy.deepcopy(schedule)
    schedule.set_timesteps(steps, device=given.device)
    every: list[int] = schedule.timesteps.tolist()
    for t, following in zip(every, [*every[1:], 0], strict=True):
        with torch.no_grad():
            seen = model(given, torch.full((len(given),), t, device=given.device)).logits[..., 0]
            found: Any = schedule.step(seen, t, given, eta=0.0)
        given = found.prev_sample
        yield Step(following, given, found.pred_original_sample)
