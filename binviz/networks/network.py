"""What small networks of our own share: torch's initialisation, ten labels if nothing else is said, the answer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput


class NetworkConfig(PretrainedConfig):
    """Settings of a `Network`, those of a subclass beside `num_labels` or `id2label`.

    >>> NetworkConfig().num_labels, NetworkConfig(id2label={0: "cat", 1: "dog"}).num_labels
    (10, 2)
    """

    def __post_init__(self, **rest: object) -> None:
        if self.id2label is None:
            rest.setdefault("num_labels", 10)
        super().__post_init__(**rest)


class Network(PreTrainedModel):
    """A network that can be saved and loaded by name and says with `binviz_layout` which layers become binary."""

    base_model_prefix = "network"

    def _init_weights(self, module: nn.Module) -> None:
        """Every module keeps torch's own initialisation."""

    def answer(self, logits: Tensor, labels: Tensor | None) -> ImageClassifierOutput:
        """Logits (B, labels), and the cross-entropy where labels (B,) are given."""
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits)
