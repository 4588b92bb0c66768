"""A word embedding whose rows are signs and one scale a token."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from binviz.binarizers import Binarizer, Code, sign, with_surrogate
from binviz.binarizers.bit import BiTWeight, bit_weight_code
from binviz.binarizers.bnn import clipped
from binviz.binarizers.stored import Stored
from binviz.errors import UserError
from binviz.layers.base import BinaryLayer
from binviz.layers.tap import tap


class BinaryEmbedding(BinaryLayer, nn.Embedding):
    """Embedding with binarized rows. Only the rows that are looked up are binarized, unless the binarizer has
    parameters of its own.

    Args:
        num_embeddings: rows of the table.
        embedding_dim: width of a row.
        weight: binarizer of the table with a scale of its own for each row; BiT's subtracts the mean of
            the whole table (Liu et al. 2022, 2205.13016), the others look at each row alone.
        options: those of torch.nn.Embedding.

    Raises:
        UserError: rows with a shift, of other codes than -1 and +1, or of several bases.

    >>> import torch
    >>> from binviz import binarizers
    >>> table = BinaryEmbedding(2, 2, weight=binarizers.get("bibert-weight"))
    >>> _ = table.weight.data.copy_(torch.tensor([[0.5, 1.5], [-0.25, -0.75]]))
    >>> table(torch.tensor([1, 0])).tolist()
    [[0.5, -0.5], [-1.0, 1.0]]
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, weight: Binarizer, **options: Any) -> None:
        nn.Embedding.__init__(self, num_embeddings, embedding_dim, **options)
        self.set_weight_binarizer(weight)
        if weight.basis_count != 1:
            raise UserError(
                f"an embedding's rows have one basis, and {type(weight).__name__} has {weight.basis_count}"
            )

    def forward(self, ids: Tensor) -> Tensor:
        """(...) token ids -> (..., embedding_dim)."""
        rows = super().forward(ids)
        tap(self, "pre", rows)
        if isinstance(self.weight_binarizer, BiTWeight):
            code = bit_weight_code(rows, self.weight.detach().mean())
        elif isinstance(self.weight_binarizer, Stored):
            q = with_surrogate(rows, sign(rows), clipped, inplace=True)
            code = Code(q, self.weight_binarizer.scale[ids].unsqueeze(-1), rows.new_zeros(()))
        elif any(True for _ in self.weight_binarizer.parameters()):
            table = self.weight_binarizer.encode(self.weight)
            q, scale = F.embedding(ids, table.q), F.embedding(ids, table.scale)
            code = Code(q, scale, rows.new_zeros(()))
        else:
            flat = self.weight_binarizer.encode(rows.reshape(-1, rows.shape[-1]))
            code = flat._replace(q=flat.q.view_as(rows), scale=flat.scale.reshape(*rows.shape[:-1], 1))
        tap(self, "code", code)
        return code.decode()
