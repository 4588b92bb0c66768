"""From maps to boxes, and how good these are."""

import itertools

import numpy as np
import pytest

from binviz.data import scene_text, text_boxes, text_regions
from binviz.data.text_boxes import Matched, boxes, grown, matched

RECTANGLE = np.array([[15.0, 12], [34, 12], [34, 19], [15, 19]])


@pytest.mark.parametrize(("growth", "more"), [(1.5, 3.836538), (2.0, 5.115385)])
def test_a_rectangle_of_the_official_code_grows(growth, more):
    wanted = RECTANGLE + more * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    np.testing.assert_allclose(grown(RECTANGLE, growth), wanted, atol=1e-5)
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(grown(RECTANGLE @ turn, growth), wanted @ turn, atol=1e-5)
    np.testing.assert_allclose(grown(RECTANGLE[::-1], growth), wanted[::-1], atol=1e-5)


def test_perfect_maps_give_every_word_back():
    for scene in scene_text.generate(12, np.random.default_rng(3)):
        maps = text_regions.regions(scene.polygons, scene.ignored, (128, 128))
        found = boxes(maps.shrunk)
        assert matched(found.corners, scene.polygons, scene.ignored) == Matched(*[len(scene.polygons)] * 3)


def test_boxes_are_sorted_and_the_faint_the_thin_and_the_empty_give_none():
    probability = np.zeros((40, 60))
    probability[4:10, 4:24] = 0.8
    probability[20:26, 4:24] = 0.9
    probability[30:36, 4:24] = 0.45  # above the cut, its score too low
    probability[12:13, 30:50] = 1.0  # a line
    probability[2, 50] = 1.0  # a point
    found = boxes(probability)
    np.testing.assert_allclose(found.scores, [0.9, 0.8])
    assert found.corners.shape == (2, 4, 2)
    assert found.corners[0, :, 1].mean() == pytest.approx(22.5)
    assert len(boxes(np.zeros((8, 8))).corners) == 0
    assert boxes(probability, score=0.4).corners.shape == (3, 4, 2)


def naive(found, words):
    """The most boxes that can be right, each with a word of its own, of upright rectangles."""

    def shared(one, other):
        low, high = np.maximum(one.min(0), other.min(0)), np.minimum(one.max(0), other.max(0))
        common = max(0, high[0] - low[0]) * max(0, high[1] - low[1])
        areas = [np.prod(each.max(0) - each.min(0)) for each in (one, other)]
        return common / (sum(areas) - common) >= 0.5

    pairs = [(i, j) for i, j in np.ndindex(len(found), len(words)) if shared(found[i], words[j])]
    for size in range(len(pairs), -1, -1):
        for chosen in itertools.combinations(pairs, size):
            if all(len({pair[k] for pair in chosen}) == size for k in (0, 1)):
                return size
    return 0


def test_right_boxes_against_every_way_to_pair_them():
    """Of an overlap above a half there is one partner at most, unless words overlap; here some boxes are twins."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [8, 0], [8, 4], [0, 4]])
    for _ in range(30):
        words = np.array([corners + np.array([12 * i, 0]) for i in range(3)], float)
        found = words[rng.integers(3, size=4)] + rng.uniform(-2.5, 2.5, (4, 1, 2))
        got = matched(found, words, np.zeros(3, bool))
        assert got == Matched(naive(found, words), 4, 3)
        assert got.f == pytest.approx(2 * got.right / 7)


def test_ignored_words_are_not_asked_for_and_boxes_on_them_do_not_count():
    word = np.array([[0.0, 0], [8, 0], [8, 4], [0, 4]])
    words = np.stack([word, word + 20])
    assert matched(words, words, np.array([False, True])) == Matched(1, 1, 1)
    assert matched(np.stack([word + 40]), words, np.array([True, True])) == Matched(0, 1, 0)
    assert matched(np.zeros((0, 4, 2)), words, np.array([True, True])).f == 1.0
    flat = np.stack([word, word * [1, 0]])
    assert matched(words[:1], flat, np.array([False, True])) == Matched(1, 1, 1)


def test_no_more_boxes_than_a_picture_may_have(monkeypatch):
    monkeypatch.setattr(text_boxes, "MOST", 2)
    probability = np.kron(np.eye(4), np.pad(np.ones((4, 4)), 3)) * np.linspace(0.7, 1, 40)
    found = boxes(probability)
    assert len(found.scores) == 2 and found.scores[0] > found.scores[1] > 0.85
