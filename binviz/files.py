"""Write files so that a failure leaves the previous ones as they were."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from binviz.errors import UserError


def replace_files(writers: dict[Path, Callable[[Path], object]]) -> None:
    """Write every file beside its place, then move all of them there.

    Args:
        writers: place -> a function that writes to the path it is given. Folders are made.

    Raises:
        UserError: a file cannot be written (no permission, full disk, a name that the system cannot hold); none was
            replaced.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Path(folder, "a", "note.txt")
    ...     replace_files({place: lambda path: path.write_text("kept", "utf-8")})
    ...     place.read_text("utf-8")
    'kept'
    """
    unfinished = {place: place.with_name(place.name + ".unfinished") for place in writers}
    place = Path()
    try:
        for place, write in writers.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            unfinished[place].touch()
            mode = unfinished[place].stat().st_mode
            write(unfinished[place])
            unfinished[place].chmod(mode)  # safetensors makes files that only their owner may read
        for place in writers:
            os.replace(unfinished[place], place)
    except (OSError, SafetensorError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        kept = "; the previous file is unharmed" if os.path.isfile(place) else ""
        raise UserError(f"cannot write {place}: {reason}{kept}") from error
    finally:
        for path in unfinished.values():
            with suppress(OSError, ValueError):
                path.unlink()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Within the block no other process may enter one for the same folder; it is free again if this one is killed.

    Args:
        folder: made if it is not there.

    Raises:
        UserError: another process is in it, or the folder cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, alone(Path(folder)):
    ...     Path(folder, ".lock").exists()
    True
    """
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise UserError(
            f"another run is writing into {folder}; wait for its end, or choose another folder"
        ) from error
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()
