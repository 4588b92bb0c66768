"""Cut a BERT model's word-piece table to the pieces that a set of texts uses most.

A 30,522-piece table is a third of a small encoder. Every single character stays (with and without the
continuation mark), so that a word whose piece was cut is spelled with shorter ones, never lost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import torch
from torch import nn
from transformers import BertTokenizer, PreTrainedModel

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


def cut_vocabulary(
    model: PreTrainedModel, tokenizer: BertTokenizer, pieces: list[str], positions: int
) -> BertTokenizer:
    """Keep only the rows of `pieces` in the model's word tables and its first `positions` positions, in place.

    An output layer for words keeps the same rows, and shares the table where it did.

    Returns:
        The tokenizer of the smaller table, with the old one's normalisation.
    """
    table = tokenizer.get_vocab()
    rows = torch.tensor([table[piece] for piece in pieces])
    embeddings = model.base_model.embeddings
    word, position = embeddings.word_embeddings, embeddings.position_embeddings
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    embeddings.word_embeddings = nn.Embedding(
        len(pieces), word.embedding_dim, padding_idx=vocabulary["[PAD]"], _weight=word.weight.data[rows]
    )
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
