"""The encoder against its naive twin: every float and every bit, in every form, on any number of threads."""

import numpy as np
import pytest
from binviz_kernels import get_threads, pack_weights, set_threads
from binviz_kernels.encoder import encoder, unpack_codes
from binviz_kernels.encoder_layers import (
    BiasedScores,
    Doubts,
    EncoderLayer,
    LowRank,
    Range,
    Windows,
    prepare_encoder,
)
from binviz_kernels.naive_encoder import encoder as naive_encoder

EPSILON = 1e-12


def some_range(random, N: int, widest: int) -> Range:
    """Ranges of every kind: from a number on, up to one, between two, outside of two, none and all."""
    low, high = np.sort(random.integers(-widest, widest + 1, (2, N)), axis=0)
    kinds = [
        (low, 2**31 - low), (-(2**31) + 0 * low, high + 2**31), (low, high - low),
        (high, 2**32 - (high - low) - 1), (low, 0 * low), (low, 0 * low + 2**32 - 1),
    ]  # fmt: skip
    which = random.integers(0, 6, N)
    start, width = (np.choose(which, values) for values in zip(*kinds, strict=True))
    return Range(start.astype(np.int32), width.astype(np.uint32))


def some_doubts(random, F: int) -> Doubts:
    """Up to 64 integers of some outputs."""
    width = random.choice([0, 1, 7, 127], F)
    codes = random.integers(0, 2**63, F).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    return Doubts(random.integers(-9, 3, F).astype(np.int32), width.astype(np.uint32), codes)


def some_layer(random, D: int, heads: int, d: int, F: int, attention: str, three: bool) -> EncoderLayer:
    N = heads * d

    def signs(rows, columns):
        return pack_weights(random.choice(np.array([-1, 1], np.float32), (rows, columns)))

    def floats(*shape):
        return random.standard_normal(shape).astype(np.float32)

    scores = np.arange(-d, d + 1, 2)
    exponentials = np.zeros((d + 1, 2 * d + 3), np.float32)
    exponentials[:, 2::2] = np.tril(np.exp(np.float32(0.5 / d**0.5) * (scores - scores[:, None])))
    softmax, rank = attention != "least", 2 if three else 1
    low_rank = LowRank(
        floats(4 * rank + 1, D) / D**0.5, floats(4 * rank + 1) / 4, d**-0.5, 0.3, 0.5 + floats(N)
    )
    return EncoderLayer(
        input_least=floats(3 if three else 1, D) / 4,
        qkv=[signs(N, D) for _ in range(3)],
        qkv_range=[some_range(random, N, round(D**0.5)) for _ in range(3)],
        score_least=None if softmax else (scores - round(d**0.5)).astype(np.int32),
        exponentials=exponentials if softmax else None,
        share=0.01,
        context_range=some_range(random, N, 6),
        attn_out=signs(D, N),
        attn_out_scale=floats(D) / 4,
        attn_out_bias=floats(D),
        attention_gain=floats(D),
        attention_bias=floats(D),
        ffn_least=floats(D) / 4,
        fc1=signs(F, D),
        fc1_range=some_range(random, F, round(D**0.5)),
        fc2=signs(D, F),
        fc2_signed=not softmax,
        fc2_scale=floats(D) / 4,
        fc2_bias=floats(D),
        ffn_gain=floats(D),
        ffn_bias=floats(D),
        low_rank=low_rank if attention == "low rank" else None,
    )


def some_mask(random, B: int, L: int):
    """Nothing forbidden, everything, and any pattern."""
    allowed = random.random((B, L)) < 0.5
    allowed[0], allowed[-1] = True, False
    return allowed


@pytest.fixture(params=["softmax", "least", "low rank"])
def attention(request) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["norm last", "norm first"])
def norm_first(request) -> bool:
    return request.param


def check(y, codes, packed, expected, bits):
    np.testing.assert_array_equal(y, expected)
    for name, got, want in zip(bits._fields, unpack_codes(codes, packed), bits, strict=True):
        np.testing.assert_array_equal(got, want, err_msg=name)


def test_lengths(form, attention, norm_first):
    random = np.random.default_rng(0)
    layers = [some_layer(random, 70, 2, 24, 90, attention, True) for _ in range(2)]
    layers[0] = layers[0]._replace(fc1_doubts=some_doubts(random, 90))
    options = {"head": 24, "norm_first": norm_first, "epsilon": EPSILON}
    packed = prepare_encoder(layers, **options)
    for L in (1, 17, 64, 65, 130):
        x, allowed = random.standard_normal((3, L, 70)).astype(np.float32), some_mask(random, 3, L)
        check(*encoder(x, packed, allowed), packed, *naive_encoder(x, layers, allowed, **options))


