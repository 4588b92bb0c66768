import numpy as np
import pytest
import torch
from binviz_kernels import conv2d, naive, pack_filters

CASES = [
    pytest.param((2, 3, 8, 7), (5, 3, 3, 3), 1, 1, 0, id="plain"),
    pytest.param((1, 65, 6, 6), (70, 65, 3, 3), 1, 1, 1, id="more channels than a word"),
    pytest.param((2, 4, 9, 8), (6, 2, 3, 3), 2, 2, 1, id="two groups, stride 2"),
    pytest.param((1, 6, 7, 7), (6, 1, 3, 3), 6, 1, 1, id="depthwise"),
    pytest.param((1, 3, 9, 10), (4, 3, 3, 5), 1, (2, 3), (1, 2), id="uneven filter, stride and padding"),
    pytest.param((3, 8, 4, 4), (7, 8, 1, 1), 1, 1, 0, id="one by one"),
    pytest.param((1, 2, 4, 4), (3, 2, 4, 4), 1, 4, 0, id="patches"),
    pytest.param((1, 2, 3, 3), (3, 2, 5, 5), 1, 1, 3, id="padding beyond the picture"),
    pytest.param((0, 2, 3, 3), (3, 2, 1, 1), 1, 1, 0, id="no pictures"),
]


@pytest.mark.parametrize(("x_shape", "w_shape", "groups", "stride", "padding"), CASES)
def test_conv2d_is_the_convolution_of_the_codes(x_shape, w_shape, groups, stride, padding):
    for kind in ("signed", "unsigned"):
        random = np.random.default_rng(0)
        x = (
            random.choice(np.array([-1, 1], np.float32), x_shape)
            if kind == "signed"
            else random.random(x_shape) < 0.5
        )
        w = random.choice(np.array([-1, 1], np.float32), w_shape)
        scale, bias = random.standard_normal((2, w_shape[0])).astype(np.float32)
        filters = pack_filters(w, groups)
        y = conv2d(x, filters, scale, bias, stride=stride, padding=padding)
        dots = torch.nn.functional.conv2d(
            torch.from_numpy(x.astype(np.float32)), torch.from_numpy(w), None, stride, padding, groups=groups
        ).numpy()
        expected = dots * scale.reshape(-1, 1, 1) + bias.reshape(-1, 1, 1)
        np.testing.assert_array_equal(y, expected)
        twin = naive.conv2d(x, naive.pack_filters(w, groups), scale, bias, stride=stride, padding=padding)
        np.testing.assert_array_equal(y, twin)


def test_every_form(form):
    random = np.random.default_rng(0)
    x, w = random.standard_normal((1, 3, 5, 5)), random.standard_normal((4, 3, 3, 3))
    np.testing.assert_array_equal(
        conv2d(x, pack_filters(w), 0.5, padding=1), naive.conv2d(x, naive.pack_filters(w), 0.5, padding=1)
    )


def test_floats_are_packed_by_their_signs():
    x = np.array([0.0, -0.0, np.nan, -2.0]).reshape(1, 1, 2, 2)
    y = conv2d(x, pack_filters(np.ones((1, 1, 1, 1))), 1.0)
    assert y.ravel().tolist() == [1, 1, -1, -1]


def test_filters_pack_as_the_naive_twin():
    w = np.random.default_rng(0).standard_normal((6, 70, 2, 3))
    packed, expected = pack_filters(w, 3), naive.pack_filters(w, 3)
    assert packed.shape == expected.shape
    for group, twin in zip(packed.groups, expected.groups, strict=True):
        assert group.K == twin.K
        np.testing.assert_array_equal(group.words, twin.words)


FILTERS = pack_filters(np.ones((4, 3, 3, 3)))
PICTURE = np.ones((1, 3, 5, 5))


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        pytest.param(lambda: pack_filters([[1]]), TypeError, "numpy.asarray", id="list as filters"),
        pytest.param(lambda: pack_filters(np.ones((3, 3))), ValueError, "four axes", id="two axes"),
        pytest.param(
            lambda: pack_filters(np.ones((4, 3, 3, 3)), 3), ValueError, "3 groups", id="uneven groups"
        ),
        pytest.param(lambda: pack_filters(np.ones((4, 3, 3, 3)), 0), ValueError, "0 groups", id="no groups"),
        pytest.param(
            lambda: conv2d(PICTURE, np.ones(3), 1.0), TypeError, "use pack_filters", id="raw filters"
        ),
        pytest.param(lambda: conv2d([1], FILTERS, 1.0), TypeError, "numpy.asarray", id="list as picture"),
        pytest.param(
            lambda: conv2d(PICTURE[0], FILTERS, 1.0), ValueError, r"\[B, 3, H, W\]", id="three axes"
        ),
        pytest.param(
            lambda: conv2d(PICTURE[:, :2], FILTERS, 1.0), ValueError, r"\[B, 3, H, W\]", id="channels"
        ),
        pytest.param(
            lambda: conv2d(PICTURE.astype(int), FILTERS, 1.0), TypeError, "cannot pack", id="integers"
        ),
        pytest.param(
            lambda: conv2d(PICTURE[:, :, :2], FILTERS, 1.0), ValueError, "does not fit", id="too small"
        ),
        pytest.param(lambda: conv2d(PICTURE, FILTERS, np.ones(3)), ValueError, "scale must be", id="scale"),
        pytest.param(
            lambda: conv2d(PICTURE, FILTERS, 1.0, stride=0), ValueError, "stride must be", id="stride 0"
        ),
        pytest.param(
            lambda: conv2d(PICTURE, FILTERS, 1.0, padding=-1), ValueError, "padding must be", id="negative"
        ),
        pytest.param(
            lambda: conv2d(PICTURE, FILTERS, 1.0, stride=1.5), ValueError, "stride must be", id="1.5"
        ),
    ],
)
def test_what_is_refused(call, error, advice):
    with pytest.raises(error, match=advice) as caught:
        call()
    assert "\n" not in str(caught.value)
