import numpy as np
import pytest
import torch

from binviz import analysis, recipes
from binviz.errors import UserError


class Names:
    def convert_ids_to_tokens(self, ids):
        return [f"<{i}>" for i in ids]


def test_maps_of_a_float_model(bert, text):
    found = analysis.attention(bert, text, Names())
    assert [layer.name for layer in found.layers] == ["layers.0", "layers.1"]
    assert found.layers[0].codes is None
    assert found.layers[0].ones is None
    short = found.map(layer=1, head=1, example=1)
    assert short.labels == [f"<{i}>" for i in text["input_ids"][1, :4].tolist()]
    assert short.probs.shape == (4, 4)
    np.testing.assert_allclose(short.probs.sum(-1), 1, rtol=1e-5)
    assert short.codes is None
    assert found.map(0, 0).probs.shape == (7, 7)


#: A recipe for each binarizer of attention maps.
KINDS = sorted({str(recipes.get(name).attention): name for name in recipes.names()}.values())


@pytest.mark.parametrize("recipe", KINDS)
def test_maps_of_every_kind(recipe, bert, text, binary_of):
    binary = binary_of(bert, recipe)
    found = analysis.attention(binary, text)
    captured = analysis.capture(binary, text, "layers.*")
    for layer in found.layers:
        np.testing.assert_allclose(layer.probs.sum(-1), 1, rtol=1e-5)
        if layer.codes is None:
            assert f"{layer.name}.probs.code" not in captured
            continue
        assert layer.ones.shape == (2, 2, 7)
        assert layer.ones[1, :, 4:].max() == 0
        assert layer.ones[1].max() <= 4
        cut = found.map(int(layer.name[-1]), head=0, example=1)
        assert cut.labels == ["0", "1", "2", "3"]
        assert cut.codes.shape == (4, 4)
        np.testing.assert_array_equal((cut.codes > 0).sum(-1), cut.ones)


def test_pictures(make, binary_of):
    make_model, make_inputs = make
    for kind, shape in (("vit", (2, 2, 17, 17)), ("swin", (18, 2, 16, 16))):
        found = analysis.attention(binary_of(make_model(kind)), make_inputs(kind))
        assert found.layers[0].probs.shape == found.layers[0].codes.shape == shape
        assert found.map(0, 0).labels[:2] == ["0", "1"]
    # The last window of a picture of 10 x 10 patches holds 2 x 2 real ones; the map is cut to them.
    assert found.map(0, 0, example=8).probs.shape == (4, 4)


@pytest.mark.parametrize(
    ("where", "message"), [((2, 0, 0), "layer 2"), ((0, 2, 0), "head 2"), ((0, 0, -1), "example")]
)
def test_a_map_that_is_not_there(where, message, bert, text):
    with pytest.raises(UserError, match=message):
        analysis.attention(bert, text).map(*where)


def test_a_network_without_attention(make):
    make_model, make_inputs = make
    with pytest.raises(UserError, match="no attention"):
        analysis.attention(make_model("plain"), make_inputs("plain"))
    with pytest.raises(UserError, match="no linear or convolution between"):
        analysis.attention(torch.nn.Linear(2, 2), torch.zeros(1, 2))


def test_steps_are_numbers_of_each_heads_own_map(bert, text, binary_of):
    teacher = analysis.attention(bert, text)
    student = analysis.attention(binary_of(bert), text)
    for example in (0, 1):  # the second has padding
        found = analysis.steps(teacher, student, example)
        assert found.agreement.shape == found.mass_kept.shape == (2, 2)
        for layer, head in np.ndindex(2, 2):
            t, s = teacher.map(layer, head, example), student.map(layer, head, example)
            expected = np.corrcoef(t.probs.ravel(), s.probs.ravel())[0, 1]
            assert found.agreement[layer, head] == pytest.approx(expected, abs=1e-6)
            kept = (s.probs * (s.codes > 0)).sum(-1).mean()
            assert found.mass_kept[layer, head] == pytest.approx(kept, abs=1e-6)
    own = analysis.steps(teacher, teacher)
    np.testing.assert_allclose(own.agreement, 1)
    assert np.isnan(own.mass_kept).all()


def test_threshold_and_scale_of_a_map_are_the_binarizers(bert, text, binary_of):
    binary = binary_of(bert)
    binary.eval()(**text)  # scales start
    found = analysis.attention(binary, text)
    for layer in (0, 1):
        one = found.map(layer, 0)
        alpha = float(
            binary.bert.encoder.layer[layer].attention.self.binary.attention_binarizer.alpha.detach()
        )
        assert one.scale == pytest.approx((alpha, alpha))
        low, high = one.threshold
        assert low <= alpha / 2 <= high
        np.testing.assert_allclose(one.decoded, alpha * one.codes, rtol=1e-6)


def test_two_lengths_have_no_steps(bert, text):
    short = {name: value[:, :4] for name, value in text.items()}
    with pytest.raises(UserError, match="same inputs"):
        analysis.steps(analysis.attention(bert, text), analysis.attention(bert, short))
