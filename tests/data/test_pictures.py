"""Pictures with a class each: folders, data sets of the hub's layout, and what is wrong with them."""

import io

import datasets
import numpy as np
import pytest
from PIL import Image

from binviz.data import pictures
from binviz.errors import UserError


def painted(value, size=(6, 4)):
    file = io.BytesIO()
    Image.new("RGB", size, (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Two classes of twelve pictures each, whose red says which."""
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(12):
            (tmp_path / "set" / name / f"{i:02}.png").write_bytes(painted(100 * label + i))
    pictures.load.cache_clear()
    return tmp_path / "set"


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Writes a split of a data set into a mirror."""
    monkeypatch.setenv("BINVIZ_MIRROR", str(tmp_path))
    pictures.load.cache_clear()

    def write(split, columns, features):
        place = tmp_path / "datasets/own/set"
        place.mkdir(parents=True, exist_ok=True)
        table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
        table.to_parquet(place / f"{split}-00000-of-00001.parquet")

    return write


PICTURE, LABEL = datasets.Image(), datasets.ClassLabel(names=["a", "b"])


def test_a_folder_of_classes_holds_every_tenth_picture_out(folder):
    train, test = (pictures.load(str(folder), split) for split in ("train", "test"))
    assert (len(train), len(test), train.classes, train.size) == (20, 4, ("cat", "dog"), 4)
    assert test.labels.tolist() == [0, 0, 1, 1]
    reds = test.take([3, 0])[:, 0, 0, 0]
    assert reds.tolist() == [110, 0]  # picture 10 of the second class, 0 of the first
    both = {*train.stored, *test.stored}
    assert len(both) == 24


def test_a_folder_of_splits(folder, tmp_path):
    (tmp_path / "two").mkdir()
    folder.rename(tmp_path / "two/train")
    with pytest.raises(UserError, match="one split only"):
        pictures.load(str(tmp_path / "two"), "train")
    for name in ("cat", "dog"):
        (tmp_path / "two/valid" / name).mkdir(parents=True)
        (tmp_path / "two/valid" / name / "x.png").write_bytes(painted(7))
    assert len(pictures.load(str(tmp_path / "two"), "train")) == 24
    assert pictures.load(str(tmp_path / "two"), "test", size=2).take([1]).shape == (1, 2, 2, 3)
    (tmp_path / "two/valid/dog").rename(tmp_path / "two/valid/wolf")
    pictures.load.cache_clear()
    with pytest.raises(UserError, match="or other names"):
        pictures.load(str(tmp_path / "two"), "test")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: [path.unlink() for path in (folder / "cat").iterdir()], "class 'cat' .* no picture"),
        (lambda folder: (folder / "dog").rename(folder.parent / "away"), "no folders of classes"),
        (lambda folder: (folder / "dog/03.png").write_text("not a picture"), "03.png .*is not a picture"),
        (lambda folder: (folder / "dog/03.png").write_bytes(painted(1)[:45]), "03.png .*damaged"),
    ],
    ids=["empty class", "one class", "text", "cut off"],
)
def test_folders_that_cannot_be_used(folder, spoil, message):
    spoil(folder)
    with pytest.raises(UserError, match=message):
        pictures.load(str(folder), "train").take(range(20))


def test_a_data_set_of_the_hubs_layout(mirror):
    rows = {"picture": [{"bytes": painted(v), "path": None} for v in (5, 6, 7)], "kind": [1, 0, 1]}
    mirror("train", rows, {"picture": PICTURE, "kind": LABEL})
    mirror("test", {"picture": rows["picture"][:1], "kind": [-1]}, {"picture": PICTURE, "kind": LABEL})
    with pytest.raises(UserError, match="no split to judge on"):
        pictures.load("own/set", "test")
    mirror("valid", {"picture": rows["picture"][1:], "kind": [0, 1]}, {"picture": PICTURE, "kind": LABEL})
    train, test = (pictures.load("own/set", split) for split in ("train", "test"))
    assert train.classes == ("a", "b") and train.labels.tolist() == [1, 0, 1]
    assert train.take([2, 0])[:, 1, 1].tolist() == [[7, 0, 0], [5, 0, 0]]
    assert np.array_equal(test.take([0, 1]), train.take([1, 2]))


@pytest.mark.parametrize(
    ("columns", "features", "message"),
    [
        (
            {"text": ["a"], "label": [0]},
            {"text": datasets.Value("string"), "label": LABEL},
            "no column of pictures",
        ),
        ({"image": [None], "text": ["a"]}, {"image": PICTURE, "text": datasets.Value("string")}, "of labels"),
    ],
    ids=["no pictures", "no labels"],
)
def test_data_sets_of_something_else(mirror, columns, features, message):
    mirror("train", columns, features)
    with pytest.raises(UserError, match=message):
        pictures.load("own/set", "train")


def test_a_set_that_is_too_large_is_read_piece_by_piece(folder, monkeypatch):
    whole = pictures.load(str(folder), "train")
    kept, digest = whole.take([0, 7, 19]), whole.sha256()
    monkeypatch.setattr(pictures, "MOST_BYTES", 0)
    pictures.load.cache_clear()
    pieces = pictures.load(str(folder), "train")
    assert np.array_equal(pieces.take([0, 7, 19]), kept) and not pieces.decoded
    assert pieces.sha256() != digest


@pytest.mark.parametrize("size", [1, 3, 4, 9])
def test_the_middle_is_kept(size):
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, 2:6] = 255
    assert (pictures.squared(picture, size) == 255).all()
    assert pictures.squared(picture, size).shape == (size, size, 3)
