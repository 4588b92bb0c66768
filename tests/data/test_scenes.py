"""Street scenes: what a small data set that is written here holds, and other data in its place."""

import io

import datasets
import numpy as np
import pytest
from PIL import Image

from binviz.data import scenes
from binviz.errors import UserError


def encoded(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, lossless=True) if kind == "WEBP" else Image.fromarray(
        pixels
    ).save(file, kind)
    return {"bytes": file.getvalue(), "path": None}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`written(pictures, labels)` puts them in a mirror as both splits."""

    def write(pictures, labels, name="label"):
        folder = tmp_path / "a mirror" / "datasets" / scenes.SOURCE / "data"
        folder.mkdir(parents=True, exist_ok=True)
        rows = {
            "image": [encoded(each, "WEBP") for each in pictures],
            name: [encoded(each, "PNG") for each in labels],
        }
        table = datasets.Dataset.from_dict(
            rows, features=datasets.Features({"image": datasets.Image(), name: datasets.Image()})
        )
        for split in ("train", "test"):
            table.to_parquet(folder / f"{split}-00000-of-00001.parquet")
        monkeypatch.setenv("BINVIZ_MIRROR", str(tmp_path / "a mirror"))

    scenes.load.cache_clear()
    yield write
    scenes.load.cache_clear()


def drawn():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    return pictures, rng.integers(0, 12, (3, 5, 7), dtype=np.uint8)


def test_pixels_and_labels_are_as_stored(written):
    pictures, labels = drawn()
    written(pictures, labels)
    found = scenes.load("test")
    assert (
        np.array_equal(found.pictures, pictures) and np.array_equal(found.labels, labels) and len(found) == 3
    )
    changed = labels.copy()
    changed[2, 4, 6] ^= 1
    assert (
        found.sha256()
        == scenes.Scenes(pictures, labels).sha256()
        != scenes.Scenes(pictures, changed).sha256()
    )


@pytest.mark.parametrize(
    ("labels", "name"),
    [(drawn()[1] + 1, "label"), (drawn()[1][:, :4], "label"), (drawn()[1], "mask"), (drawn()[0], "label")],
    ids=["a class too many", "another size", "no labels", "colours"],
)
def test_other_data_are_refused(written, labels, name):
    written(drawn()[0], labels, name)
    with pytest.raises(UserError, match="does not hold street scenes"):
        scenes.load("train")


def test_pictures_of_several_sizes_are_refused(written):
    pictures, labels = drawn()
    written([pictures[0], pictures[1][:4]], [labels[0], labels[1][:4]])
    with pytest.raises(UserError, match="does not hold street scenes"):
        scenes.load("train")


def test_what_is_not_there_is_said_in_a_line(monkeypatch):
    monkeypatch.delenv("BINVIZ_MIRROR", raising=False)
    scenes.load.cache_clear()
    with pytest.raises(UserError, match="neither in a BINVIZ_MIRROR folder") as caught:
        scenes.load("train")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no split 'validation'"):
        scenes.load("validation")
