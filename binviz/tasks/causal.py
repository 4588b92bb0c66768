"""Next words, as a decoder learns them and writes on: perplexity on English novels and on wikitext-2.

The decoder that a person starts from is a small LLaMA, drawn anew, with a tokenizer that is learned from the novels
alone (byte-level BPE, Sennrich et al. 2016, 1508.07909):

    model, tokenizer = tasks.get("novels").start("", seed=0)
    problem = tasks.get("novels").problem(tokenizer, batch_size=16, seed=0)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from binviz.data import sentences, sources, validate
from binviz.data.corpus import Corpus, open_corpus
from binviz.data.tokens import digest_of, tokens_of
from binviz.errors import UserError
from binviz.losses import Batch
from binviz.saving.folder import check_tokenizer
from binviz.tasks.gguf_decoder import read_decoder
from binviz.tasks.language import STARTING, Stretches
from binviz.tasks.task import Example, HeldOut, Judged, Problem, Task, register

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Task -> hub id and subset of its text.
TEXTS = {"novels": ("local/english-novels", ""), "wikitext": ("Salesforce/wikitext", "wikitext-2-v1")}
#: Of a text of more paragraphs than `MOST`, runs of `RUN` paragraphs are read, evenly spread.
MOST, RUN = 200_000, 100
#: Tokens of a sequence, and those that a small LLaMA has places for.
LENGTH, PLACES = 128, 256
#: Pieces of the tokenizer, and of how many paragraphs one is read to find them.
PIECES, ONE_OF = 6_000, 5
#: What stands between paragraphs.
END = "<end>"
#: Sizes of the small LLaMA.
SIZES = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
}
#: Sequences on which two ways of running a model are compared.
COMPARED = 64


class Continued(Stretches):
    """Sequences of tokens, and at every place the token that follows.

    >>> found = Continued(np.arange(10), length=4, seed=0)
    >>> batch = found.batch([0])
    >>> (batch["labels"] - batch["input_ids"]).tolist()
    [[1, 1, 1, 1]]
    """

    def __init__(self, tokens: NDArray[Any], length: int, seed: int) -> None:
        super().__init__(tokens, length + 1, seed, length)

    def batch(self, numbers: range | list[int]) -> dict[str, Tensor]:
        """input_ids and labels, both (B, length) int64."""
        rows = torch.from_numpy(np.stack([self.stretch(number) for number in numbers]))
        return {"input_ids": rows[:, :-1], "labels": rows[:, 1:]}


@cache
def corpus(name: str, split: str) -> Corpus:
    """The text of a task, of which at most about `MOST` paragraphs are read.

    Raises:
        UserError: not to be had.
    """
    return _thinned(open_corpus(*TEXTS[name], split))


def _thinned(whole: Corpus) -> Corpus:
    every = -(-whole.count // MOST)

    def documents() -> Iterator[str]:
        return (text for i, text in enumerate(whole.documents()) if i // RUN % every == 0)

    kept = sum(min(RUN, whole.count - start) for start in range(0, whole.count, RUN * every))
    return replace(whole, count=kept, documents=documents)


def learn_tokenizer(texts: Iterator[str], pieces: int = PIECES) -> PreTrainedTokenizerBase:
    """Byte-level pieces that are frequent in texts, for a decoder; `END` ends a paragraph and begins a text.

    >>> tokenizer = learn_tokenizer(iter(["a rose is a rose"] * 9), pieces=260)
    >>> tokenizer.decode(tokenizer("a rose é")["input_ids"]), len(tokenizer)
    ('a rose é', 260)
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    marks = dict.fromkeys(("bos_token", "eos_token", "sep_token", "pad_token"), END)
    return PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=PLACES, **marks)


def start(architecture: str, seed: int) -> tuple[nn.Module, Any]:
    """A small LLaMA, drawn anew, with a tokenizer learned from the novels; or a decoder of the hub, a folder, a .gguf.

    Raises:
        UserError: text or model not to be had, or the model writes no text.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    if architecture.endswith(".gguf"):
        model, tokenizer = read_decoder(architecture)
        return require_decoder(model), mark_ends(tokenizer)
    if architecture not in ("", "llama"):
        tokenizer = sources.pretrained(AutoTokenizer, architecture)
        check_tokenizer(tokenizer, architecture)
        model = sources.pretrained(
            AutoModelForCausalLM, architecture, use_safetensors=True, dtype=torch.float32
        )
        return require_decoder(model), mark_ends(tokenizer)
    texts = itertools.islice(corpus("novels", "train").documents(), 0, None, ONE_OF)
    tokenizer = learn_tokenizer(texts)
    end = tokenizer.eos_token_id
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=PLACES,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        **SIZES,
    )
    return LlamaForCausalLM(config), tokenizer


def mark_ends(tokenizer: Any) -> Any:
    """The tokenizer itself, with its end of a text between paragraphs where it has no separator.

    Raises:
        UserError: it knows no end of a text either.
    """
    if tokenizer.sep_token_id is None:
        if tokenizer.eos_token_id is None:
            raise UserError(
                "the tokenizer has no end of a text, which stands between paragraphs; give it an eos_token"
            )
        tokenizer.sep_token = tokenizer.eos_token
    return tokenizer


def require_decoder(model: Any) -> Any:
    """The model itself.

    Raises:
        UserError: it does not write text, or sees what follows.
    """
    writes = getattr(model, "can_generate", lambda: False)()
    if not writes or getattr(model.config, "is_encoder_decoder", False):
        raise UserError(f"a {type(model).__name__} is no decoder; take a causal language model")
    return model


#: (task, split, digest of the tokenizer) -> tokens.
_TOKENS: dict[tuple[str, str, str], NDArray[Any]] = {}


def sequences(name: str, split: str, tokenizer: Any, seed: int = 0) -> Continued:
    """Sequences of a split of a task's text, which each tokenizer reads once."""
    key = (name, split, digest_of(tokenizer))
    if key not in _TOKENS:
        with TemporaryDirectory() as folder:
            _TOKENS[key] = np.array(tokens_of(corpus(name, split), tokenizer, Path(folder)))
    return Continued(_TOKENS[key], LENGTH, seed)


