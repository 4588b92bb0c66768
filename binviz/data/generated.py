"""A small language of film opinions whose labels cannot be read off its words.

Every sentence holds one opinion about the film (or films), and that opinion is the label. There are three
kinds, in equal parts:

    negation    nobody thinks the film was not clever          an opinion turned over 0, 1 or 2 times
    distractor  the songs were funny but the film was slow     a second opinion, the opposite one,
                                                               about something else
    agreement   we saw the film with the actors ; they were    two opposite opinions held by pronouns:
                dull but it was not bad                        "it" and "was" can only mean the film

Verdict of a clause: the adjective's sign, turned by "not", "never" or "hardly"; "nobody thinks" and "i doubt"
in front turn it once more. Filling words ("quite", "tonight") mean nothing.

Why a bag of words fails. Under `distractor` and `agreement` the two clauses can swap their verdicts: the same
words, the opposite label, the same probability, so *every* function of the bag is right half of the time.
Under `negation` each word alone says nothing about the label, which is a parity of three words, so every
*linear* function of the bag is right half of the time. A model has to know which word belongs to which.

Train and validation never share a sentence, not even up to the order of its words: a hash of the sorted words
decides where a sentence belongs. About one sentence in five belongs to validation.

>>> from binviz.data import generated
>>> sentences, labels = generated.generate(3, seed=0)
>>> generated.oracle(sentences[0]) == labels[0]
True
"""

from __future__ import annotations

import random
import zlib
from typing import NamedTuple

from binviz.errors import UserError

KINDS = ("negation", "distractor", "agreement")
SPLITS = ("train", "validation")

_POSITIVE = ("good", "great", "clever", "funny", "warm", "lovely", "fresh", "moving")
_NEGATIVE = ("bad", "dull", "silly", "boring", "cold", "awful", "slow", "flat")
_NOT = ("not", "never", "hardly")
_FILLER = ("really", "quite", "rather", "truly")
_OTHER = ("actor", "song", "scene", "joke", "costume", "dancer")
_PLACE = ("", "", "tonight", "on tuesday", "in the rain", "at home")
_WITH = ("with", "despite", "because of", "without")
_BELIEF = ("i think", "we agree that", "my sister says that")
_DISBELIEF = ("nobody thinks", "i doubt that")


class Example(NamedTuple):
    """A sentence of lower-case words and spaces, its label (1 positive, 0 negative) and its kind.

    >>> Example("the film was dull", 0, "plain")._asdict()
    {'text': 'the film was dull', 'label': 0, 'kind': 'plain'}
    """

    text: str
    label: int
    kind: str


def vocabulary() -> tuple[str, ...]:
    """Every word of the language, sorted; 68 of them, for a tokenizer that splits at spaces.

    >>> len(vocabulary()), vocabulary()[:3]
    (68, (';', 'actor', 'actors'))
    """
    plural = ["film", *_OTHER]
    phrases = [*_POSITIVE, *_NEGATIVE, *_NOT, *_FILLER, *_PLACE, *_WITH, *_BELIEF, *_DISBELIEF]
    phrases += plural + [f"{noun}s" for noun in plural] + ["the", "we saw", ";", "but", "it was", "they were"]
    return tuple(sorted({word for phrase in phrases for word in phrase.split()}))


def _chance(rng: random.Random, p: float) -> bool:
    return rng.random() < p


def _predicate(rng: random.Random, verdict: bool, negated: bool) -> str:
    """An adjective phrase of the given verdict."""
    words = [rng.choice(_NOT)] if negated else []
    words += [rng.choice(_FILLER)] if _chance(rng, 0.5) else []
    return " ".join([*words, rng.choice(_POSITIVE if verdict != negated else _NEGATIVE)])


