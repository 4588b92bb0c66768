"""A net whose weights are all 1-bit, trained on the digits while you look at its latent weights.

    64 pixels -> signs of weights -> batch norm -> sign -> signs of weights -> batch norm -> 10 answers

Only the normalizations are float, so the net knows nothing but what flips have taught it.

>>> last = list(train(Settings(steps=20), snapshots=2))[-1]
>>> last.step, len(last.latent.counts), 0 < last.flips < 1
(20, 40, True)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from binviz import binarizers
from binviz.data import digits
from binviz.errors import UserError
from binviz.layers import BinaryLinear
from binviz.plots.summaries import Histogram, histogram

#: Binarizers that the live net offers, each of which learns, in the order of a menu.
WEIGHTS = (
    "bnn",
    "xnor-weight",
    "bibert-weight",
    "bit-weight",
    "bivit-weight",
    "bireal-weight",
    "recu-weight",
)
ACTIVATIONS = ("bnn", "bireal-activation", "reactnet-activation", "elastic-signed", "elastic-unsigned")


@dataclass(frozen=True)
class Settings:
    """How the net is built and trained.

    Args:
        weight: binarizer of the weights.
        activation: binarizer of the hidden layer's output.
        hidden: units of the hidden layer.
        spread: standard deviation of the latent weights at the start; None leaves torch's initialisation.
        clip: after every step the latent weights are put back to [-1, 1], as BNN does.
        frozen: the weights keep the signs they start with, and only the normalizations learn.
        steps: of Adam, 64 examples each.
        lr: learning rate at the start.
        decay: the rate falls in a straight line to zero; False keeps it.
        seed: of weights and batches.
    """

    weight: str = "bnn"
    activation: str = "bnn"
    hidden: int = 64
    spread: float | None = None
    clip: bool = False
    frozen: bool = False
    steps: int = 600
    lr: float = 0.01
    decay: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("hidden", "steps", "lr"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name} must be greater than 0, not {getattr(self, name)}")
        if self.spread is not None and not self.spread > 0:
            raise UserError(f"spread must be greater than 0 or None, not {self.spread}")


class Snapshot(NamedTuple):
    """Where training stands after `step` steps.

    loss: of the last batch (nan before the first). accuracy: on the 450 held-out digits. flips: share of the
    first layer's codes that changed in a step, the mean since the last snapshot. outside: share of its latent
    weights beyond -1 and +1. latent: histogram of them, what lies beyond `span` in the outermost bins.
    """

    step: int
    loss: float
    accuracy: float
    flips: float
    outside: float
    latent: Histogram


def pixels(split: str) -> tuple[Tensor, Tensor]:
    """The digits as rows of 64 pixels in [-1, 1], (N, 64) float32, and their labels, (N,) int64.

    >>> pixels("test")[0].shape
    torch.Size([450, 64])
    """
    images, labels = digits.load(split)
    return torch.from_numpy(images).flatten(1), torch.from_numpy(labels)


def build(settings: Settings) -> nn.Sequential:
    """The untrained net.

    >>> sum(parameter.numel() for parameter in build(Settings()).parameters() if parameter.ndim > 1)
    4736
    """
    # Of its own: torch's is everybody's, and others may draw from it meanwhile
    generator = torch.Generator().manual_seed(settings.seed)

    def layer(before: int, wide: int, activation: str | None) -> BinaryLinear:
        return BinaryLinear(
            before,
            wide,
            weight=binarizers.get(settings.weight, features=wide, channel_axis=0),
            activation=None if activation is None else binarizers.get(activation, features=before),
            bias=False,
        )

    net = nn.Sequential(
        layer(64, settings.hidden, None),
        nn.BatchNorm1d(settings.hidden),
        layer(settings.hidden, 10, settings.activation),
        nn.BatchNorm1d(10),
    )
    for weight in latent_weights(net):
        if settings.spread is None:
            nn.init.kaiming_uniform_(weight, a=5**0.5, generator=generator)  # as `nn.Linear` does
        else:
            nn.init.normal_(weight, std=settings.spread, generator=generator)
        weight.requires_grad_(not settings.frozen)
    return net


def latent_weights(net: nn.Sequential) -> list[nn.Parameter]:
    """The two matrices whose signs the net multiplies with, (hidden, 64) and (10, hidden)."""
    return [net.get_parameter("0.weight"), net.get_parameter("2.weight")]


@torch.no_grad()
def start(net: nn.Sequential, images: Tensor) -> None:
    """Start the scales that start from data, from the pass that training makes; nothing else moves.

    In training a batch is normalized by its own mean and deviation. The running ones that evaluation takes are not
    known yet: normalized by them the hidden layer is seven times too wide, and so would a scale be that started there.

    >>> net = build(Settings(activation="elastic-unsigned"))
    >>> start(net, pixels("train")[0][:64])
    >>> net[2].activation_binarizer.has_started, net[1].running_var.unique().tolist()
    (True, [1.0])
    """
    net.train()(images)
    for layer in net:
        if isinstance(layer, nn.BatchNorm1d):
            layer.reset_running_stats()


def train(settings: Settings, snapshots: int = 40, span: float = 1.5) -> Iterator[Snapshot]:
    """Train a net and yield a snapshot before the first step and after every steps / snapshots.

    Args:
        settings: see there.
        snapshots: how many, beside the first one.
        span: the histograms reach from -span to span, in 40 bins.

    Raises:
        UserError: unknown binarizer, or settings out of range.
    """
    (images, labels), (held_out, truth) = pixels("train"), pixels("test")
    net = build(settings)
    start(net, images[:64])
    schedules = [module for module in net.modules() if isinstance(module, binarizers.Binarizer)]
    latents = latent_weights(net)
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, settings.lr)
    every = max(1, settings.steps // snapshots)
    generator = torch.Generator().manual_seed(settings.seed)
    loss, flips, before = torch.tensor(float("nan")), 0, _codes(net)

    for step in range(settings.steps + 1):
        if step % every == 0 or step == settings.steps:
            steps_since = (step - 1) % every + 1
            yield Snapshot(
                step,
                float(loss.detach()),
                _accuracy(net, held_out, truth),
                flips / before.numel() / steps_since,
                float((latents[0].detach().abs() > 1).float().mean()),
                histogram(latents[0].detach().numpy(), 40, (-span, span)),
            )
            flips = 0
        if step == settings.steps:
            return
        for binarizer in schedules:
            binarizer.set_progress(step / settings.steps)
        if settings.decay:
            optimizer.param_groups[0]["lr"] = settings.lr * (1 - step / settings.steps)
        chosen = torch.randint(len(images), (64,), generator=generator)
        loss = nn.functional.cross_entropy(net.train()(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if settings.clip:
            with torch.no_grad():
                for latent in latents:
                    latent.clamp_(-1, 1)
        now = _codes(net)
        flips += int((now != before).sum())
        before = now


@torch.no_grad()
def _codes(net: nn.Sequential) -> Tensor:
    """Whether each weight of the first layer is +1; some binarizers take the sign after subtracting a mean."""
    return net[0].weight_binarizer.encode(net[0].weight).q > 0  # type: ignore[union-attr, operator]


@torch.no_grad()
def _accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    return float((net.eval()(images).argmax(1) == labels).float().mean())
