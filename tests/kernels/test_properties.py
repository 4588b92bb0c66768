"""What must hold for every input, tried on inputs that Hypothesis makes up (the same ones in every run)."""

import numpy as np
from binviz_kernels import and_gemm, hamming, linear, pack_rows, pack_weights, unpack, xnor_gemm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

small = st.integers(0, 9)
width = st.integers(0, 200)
finite = st.floats(-1e6, 1e6, width=32)
tried = settings(max_examples=60)


@st.composite
def codes(draw, operands=2):
    """Bool matrices [m, K], [n, K], ... with one K."""
    K = draw(width)
    return [draw(arrays.arrays(bool, (draw(small), K))) for _ in range(operands)]


def plus_minus(bits):
    return np.where(bits, 1.0, -1.0)


@tried
@given(arrays.arrays(np.float32, st.tuples(small, width), elements=st.floats(width=32)))
def test_unpacked_floats_are_their_signs(x):
    np.testing.assert_array_equal(unpack(pack_rows(x)), np.where(x >= 0, 1, -1))


@tried
@given(codes(operands=1))
def test_unpacked_bits_pack_to_the_same_words(matrices):
    packed = pack_rows(matrices[0])
    np.testing.assert_array_equal(unpack(packed), matrices[0])
    np.testing.assert_array_equal(pack_rows(unpack(packed).astype(np.uint8)).words, packed.words)


@tried
@given(codes())
def test_products_are_integer_products(matrices):
    x, v = matrices
    w = pack_weights(v)
    signs = plus_minus(v).astype(int).T
    np.testing.assert_array_equal(xnor_gemm(pack_rows(plus_minus(x)), w), plus_minus(x).astype(int) @ signs)
    np.testing.assert_array_equal(and_gemm(pack_rows(x), w), x.astype(int) @ signs)


@tried
@given(codes(operands=3))
def test_products_are_linear_in_the_activations(matrices):
    """Disjoint sets of ones add up, and the opposite signs give the opposite product."""
    bits, other, v = matrices
    rows = min(len(bits), len(other))
    first, second = bits[:rows], other[:rows] & ~bits[:rows]
    w = pack_weights(v)
    total = and_gemm(pack_rows(first | second), w)
    np.testing.assert_array_equal(and_gemm(pack_rows(first), w) + and_gemm(pack_rows(second), w), total)
    np.testing.assert_array_equal(
        xnor_gemm(pack_rows(plus_minus(~bits)), w), -xnor_gemm(pack_rows(plus_minus(bits)), w)
    )


@tried
@given(codes(operands=3))
def test_hamming_is_a_distance(matrices):
    a, b, c = map(pack_rows, matrices)
    ab, bc, ac = hamming(a, b), hamming(b, c), hamming(a, c)
    assert not np.diag(hamming(a, a)).any()
    np.testing.assert_array_equal(ab, hamming(b, a).T)
    for n in range(len(matrices[1])):
        assert (ac <= ab[:, n, None] + bc[None, n]).all()


@tried
@given(st.data(), codes())
def test_the_order_of_the_scales(data, matrices):
    x, v = matrices
    vectors = [data.draw(arrays.arrays(np.float32, len(v), elements=finite)) for _ in range(3)]
    scale, shift, bias = vectors
    row_scale = data.draw(arrays.arrays(np.float32, len(x), elements=finite))
    dot = (x.astype(int) @ plus_minus(v).astype(int).T).astype(np.float32)
    np.testing.assert_array_equal(
        linear(x, pack_weights(v), scale, bias, shift=shift, row_scale=row_scale).view(np.int32),
        ((dot * scale + shift) * row_scale[:, None] + bias).view(np.int32),
    )
