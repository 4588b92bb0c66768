"""A small PointNet: the same layers for every point, then the largest of each feature (Qi et al. 2017, 1612.00593).

Without the paper's two nets that turn points and features. The largest of many is nearly always positive, and its sign
would be the same for every cloud (BiPointNet, 2010.05501); so a batch norm comes between it and the next layer.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import ImageClassifierOutput

from binviz.adapters.layout import Layout
from binviz.networks.network import Network, NetworkConfig


class PointNetConfig(NetworkConfig):
    """Settings of `PointNet`.

    width: features of a point; there are twice and four times as many behind the next layers.

    >>> PointNetConfig(width=16, num_labels=8).num_labels
    8
    """

    model_type = "binviz-pointnet"

    width: int = 64


class Normed(nn.Module):
    """A linear layer for every point, (..., in) -> (..., out), and a batch norm over all of them, cut to [-1, 1].

    >>> import torch
    >>> Normed(3, 4)(torch.randn(2, 5, 3)).shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return F.hardtanh(self.norm(y.flatten(0, -2)).view_as(y))


class PointNet(Network):
    """Clouds of any number of points, in any order.

    >>> import torch
    >>> model = PointNet(PointNetConfig(width=8)).eval()
    >>> points = torch.randn(2, 30, 3)
    >>> shuffled = points[:, torch.randperm(30)]
    >>> torch.allclose(model(points).logits, model(shuffled).logits, atol=1e-5)
    True
    """

    config_class = PointNetConfig
    main_input_name = "points"

    def __init__(self, config: PointNetConfig) -> None:
        super().__init__(config)
        width = config.width
        self.points = nn.Sequential(Normed(3, width), Normed(width, 2 * width))
        self.features = nn.Linear(2 * width, 4 * width, bias=False)
        self.norm = nn.BatchNorm1d(4 * width)
        self.cloud = Normed(4 * width, 2 * width)
        self.head = nn.Linear(2 * width, config.num_labels)
        self.post_init()

    def binviz_layout(self) -> Layout:
        """All but the layer that sees the coordinates and the one that gives the answer become binary.

        >>> list(PointNet(PointNetConfig(width=8)).binviz_layout().others)
        ['points.1.linear', 'features', 'cloud.linear']
        """
        paths = ["points.1.linear", "features", "cloud.linear"]
        stay = {"points.0.linear": "first layer", "head": "last layer"}
        return Layout("PointNet", others={path: path for path in paths}, stay=stay)

    def forward(
        self, points: Tensor, labels: Tensor | None = None, **unused: object
    ) -> ImageClassifierOutput:
        """(B, points, 3) -> logits (B, labels), and the cross-entropy where labels are given."""
        largest = self.features(self.points(points)).amax(1)
        return self.answer(self.head(self.cloud(F.hardtanh(self.norm(largest)))), labels)
