"""Generated solids: points lie on the bodies they are named after, evenly, and what is hidden lies in one direction."""

import numpy as np
import pytest

from binviz.data import solids

COUNT = 20_000


def faces(kind, x):
    """How far points (N, 3) are from the surface, by its equation."""
    radius, height = np.hypot(x[:, 0], x[:, 1]), x[:, 2]
    largest = np.abs(x).max(1)
    return {
        "sphere": lambda: np.linalg.norm(x, axis=1) - 1,
        "cylinder": lambda: np.maximum(radius, np.abs(height)) - 1,
        "cone": lambda: np.maximum(2 * radius + height - 1, -1 - height),
        "torus": lambda: np.hypot(radius - solids.RING, height) - solids.TUBE,
        "cube": lambda: largest - 1,
        "pyramid": lambda: np.maximum(2 * np.abs(x[:, :2]).max(1) + height - 1, -1 - height),
        "octahedron": lambda: np.abs(x).sum(1) - 1,
        # Corners where the product of the signs is 1; a face lies against each corner where it is -1
        "tetrahedron": lambda: (
            (x @ np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1], [-1, -1, -1]]).T).max(1) - 1
        ),
    }[kind]()


#: Name -> the share of its area that is above a height.
ABOVE = {
    "sphere": (0.5, 1 / 4),
    "cylinder": (0.5, (2 * np.pi * 0.5 + np.pi) / (6 * np.pi)),
    "cone": (0.0, np.sqrt(5) / (1 + np.sqrt(5)) / 4),
    "torus": (0.0, 1 / 2),
    "cube": (0.5, (4 + 8 * 0.5) / 24),
    "pyramid": (0.0, np.sqrt(5) / (1 + np.sqrt(5)) / 4),
    "octahedron": (0.5, 1 / 8),
    "tetrahedron": (0.0, 1 / 2),
}


@pytest.mark.parametrize("kind", solids.CLASSES)
def test_points_are_on_the_surface_evenly(kind):
    points = solids.SOLIDS[kind](COUNT, np.random.default_rng(0))
    assert points.shape == (COUNT, 3)
    assert np.abs(faces(kind, points)).max() < 1e-9
    height, share = ABOVE[kind]
    assert abs((points[:, 2] > height).mean() - share) < 4 * np.sqrt(share / COUNT)
    assert np.abs(points[:, :2].mean(0)).max() < 0.03


def test_more_of_a_torus_is_outside():
    """Of its area the share 1/2 + a / (pi R) is further from the axis than R."""
    points = solids.torus(COUNT, np.random.default_rng(0))
    share = 0.5 + solids.TUBE / (np.pi * solids.RING)
    assert abs((np.hypot(points[:, 0], points[:, 1]) > solids.RING).mean() - share) < 0.015


def test_clouds_are_decided_by_the_generator_alone():
    one, other = (solids.generate(40, np.random.default_rng(3)) for _ in range(2))
    assert all(map(np.array_equal, one, other))
    clouds, labels = one
    assert clouds.shape == (40, solids.POINTS, 3) and clouds.dtype == np.float32
    assert set(labels) == set(range(len(solids.CLASSES)))
    np.testing.assert_allclose(clouds.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(clouds, axis=2).max(1), 1, atol=1e-6)
    nothing, none = solids.generate(0, np.random.default_rng(0))
    assert nothing.shape == (0, solids.POINTS, 3) and none.shape == (0,)


def test_what_is_hidden_lies_furthest_in_one_direction(monkeypatch):
    monkeypatch.setattr(solids, "HIDDEN", 1.0)
    monkeypatch.setattr(solids, "POINTS", 1)
    directions = np.array([[0.0, 0, 1], [1, 0, 0]])
    monkeypatch.setattr(solids, "sphere", lambda count, rng: directions)

    class Half:
        """Half of what may be hidden is."""

        def random(self, shape):
            return np.full(shape, 0.5) if shape == (2, 1) else np.random.default_rng(0).random(shape)

    points = np.random.default_rng(1).normal(size=(2, solids.DRAWN, 3))
    monkeypatch.setattr(solids, "POINTS", solids.DRAWN // 2)
    found = solids.shown(points, Half())
    for cloud, kept, direction in zip(points, found, directions, strict=True):
        depth = np.sort(cloud @ direction)
        np.testing.assert_array_equal(np.sort(kept @ direction), depth[: solids.DRAWN // 2])


def test_bodies_stand_upright():
    turned = np.array([[0, 0, 1.0], [1, 0, 0]]) @ solids.turns(50, np.random.default_rng(0))
    np.testing.assert_allclose(turned[:, 0], [[0, 0, 1]] * 50, atol=1e-12)
    angles = np.arctan2(turned[:, 1, 1], turned[:, 1, 0])
    assert np.histogram(angles, 4, (-np.pi, np.pi))[0].min() > 4
