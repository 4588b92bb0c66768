"""Corruptions of texts: four errors of a typist, in a share of the words.

The kinds are common: Belinkov and Bisk 2018, "Synthetic and Natural Noise Both Break Neural Machine Translation"
(1711.02173), swap letters and hit neighbouring keys; Pruthi, Dhingra and Lipton 2019, "Combating Adversarial
Misspellings with Robust Word Recognition" (1905.11268), also drop letters. The functions and the severities are ours:
10, 20, 30, 40 and 50 % of the words, each word by itself, have one error.

A word is what stands between spaces. One with fewer than two letters is never struck, so that none disappears, nor one
in which the error cannot be made: `oo` has no letters to swap. What is struck at one severity is struck alike at all
higher ones.

>>> import numpy as np
>>> review = np.array([["not a dull moment in two hours"]], dtype=object)
>>> TYPOS.corrupt(review, "swapped_letters", 5, seed=1).tolist()
[['ont a dull momnet ni two housr']]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from binviz.data.corruptions.corruption import Corruption, Corruptions
from binviz.data.corruptions.draws import Draws
from binviz.errors import UserError

#: Rows of keys of an American keyboard, and how far right of the first each begins, in keys.
ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
_PLACES = {key: (row, start + at) for row, (keys, start) in enumerate(ROWS) for at, key in enumerate(keys)}
#: Letter -> the letters whose keys touch its own.
NEIGHBOURS = {
    key: "".join(
        other
        for other, (up, left) in _PLACES.items()
        if (up == row and abs(left - column) == 1) or (abs(up - row) == 1 and abs(left - column) < 1)
    )
    for key, (row, column) in _PLACES.items()
}


def neighbouring_key(word: str, place: float, choice: float) -> str:
    """The key beside, above or below is hit.

    >>> neighbouring_key("Film", 0.0, 0.0), NEIGHBOURS["f"]
    ('Rilm', 'rtdgcv')
    """
    at = _one_of([i for i, letter in enumerate(word) if letter.lower() in NEIGHBOURS], place)
    if at is None:
        return word
    keys = NEIGHBOURS[word[at].lower()]
    key = keys[int(choice * len(keys))]
    return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]


def dropped_letter(word: str, place: float, choice: float) -> str:
    """One letter is missing.

    >>> dropped_letter("film", 0.5, 0.0)
    'fim'
    """
    at = _one_of(_letters(word), place)
    return word if at is None else word[:at] + word[at + 1 :]


def doubled_letter(word: str, place: float, choice: float) -> str:
    """One letter is there twice.

    >>> doubled_letter("film", 0.5, 0.0)
    'fillm'
    """
    at = _one_of(_letters(word), place)
    return word if at is None else word[: at + 1] + word[at:]


def swapped_letters(word: str, place: float, choice: float) -> str:
    """Two neighbours that differ change places.

    >>> swapped_letters("film", 0.5, 0.0), swapped_letters("oo", 0.5, 0.0)
    ('flim', 'oo')
    """
    letters = _letters(word)
    at = _one_of([i for i in letters if i + 1 in letters and word[i] != word[i + 1]], place)
    return word if at is None else word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _letters(word: str) -> list[int]:
    """Where in a word its letters are."""
    return [i for i, letter in enumerate(word) if letter.isalpha()]


def _one_of(places: list[int], place: float) -> int | None:
    """The one that lies at a place from 0 to 1 among them; None where there is none."""
    return places[int(place * len(places))] if places else None


def typed(
    texts: NDArray[np.object_], draws: Draws, share: float, change: Callable[[str, float, float], str]
) -> NDArray[np.object_]:
    """Texts (N, columns) with an error in a share of their words.

    Args:
        texts: rows of one text, or of a pair.
        draws: of the N rows.
        share: of the words that are struck.
        change: (word, where in it from 0 to 1, which way from 0 to 1) -> the word with an error.

    >>> typed(np.array([["a fine film", ""]], dtype=object), Draws(0, 0, 1, 0), 1, doubled_letter).tolist()
    [['a finee fillm', '']]
    """

    def word(found: re.Match[str], stream: np.random.Generator) -> str:
        struck, place, choice = stream.random(3)
        hit = struck < share and len(_letters(found[0])) > 1
        return change(found[0], place, choice) if hit else found[0]

    changed = np.empty_like(texts)
    for at, stream in enumerate(draws.streams):
        changed[at] = [re.sub(r"\S+", partial(word, stream=stream), text) for text in texts[at]]
    return changed


def _check(texts: Any) -> NDArray[np.object_]:
    texts = np.asarray(texts)
    if texts.dtype != object or texts.ndim != 2 or not all(isinstance(text, str) for text in texts.flat):
        raise UserError(
            f"texts of shape {texts.shape} and {texts.dtype.name} are given; pass strings as object of (N, columns)"
        )
    return texts


def _typo(title: str, change: Callable[[str, float, float], str]) -> Corruption:
    return Corruption(
        title, "letters", partial(typed, change=change), ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,))
    )


TYPOS = Corruptions(
    "text",
    "The corruptions are ours: an error of a typist in 10 to 50 % of the words.",
    {
        "neighbouring_key": _typo("neighbouring key", neighbouring_key),
        "dropped_letter": _typo("dropped letter", dropped_letter),
        "doubled_letter": _typo("doubled letter", doubled_letter),
        "swapped_letters": _typo("swapped letters", swapped_letters),
    },
    _check,
)
