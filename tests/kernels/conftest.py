"""Random codes of every awkward size, and outputs that are poisoned before a kernel writes to them."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from binviz_kernels import forms
from numpy.typing import NDArray

#: File of tests -> the forms that it is for: products of one bit, which compile little, and codes of several bits, for
#: which this processor may have another form than for one.
FOR = {
    "test_gemm": set(forms.FORMS),
    "test_tables": {forms.CHOSEN.name, *(forms.for_bits(bits).name for bits in (2, 3, 4))},
}
#: Asked for by its name, a form is tried alone, as `.ci/run` does with one after the other.
TRIED = [form for form in forms.available() if "BINVIZ_KERNELS" not in os.environ or form == forms.CHOSEN]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of the forms of other processors one bit's products alone are compiled; the rest is for `make slow`."""
    for item in items:
        form = item.callspec.params.get("form") if hasattr(item, "callspec") else None
        if form in forms.FORMS and form not in FOR.get(item.path.stem, {forms.CHOSEN.name}):
            if not item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.other_form)
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def sizes() -> list[tuple[int, int, int]]:
    """Awkward M, N and K: every two of them together at least once."""
    rows, columns, lengths = (0, 1, 4, 17), (1, 16, 65), (1, 31, 64, 65, 513)
    return [(M, columns[(i + j) % 3], K) for i, M in enumerate(rows) for j, K in enumerate(lengths)]


@pytest.fixture
def signs() -> Callable[[int, int], NDArray[np.float32]]:
    """Matrices of −1 and +1."""
    random = np.random.default_rng(0)
    return lambda rows, K: random.choice(np.array([-1, 1], np.float32), (rows, K))


@pytest.fixture
def zeros_and_ones() -> Callable[[int, int], NDArray[np.bool_]]:
    random = np.random.default_rng(1)
    return lambda rows, K: random.random((rows, K)) < 0.5


@pytest.fixture
def poisoned() -> Callable[..., NDArray[Any]]:
    """An output whose every entry is wrong until it is written."""
    poison = {np.int32: -(2**31), np.float32: np.nan}
    return lambda rows, columns, dtype=np.int32: np.full((rows, columns), poison[dtype], dtype)


@pytest.fixture(params=[form.name for form in TRIED])
def form(request, monkeypatch) -> str:
    """Each form of the kernels that this processor can run in turn, whatever it is best at."""
    monkeypatch.setattr(forms, "CHOSEN", forms.FORMS[request.param])
    return request.param
