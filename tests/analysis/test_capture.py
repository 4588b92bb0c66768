import copy
import threading

import numpy as np
import pytest
import torch
from torch import nn

from binviz import analysis, recipes
from binviz.analysis.shadow import shadow
from binviz.errors import UserError

B, T, D, H, F = 2, 7, 32, 2, 64


def layer_shapes(i, tokens, width, heads, ffn, rows=None):
    """Canonical names of a float layer; rows: (batch, tokens) as attention sees them."""
    rows = rows or tokens
    wide, split = (*rows, width), (rows[0], heads, rows[1], width // heads)
    square = (rows[0], heads, rows[1], rows[1])
    shapes = {"resid_in": (*tokens, width)}
    for part in "qkv":
        shapes |= {f"{part}_in": wide, part: split}
    shapes |= {"scores": square, "probs": square, "context": wide, "attn_out": wide}
    shapes |= {"ffn_in": (*tokens, width), "ffn_act": (*tokens, ffn), "ffn_out": (*tokens, width)}
    return {f"layers.{i}.{part}": shape for part, shape in shapes.items()}


FLOAT_SHAPES = {
    "bert": {"words": (B, T, D), "embed": (B, T, D)}
    | layer_shapes(0, (B, T), D, H, F)
    | layer_shapes(1, (B, T), D, H, F)
    | {"pooler.in": (B, D), "pooler": (B, D)},
    "vit": {"embed": (B, 17, D)} | layer_shapes(0, (B, 17), D, H, F) | layer_shapes(1, (B, 17), D, H, F),
    "swin": {"embed": (B, 100, 16)}
    | layer_shapes(0, (B, 100), 16, 2, 64, rows=(B * 9, 16))
    | layer_shapes(1, (B, 100), 16, 2, 64, rows=(B * 9, 16))
    | layer_shapes(2, (B, 25), 32, 4, 128, rows=(B * 4, 16)),
    "plain": {
        "0.in": (B, 1, 8, 8),
        "0": (B, 4, 8, 8),
        "1": (B, 4, 8, 8),
        "2.in": (B, 4, 8, 8),
        "2": (B, 4, 8, 8),
        "3": (B, 4, 8, 8),
        "4": (B, 256),
        "5.in": (B, 256),
        "5": (B, 8),
        "6": (B, 8),
        "7.in": (B, 8),
        "7": (B, 3),
    },
}
#: What bit-w1a1 binarizes.
_PARTS = ("q_in", "q", "k_in", "k", "v_in", "v", "probs", "context", "ffn_in", "ffn_act")
_BLOCKS = [f"layers.{i}.{part}" for i in range(3) for part in _PARTS]
BINARIZED = {
    "bert": ["words", *_BLOCKS[:20], "pooler"],
    "vit": _BLOCKS[:20],
    "swin": _BLOCKS,
    "plain": ["2", "5"],
}


def test_canonical_names_and_shapes_of_a_float_model(architecture, model, inputs):
    captured = analysis.capture(model, inputs)
    assert {name: value.shape for name, value in captured.items()} == FLOAT_SHAPES[architecture]
    assert list(captured) == analysis.names(model) == list(FLOAT_SHAPES[architecture])
    assert {value.dtype for value in captured.values()} == {np.dtype("float32")}


def test_canonical_names_and_shapes_of_a_binary_model(architecture, model, inputs, binary_of):
    binary = binary_of(model)
    captured = analysis.capture(binary, inputs)
    expected = dict(FLOAT_SHAPES[architecture])
    for name in BINARIZED[architecture]:
        shape = expected.get(f"{name}.in", expected[name])
        expected |= {f"{name}.{part}": shape for part in ("pre", "code", "decoded")}
    assert {name: value.shape for name, value in captured.items()} == expected
    assert list(captured) == analysis.names(binary)
    for name, value in captured.items():
        assert value.dtype == (np.int8 if name.endswith(".code") else np.float32), name


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        *[
            ("bert", recipe)
            for recipe in recipes.names()
            # those on probabilities differ from those on scores in one binarizer
            if recipes.get(recipe).activation
            and recipe not in set(recipes.names("*-threshold")) - {"bnn-threshold"}
        ],
        ("vit", "bivit-mixed"),
        ("swin", "bit-w1a2"),
        ("swin", "bnn"),
    ],
)
def test_pre_code_and_decoded_of_every_recipe(kind, recipe, make, binary_of):
    make_model, make_inputs = make
    binary, inputs = binary_of(make_model(kind), recipe), make_inputs(kind)
    captured = analysis.capture(binary, inputs, "layers.*")
    codes = [name for name in captured if name.endswith(".code")]
    assert codes
    levels = {level for m in binary.modules() if hasattr(m, "levels") for level in m.levels}
    for name in codes:
        base = name.removesuffix(".code")
        np.testing.assert_array_equal(captured[f"{base}.pre"], captured[base])
        assert set(np.unique(captured.flat(name))) <= levels, name
        # Equal codes stand for equal numbers within a row, so decoding keeps their order.
        row, decoded = captured[name].reshape(-1, captured[name].shape[-1])[0], captured[f"{base}.decoded"]
        decoded = decoded.reshape(-1, row.size)[0]
        for level in np.unique(row):
            assert np.unique(decoded[row == level]).size == 1, name


