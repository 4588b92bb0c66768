"""One clear line for whatever does not fit."""

import numpy as np
import pytest
from binviz_kernels import (
    PackedRows,
    PackedWeights,
    and_gemm,
    hamming,
    linear,
    pack_rows,
    pack_weights,
    prepare,
    unpack,
    xnor_gemm,
)

ROWS, BITS, WEIGHTS = (
    pack_rows(np.ones((2, 70))),
    pack_rows(np.ones((2, 70), bool)),
    pack_weights(np.ones((3, 70))),
)
WORDS = ROWS.words
FLOATS = np.ones(3, np.float32)
READ_ONLY = np.broadcast_to(np.int32(0), (2, 3))


@pytest.mark.parametrize(
    ("x", "error", "advice"),
    [
        pytest.param([[1.0]], TypeError, "numpy.asarray", id="list"),
        pytest.param(None, TypeError, "numpy.asarray", id="None"),
        pytest.param(np.float32(1), TypeError, "numpy.asarray", id="NumPy scalar"),
        pytest.param(np.ones((2, 2), np.int8), TypeError, "cast to float32", id="int8"),
        pytest.param(np.ones((2, 2), int), TypeError, "cast to float32", id="int64"),
        pytest.param(np.ones((2, 2), complex), TypeError, "cast to float32", id="complex"),
        pytest.param(np.array([["a"]]), TypeError, "cast to float32", id="text"),
        pytest.param(np.array([[None]]), TypeError, "cast to float32", id="object"),
        pytest.param(np.ones((2, 2), np.longdouble), TypeError, "cast to float32", id="longdouble"),
        pytest.param(np.array(1.0), ValueError, "reshape", id="no axes"),
        pytest.param(np.ones(3), ValueError, "reshape", id="one axis"),
        pytest.param(np.ones((2, 3, 4)), ValueError, "reshape", id="three axes"),
    ],
)
def test_what_cannot_be_packed(x, error, advice):
    one_line(error, advice, pack_rows, x)
    one_line(error, advice, pack_weights, x)


@pytest.mark.parametrize(
    ("a", "w", "error", "advice"),
    [
        pytest.param(np.ones((2, 70)), WEIGHTS, TypeError, "use pack_rows", id="raw activations"),
        pytest.param(ROWS, np.ones((3, 70)), TypeError, "use pack_weights", id="raw weights"),
        pytest.param(WEIGHTS, WEIGHTS, TypeError, "use pack_rows", id="weights as activations"),
        pytest.param(ROWS, ROWS, TypeError, "use pack_weights", id="activations as weights"),
        pytest.param(
            pack_rows(np.ones((2, 69))), WEIGHTS, ValueError, "69 and 70", id="other K, as many words"
        ),
        pytest.param(ROWS._replace(K=64), WEIGHTS, ValueError, "needs 1 words", id="too many words"),
        pytest.param(ROWS._replace(K=-1), WEIGHTS, ValueError, "whole number", id="negative K"),
        pytest.param(ROWS._replace(K=70.0), WEIGHTS, ValueError, "whole number", id="K is a float"),
        pytest.param(ROWS._replace(K=2**31), WEIGHTS, ValueError, "2\\*\\*31", id="K beyond int32"),
        pytest.param(
            ROWS._replace(words=WORDS.view(np.int64)), WEIGHTS, TypeError, "uint64", id="int64 words"
        ),
        pytest.param(ROWS._replace(words=WORDS.astype(">u8")), WEIGHTS, TypeError, "uint64", id="big-endian"),
        pytest.param(ROWS._replace(words=WORDS[0]), WEIGHTS, TypeError, "uint64", id="one axis of words"),
        pytest.param(ROWS._replace(words=[[1, 2]]), WEIGHTS, TypeError, "uint64", id="list of words"),
        pytest.param(
            ROWS, WEIGHTS._replace(panels=WEIGHTS.panels[:, :2]), ValueError, "prepare", id="cut panels"
        ),
        pytest.param(
            ROWS,
            WEIGHTS._replace(panels=WEIGHTS.panels.view(np.int64)),
            ValueError,
            "prepare",
            id="int64 panels",
        ),
    ],
)
def test_operands_that_do_not_fit(a, w, error, advice):
    one_line(error, advice, xnor_gemm, a, w)
    one_line(error, advice, and_gemm, a, w)