def _draw(rng: random.Random) -> Example:
    kind, label, plural = rng.choice(KINDS), _chance(rng, 0.5), _chance(rng, 0.5)
    film = "films" if plural else "film"
    verb = "were" if plural else "was"
    place = rng.choice(_PLACE)
    if kind == "negation":
        # One sentence in two is negated: that is what makes each word alone say nothing.
        doubted, negated = _chance(rng, 0.25), _chance(rng, 0.5)
        belief = rng.choice(_DISBELIEF if doubted else _BELIEF)
        words = [belief, "the", film, verb, _predicate(rng, label != doubted, negated), place]
    else:
        # Under `agreement` the other noun has the other number, or the pronouns would not tell them apart.
        other_plural = not plural if kind == "agreement" else _chance(rng, 0.5)
        other = rng.choice(_OTHER) + ("s" if other_plural else "")
        other_verb = "were" if other_plural else "was"
        subjects = [(f"the {film}", verb, label), (f"the {other}", other_verb, not label)]
        opening = []
        if kind == "agreement":
            opening = ["we saw the", film, rng.choice(_WITH), "the", other, place, ";"]
            subjects = [("they" if v == "were" else "it", v, verdict) for _, v, verdict in subjects]
        # The film mostly comes first: a first thing to learn, before which clause is the film's.
        subjects = subjects if _chance(rng, 0.7) else subjects[::-1]
        first, second = (
            f"{noun} {v} {_predicate(rng, verdict, _chance(rng, 0.25))}" for noun, v, verdict in subjects
        )
        words = [*opening, first, "but", second, place if kind == "distractor" else ""]
    return Example(" ".join(" ".join(words).split()), int(label), kind)


def split_of(sentence: str) -> str:
    """The split that a sentence belongs to; the same for every order of its words.

    >>> split_of("the film was good") == split_of("good was the film")
    True
    """
    return SPLITS[zlib.crc32(" ".join(sorted(sentence.split())).encode()) % 5 == 0]


def examples(n: int, seed: int = 0, split: str = "train") -> list[Example]:
    """Independent draws from one split of the language, with their kinds.

    Args:
        n: how many; a long list repeats a few of the shortest sentences.
        seed: the same arguments give the same list on every machine.
        split: "train" or "validation".

    Raises:
        UserError: a negative n, or another split.

    >>> [example.kind for example in examples(3, seed=1)]
    ['distractor', 'agreement', 'distractor']
    """
    if n < 0:
        raise UserError(f"cannot generate {n} sentences; ask for 0 or more")
    if split not in SPLITS:
        raise UserError(f"the generated text has no split {split!r}; choose 'train' or 'validation'")
    rng = random.Random(f"{split} {seed}")
    found: list[Example] = []
    while len(found) < n:
        example = _draw(rng)
        if split_of(example.text) == split:
            found.append(example)
    return found


def generate(n: int, seed: int = 0, split: str = "train") -> tuple[list[str], list[int]]:
    """`examples` as two lists.

    Returns:
        sentences: n strings of 6 to 23 lower-case words.
        labels: n integers, 1 for a good opinion about the film, 0 for a bad one.

    Raises:
        UserError: a negative n, or another split.

    >>> sentences, labels = generate(1000, seed=0, split="validation")
    >>> len(sentences), sorted(set(labels))
    (1000, [0, 1])
    """
    drawn = examples(n, seed, split)
    return [example.text for example in drawn], [example.label for example in drawn]


def oracle(sentence: str) -> int:
    """The label by rule: find the clause about the film, then count what turns its adjective over.

    It parses the words and knows nothing of how they were drawn; on `generate` it is always right.

    Args:
        sentence: a sentence of the language.

    Returns:
        1 for a good opinion about the film, 0 for a bad one.

    Raises:
        UserError: the sentence holds no opinion about the film.

    >>> oracle("the songs were funny but the film was slow")
    0
    >>> oracle("nobody thinks the films were not bad")
    0
    >>> oracle("we saw the film with the actors ; they were dull but it was not bad")
    1
    """
    opening, _, rest = sentence.rpartition(";")
    clauses = [clause.split() for clause in rest.split(" but ")]
    # The film's clause names it; behind a semicolon it has the pronoun of the film's number instead.
    subjects = {"film", "films"} if not opening else {"they"} if "films" in opening.split() else {"it"}
    about = [clause for clause in clauses if subjects & set(clause)]
    if len(about) != 1:
        raise UserError("the sentence holds no opinion about the film; take one from generate()")
    words = about[0]
    verdict = any(word in _POSITIVE for word in words)
    turned = sum(word in (*_NOT, "nobody", "doubt") for word in words)
    return int(verdict != bool(turned % 2))
