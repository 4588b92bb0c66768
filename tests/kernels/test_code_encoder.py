"""The encoder of codes of several bits against its naive twin: every float and every code, in every form."""

import numpy as np
import pytest
from binviz_kernels import get_threads, pack_weights, set_threads
from binviz_kernels.code_encoder import (
    CodeLayer,
    CodeLinear,
    Elastic,
    code_encoder,
    largest_score,
    prepare_code_encoder,
    unpack_code_words,
)
from binviz_kernels.naive_encoder import code_encoder as naive_code_encoder

EPSILON = 1e-12


def some_layer(random, D: int, heads: int, d: int, F: int, bits: int, three: bool) -> CodeLayer:
    N, most = heads * d, 2 ** (bits - 1)

    def floats(*shape):
        return random.standard_normal(shape).astype(np.float32)

    def linear(rows, columns):
        signs = random.choice(np.array([-1, 1], np.float32), (rows, columns))
        return CodeLinear(
            pack_weights(signs), floats(rows) / np.float32(columns**0.5 * most), floats(rows) / 4
        )

    def elastic(columns):
        return Elastic(floats(columns) / 4, 2.0 / most)

    return CodeLayer(
        inputs=[elastic(D) for _ in range(3 if three else 1)],
        qkv=[linear(N, D) for _ in range(3)],
        heads=(1.0 / most, 1.1 / most, 1.2 / most),
        step=4 / largest_score(d, bits),
        probs=0.3 / 4**bits,
        context_factor=0.1,
        context=elastic(N),
        attn_out=linear(D, N),
        attention_gain=floats(D),
        attention_bias=floats(D),
        ffn_in=elastic(D),
        fc1=linear(F, D),
        ffn=Elastic(floats(F) / 4, 0.5 / most),
        fc2=linear(D, F),
        ffn_gain=floats(D),
        ffn_bias=floats(D),
    )


def check(result, packed, expected, codes):
    y, words = result
    np.testing.assert_array_equal(y, expected)
    for name, got, want in zip(codes._fields, unpack_code_words(words, packed), codes, strict=True):
        np.testing.assert_array_equal(got, want, err_msg=name)


def some_mask(random, B: int, L: int):
    """Nothing forbidden, everything, and any pattern."""
    allowed = random.random((B, L)) < 0.5
    allowed[0], allowed[-1] = True, False
    return allowed


@pytest.mark.parametrize(
    ("bits", "D", "heads", "d", "F", "L", "norm_first"),
    [
        (2, 64, 2, 32, 128, 17, False), (2, 70, 2, 24, 90, 65, True), (3, 96, 2, 48, 31, 5, False),
        (4, 100, 1, 100, 100, 1, True), (4, 70, 5, 7, 65, 18, False),
    ],
    ids=str,
)  # fmt: skip
def test_every_float_and_every_code(form, bits, D, heads, d, F, L, norm_first):
    random = np.random.default_rng(D)
    layers = [some_layer(random, D, heads, d, F, bits, norm_first) for _ in range(2)]
    options = {"bits": bits, "head": d, "norm_first": norm_first, "epsilon": EPSILON}
    packed = prepare_code_encoder(layers, **options)
    x, allowed = random.standard_normal((3, L, D)).astype(np.float32), some_mask(random, 3, L)
    before = x.copy()
    expected, codes = naive_code_encoder(x, layers, allowed, **options)
    for name, values in codes._asdict().items():
        assert len(np.unique(values)) > 2, name  # the test's numbers use the levels
    check(code_encoder(x, packed, allowed), packed, expected, codes)
    np.testing.assert_array_equal(x, before)


@pytest.mark.slow
@pytest.mark.skipif(get_threads() < 2, reason="one thread only")
def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr("binviz_kernels.kernel.SMALLEST_WORK", 0)
    random = np.random.default_rng(3)
    layers = [some_layer(random, 70, 3, 24, 90, 2, True) for _ in range(2)]
    options = {"bits": 2, "head": 24, "norm_first": False, "epsilon": EPSILON}
    packed = prepare_code_encoder(layers, **options)
    x, allowed = random.standard_normal((5, 33, 70)).astype(np.float32), some_mask(random, 5, 33)
    expected = naive_code_encoder(x, layers, allowed, **options)
    for threads in (1, 2):
        set_threads(threads)
        try:
            check(code_encoder(x, packed, allowed), packed, *expected)
        finally:
            set_threads(None)


def test_empty_batches():
    layer = some_layer(np.random.default_rng(5), 64, 2, 32, 128, 2, True)
    packed = prepare_code_encoder([layer], bits=2, head=32, norm_first=False, epsilon=EPSILON)
    assert code_encoder(np.empty((0, 7, 64), np.float32), packed)[0].shape == (0, 7, 64)


def test_what_does_not_fit():
    layer = some_layer(np.random.default_rng(6), 64, 2, 32, 128, 2, True)
    options = {"bits": 2, "head": 32, "norm_first": False, "epsilon": EPSILON}
    small = Elastic(np.zeros(5, np.float32), 1.0)
    for field, damaged in {
        "qkv": layer.qkv[:2], "inputs": layer.inputs[:2], "context": small, "ffn_in": small, "ffn": small,
        "fc1": layer.fc2, "attn_out": layer.attn_out._replace(bias=np.zeros(3, np.float32)),
        "ffn_gain": np.zeros(65, np.float32),
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=field):
            prepare_code_encoder([layer._replace(**{field: damaged})], **options)
    with pytest.raises(ValueError, match="2 to 4 bits"):
        prepare_code_encoder([layer], **options | {"bits": 5})
    with pytest.raises(ValueError, match="needs layers"):
        prepare_code_encoder([], **options)
    with pytest.raises(ValueError, match=r"float32 array \[B, L, 64\]"):
        code_encoder(np.zeros((2, 5, 63), np.float32), prepare_code_encoder([layer], **options))