def test_rows_of_the_other_kind():
    one_line(ValueError, "use and_gemm", xnor_gemm, BITS, WEIGHTS)
    one_line(ValueError, "use xnor_gemm", and_gemm, ROWS, WEIGHTS)


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(np.empty((3, 2), np.int32), id="wrong shape"),
        pytest.param(np.empty((2, 3), np.int64), id="wrong type"),
        pytest.param(np.empty((2, 3), np.int32, order="F"), id="fortran order"),
        pytest.param(np.empty((2, 6), np.int32)[:, ::2], id="strided"),
        pytest.param(READ_ONLY, id="read-only"),
        pytest.param([[0, 0, 0], [0, 0, 0]], id="list"),
    ],
)
def test_outputs_that_do_not_fit(out):
    one_line(ValueError, r"numpy.empty\(\(2, 3\), numpy.int32\)", xnor_gemm, ROWS, WEIGHTS, out)
    one_line(ValueError, r"numpy.empty\(\(2, 3\), numpy.int32\)", and_gemm, BITS, WEIGHTS, out)
    one_line(ValueError, r"numpy.empty\(\(2, 3\), numpy.int32\)", hamming, ROWS, WEIGHTS, out)
    one_line(ValueError, r"numpy.empty\(\(2, 3\), numpy.float32\)", linear, ROWS, WEIGHTS, FLOATS, out=out)


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(np.ones(4, np.float32), id="wrong length"),
        pytest.param(np.ones(1, np.float32), id="length one"),
        pytest.param(np.ones((3, 1), np.float32), id="a column"),
        pytest.param(np.ones(3), id="float64"),
        pytest.param([1.0, 1.0, 1.0], id="list"),
        pytest.param("1", id="text"),
    ],
)
def test_vectors_that_do_not_fit(vector):
    for name in ("scale", "bias", "shift", "row_scale"):
        arguments = {"scale": FLOATS, name: vector}
        one_line(
            ValueError, f"^{name} must be a scalar or a float32 array", linear, ROWS, WEIGHTS, **arguments
        )


def test_a_layer_needs_a_scale():
    one_line(TypeError, "scale", linear, ROWS, WEIGHTS)
    one_line(ValueError, "scale must be", linear, ROWS, WEIGHTS, None)


def test_distances_need_packed_rows_of_one_length():
    one_line(TypeError, "use pack_rows", hamming, np.ones((2, 70)), ROWS)
    one_line(TypeError, "use pack_rows", hamming, ROWS, None)
    one_line(ValueError, "70 and 71", hamming, ROWS, pack_rows(np.ones((2, 71))))


def test_unpack_needs_something_packed():
    one_line(TypeError, "use pack_rows", unpack, WORDS)
    one_line(ValueError, "needs 1 words", unpack, PackedRows(WORDS, 64))
    one_line(ValueError, "needs 3 words", unpack, PackedRows(WORDS, 129))


def test_damaged_weights_are_not_prepared():
    one_line(TypeError, "pack_weights", prepare, ROWS)
    one_line(ValueError, "damaged", prepare, PackedWeights(WORDS, 69))
    one_line(ValueError, "needs 3 words", prepare, PackedWeights(WORDS, 129))
    one_line(TypeError, "uint64", prepare, PackedWeights(WORDS.astype(np.uint32), 70))


def one_line(error, advice, function, *args, **kwargs):
    with pytest.raises(error, match=advice) as caught:
        function(*args, **kwargs)
    assert "\n" not in str(caught.value)
