"""Cut a BERT model's word-piece table to the pieces that a set of texts uses most.

A 30,522-piece table is a third of a small encoder. Every single character stays (with and without the
continuation mark), so that a word whose piece was cut is spelled with shorter ones, never lost.

The kept rows of a binary table keep their codes only where these are stored: BiT's subtract the whole table's mean.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import torch
from torch import nn
from transformers import BertTokenizer, PreTrainedModel

from binviz.binarizers.stored import Stored
from binviz.errors import UserError
from binviz.layers import BinaryEmbedding

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def _is_character(piece: str) -> bool:
    return len(piece.removeprefix("##")) == 1


def choose_pieces(tokenizer: BertTokenizer, texts: Iterable[str], size: int) -> list[str]:
    """The special pieces, every single character, then the most frequent pieces of `texts`; in table order."""
    counts = Counter(
        piece for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"] for piece in ids
    )
    table = tokenizer.get_vocab()
    kept = {table[piece] for piece in table if piece in SPECIAL or _is_character(piece)}
    for index, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(kept) >= size:
            break
        kept.add(index)
    return [tokenizer.convert_ids_to_tokens(index) for index in sorted(kept)]


def _rows_of(table: nn.Embedding, rows: torch.Tensor, padding: int) -> nn.Embedding:
    weight = table.weight.data[rows]
    if not isinstance(table, BinaryEmbedding):
        return nn.Embedding(len(rows), table.embedding_dim, padding_idx=padding, _weight=weight)
    if not isinstance(table.weight_binarizer, Stored):
        raise UserError(
            "the codes of this binary table depend on all of its rows; cut what load gives of its packed file"
        )
    binarizer = Stored(features=len(rows))
    binarizer.scale.copy_(table.weight_binarizer.scale[rows])
    return BinaryEmbedding(
        len(rows), table.embedding_dim, weight=binarizer, padding_idx=padding, _weight=weight
    )


def cut_vocabulary(
    model: PreTrainedModel, tokenizer: BertTokenizer, pieces: list[str], positions: int
) -> BertTokenizer:
    """Keep only the rows of `pieces` in the model's word tables and its first `positions` positions, in place.

    An output layer for words keeps the same rows, and shares the table where it did.

    Returns:
        The tokenizer of the smaller table, with the old one's normalisation.

    Raises:
        UserError: a binary table whose codes are not stored; pack the model and load it again.
    """
    table = tokenizer.get_vocab()
    rows = torch.tensor([table[piece] for piece in pieces])
    embeddings = model.base_model.embeddings
    word, position = embeddings.word_embeddings, embeddings.position_embeddings
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    embeddings.word_embeddings = _rows_of(word, rows, vocabulary["[PAD]"])
    embeddings.position_embeddings = nn.Embedding(
        positions, position.embedding_dim, _weight=position.weight.data[:positions].clone()
    )
    embeddings.position_ids = embeddings.position_ids[:, :positions]
    embeddings.token_type_ids = embeddings.token_type_ids[:, :positions]
    if (head := model.get_output_embeddings()) is not None:
        small = nn.Linear(head.in_features, len(pieces), device="meta")
        small.weight = (
            embeddings.word_embeddings.weight
            if head.weight is word.weight
            else nn.Parameter(head.weight.data[rows])
        )
        small.bias = nn.Parameter(head.bias.data[rows])
        model.set_output_embeddings(small)
    model.config.vocab_size, model.config.pad_token_id = len(pieces), vocabulary["[PAD]"]
    model.config.max_position_embeddings = positions
    normalizer = json.loads(tokenizer.backend_tokenizer.to_str())["normalizer"]
    return BertTokenizer(
        vocab=vocabulary,
        do_lower_case=normalizer["lowercase"],
        model_max_length=positions,
        padding_side="right",
    )