@pytest.mark.parametrize("kind", ["bert", "vit", "swin"])
def test_the_captured_run_is_the_models_own(kind, make):
    make_model, make_inputs = make
    model, inputs = make_model(kind).eval(), make_inputs(kind)
    captured = analysis.capture(model, inputs)
    model.set_attn_implementation("eager")
    with torch.no_grad():
        inputs = inputs if isinstance(inputs, dict) else {"pixel_values": inputs}
        own = model(**inputs, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(captured.output.logits, own.logits, rtol=1e-5, atol=1e-5)
    # transformers reports the last block of each of Swin's stages.
    for i, attention in zip((1, 2) if kind == "swin" else (0, 1), own.attentions, strict=True):
        np.testing.assert_allclose(captured[f"layers.{i}.probs"], attention, atol=1e-6)
    if kind != "swin":
        np.testing.assert_allclose(captured["embed"], own.hidden_states[0], atol=1e-6)
        np.testing.assert_allclose(captured["layers.1.resid_in"], own.hidden_states[1], atol=1e-5)


def test_in_place_layers_do_not_change_what_was_captured(make):
    make_model, make_inputs = make
    captured = analysis.capture(make_model("plain"), make_inputs("plain"), ["2", "3"])
    assert captured["2"].min() < 0
    np.testing.assert_array_equal(captured["2"].clip(min=0), captured["3"])


def test_modules_can_be_asked_for_by_path(bert, text):
    captured = analysis.capture(bert, text, ["classifier", "bert.encoder.layer.0.attention.self"])
    np.testing.assert_array_equal(captured["classifier"], captured.output.logits)
    assert captured["bert.encoder.layer.0.attention.self"].shape == (B, T, D)


BAD_CALLS = {
    "unknown name": (lambda m, x: analysis.capture(m, x, "layers.0.prob"), "did you mean 'layers.0.probs'"),
    "nothing like it": (lambda m, x: analysis.capture(m, x, "§"), "names"),
    "one of two": (lambda m, x: analysis.capture(m, x, ["embed", "layers.7.q"]), "layers.7.q"),
    "no names": (lambda m, x: analysis.capture(m, x, []), "empty"),
    "no code in a float model": (lambda m, x: analysis.capture(m, x, "layers.0.q.code"), "layers.0.q.code"),
    "a module that never runs": (lambda m, x: analysis.capture(m, x, "bert.encoder.layer"), "no tensor"),
    "a text": (lambda m, x: analysis.capture(m, "good"), "inputs are str"),
    "a list": (lambda m, x: analysis.capture(m, [1, 2]), "inputs are list"),
    "stream: unknown name": (lambda m, x: analysis.stream(m, [x], "nothing"), "nothing"),
    "a name that was not captured": (lambda m, x: analysis.capture(m, x, "embed")["pooler"], "pooler"),
    "the same, flat": (lambda m, x: analysis.capture(m, x, "embed").flat("pooler"), "pooler"),
}


@pytest.mark.parametrize(("call", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_calls_get_one_line(call, message, bert, text):
    with pytest.raises(UserError, match=rf"^[^\n]*{message}[^\n]*$"):
        call(bert, text)


# --- what is left on the model ---


class Boom(Exception):
    pass


def traces(model):
    """Everything that a careless capture would change."""
    modules = {}
    for path, module in model.named_modules():
        hooks = {k: list(v) for k, v in vars(module).items() if "_hooks" in k and isinstance(v, dict)}
        other = [k for k in vars(module) if k not in ("_buffers", "_parameters", "_modules")]
        modules[path] = (id(module), module.training, hooks, other, getattr(module, "window_size", None))
    config = getattr(model, "config", None)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    return modules, config and (id(config), config._attn_implementation, config.to_dict()), state


def with_boom(model):
    """The last submodule raises when it runs."""
    module = list(model.modules())[-1]
    module.register_forward_hook(lambda *_: (_ for _ in ()).throw(Boom()))
    return model


CALLS = {
    "capture": lambda model, reference, inputs, names: analysis.capture(model, inputs, names),
    "capture with graph": lambda model, reference, inputs, names: analysis.capture(
        model, inputs, names, detach=False
    ),
    "stream": lambda model, reference, inputs, names: analysis.stream(model, [inputs, inputs], names),
    "errors": lambda model, reference, inputs, names: analysis.errors(reference, model, inputs),
    "attention": lambda model, reference, inputs, names: analysis.attention(model, inputs),
}
OUTCOMES = {"success": ("*", None), "exception in the model": ("*", Boom), "bad name": ("nothing", UserError)}
#: All of them on a binary BERT. A float model has no binarizers to be listened to, and the other architectures differ
#: in their modules alone: what is changed and put back is the same for every call.
LEAKS = [
    *(
        ("bert", True, call, outcome)
        for call in CALLS
        for outcome in OUTCOMES
        if not (call in ("errors", "attention") and outcome == "bad name")
    ),
    ("bert", False, "capture", "success"),
    ("bert", False, "stream", "exception in the model"),
    ("vit", True, "errors", "success"),
    ("vit", True, "capture", "exception in the model"),
    ("swin", True, "capture with graph", "success"),
    ("swin", True, "attention", "exception in the model"),
    ("plain", True, "capture", "success"),
    ("plain", True, "errors", "exception in the model"),
]


@pytest.mark.parametrize(("kind", "binary", "call", "outcome"), LEAKS)
def test_nothing_is_left_on_the_model(kind, binary, call, outcome, make, binary_of):
    make_model, make_inputs = make
    reference, inputs = make_model(kind), make_inputs(kind)
    model = binary_of(reference) if binary else reference
    names, error = OUTCOMES[outcome]
    if error is Boom:
        with_boom(model)
    before, before_reference = traces(model), traces(reference)
    random = torch.get_rng_state()
    if error is None:
        CALLS[call](model, reference, inputs, names)
    else:
        with pytest.raises(error):
            CALLS[call](model, reference, inputs, names)
    for now, then in ((traces(model), before), (traces(reference), before_reference)):
        assert now[0] == then[0]
        assert now[1] == then[1]
        for name, value in then[2].items():
            torch.testing.assert_close(now[2][name], value, rtol=0, atol=0, equal_nan=True, msg=name)
    assert torch.equal(torch.get_rng_state(), random)


def test_a_model_that_ran_shares_its_scales_with_the_shadow(bert, text, binary_of):
    binary = binary_of(bert)
    fresh = analysis.capture(binary, text, "layers.0.q_in.decoded")
    binary.eval()(**text)
    twin = shadow(binary)
    for (name, parameter), other in zip(binary.named_parameters(), twin.parameters(), strict=True):
        if not name.endswith("alpha") or ".binary.attention" not in name:
            assert parameter is other, name
    ran = analysis.capture(binary, text, "layers.0.q_in.decoded")
    np.testing.assert_allclose(fresh["layers.0.q_in.decoded"], ran["layers.0.q_in.decoded"])


def test_hooks_of_the_user_still_run(bert, text):
    seen = []
    bert.bert.embeddings.register_forward_hook(lambda *_: seen.append(1))
    analysis.capture(bert, text, "embed")
    assert seen == [1]


# --- threads ---


def test_another_thread_on_the_same_model_is_not_recorded(bert, text, binary_of):
    model = binary_of(bert).eval()
    other_text = {name: value.flip(1) if name == "input_ids" else value for name, value in text.items()}
    model(**text)
    alone = analysis.capture(model, text)
    other_alone = analysis.capture(model, other_text)

    barrier = threading.Barrier(3, timeout=600)

    def meet(*_):
        barrier.wait()

    # All three runs meet in the middle of every layer, so they interleave for certain.
    for layer in model.bert.encoder.layer:
        layer.attention.register_forward_hook(meet)
    found = {}

    def plain_forward():
        with torch.no_grad():
            found["plain"] = model(**other_text).logits

    threads = [
        threading.Thread(target=lambda: found.update(a=analysis.capture(model, text))),
        threading.Thread(target=lambda: found.update(b=analysis.capture(model, other_text))),
        threading.Thread(target=plain_forward),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in alone:
        np.testing.assert_array_equal(found["a"][name], alone[name])
        np.testing.assert_array_equal(found["b"][name], other_alone[name])
    torch.testing.assert_close(found["plain"], other_alone.output.logits)


# --- padding ---


def padded(inputs, more):
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    return {
        "input_ids": torch.nn.functional.pad(ids, (0, more), value=3),
        "attention_mask": torch.nn.functional.pad(mask, (0, more)),
    }


@pytest.mark.parametrize("recipe", [None, "bit-w1a1", "bibert", "bnn", "bivit-w1a1", "bipft-b"])
def test_padding_is_never_counted(recipe, bert, text, binary_of):
    model = binary_of(bert, recipe) if recipe else bert
    # Without padding at all, example by example; then together with padding; then with more of it.
    model.eval()(**text)
    lengths = text["attention_mask"].sum(1).tolist()
    single = [
        {name: value[i : i + 1, :length] for name, value in text.items()} for i, length in enumerate(lengths)
    ]
    alone = analysis.stream(model, single)
    for inputs in (text, padded(text, 5)):
        together = analysis.stream(model, [inputs])
        assert together.keys() == alone.keys()
        captured = analysis.capture(model, inputs)
        for name, summary in alone.items():
            assert together[name].count == summary.count == captured.flat(name).size, name
            assert together[name].mean == pytest.approx(summary.mean, rel=1e-4, abs=1e-5), name
            assert together[name].variance == pytest.approx(summary.variance, rel=1e-4, abs=1e-5), name
            assert (together[name].low, together[name].high) == pytest.approx(
                (summary.low, summary.high), abs=1e-4
            )
        assert captured.mask.sum() == sum(lengths)


def test_errors_do_not_depend_on_padding(bert, text, binary_of):
    binary = binary_of(bert).eval()
    binary(**text)
    first, second = (analysis.errors(bert, binary, x) for x in (text, padded(text, 5)))
    assert first[["name", "kind", "view", "values"]].equals(second[["name", "kind", "view", "values"]])
    numbers = first.columns[5:]
    np.testing.assert_allclose(first[numbers], second[numbers], rtol=1e-3, atol=1e-4)


def test_scores_of_forbidden_pairs_are_not_counted(bert, text):
    captured = analysis.capture(bert, text, "layers.0.scores")
    assert captured["layers.0.scores"].min() < -1e30
    assert np.abs(captured.flat("layers.0.scores")).max() < 1e3
    assert captured.flat("layers.0.scores").size == 2 * (7**2 + 4**2)


def test_the_pixels_that_swin_adds_are_not_counted(make):
    make_model, make_inputs = make
    captured = analysis.capture(make_model("swin"), make_inputs("swin"))
    assert captured.mask is None
    for i, (tokens, width) in enumerate([(100, 16), (100, 16), (25, 32)]):
        assert (
            captured.flat(f"layers.{i}.q").size
            == captured.flat(f"layers.{i}.q_in").size
            == 2 * tokens * width
        )
        # What lies under the mask of q_in is what the layer norm made of real pixels: nowhere zero.
        assert np.abs(captured[f"layers.{i}.q_in"]).min() == 0
        assert (
            np.abs(captured[f"layers.{i}.q_in"]).max(-1)[captured.counted(f"layers.{i}.q_in")[..., 0]].min()
            > 0
        )
    # A window that is not shifted, with all of its 16 pixels real, may look everywhere in it.
    assert captured.counted("layers.0.probs")[0, 0].all()
    # A shifted window holds pixels from opposite sides of the picture, which may not see each other.
    assert not captured.counted("layers.1.probs")[8, 0].all()
    rows = captured["layers.1.probs"][captured.counted("layers.1.q")[:, 0, :, 0][:, None].repeat(2, 1)]
    np.testing.assert_allclose(rows.sum(-1), 1, rtol=1e-5)


def test_masks_are_found_behind_positional_arguments(bert, text):
    by_position = analysis.capture(bert, (text["input_ids"], text["attention_mask"]), "embed")
    np.testing.assert_array_equal(by_position.mask, text["attention_mask"].bool())
    assert analysis.capture(bert, text["input_ids"], "embed").mask is None


# --- gradients ---


@pytest.mark.parametrize("recipe", [None, "bit-w1a1", "bibert"])
def test_graph_reaches_everything_with_detach_false(recipe, bert, text, binary_of):
    model = binary_of(bert, recipe) if recipe else bert
    captured = analysis.capture(model, text, detach=False)
    target = captured.output.logits.sum()
    names = [name for name in captured if captured[name].requires_grad]
    grads = torch.autograd.grad(
        target, [captured[name] for name in names], allow_unused=True, retain_graph=True
    )
    reached = {name for name, grad in zip(names, grads, strict=True) if grad is not None}
    decoded_beside_the_path = {name for name in captured if name.endswith(".decoded")}
    # A decoded tensor is put together for the reader; the layer itself multiplies codes.
    assert set(captured) - decoded_beside_the_path <= reached | {"words.pre"}
    weights = model.bert.embeddings.word_embeddings.weight
    for name in decoded_beside_the_path:
        (grad,) = torch.autograd.grad(captured[name].sum(), weights, retain_graph=True)
        assert grad.shape == weights.shape


def test_detach_false_respects_no_grad(bert, text):
    with torch.no_grad():
        captured = analysis.capture(bert, text, "embed", detach=False)
    assert isinstance(captured["embed"], torch.Tensor)
    assert not captured["embed"].requires_grad


# --- other models and inputs ---


def test_half_precision_and_numpy_inputs(make):
    make_model, make_inputs = make
    model = make_model("plain").to(torch.bfloat16)
    captured = analysis.capture(model, make_inputs("plain").to(torch.bfloat16))
    assert captured["7"].dtype == np.float32
    images = make_inputs("plain").numpy()
    assert analysis.capture(make_model("plain"), images, "7")["7"].shape == (2, 3)


def test_an_encoder_inside_a_module_of_ones_own(bert, text):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = bert.bert, nn.Linear(32, 5)

        def forward(self, **inputs):
            return self.head(self.encoder(**inputs).pooler_output)

    captured = analysis.capture(Pair(), text)
    own = analysis.capture(bert, text)
    assert captured.output.shape == (2, 5)
    for name in captured:
        np.testing.assert_array_equal(captured[name], own[name])
    assert bert.config._attn_implementation == "sdpa"


def test_a_decoder_can_be_read_by_module_names():
    from transformers import GPT2Config, GPT2Model

    model = GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20, n_positions=8))
    captured = analysis.capture(model, {"input_ids": torch.tensor([[1, 2, 3]])}, "h.0.mlp")
    assert captured["h.0.mlp"].shape == (1, 3, 16)


def test_a_module_used_twice_is_recorded_at_its_last_run():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(self.act(x) - 1)

    assert analysis.capture(Twice(), torch.tensor([3.0]), "act")["act"].tolist() == [2.0]


def test_a_captured_mapping_behaves_like_one(bert, text):
    captured = analysis.capture(bert, text, ["embed", "pooler"])
    assert dict(captured).keys() == {"embed", "pooler"}
    assert captured.get("nothing") is None
    assert "embed" in captured
    assert "embed  (2, 7, 32)" in repr(captured)
    assert copy.copy(captured)["embed"] is captured["embed"]


def test_places_inside_binarizers_are_not_listed(make, binary_of):
    """FDA's noise networks hold linears that do not run in evaluation."""
    make_model, make_inputs = make
    model = binary_of(make_model("plain"), "fda")
    names = analysis.names(model)
    assert "2" in names and not any("noise" in name for name in names)
    assert set(analysis.capture(model, make_inputs("plain"))) == set(names)
