r"""Spoken digits: 3,000 recordings of six speakers, and the log-mel spectrograms that a model reads.

Frame t of a recording x, N samples long and H samples behind the one before it, has under a Hann window w the powers

$$P_t(k) = \Big| \sum_{n=0}^{N-1} w_n\, x_{tH+n}\, e^{-2\pi i k n / N} \Big|^2, \quad w_n = \tfrac12 -
\tfrac12 \cos \tfrac{2 \pi n}{N}$$

of the frequencies $kR/N$ at R samples a second. They are added up by triangles over places m of equal distance on
the mel scale, $m(f) = 2595 \log_{10}(1 + f/700)$:

$$L_t(m) = \log\Big(10^{-6} + \sum_k P_t(k)\, \max\big(0, \min\big(\tfrac{f_k - f_{m-1}}{f_m - f_{m-1}},
\tfrac{f_{m+1} - f_k}{f_{m+1} - f_m}\big)\big)\Big)$$

and every spectrogram is moved and scaled to mean 0 and variance 1, so that no loudness is left.

Source: Z. Jackson and others, "Free Spoken Digit Dataset", 2016-2020, CC BY-SA 4.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from binviz.data import sources
from binviz.errors import UserError, near

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["train", "test"]
SOURCE = "local/free-spoken-digits"
CLASSES = tuple("0123456789")
#: In the order of their numbers.
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
#: Samples a second, of a frame, between the beginnings of two frames, of a recording: 1.04 seconds.
RATE, WINDOW, HOP, LENGTH = 8000, 256, 128, 8320
#: Shape of a spectrogram.
MELS, FRAMES = 32, (LENGTH - WINDOW) // HOP + 1


@cache
def mel_filters() -> NDArray[np.float64]:
    """The triangles, (MELS, WINDOW / 2 + 1), from 0 to half the rate.

    >>> mel_filters().shape, bool((mel_filters() >= 0).all())
    ((32, 129), True)
    """
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(WINDOW // 2 + 1, MELS, 0.0, RATE / 2, RATE, norm=None, mel_scale="htk").T


def log_mel(recordings: NDArray[np.int16]) -> NDArray[np.float32]:
    """Recordings (N, LENGTH) as a model reads them, (N, MELS, FRAMES).

    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(LENGTH) / RATE)
    >>> found = log_mel((10_000 * tone).astype(np.int16)[None])
    >>> found.shape, int(found[0, :, 20].argmax())
    ((1, 32, 64), 14)
    """
    from scipy.signal import ShortTimeFFT, get_window

    transform = ShortTimeFFT(get_window("hann", WINDOW), HOP, RATE)
    # Its windows stand around multiples of the hop: the first whole one around the first
    powers = transform.spectrogram(recordings / 32768, p0=WINDOW // 2 // HOP, p1=WINDOW // 2 // HOP + FRAMES)
    loud = np.log(1e-6 + mel_filters() @ powers)
    centred = loud - loud.mean((1, 2), keepdims=True)
    return (centred / (centred.std((1, 2), keepdims=True) + 1e-6)).astype(np.float32)


def of_one_length(recordings: Sequence[NDArray[np.int16]]) -> NDArray[np.int16]:
    """The first LENGTH samples of each, silence behind shorter ones: (N, LENGTH).

    >>> of_one_length([np.ones(3, np.int16), np.ones(9000, np.int16)]).sum(1).tolist()
    [3, 8320]
    """
    found = np.zeros((len(recordings), LENGTH), np.int16)
    for row, recording in zip(found, recordings, strict=True):
        row[: len(recording)] = recording[:LENGTH]
    return found


@dataclass(frozen=True)
class Recordings:
    """A split: `samples` (N, LENGTH) int16, `labels` (N,) int64 and `speakers` (N,) int64."""

    samples: NDArray[np.int16]
    labels: NDArray[np.int64]
    speakers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """(N, MELS, FRAMES)."""
        parts = np.array_split(self.samples, -(-len(self) // 250))
        return np.concatenate([log_mel(part) for part in parts])

    def where(self, chosen: NDArray[np.bool_]) -> Recordings:
        """Those of them."""
        return Recordings(self.samples[chosen], self.labels[chosen], self.speakers[chosen])

    def sha256(self) -> str:
        """A digest of samples and labels."""
        return sources.sha256([row.tobytes() for row in self.samples], self.labels.tolist())


@cache
def load(split: Split, unheard: str = "") -> Recordings:
    """A split of the spoken digits.

    Args:
        split: "train" or "test".
        unheard: a speaker whose recordings alone are the test, and of whom none is in the training; "" is the data
            set's own split, in which every speaker is in both.

    Raises:
        UserError: no such split or speaker, or the data cannot be had.
    """
    if split not in ("train", "test"):
        raise UserError(f"spoken digits have no split {split!r}; choose 'train' or 'test'")
    if not unheard:
        return _read(split)
    if unheard not in SPEAKERS:
        raise UserError(f"no speaker {unheard!r}; {near(unheard, SPEAKERS)}")
    one, other = load("train"), load("test")
    everyone = Recordings(
        np.concatenate([one.samples, other.samples]),
        np.concatenate([one.labels, other.labels]),
        np.concatenate([one.speakers, other.speakers]),
    )
    theirs = everyone.speakers == SPEAKERS.index(unheard)
    return everyone.where(theirs if split == "test" else ~theirs)


def _read(split: Split) -> Recordings:
    table = sources.load_dataset(SOURCE, None, split).with_format("arrow")[:]
    try:
        recordings = [np.asarray(row.values, np.int16) for row in table["audio"]]
        labels, speakers = (np.asarray(table[name], np.int64) for name in ("label", "speaker"))
        bounds = {"label": (labels, len(CLASSES)), "speaker": (speakers, len(SPEAKERS))}
    except (KeyError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise _other_data(split, str(error)) from error
    for name, (numbers, count) in bounds.items():
        if not len(numbers) or numbers.min() < 0 or numbers.max() >= count:
            raise _other_data(split, f"a {name} is not from 0 to {count - 1}")
    return Recordings(of_one_length(recordings), labels, speakers)


def _other_data(split: str, reason: str) -> UserError:
    said = " ".join(reason.split())[:120]
    return UserError(f"{SOURCE} {split} does not hold spoken digits ({said}); fetch it again")
