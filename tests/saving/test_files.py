"""replace_files: all or nothing."""

import errno
import os

import pytest
from safetensors import SafetensorError

from binviz.errors import UserError
from binviz.files import replace_files


def text(content):
    return lambda path: path.write_text(content)


def failing(error):
    def write(path):
        path.write_text("half of i")
        raise error

    return write


FULL = {
    "OSError": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "SafetensorError": SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    ),
}


def test_folders_are_made(tmp_path):
    replace_files({tmp_path / "a/b/one.txt": text("1"), tmp_path / "two.txt": text("2")})
    assert (tmp_path / "a/b/one.txt").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "two.txt"]


@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_a_full_disk_leaves_all_files_as_they_were(tmp_path, error):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    replace_files({one: text("1"), two: text("2")})
    with pytest.raises(UserError, match=r"cannot write .*two.txt: .*No space left on device.*is unharmed"):
        replace_files({one: text("changed"), two: failing(error)})
    assert (one.read_text(), two.read_text()) == ("1", "2")
    assert len(list(tmp_path.iterdir())) == 2


def test_the_first_file_of_a_name(tmp_path):
    with pytest.raises(UserError) as caught:
        replace_files({tmp_path / "one.txt": failing(FULL["OSError"])})
    assert "unharmed" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_passed_on_and_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        replace_files({tmp_path / "one.txt": failing(KeyboardInterrupt())})
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("here")
    with pytest.raises(UserError, match="cannot write") as caught:
        replace_files({tmp_path / "file/inside.txt": text("1")})
    assert "\n" not in str(caught.value)


def test_others_may_read_what_they_may_read_of_any_file(tmp_path):
    """Safetensors writes files for their owner alone."""

    def write(path):
        path.write_text("1")
        path.chmod(0o600)

    (tmp_path / "any").touch()
    replace_files({tmp_path / "one": write})
    assert (tmp_path / "one").stat().st_mode == (tmp_path / "any").stat().st_mode