def some_bias(random, layer: EncoderLayer, heads: int, L: int, relative: bool) -> EncoderLayer:
    """The layer with scores that depend on positions too; those of two keys may be the same."""
    bias = random.integers(-4, 5, (heads, L, L)).astype(np.float32) / 4
    biased = BiasedScores(bias, 0.25, 24**-0.5, -0.7 if relative else 0.0, relative)
    return layer._replace(score_least=None, exponentials=None, biased=biased)


def some_windows(random, layers: int, B: int, T: int, L: int) -> Windows:
    """Positions in groups in any order, filled up with padding; of some pairs only one sees the other."""
    groups = -(-B * T // L)
    rows = np.full((layers, groups * L), B * T, np.int32)
    for of_layer in rows:
        of_layer[random.permutation(groups * L)[: B * T]] = random.permutation(B * T)
    allowed = random.random((3, L, L)) < 0.5
    allowed[0], allowed[1, 0] = True, False
    kinds = random.integers(0, 3, (layers, groups)).astype(np.int32)
    return Windows(rows.reshape(layers, groups, L), kinds, allowed)


@pytest.mark.parametrize("relative", [False, True], ids=["from a score on", "from the largest on"])
def test_windows_and_biases(form, relative):
    random = np.random.default_rng(1)
    options = {"head": 24, "norm_first": True, "epsilon": EPSILON}
    plain = [some_layer(random, 70, 2, 24, 90, "least", True) for _ in range(2)]
    for T, L in ((1, 1), (6, 4), (50, 64), (70, 49), (30, 65)):
        x, windows = random.standard_normal((2, T, 70)).astype(np.float32), some_windows(random, 2, 2, T, L)
        for layers in (plain, [some_bias(random, layer, 2, L, relative) for layer in plain]):
            packed = prepare_encoder(layers, **options)
            expected = naive_encoder(x, layers, windows=windows, **options)
            check(*encoder(x, packed, windows=windows), packed, *expected)


def test_keys_that_differ_between_queries(form, attention, norm_first):
    random = np.random.default_rng(2)
    layers = [some_layer(random, 70, 2, 24, 90, attention, True) for _ in range(2)]
    options = {"head": 24, "norm_first": norm_first, "epsilon": EPSILON}
    packed = prepare_encoder(layers, **options)
    x, allowed = random.standard_normal((3, 30, 70)).astype(np.float32), random.random((3, 30, 30)) < 0.5
    allowed[1], allowed[2, 7] = np.tri(30, dtype=bool), False
    check(*encoder(x, packed, allowed), packed, *naive_encoder(x, layers, allowed, **options))


#: Width, heads, size of a head, width of the feed-forward part.
SIZES = [
    (32, 2, 16, 64),
    (64, 2, 32, 65),
    (96, 2, 48, 31),
    (128, 2, 64, 256),
    (100, 1, 100, 100),
    (5, 5, 1, 3),
]


def test_sizes(form, attention):
    for D, heads, d, F in SIZES:
        random = np.random.default_rng(D)
        layers = [some_layer(random, D, heads, d, F, attention, False)]
        if d != 1:
            layers = [layers[0]._replace(fc1_doubts=some_doubts(random, F))]
        options = {"head": d, "norm_first": False, "epsilon": EPSILON}
        packed = prepare_encoder(layers, **options)
        x = random.standard_normal((2, 9, D)).astype(np.float32)
        before = x.copy()
        check(*encoder(x, packed), packed, *naive_encoder(x, layers, **options))
        np.testing.assert_array_equal(x, before)


def test_what_stood_in_its_memory_does_not_matter(form, attention, monkeypatch):
    random = np.random.default_rng(5)
    packed = prepare_encoder(
        [some_layer(random, 70, 2, 24, 90, attention, True)], head=24, norm_first=False, epsilon=EPSILON
    )
    x = random.standard_normal((2, 9, 70)).astype(np.float32)
    y, words = encoder(x, packed)  # compiles
    made = []

    def poisoned(shape, dtype):
        made.append(np.full(shape, 0xA5A5A5A5A5A5A5A5, dtype))
        return made[-1]

    monkeypatch.setattr(np, "empty", poisoned)
    again, words_again = encoder(x, packed)
    assert len(made) == 3
    check(again, words_again, packed, y, unpack_codes(words, packed))


@pytest.mark.slow
@pytest.mark.skipif(get_threads() < 2, reason="one thread only")
def test_threads_change_nothing(form, norm_first, monkeypatch):
    monkeypatch.setattr("binviz_kernels.kernel.SMALLEST_WORK", 0)
    random = np.random.default_rng(3)
    packed = prepare_encoder(
        [some_layer(random, 64, 2, 32, 128, "softmax", True) for _ in range(2)],
        head=32, norm_first=norm_first, epsilon=EPSILON,
    )  # fmt: skip
    for B, L in ((1, 1), (1, 50), (5, 33)):
        x, allowed = random.standard_normal((B, L, 64)).astype(np.float32), some_mask(random, B, L)
        results = []
        for threads in (1, 2):
            set_threads(threads)
            try:
                results.append(encoder(x, packed, allowed))
            finally:
                set_threads(None)
        (y, codes), (again, same) = results
        check(again, same, packed, y, unpack_codes(codes, packed))


@pytest.mark.slow
@pytest.mark.skipif(get_threads() < 2, reason="one thread only")
def test_threads_change_nothing_in_windows(form, monkeypatch):
    monkeypatch.setattr("binviz_kernels.kernel.SMALLEST_WORK", 0)
    random = np.random.default_rng(3)
    layers = [
        some_bias(random, some_layer(random, 70, 2, 24, 90, "least", True), 2, 9, True) for _ in range(2)
    ]
    options = {"head": 24, "norm_first": True, "epsilon": EPSILON}
    x, windows = random.standard_normal((2, 50, 70)).astype(np.float32), some_windows(random, 2, 2, 50, 9)
    set_threads(2)
    try:
        packed = prepare_encoder(layers, **options)
        expected = naive_encoder(x, layers, windows=windows, **options)
        check(*encoder(x, packed, windows=windows), packed, *expected)
    finally:
        set_threads(None)


def test_examples_do_not_depend_on_each_other():
    random = np.random.default_rng(4)
    packed = prepare_encoder(
        [some_layer(random, 64, 2, 32, 128, "softmax", True)], head=32, norm_first=False, epsilon=EPSILON
    )
    x, allowed = random.standard_normal((4, 20, 64)).astype(np.float32), some_mask(random, 4, 20)
    together = encoder(x, packed, allowed)[0]
    for i in range(4):
        alone = encoder(x[i : i + 1], packed, allowed[i : i + 1])[0]
        np.testing.assert_array_equal(alone[0], together[i])


def test_a_range_may_go_round():
    """Two numbers on both sides of the end of int32, and all but one."""
    from binviz_kernels.naive_encoder import in_range

    ones = Range(np.array([-2, 5], np.int32), np.array([2**32 - 3, 2**32 - 1], np.uint32))
    dots = np.array([[-3, 4], [-2, 5], [-5, 6], [-6, 0]])
    assert in_range(dots, ones).tolist() == [[False, False], [True, True], [False, True], [True, True]]


def test_empty_batches():
    random = np.random.default_rng(5)
    packed = prepare_encoder(
        [some_layer(random, 64, 2, 32, 128, "softmax", True)], head=32, norm_first=False, epsilon=EPSILON
    )
    assert encoder(np.empty((0, 7, 64), np.float32), packed)[0].shape == (0, 7, 64)


@pytest.mark.parametrize(
    ("field", "damaged"),
    [
        ("fc1_range", Range(np.zeros(20_000, np.int32), np.zeros(20_000, np.uint32))),
        ("context_range", Range(np.zeros(64, np.int32), np.zeros(63, np.uint32))),
        ("fc1", pack_weights(np.ones((128, 32)))),
        ("fc2", pack_weights(np.ones((65, 128)))),
        ("qkv", [pack_weights(np.ones((64, 32)))] * 3),
        ("qkv", [pack_weights(np.ones((64, 64)))] * 2),
        ("exponentials", np.zeros((5, 9), np.float32)),
        ("exponentials", None),
        ("fc1_doubts", Doubts(np.zeros(7, np.int32), np.zeros(7, np.uint32), np.zeros(7, np.uint64))),
        ("input_least", np.zeros((2, 64), np.float32)),
        ("ffn_gain", np.zeros(65, np.float32)),
        ("biased", BiasedScores(np.zeros((2, 5, 4), np.float32), 1.0, 1.0, 0.0, False)),
        ("biased", BiasedScores(np.zeros((3, 5, 5), np.float32), 1.0, 1.0, 0.0, False)),
        ("context_range", None),
        (
            "low_rank",
            LowRank(np.zeros((5, 64), np.float32), *np.zeros((1, 5), np.float32), 1.0, 1.0, np.zeros(63)),
        ),
        (
            "low_rank",
            LowRank(np.zeros((5, 63), np.float32), *np.zeros((1, 5), np.float32), 1.0, 1.0, np.zeros(64)),
        ),
        (
            "low_rank",
            LowRank(np.zeros((4, 64), np.float32), *np.zeros((1, 4), np.float32), 1.0, 1.0, np.zeros(64)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_layer_whose_parts_do_not_fit(field, damaged):
    layer = some_layer(np.random.default_rng(6), 64, 2, 32, 128, "softmax", True)
    with pytest.raises(ValueError, match=f"{field}|score_least"):
        prepare_encoder([layer._replace(**{field: damaged})], head=32, norm_first=False, epsilon=EPSILON)


def test_layers_with_other_codes():
    layer = some_layer(np.random.default_rng(6), 64, 2, 32, 128, "softmax", True)
    with pytest.raises(ValueError, match="same kind of codes"):
        prepare_encoder(
            [layer, layer._replace(fc2_signed=not layer.fc2_signed)],
            head=32,
            norm_first=False,
            epsilon=EPSILON,
        )


def test_panels_begin_with_a_line_of_the_cache():
    layers = [some_layer(np.random.default_rng(6), 64, 2, 32, 128, "softmax", True)] * 2
    packed = prepare_encoder(layers, head=32, norm_first=False, epsilon=EPSILON)
    assert {panels.__array_interface__["data"][0] % 64 for panels in packed.panels} == {0}


def test_bad_input():
    random = np.random.default_rng(6)
    small, large = (some_layer(random, D, 2, 32, 128, "softmax", True) for D in (64, 96))
    options = {"head": 32, "norm_first": False, "epsilon": EPSILON}
    packed = prepare_encoder([small], **options)
    x = np.zeros((2, 5, 64), np.float32)
    with pytest.raises(ValueError, match=r"float32 array \[B, L, 64\]"):
        encoder(x.astype(np.float64), packed)
    with pytest.raises(ValueError, match=r"float32 array \[B, L, 64\]"):
        encoder(x[:, :, :5], packed)
    with pytest.raises(ValueError, match=r"bool array of shape \(2, 5\)"):
        encoder(x, packed, np.ones((2, 4), bool))
    with pytest.raises(ValueError, match=r"bool array of shape \(2, 5\)"):
        encoder(x, packed, [[True] * 5] * 2)
    inside = Windows(
        np.arange(10, dtype=np.int32)[None, None], np.zeros((1, 1), np.int32), np.ones((1, 10, 10), bool)
    )
    encoder(x, packed, windows=inside)
    for change, message in (
        ({"rows": inside.rows + np.int32(1)}, "rows 0 to 9"),
        ({"rows": inside.rows - np.int32(1)}, "rows 0 to 9"),
        ({"kinds": inside.kinds + np.int32(1)}, "kinds 0 to 0"),
        ({"rows": inside.rows.astype(np.int64)}, "windows must be int32"),
        ({"allowed": inside.allowed[:, :9]}, "windows must be int32"),
        ({"kinds": inside.kinds[0]}, "windows must be int32"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder(x, packed, windows=inside._replace(**change))
    biased = some_bias(random, small, 2, 4, True)
    with pytest.raises(ValueError, match="one of 4 positions"):
        encoder(x, prepare_encoder([biased], **options))
    with pytest.raises(ValueError, match="biased scores, or none"):
        prepare_encoder([small, biased], **options)
    estimated = some_layer(random, 64, 2, 32, 128, "low rank", True)
    with pytest.raises(ValueError, match="low-rank terms, or none"):
        prepare_encoder([small, estimated], **options)
    with pytest.raises(ValueError, match="not of windows"):
        encoder(x, prepare_encoder([estimated], **options), windows=inside)
    with pytest.raises(ValueError, match="needs exponentials"):
        prepare_encoder([estimated._replace(exponentials=None)], **options)
    with pytest.raises(ValueError, match="equally large"):
        prepare_encoder([small, large], **options)
    with pytest.raises(ValueError, match="heads that divide"):
        prepare_encoder([small], **options | {"head": 48})
    with pytest.raises(ValueError, match="needs layers"):
        prepare_encoder([], **options)
