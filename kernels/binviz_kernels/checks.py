"""What the public functions accept, checked once at the boundary; each refusal says what to do."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from binviz_kernels.panels import aligned

NONE = np.empty(0, np.float32)  # in the place of a vector that is not given
LARGE = 1 << 18  # numbers of an output that leaves the nearer caches
LARGEST_K = 2**31 - 1  # every dot product lies in -K..K and must fit an int32


def matrix(x: NDArray[Any]) -> NDArray[Any]:
    """A matrix that can be packed: [M, K] of float16, float32, float64, bool or uint8."""
    if not isinstance(x, np.ndarray):
        raise TypeError(f"expected a NumPy array, got {type(x).__name__}: convert it with numpy.asarray")
    if not (x.dtype.kind == "f" and x.itemsize <= 8) and x.dtype not in (np.bool_, np.uint8):
        raise TypeError(
            f"cannot pack {x.dtype}: cast to float32 to pack signs, to bool to pack zeros and ones"
        )
    if x.ndim != 2:
        raise ValueError(f"expected two axes [rows, K], got shape {x.shape}: use x.reshape(-1, K)")
    return x


def packed_words(name: str, words: NDArray[Any], K: int) -> NDArray[np.uint64]:
    """The words of packed rows or weights, if they are well formed: uint64 [rows, ceil(K / 64)]."""
    if not isinstance(words, np.ndarray) or words.dtype != np.uint64 or words.ndim != 2:
        raise TypeError(
            f"{name}: words must be a uint64 array [rows, ceil(K / 64)]: make them with pack_rows"
        )
    if not isinstance(K, int | np.integer) or not 0 <= K <= LARGEST_K:
        raise ValueError(f"{name}: K must be a whole number from 0 to 2**31 - 1, got {K!r}")
    if words.shape[1] != -(-K // 64):
        raise ValueError(
            f"{name}: K={K} needs {-(-K // 64)} words per row, got {words.shape[1]}: pass the K they were packed with"
        )
    return contiguous(words)


def padding_is_zero(name: str, words: NDArray[np.uint64], K: int) -> None:
    """Refuse words with a bit set after the last of the K entries of a row."""
    used = K % 64
    if used and (words[:, -1] >> np.uint64(used)).any():
        raise ValueError(f"{name}: bits after the last of K={K} entries are set: the words or K are damaged")


def same_K(a: int, b: int) -> None:
    """Refuse two operands whose rows differ in length."""
    if a != b:
        raise ValueError(f"K differs, {a} and {b}: pack both from matrices with equally long rows")


def output(out: NDArray[Any] | None, shape: tuple[int, int], dtype: DTypeLike) -> NDArray[Any]:
    """The array to write to: `out` if it fits, a new one if it is None."""
    if out is None:
        return empty(shape, dtype)
    fits = isinstance(out, np.ndarray) and out.shape == shape and out.dtype == dtype
    if not fits or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(
            f"out must be a writable C-contiguous array: numpy.empty({shape}, numpy.{np.dtype(dtype)})"
        )
    return out


def empty(shape: tuple[int, int], dtype: DTypeLike) -> NDArray[Any]:
    """A new array to write to. Registers are stored faster if one that leaves the cache begins with a line of it."""
    return aligned(shape, dtype) if shape[0] * shape[1] >= LARGE else np.empty(shape, dtype)


def vector(name: str, value: NDArray[Any] | float, length: int) -> NDArray[np.float32]:
    """One float32 per output (or row); a scalar is repeated."""
    if isinstance(value, float | int | np.number) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return contiguous(np.full(length, value, np.float32))
    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.shape != (length,):
        raise ValueError(f"{name} must be a scalar or a float32 array of shape ({length},)")
    return contiguous(value)


def encoder_input(
    x: NDArray[Any], D: int, allowed: NDArray[Any] | None, by_query: bool = False
) -> NDArray[np.uint8]:
    """Which keys may be attended to, uint8 [B, L up to a multiple of 64]; x is float32 [B, L, D].

    By queries also [B, L, L up to a multiple of 64].
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.ndim != 3 or x.shape[2] != D:
        raise ValueError(f"x must be a float32 array [B, L, {D}]")
    B, L, _ = x.shape
    shapes = [(B, L), (B, L, L)] if by_query else [(B, L)]
    if allowed is not None and not (
        isinstance(allowed, np.ndarray) and allowed.dtype == np.bool_ and allowed.shape in shapes
    ):
        raise ValueError(f"allowed must be None or a bool array of shape {' or '.join(map(str, shapes))}")
    keys = np.zeros(((B,) if allowed is None else allowed.shape[:-1]) + (-(-L // 64) * 64,), np.uint8)
    keys[..., :L] = 1 if allowed is None else allowed
    return keys


def optional_vector(name: str, value: NDArray[Any] | float | None, length: int) -> NDArray[np.float32]:
    """The same; None becomes an empty vector."""
    return NONE if value is None else vector(name, value, length)


def contiguous(x: NDArray[Any]) -> NDArray[Any]:
    """x, or a copy if its elements do not follow one another where a processor expects them."""
    return x if x.flags.c_contiguous and x.flags.aligned else np.require(x, requirements=("C", "A"))
