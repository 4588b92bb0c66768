"""Tiny seeded models of every architecture, without dropout, and inputs for them."""

import torch
import transformers
from torch import nn

from binviz.networks import DigitsCNN, DigitsCNNConfig

TEXT = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 16,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "num_labels": 3,
}
VIT = {
    "image_size": 8,
    "patch_size": 4,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_labels": 3,
}
# 8 x 8 patches in windows of 4 x 4: the second block of the first stage shifts them, which needs a mask.
SWIN = {
    "image_size": 16,
    "patch_size": 2,
    "embed_dim": 8,
    "depths": [2, 1],
    "num_heads": [2, 2],
    "window_size": 4,
    "drop_path_rate": 0.0,
    "num_labels": 3,
}


def _sequential():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 10),
        nn.Tanh(),
        nn.Linear(10, 3),
    )


ARCHITECTURES = {
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**TEXT)),
    "roberta": lambda: transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**TEXT)),
    "electra": lambda: transformers.ElectraForSequenceClassification(
        transformers.ElectraConfig(embedding_size=8, **TEXT)
    ),
    "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**VIT)),
    "deit": lambda: transformers.DeiTForImageClassification(transformers.DeiTConfig(**VIT)),
    "swin": lambda: transformers.SwinForImageClassification(transformers.SwinConfig(**SWIN)),
    "cnn": lambda: DigitsCNN(DigitsCNNConfig(width=4, depth=1)),
    "sequential": _sequential,
}
TRANSFORMERS = [name for name in ARCHITECTURES if name not in ("cnn", "sequential")]


def tiny(name, seed=0):
    """A model in eval mode in which no bias, norm or table is all zeros or ones."""
    torch.manual_seed(seed)
    model = ARCHITECTURES[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += (0.1 if parameter.ndim < 2 else 0.05) * torch.randn_like(parameter)
    return model.eval()


def inputs(name, batch=2):
    """Keyword arguments of a model's forward; texts are padded."""
    generator = torch.Generator().manual_seed(1)
    if name in ("bert", "roberta", "electra"):
        mask = torch.ones(batch, 7, dtype=torch.long)
        mask[1:, 5:] = 0
        return {"input_ids": torch.randint(5, 40, (batch, 7), generator=generator), "attention_mask": mask}
    size = {"vit": (3, 8, 8), "deit": (3, 8, 8), "swin": (3, 16, 16)}.get(name, (1, 8, 8))
    images = torch.randn(batch, *size, generator=generator)
    return {"input": images} if name == "sequential" else {"pixel_values": images}


def logits(model, given):
    """What the model answers."""
    output = model(**given)
    return getattr(output, "logits", output)


def fills(recipe="bipft-a", words=("good", "bad", "dog", "king", "paris")):
    """A tiny encoder with an output layer for words, binary unless there is no recipe, and its tokenizer."""
    import binviz

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [f"{mark}{chr(97 + i)}" for mark in ("", "##") for i in range(26)]
    pieces = [*special, *letters, ".", *(f"{i}" for i in range(10)), *words]
    sizes = {"vocab_size": len(pieces), "max_position_embeddings": 64}
    torch.manual_seed(0)
    model = transformers.BertForMaskedLM(transformers.BertConfig(**TEXT | sizes)).eval()
    tokenizer = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += (0.1 if parameter.ndim < 2 else 0.3) * torch.randn_like(parameter)
        if recipe:
            binviz.binarize_(model, recipe)
        model(**tokenizer(["the good dog is a bad king.", "paris"], padding=True, return_tensors="pt"))
    return model, tokenizer
