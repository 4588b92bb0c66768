r"""How far drawn pictures are from real ones: the Frechet distance between Gaussians of a classifier's features.

$$d^2(A, B) = \|\mu_A - \mu_B\|^2 + \operatorname{tr}\big(\Sigma_A + \Sigma_B - 2\,(\Sigma_A \Sigma_B)^{1/2}\big)$$

Heusel et al. 2017 (1706.08500) take Inception's features of 50,000 pictures, and call it FID. With any other
classifier, as here, it is another number: the Frechet distance on the features of that classifier, to be compared with
nothing else.

It is biased: means and covariances of few pictures differ by luck, and so two sets of *real* pictures are a distance
apart, the more the fewer they are (Chong and Forsyth 2020, 1911.07023). So beside a distance belongs how many pictures
it is of, and the distance of as many real ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from binviz.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def frechet(drawn: ArrayLike, real: ArrayLike) -> float:
    r"""The squared Frechet distance between the Gaussians of two sets of features.

    $\operatorname{tr} (\Sigma_A \Sigma_B)^{1/2}$ is the sum of the singular values of $\tilde A^\top \tilde B$, where
    $\tilde A$ and $\tilde B$ are roots of the covariances: no root of a matrix that is not symmetric has to be found.

    Args:
        drawn, real: (N, D) and (M, D) features, at least two rows each.

    Raises:
        UserError: fewer, or of another width, or not all finite.

    >>> a = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    >>> frechet(a, a + [3, 4]), round(frechet(a, 3 * a), 6)  # variances 2/3 and 6: 2 (sqrt(6) - sqrt(2/3))^2
    (25.0, 5.333333)
    """
    both = [np.asarray(each, np.float64) for each in (drawn, real)]
    if any(each.ndim != 2 or len(each) < 2 for each in both) or both[0].shape[1] != both[1].shape[1]:
        shapes = " and ".join(str(each.shape) for each in both)
        raise UserError(f"features are (pictures, width), two or more pictures and one width; not {shapes}")
    if not all(np.isfinite(each).all() for each in both):
        raise UserError("features are not all finite; look at the pictures that gave them")
    means = [each.mean(axis=0) for each in both]
    # A root of the covariance: Sigma = root^T root
    roots: list[Any] = [
        np.linalg.qr((each - mean) / np.sqrt(len(each) - 1), mode="r")
        for each, mean in zip(both, means, strict=True)
    ]
    common = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float(np.square(root).sum()) for root in roots)
    return max(0.0, float(np.square(means[0] - means[1]).sum()) + spread - 2 * float(common))


@torch.no_grad()
def features(
    classifier: nn.Module, pictures: Tensor, layer: str = "head", batch: int = 256
) -> NDArray[np.float64]:
    """What goes into a classifier's last layer, (N, D).

    Args:
        classifier: in eval mode, takes `pixel_values`.
        pictures: (N, C, H, W), as it reads them.
        layer: path of its last layer.
        batch: pictures at once.

    >>> from binviz.networks import DigitsCNN, DigitsCNNConfig
    >>> network = DigitsCNN(DigitsCNNConfig(width=8, depth=1)).eval()
    >>> features(network, torch.zeros(3, 1, 8, 8)).shape
    (3, 16)
    """
    found: list[Tensor] = []
    hook = classifier.get_submodule(layer).register_forward_pre_hook(
        lambda _, given: found.append(given[0].double())
    )
    try:
        for part in pictures.split(batch):
            classifier(pixel_values=part)
    finally:
        hook.remove()
    return torch.cat(found).cpu().numpy()


def of_real(real: NDArray[np.float64], count: int, seed: int = 0) -> float:
    """The distance between two sets of `count` real pictures, no picture in both: what a perfect generator would get.

    Args:
        real: (N, D) features.
        count: in each set, at most N / 2.
        seed: of the draw.

    Raises:
        UserError: there are not as many.

    >>> gauss = np.random.default_rng(0).normal(size=(800, 8))
    >>> of_real(gauss, 40) > 5 * of_real(gauss, 400) > 0
    True
    """
    if 2 * count > len(real):
        raise UserError(f"two sets of {count} need {2 * count} pictures; there are {len(real)}")
    drawn = np.random.default_rng(seed).permutation(len(real))[: 2 * count]
    return frechet(real[drawn[:count]], real[drawn[count:]])
