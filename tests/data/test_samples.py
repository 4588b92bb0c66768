import hashlib
import itertools

import numpy as np
import pytest

from binviz.data import digits, generated, photos, sentences
from binviz.errors import UserError

# The first digits of sha256 sums.
DIGITS_TEST = "c8b5a776387b2c1d"
GENERATED = "91a697177e398de1"


def test_the_digits_held_out_quarter_is_fixed_and_stratified():
    (_, train), (pictures, test) = digits.raw("train"), digits.raw("test")
    assert len(train) == 1347
    assert len(test) == 450
    share = np.bincount(test) / (np.bincount(train) + np.bincount(test))
    assert np.abs(share - 0.25).max() < 0.01
    # A figure measured on this quarter is only comparable while the quarter is the same one.
    assert hashlib.sha256(pictures.tobytes()).hexdigest().startswith(DIGITS_TEST)


def test_the_digits_splits_make_up_the_whole_set():
    from sklearn.datasets import load_digits

    both = np.concatenate([digits.raw("train")[0], digits.raw("test")[0]]).reshape(-1, 64)
    whole = load_digits().data
    assert sorted(map(tuple, both.astype(int))) == sorted(map(tuple, whole.astype(int)))


def test_digits_are_scaled_as_stated():
    pictures, labels = digits.raw("test")
    images, same_labels = digits.load("test")
    np.testing.assert_array_equal((images[:, 0] * 0.5 + 0.5) * 16, pictures)
    np.testing.assert_array_equal(labels, same_labels)


@pytest.mark.parametrize(
    "call",
    [
        lambda: digits.load("validation"),
        lambda: digits.raw(""),
        lambda: photos.load("cat"),
        lambda: sentences.load("sarcasm"),
        lambda: generated.generate(-1),
        lambda: generated.generate(1, split="test"),
        lambda: generated.oracle("the songs were good"),
        lambda: generated.oracle(""),
    ],
)
def test_a_wrong_name_gets_one_line(call):
    with pytest.raises(UserError, match=r"^[^\n]+$"):
        call()


@pytest.mark.parametrize("name", photos.NAMES)
def test_photos_are_the_callers_own(name):
    first = photos.load(name)
    first[:] = 0
    assert photos.load(name).max() > 200


def test_sixty_sentences():
    everything = sentences.load()
    assert len({sentence.text for sentence in everything}) == 60
    for tag in sentences.TAGS:
        chosen = sentences.load(tag)
        assert len(chosen) == 10
        assert sum(sentence.label for sentence in chosen) == 5
    assert all(len(sentence.text.split()) >= 40 for sentence in sentences.load("long"))
    assert all(sentence.text.isascii() for sentence in everything)


def test_the_generated_language_is_the_same_everywhere():
    assert (
        hashlib.sha256("\n".join(generated.generate(500, seed=7)[0]).encode())
        .hexdigest()
        .startswith(GENERATED)
    )
    assert generated.generate(20, seed=1) != generated.generate(20, seed=2)
    assert generated.generate(0) == ([], [])
    assert generated.generate(30, seed=3)[0][:10] == generated.generate(10, seed=3)[0]


def test_the_oracle_is_always_right_and_the_vocabulary_complete():
    drawn = generated.examples(4000, seed=0) + generated.examples(1000, seed=0, split="validation")
    assert all(generated.oracle(example.text) == example.label for example in drawn)
    assert {word for example in drawn for word in example.text.split()} == set(generated.vocabulary())
    lengths = [len(example.text.split()) for example in drawn]
    assert min(lengths) == 6
    assert max(lengths) <= 23


def test_validation_holds_no_training_sentence_in_any_order():
    train = {" ".join(sorted(text.split())) for text in generated.generate(5000)[0]}
    validation = {" ".join(sorted(text.split())) for text in generated.generate(1500, split="validation")[0]}
    assert not train & validation


def test_a_bag_of_words_fails_on_every_kind():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = generated.generate(6000)
    words = CountVectorizer(token_pattern=r"\S+")
    model = make_pipeline(words, LogisticRegression(max_iter=1000)).fit(texts, labels)
    validation = generated.examples(3000, split="validation")
    for kind in generated.KINDS:
        chosen = [example for example in validation if example.kind == kind]
        accuracy = model.score([e.text for e in chosen], [e.label for e in chosen])
        assert abs(accuracy - 0.5) < 0.06, (kind, accuracy)  # 3.8 standard errors of 1000 coin tosses


def test_two_clauses_can_swap_their_verdicts():
    # The reason why no function of the bag can work: the same words with the other label.
    for example in generated.examples(300, seed=5):
        if example.kind == "negation":
            continue
        head, semicolon, rest = example.text.rpartition(";")
        verbs = ("was", "were")
        clauses = [clause.split() for clause in rest.split(" but ")]
        cuts = [next(i for i, word in enumerate(clause) if word in verbs) + 1 for clause in clauses]
        tails = [clause[cut:] for clause, cut in zip(clauses, cuts, strict=True)]
        swapped = [clause[:cut] + tail for clause, cut, tail in zip(clauses, cuts, tails[::-1], strict=True)]
        text = head + semicolon + " " + " but ".join(map(" ".join, swapped))
        assert sorted(text.split()) == sorted(example.text.split())
        assert generated.oracle(text) == 1 - example.label


def test_negated_sentences_come_in_pairs_of_both_labels_for_every_word():
    drawn = [example for example in generated.examples(30000, seed=2) if example.kind == "negation"]
    for word in generated.vocabulary():
        labels = [example.label for example in drawn if word in example.text.split()]
        if len(labels) > 200:
            assert abs(np.mean(labels) - 0.5) < 4.5 * 0.5 / np.sqrt(len(labels)), word


def test_kinds_are_equally_frequent():
    kinds = sorted(example.kind for example in generated.examples(6000, seed=4))
    counts = {kind: len(list(group)) for kind, group in itertools.groupby(kinds)}
    assert all(abs(count - 2000) < 200 for count in counts.values())
