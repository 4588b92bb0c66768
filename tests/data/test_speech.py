"""Spoken digits: features against their formula, splits of a small data set that is written here."""

import cmath
import math

import datasets
import numpy as np
import pytest

from binviz.data import speech
from binviz.errors import UserError

#: Recordings of each speaker in the split of that name.
EACH = {"train": 3, "test": 1}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`written(**columns)` puts a data set with those columns in a mirror."""

    def write(**columns):
        folder = tmp_path / "a mirror" / "datasets" / speech.SOURCE / "data"
        folder.mkdir(parents=True, exist_ok=True)
        for split, each in EACH.items():
            speakers = [speaker for speaker in range(6) for _ in range(each)]
            audio = [[100 * speaker - 7, each, 5][: 1 + speaker % 3] for speaker in speakers]
            rows = {"audio": audio, "label": [3] * len(speakers), "speaker": speakers} | columns
            features = datasets.Features(
                {name: datasets.Value("int64") for name in rows if name != "audio"}
                | {"audio": datasets.List(datasets.Value("int16"))}
            )
            table = datasets.Dataset.from_dict(rows, features=features)
            table.to_parquet(folder / f"{split}-00000-of-00001.parquet")
        monkeypatch.setenv("BINVIZ_MIRROR", str(tmp_path / "a mirror"))
        speech.load.cache_clear()

    yield write
    speech.load.cache_clear()


def test_features_are_those_of_the_formula():
    """One frame, a sum and a triangle at a time, with complex exponentials."""
    recording = np.random.default_rng(0).integers(-20000, 20000, speech.LENGTH).astype(np.int16)
    window, half = speech.WINDOW, speech.WINDOW // 2

    def mel(f):
        return 2595 * math.log10(1 + f / 700)

    steps = [i * mel(speech.RATE / 2) / (speech.MELS + 1) for i in range(speech.MELS + 2)]
    places = [700 * (10 ** (step / 2595) - 1) for step in steps]
    frames = (0, speech.FRAMES - 1)
    loud = []
    for t in frames:
        part = recording[t * speech.HOP : t * speech.HOP + window] / 32768
        part = [x * (0.5 - 0.5 * math.cos(2 * math.pi * n / window)) for n, x in enumerate(part)]
        powers = [
            abs(sum(x * cmath.exp(-2j * math.pi * k * n / window) for n, x in enumerate(part))) ** 2
            for k in range(half + 1)
        ]
        row = []
        for below, at, above in zip(places, places[1:], places[2:], strict=False):
            total = 0.0
            for k, power in enumerate(powers):
                f = k * speech.RATE / window
                total += power * max(0.0, min((f - below) / (at - below), (above - f) / (above - at)))
            row.append(math.log(1e-6 + total))
        loud.append(row)
    wanted = np.array(loud).T
    found = speech.log_mel(recording[None])[0].astype(float)
    assert found.shape == (speech.MELS, speech.FRAMES)
    assert abs(found.mean()) < 1e-5 and abs(found.std() - 1) < 1e-4
    scale, shift = np.polyfit(found[:, list(frames)].ravel(), wanted.ravel(), 1)
    np.testing.assert_allclose(scale * found[:, list(frames)] + shift, wanted, atol=1e-4)


def test_loudness_and_what_comes_late_change_nothing():
    samples = np.random.default_rng(0).integers(-3000, 3000, 9000).astype(np.int16)
    one, twice, longer = speech.log_mel(
        speech.of_one_length([samples, 2 * samples, np.append(samples, samples)])
    )
    np.testing.assert_allclose(one, twice, atol=1e-3)
    assert np.array_equal(one, longer)
    silent = speech.log_mel(speech.of_one_length([samples[:0]]))
    assert not silent.any()


def test_splits_as_given_and_by_speaker(written):
    written()
    train, test = speech.load("train"), speech.load("test")
    assert (len(train), len(test)) == (18, 6)
    assert test.samples[4].tolist() == [393, 1] + [0] * (speech.LENGTH - 2)
    assert train.features.shape == (18, speech.MELS, speech.FRAMES)
    assert np.array_equal(train.features[7], speech.log_mel(train.samples[7:8])[0])
    others, theirs = speech.load("train", "lucas"), speech.load("test", "lucas")
    assert set(theirs.speakers) == {2} and set(others.speakers) == {0, 1, 3, 4, 5}
    assert (len(others), len(theirs)) == (20, 4)
    assert len({part.sha256() for part in (train, test, others, theirs)}) == 4


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"label": [10] * 18}, "a label is not from 0 to 9"),
        ({"speaker": [-1] * 18}, "a speaker is not from 0 to 5"),
    ],
)
def test_other_numbers_are_refused(written, monkeypatch, columns, said):
    monkeypatch.setitem(EACH, "test", 3)
    written(**columns)
    with pytest.raises(UserError, match=said):
        speech.load("train")


def test_what_is_not_there_is_said_in_a_line(monkeypatch):
    monkeypatch.delenv("BINVIZ_MIRROR", raising=False)
    speech.load.cache_clear()
    with pytest.raises(UserError, match="neither in a BINVIZ_MIRROR folder") as caught:
        speech.load("train")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="did you mean 'lucas'"):
        speech.load("train", "lukas")
    with pytest.raises(UserError, match="no split 'validation'"):
        speech.load("validation")