@torch.no_grad()
def judge(model: nn.Module, of: Continued, batch_size: int = 16) -> Judged:
    """Cross-entropy of next tokens in nats, its exponential, the share guessed; sequences' mean log-likelihoods.

    Args:
        model: a decoder.
        of: sequences of held-out text, of which those of `Stretches.judged` are read.

    Raises:
        UserError: no decoder.
    """
    require_decoder(model).eval()
    chosen, device = of.judged(), next(model.parameters()).device
    logs, right = [], []
    for first in tqdm(range(0, len(chosen), batch_size), desc="evaluate", leave=False):
        batch = {
            name: value.to(device) for name, value in of.batch(chosen[first : first + batch_size]).items()
        }
        logits = model(input_ids=batch["input_ids"]).logits.float()
        found = logits.log_softmax(-1).gather(-1, batch["labels"][..., None])
        logs.append(found.mean((1, 2)).cpu().numpy())
        right.append((logits.argmax(-1) == batch["labels"]).float().mean().item() * len(logits))
    values = np.concatenate(logs).astype(np.float64)
    loss = -float(values.mean())
    metrics = {"loss": loss, "perplexity": float(np.exp(loss)), "accuracy": sum(right) / len(chosen)}
    return metrics, values


@torch.no_grad()
def write(
    model: Any, tokenizer: Any, given: str, count: int = 40, temperature: float = 0.0, seed: int = 0
) -> str:
    """What a decoder writes behind a text, token by token, with its cache of keys and values.

    Args:
        model: a decoder, packed or not; put in eval mode.
        tokenizer: its own.
        given: the text.
        count: of tokens, at most; fewer where the paragraph ends.
        temperature: 0 takes the likeliest token each time; above, tokens are drawn, the likelier the less it is.
        seed: of what is drawn.

    Raises:
        UserError: no decoder, no text, a text that leaves no place for `count` tokens, or a temperature below 0.
    """
    require_decoder(model).eval()
    if not 0 <= temperature < float("inf"):
        raise UserError(f"temperature is 0 for the likeliest words or above it, not {temperature}")
    inputs = tokenizer(validate.check_text(given), return_tensors="pt", add_special_tokens=False)
    ids, places = inputs["input_ids"], model.config.max_position_embeddings
    if count < 1 or ids.shape[1] + count > places:
        raise UserError(
            f"the text has {ids.shape[1]} tokens and {count} are to follow, of {places} that {type(model).__name__} "
            "has places for; shorten it, or ask for fewer (at least one)"
        )
    drawn: dict[str, Any] = {"do_sample": True, "temperature": temperature, "top_k": 0}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=count,
            pad_token_id=tokenizer.eos_token_id,
            **(drawn if temperature else {"do_sample": False}),
        )
    return tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True)


def _problem(name: str, tokenizer: Any, batch_size: int, seed: int) -> Problem:
    train, held_out = (
        sequences(name, split, tokenizer, of) for split, of in (("train", seed), ("validation", 0))
    )
    data = {split: corpus(name, split).sha256 for split in ("train", "validation")}

    def batch_of(step: int) -> Batch:
        return train.batch(range(step * batch_size, (step + 1) * batch_size))

    return Problem(
        name,
        batch_of,
        lambda model: judge(model, held_out),
        data,
        held_out.batch(range(min(STARTING, held_out.per_epoch))),
        tokenizer,
        per_epoch=max(1, train.per_epoch // batch_size),
    )


def _held_out(name: str, tokenizer: Any) -> HeldOut:
    found = sequences(name, "validation", tokenizer)
    rows = list(found.batch(found.judged()[:COMPARED])["input_ids"])
    return HeldOut(rows, lambda part: {"input_ids": torch.stack(list(part))})


def example(index: int, model: str, tokenizer: Any) -> Example:
    """One of `binviz.data.sentences`, to be written on.

    Raises:
        UserError: there is none of that number.
    """
    ours = sentences.load()
    if not 0 <= index < len(ours):
        raise UserError(f"no sentence has the number {index}; choose one from 0 to {len(ours) - 1}")
    given = ours[index].text
    code = f"tokenizer = zoo.load_tokenizer({model!r})\ninputs = tokenizer({given!r}, return_tensors='pt')\n"
    return Example(given, dict(tokenizer(given, return_tensors="pt")), code)


def _register(name: str, title: str, licence: str, source: str) -> None:
    register(
        Task(
            name=name,
            title=title,
            shows="text",
            labels=(),
            start=start,
            problem=lambda tokenizer, batch_size, seed: _problem(name, tokenizer, batch_size, seed),
            judge=lambda model, tokenizer: judge(model, sequences(name, "validation", tokenizer)),
            held_out=lambda tokenizer: _held_out(name, tokenizer),
            example=example,
            example_count=lambda: len(sentences.load()),
            fills=True,
            licence=licence,
            source=source,
        )
    )


_register(
    "novels",
    "Write on: novels",
    "texts in the public domain",
    f"{TEXTS['novels'][0]}, English novels published up to 1929; a small LLaMA from nothing",
)
_register(
    "wikitext",
    "Write on: Wikipedia",
    "text of wikitext-2 (CC BY-SA 3.0, GFDL)",
    f"{' '.join(TEXTS['wikitext'])}; a small LLaMA from nothing, its tokenizer learned from novels",
)
