"""Corruptions of recordings, clouds of points and texts, against independent definitions, and what all of them owe."""

import math
import re

import numpy as np
import pytest
import torch

from binviz.data.corruptions import ALL, CORRUPTIONS, POINTS, SPEECH, TYPOS, points, speech, typos
from binviz.data.corruptions.corruption import SEVERITIES
from binviz.data.corruptions.draws import Draws
from binviz.errors import UserError
from binviz.networks import PointNet, PointNetConfig

WORDS = ["a", "gorgeous", ",", "WITTY", "movie", "isn't", "naïve", "oo", "10", "\t", "", "x1y", "well-made\n"]


def recordings(count, samples=900):
    found = np.random.default_rng(0).integers(-9000, 9000, (count, samples)).astype(np.int16)
    found[::2, samples // 2 :] = 0
    return found


def clouds(count, size=40):
    return np.random.default_rng(0).normal(size=(count, size, 3)).astype(np.float32)


def texts(count, words=60):
    rng = np.random.default_rng(0)
    return np.array(
        [[" ".join(rng.choice(WORDS, words)), " ".join(rng.choice(WORDS, 3))] for _ in range(count)], object
    )


MADE = {"speech": (SPEECH, recordings), "points": (POINTS, clouds), "typos": (TYPOS, texts)}
CASES = [(kind, name) for kind, (corruptions, _) in MADE.items() for name in corruptions.known]


def test_a_name_is_of_one_kind():
    assert len(ALL) == len(CORRUPTIONS) + len(CASES)
    assert all(len(each.steps) == len(SEVERITIES) and each.title for each in ALL.values())


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_what_all_owe(kind, name, monkeypatch):
    corruptions, make = MADE[kind]
    inputs = make(6)
    before = inputs.copy()
    changed = corruptions.corrupt(inputs, name, 4, seed=3)
    assert changed.shape == inputs.shape and changed.dtype == inputs.dtype
    assert np.array_equal(inputs, before) and not np.array_equal(changed, inputs)
    assert np.array_equal(changed, corruptions.corrupt(inputs, name, 4, seed=3))
    assert not np.array_equal(changed, corruptions.corrupt(inputs, name, 4, seed=4))
    alone = corruptions.corrupt(inputs[4:5], name, 4, seed=3, first=4)
    np.testing.assert_array_equal(changed[4:5], alone)
    monkeypatch.setattr("binviz.data.corruptions.corruption.CHUNK", 4)
    np.testing.assert_array_equal(changed, corruptions.corrupt(inputs, name, 4, seed=3))
    untouched = corruptions.corrupt(inputs, name, 0)
    assert np.array_equal(untouched, before) and untouched is not inputs
    assert corruptions.corrupt(inputs[:0], name, 5).shape == inputs[:0].shape


@pytest.mark.parametrize("kind", MADE)
def test_bad_names_and_severities(kind):
    corruptions, make = MADE[kind]
    name = next(iter(corruptions.known))
    with pytest.raises(UserError, match=f"did you mean '{name}'"):
        corruptions.corrupt(make(1), f"{name}s", 1)
    for severity in (-1, 6, 2.5):
        with pytest.raises(UserError, match="choose 0"):
            corruptions.corrupt(make(1), name, severity)


@pytest.mark.parametrize(
    ("corruptions", "inputs"),
    [
        (SPEECH, np.zeros((2, 9))),
        (SPEECH, np.zeros(9, np.int16)),
        (SPEECH, np.zeros((2, 1), np.int16)),
        (POINTS, np.zeros((2, 9, 3))),
        (POINTS, np.zeros((2, 0, 3), np.float32)),
        (POINTS, np.zeros((9, 3), np.float32)),
        (POINTS, np.zeros((2, 9, 2), np.float32)),
        (TYPOS, np.array(["a text"])),
        (TYPOS, np.array(["a text"], object)),
        (TYPOS, np.array([["a text", 3]], object)),
    ],
)
def test_other_inputs_are_refused(corruptions, inputs):
    with pytest.raises(UserError, match="are given; pass"):
        corruptions.corrupt(inputs, next(iter(corruptions.known)), 1)


def decibels(clean, noisy, spoken):
    """Sample by sample, noise over the whole recording and the voice over what is spoken."""
    power = sum(float(x) ** 2 for x in clean) / spoken
    noise = sum((float(y) - float(x)) ** 2 for x, y in zip(clean, noisy, strict=True)) / len(clean)
    return 10 * math.log10(power / noise)


@pytest.mark.parametrize("name", ["white_noise", "pink_noise"])
def test_noise_is_so_many_decibels_below_what_is_spoken(name):
    clean = recordings(2)
    for severity, wanted in zip(SEVERITIES, (50, 40, 30, 20, 10), strict=True):
        noisy = SPEECH.corrupt(clean, name, severity)
        for one, other, spoken in zip(clean, noisy, (450, 900), strict=True):
            assert decibels(one, other, spoken) == pytest.approx(wanted, abs=0.02)
    silent = np.zeros((1, 900), np.int16)
    assert np.array_equal(SPEECH.corrupt(silent, name, 5), silent)


@pytest.mark.parametrize(("noise", "slope"), [(speech.white_noise, 0), (speech.pink_noise, -1)])
def test_the_colour_of_noise_is_how_its_power_falls_with_frequency(noise, slope):
    x = np.ones((300, 512))
    powers = np.square(np.abs(np.fft.rfft(noise(x, Draws(0, 0, 300, 0), 0.0) - x))).mean(0)[2:-2]
    found = np.polyfit(np.log(np.arange(2, 2 + len(powers))), np.log(powers), 1)[0]
    assert found == pytest.approx(slope, abs=0.04)


def test_loud_noise_is_cut_at_the_largest_sample():
    square = np.where(np.arange(900) % 2, 32767, -32768).astype(np.int16)[None]
    noisy = SPEECH.corrupt(square, "white_noise", 5)
    assert (noisy.min(), noisy.max()) == (-32768, 32767)


def test_another_speed_is_another_pitch_and_length():
    tone = np.zeros((20, 4000), np.int16)
    tone[:, :2000] = 9000 * np.sin(2 * np.pi * 0.1 * np.arange(2000))
    for severity, factor in zip(SEVERITIES, (1.05, 1.1, 1.15, 1.2, 1.25), strict=True):
        seen = set()
        for one in SPEECH.corrupt(tone, "speed", severity).astype(float):
            pitch = np.abs(np.fft.rfft(one)).argmax() / 4000
            length = np.flatnonzero(np.abs(one) > 2000)[-1] / 2000
            quicker = pitch > 0.1
            assert pitch == pytest.approx(0.1 * factor if quicker else 0.1 / factor, rel=0.01)
            assert length == pytest.approx(1 / factor if quicker else factor, rel=0.01)
            seen.add(quicker)
        assert seen == {True, False}


def test_points_that_are_left_stand_in_for_those_that_are_lost():
    x = clouds(3, 128)
    model = PointNet(PointNetConfig(width=4)).eval()
    for severity, left in zip(SEVERITIES, (96, 80, 64, 48, 32), strict=True):
        changed = POINTS.corrupt(x, "dropout", severity)
        for before, after in zip(x, changed, strict=True):
            kept, times = np.unique(after, axis=0, return_counts=True)
            assert len(kept) == left and times.max() - times.min() <= 1
            assert {tuple(point) for point in kept} <= {tuple(point) for point in before}
            with torch.no_grad():
                few, all_of_them = (model(torch.from_numpy(each)[None]).logits for each in (kept, after))
            assert torch.allclose(few, all_of_them, atol=1e-5)
    assert POINTS.corrupt(clouds(1, 1), "dropout", 5).shape == (1, 1, 3)


def test_jitter_is_normal_and_grows():
    x = clouds(4, 2000)
    for severity, sigma in zip(SEVERITIES, (0.02, 0.04, 0.06, 0.08, 0.1), strict=True):
        moves = POINTS.corrupt(x, "jitter", severity) - x
        assert moves.std() == pytest.approx(sigma, rel=0.02) and abs(moves.mean()) < 0.1 * sigma


def test_a_rotation_is_three_turns_in_turn():
    x = clouds(3)
    angles = np.deg2rad(Draws(0, 0, 3, 2).uniform(-30, 30, 3))
    for before, after, (a, b, c) in zip(x, points.rotation(x, Draws(0, 0, 3, 2), 30), angles, strict=True):
        for place, (p, q, r) in enumerate(before.astype(float)):
            q, r = math.cos(a) * q - math.sin(a) * r, math.sin(a) * q + math.cos(a) * r
            p, r = math.cos(b) * p + math.sin(b) * r, math.cos(b) * r - math.sin(b) * p
            p, q = math.cos(c) * p - math.sin(c) * q, math.sin(c) * p + math.cos(c) * q
            np.testing.assert_allclose(after[place], (p, q, r), atol=1e-5)
    x = clouds(200)
    errors = [np.square(POINTS.corrupt(x, "rotation", severity) - x).mean() for severity in SEVERITIES]
    assert errors == sorted(errors) and errors[0] > 0


def errors_of(word, name):
    """Every word that the error can make of one, letter by letter."""
    found = set()
    for i, letter in enumerate(word):
        if name == "neighbouring_key":
            for key in typos.NEIGHBOURS.get(letter.lower(), ""):
                found.add(word[:i] + (key.upper() if letter.isupper() else key) + word[i + 1 :])
        elif letter.isalpha() and name == "swapped_letters":
            if i + 1 < len(word) and word[i + 1].isalpha():
                found.add(word[:i] + word[i + 1] + letter + word[i + 2 :])
        elif letter.isalpha():
            found.add(word[:i] + {"dropped_letter": "", "doubled_letter": 2 * letter}[name] + word[i + 1 :])
    return found - {word}


@pytest.mark.parametrize("name", TYPOS.known)
def test_a_share_of_the_words_has_one_error(name):
    clean = texts(30)
    struck, wrong = {}, {}
    for severity in SEVERITIES:
        count = can = 0
        for (i, j), after in np.ndenumerate(TYPOS.corrupt(clean, name, severity)):
            assert re.findall(r"\s+", after) == re.findall(r"\s+", clean[i, j])
            for at, (one, other) in enumerate(zip(clean[i, j].split(), after.split(), strict=True)):
                possible = errors_of(one, name) if sum(map(str.isalpha, one)) > 1 else set()
                assert other == one or other in possible
                assert wrong.get((i, j, at), other) == other
                if other != one:
                    wrong[i, j, at] = other
                count, can = count + (other != one), can + bool(possible)
        struck[severity] = count / can
        assert struck[severity] == pytest.approx(0.1 * severity, abs=0.04)
    assert list(struck.values()) == sorted(struck.values())


def test_neighbouring_keys_are_those_of_a_keyboard():
    assert set(typos.NEIGHBOURS) == set("abcdefghijklmnopqrstuvwxyz")
    assert set(typos.NEIGHBOURS["g"]) == set("tyfhvb") and set(typos.NEIGHBOURS["q"]) == set("wa")
    assert set(typos.NEIGHBOURS["p"]) == set("ol") and set(typos.NEIGHBOURS["z"]) == set("asx")
    assert all(key in typos.NEIGHBOURS[other] for key, near in typos.NEIGHBOURS.items() for other in near)
