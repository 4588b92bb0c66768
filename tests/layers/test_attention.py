"""Binary attention against loops over single numbers; masks, padding, maps, estimators, hooks."""

import math
import types

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

import binviz
from binviz import binarizers, recipes
from binviz.errors import UserError
from binviz.layers import attention as attention_module
from binviz.layers.attention import (
    BinaryAttention,
    LowRankEstimators,
    attention_forward,
    use_binviz_attention,
)
from binviz.layers.tap import listening

LOWEST = torch.finfo(torch.float64).min
ALPHA = {"query": 0.7, "key": 1.3, "value": 0.9, "attention": 0.3}


def bert(recipe=None, dtype=torch.float64, seed=0):
    """A tiny BERT, in float64 so that rounding moves no code across a threshold."""
    torch.manual_seed(seed)
    model = BertForSequenceClassification(
        BertConfig(
            vocab_size=40,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=16,
            initializer_range=0.3,
        )
    )
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    model = model.to(dtype).eval()
    if recipe is not None:
        binviz.binarize_(model, recipe)
    return model


def heads(recipe, estimators=None):
    """The attention of a recipe on its own, with scales that no data chose."""
    binary = BinaryAttention(
        **{role: choice and choice.make(features=1) for role, choice in choices(recipe).items()},
        attention_on=recipe.attention_on,
        estimators=estimators,
    )
    for role, value in ALPHA.items():
        binarizer = getattr(binary, f"{role}_binarizer")
        if hasattr(binarizer, "alpha"):
            binarizer.alpha.data.fill_(value)
            binarizer.initialized.fill_(True)
    return binary.double().eval()


def choices(recipe):
    return {role: getattr(recipe, role) for role in ("query", "key", "value", "attention")}


def way(name):
    """All of a recipe that attention depends on."""
    recipe = recipes.get(name)
    return str((choices(recipe), recipe.attention_on, recipe.estimator_rank))


#: A recipe for each way of attention.
WAYS = sorted({way(name): name for name in recipes.names()}.values())


# One number, or one row, at a time: the definitions.


def number(choice, x, alpha):
    """A query's, key's or value's entry."""
    if choice is None:
        return x
    if choice.binarizer == "bnn":
        return 1.0 if x >= 0 else -1.0
    if choice.binarizer == "elastic-ternary":
        return alpha * min(max(round(x / alpha), -1), 1)
    assert choice.binarizer == "elastic-signed"
    bits = choice.options["bits"]
    if bits == 1:
        return alpha if x >= 0 else -alpha
    return alpha * min(max(round(x / alpha), -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def row(choice, x, alpha):
    """One row of scores or probabilities."""
    if choice is None:
        return x
    if choice.binarizer == "bnn":
        return [1.0 if value >= 0 else -1.0 for value in x]
    if choice.binarizer == "bibert-attention":
        return [1.0 if value >= 0 else 0.0 for value in x]
    if choice.binarizer in ("row-threshold", "bivit-attention"):
        fraction = {"row-threshold": 1 / 2, "bivit-attention": 1 / 4}[choice.binarizer]
        ones = [value for value in x if value >= fraction * max(x)]
        factor = sum(ones) / len(ones) if choice.options.get("scale") else 1.0
        return [factor if value in ones else 0.0 for value in x]
    assert choice.binarizer == "elastic-unsigned"
    return [alpha * min(max(round(value / alpha), 0), 2 ** choice.options["bits"] - 1) for value in x]


def naive(recipe, query, key, value, allowed, scaling, extra_scores=None, extra_values=None):
    """Context and attention map of (B, H, T, D) projections; allowed: (B, T) of True and False."""
    B, H, T, D = query.shape
    context, used = torch.zeros(B, H, T, D).double(), torch.zeros(B, H, T, T).double()
    of = choices(recipe)
    for b in range(B):
        for h in range(H):
            q, k, v = (
                [[number(of[role], x.item(), ALPHA[role]) for x in vector] for vector in tensor[b, h]]
                for role, tensor in (("query", query), ("key", key), ("value", value))
            )
            for i in range(T):
                scores = [sum(q[i][d] * k[j][d] for d in range(D)) for j in range(T)]
                if extra_scores is not None:
                    scores = [score + extra_scores[b][i][j] for j, score in enumerate(scores)]
                scores = [score * scaling if allowed[b][j] else -math.inf for j, score in enumerate(scores)]
                if recipe.attention_on == "probs":
                    total = sum(math.exp(score) for score in scores)
                    scores = [math.exp(score) / total for score in scores]
                a = row(of["attention"], scores, ALPHA["attention"])
                a = [value if allowed[b][j] else 0.0 for j, value in enumerate(a)]
                used[b, h, i] = torch.tensor(a)
                for d in range(D):
                    context[b, h, i, d] = sum(a[j] * v[j][d] for j in range(T))
                    if extra_values is not None:
                        context[b, h, i, d] += sum(a[j] * extra_values[b][j] for j in range(T))
    return context, used


MASKS = {"no mask": [[1] * 5] * 2, "padding": [[1] * 5, [1, 1, 1, 0, 0]], "holes": [[1, 0, 1, 0, 1]] * 2}


def projections():
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(2, 2, 5, 4, generator=generator, dtype=torch.float64) for _ in range(3)]


def additive(mask):
    return (1.0 - torch.tensor(mask).double())[:, None, None, :] * LOWEST


@pytest.mark.parametrize("name", WAYS)
def test_loops(name):
    recipe = recipes.get(name).but(name, estimator_rank=0)
    q, k, v = projections()
    for kind, mask in MASKS.items():
        given = None if kind == "no mask" else additive(mask)
        context, used = heads(recipe)(nn.Module(), q, k, v, given, 0.5, 0.0)
        wanted_context, wanted_used = naive(recipe, q, k, v, mask, 0.5)
        torch.testing.assert_close(used, wanted_used)
        torch.testing.assert_close(context, wanted_context)


@pytest.mark.parametrize("kind", ["query", "key", "value", "attention"])
def test_one_operand_left_float(kind):
    recipe = recipes.get("bivit-w1a1").but("partly", **{kind: None})
    q, k, v = projections()
    context, used = heads(recipe)(nn.Module(), q, k, v, additive(MASKS["padding"]), 0.5, 0.0)
    wanted_context, wanted_used = naive(recipe, q, k, v, MASKS["padding"], 0.5)
    torch.testing.assert_close(used, wanted_used)
    torch.testing.assert_close(context, wanted_context)


def test_scales_of_rows_of_queries_and_keys():
    rows = recipes.Choice("xnor-activation")
    recipe = recipes.get("xnor").but("rows", query=rows, key=rows)
    q, k, v = projections()
    context, used = heads(recipe)(nn.Module(), q, k, v, None, 0.5, 0.0)
    ones = torch.tensor([[1] * 5] * 2)

    def decoded(x):
        return torch.where(x >= 0, 1.0, -1.0).double() * x.abs().mean(-1, keepdim=True)

    wanted = naive(recipe.but("float", query=None, key=None), decoded(q), decoded(k), v, ones, 0.5)
    torch.testing.assert_close((context, used), wanted)


def estimators():
    torch.manual_seed(5)
    made = LowRankEstimators(8, 2).double()
    for parameter in made.parameters():
        parameter.data.normal_()
    return made


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_estimators(mask):
    """Scores += q_m k_p + q_p k_m + q_p k_p before the scaling, context += A v_p; one map for all heads."""
    made = estimators()
    h = torch.randn(2, 5, 8, dtype=torch.float64)
    parts = {
        name: (h @ getattr(made, name).weight.T + getattr(made, name).bias).tolist()
        for name in ("q_main", "q_residual", "k_main", "k_residual", "v_residual")
    }

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    extra_scores = [
        [
            [
                dot(parts["q_main"][b][i], parts["k_residual"][b][j])
                + dot(parts["q_residual"][b][i], parts["k_main"][b][j])
                + dot(parts["q_residual"][b][i], parts["k_residual"][b][j])
                for j in range(5)
            ]
            for i in range(5)
        ]
        for b in range(2)
    ]
    extra_values = [[token[0] for token in sentence] for sentence in parts["v_residual"]]
    recipe = recipes.get("bipft-b")
    q, k, v = projections()
    wanted = naive(recipe, q, k, v, mask, 0.5, extra_scores, extra_values)
    token = attention_module.layer_input.set(h)
    try:
        given = None if mask is MASKS["no mask"] else additive(mask)
        found = heads(recipe, made)(nn.Module(), q, k, v, given, 0.5, 0.0)
    finally:
        attention_module.layer_input.reset(token)
    torch.testing.assert_close(found, wanted)


def test_estimators_see_their_own_layers_input():
    model, inputs, seen = bert("bipft-b"), [], []
    ids = torch.tensor([[3, 4, 5]])
    for layer in model.bert.encoder.layer:
        layer.attention.self.register_forward_pre_hook(
            lambda module, args, kwargs: inputs.append(args[0]), with_kwargs=True
        )
        layer.attention.self.binary.estimators.q_main.register_forward_pre_hook(
            lambda module, args: seen.append(args[0])
        )
    model(ids)
    assert len(seen) == 2
    assert all(torch.equal(a, b) for a, b in zip(inputs, seen, strict=True))


def test_estimators_let_their_input_go():
    model = bert("bipft-b")
    model(torch.tensor([[3, 4, 5]]))
    assert attention_module.layer_input.get() is None


def hooks(model):
    return [
        getattr(hook, "func", hook)
        for module in model.modules()
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    ]


def test_conversion_leaves_no_old_hook():
    model = bert("bipft-b")
    once = hooks(model)
    assert len(once) == 2 * 2 + 2  # of two layers, and of the encoder
    for recipe in ("bipft-b", "bipft-a"):
        binviz.binarize_(model, recipe)
        assert hooks(model) == once
    binviz.binarize_(model, "bipft-a", lambda module, name: not name.endswith("attention"))
    assert hooks(model) == once[:2]
    assert not any(module._forward_pre_hooks_with_kwargs for module in model.modules())


@pytest.mark.parametrize("name", WAYS)
def test_padding_changes_nothing(name):
    model = bert(name)
    generator = torch.Generator().manual_seed(2)
    sentences = [torch.randint(5, 40, (1, length), generator=generator) for length in (3, 8, 5)]
    ids, mask = torch.zeros(3, 8, dtype=torch.long), torch.zeros(3, 8, dtype=torch.long)
    for i, sentence in enumerate(sentences):
        ids[i, : sentence.shape[1]], mask[i, : sentence.shape[1]] = sentence, 1
    model(input_ids=sentences[1])  # what starts from data starts
    padded = model(input_ids=ids, attention_mask=mask).logits
    alone = torch.cat([model(input_ids=sentence).logits for sentence in sentences])
    torch.testing.assert_close(padded, alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", WAYS)
def test_minus_100_forbids(name, models, monkeypatch):
    """Swin's masks of shifted windows say -100, which a sign of probabilities does not take for nothing."""
    model = models.tiny("swin").double()
    shifted = [layer for stage in model.swin.encoder.layers for layer in stage.blocks if layer.shift_size > 0]
    given = {"pixel_values": torch.randn(2, 3, 16, 16, dtype=torch.float64)}
    binviz.binarize_(model, name)
    found = model(**given).logits
    kind = type(shifted[0])
    mask_of, seen = kind.get_attn_mask, []

    def without_end(layer, *args, **where):
        mask = mask_of(layer, *args, **where)
        if mask is not None:
            assert mask.unique().tolist() == [-100, 0]
            seen.append(layer)
            mask = mask.masked_fill(mask < 0, -math.inf)
        return mask

    monkeypatch.setattr(kind, "get_attn_mask", without_end)
    torch.testing.assert_close(model(**given).logits, found, rtol=1e-9, atol=1e-9)
    assert seen == shifted != []


@pytest.mark.parametrize("shift", [-5.0, 5.0])
def test_padding_changes_nothing_when_a_shift_lifts_zero(shift):
    """A probability of 0 plus a shift may be a code of 1; a forbidden position must not be."""
    choice = recipes.Choice("elastic-unsigned", {"learn_shift": True})
    model = bert(recipes.get("bit-w1a1").but("shifted", attention=choice))
    sentence = torch.tensor([[7, 8, 9]])
    model(input_ids=sentence)
    for layer in model.bert.encoder.layer:
        layer.attention.self.binary.attention_binarizer.beta.data.fill_(shift)
    padded = model(
        input_ids=torch.tensor([[7, 8, 9, 0, 0]]), attention_mask=torch.tensor([[1, 1, 1, 0, 0]])
    ).logits
    torch.testing.assert_close(padded, model(input_ids=sentence).logits, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in WAYS if recipes.get(name).value])
def test_maps_are_those_that_were_used(name):
    for mask in (None, [[1, 1, 1, 1], [1, 1, 0, 0]]):
        assert_maps_are_those_that_were_used(bert(name), mask)


def assert_maps_are_those_that_were_used(model, mask):
    codes, contexts = [], []

    def listen(module, part, value):
        if part == "v.code":
            codes.append(value)
        if part == "context":
            contexts.append(value)

    given = {"input_ids": torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]])}
    if mask is not None:
        given["attention_mask"] = torch.tensor(mask)
    with listening(listen):
        attentions = model(**given, output_attentions=True).attentions
    assert [tuple(used.shape) for used in attentions] == [(2, 2, 4, 4)] * 2
    for layer, used, v, context in zip(model.bert.encoder.layer, attentions, codes, contexts, strict=True):
        product = used @ v.decode()  # (B, H, T, D)
        binary = layer.attention.self.binary
        if binary.estimators is None:
            torch.testing.assert_close(product.transpose(1, 2).flatten(2), context)
        scale = binary.attention_binarizer.alpha if hasattr(binary.attention_binarizer, "alpha") else 1.0
        if binary.attention_binarizer.scale_kind == "per_row":
            scale = used.amax(-1, keepdim=True)
        levels = {round(x, 9) for x in (used / scale).unique().tolist()}
        assert levels <= {float(level) for level in (*binary.attention_binarizer.levels, 0)}
        if mask is not None:
            assert used[1, :, :, 2:].abs().sum() == 0


def test_float_model_computes_what_eager_attention_computes():
    given = {
        "input_ids": torch.tensor([[3, 4, 5], [7, 8, 0]]),
        "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]]),
    }
    eager, ours = bert(), bert()
    eager.set_attn_implementation("eager")
    use_binviz_attention(ours)
    wanted = eager(**given, output_attentions=True)
    found = ours(**given, output_attentions=True)
    torch.testing.assert_close(found.logits, wanted.logits)
    torch.testing.assert_close(found.attentions, wanted.attentions)


def test_sdpa_is_switched():
    model = bert()
    assert model.config._attn_implementation == "sdpa"
    binviz.binarize_(model, "bit-w1a1")
    assert {
        module.config._attn_implementation for module in model.modules() if hasattr(module, "config")
    } == {"binviz"}


def test_a_class_from_a_notebook_is_switched():
    """Transformers refuses to switch the attention of a class whose source it cannot read."""
    notebook = types.ModuleType("notebook")
    source = "class Mine(BertForSequenceClassification):\n    pass\n"
    exec(
        source,
        vars(notebook) | {"BertForSequenceClassification": BertForSequenceClassification},
        vars(notebook),
    )
    notebook.Mine.__module__ = "notebook"
    model = notebook.Mine(bert().config).eval()
    binviz.binarize_(model, "bnn-threshold")
    heard = []
    with listening(lambda module, part, value: heard.append(part)):
        model(input_ids=torch.tensor([[3, 4]]))
    assert heard.count("probs.code") == 2


def test_signed_codes_are_masked():
    q, k, v = projections()
    _, used = heads(recipes.get("bnn-probs"))(nn.Module(), q, k, v, additive(MASKS["holes"]), 0.5, 0.0)
    assert torch.equal(used[0, 0], torch.tensor([[1.0, 0.0, 1.0, 0.0, 1.0]] * 5).double())


@pytest.mark.parametrize("role", ["query", "key"])
def test_a_scale_for_each_channel_is_refused_where_channels_are_summed(role):
    of_channels = binarizers.get("bidense-activation", channel_axis=1)
    roles = dict.fromkeys(("query", "key", "value", "attention")) | {role: of_channels}
    with pytest.raises(UserError, match=f"the {role} has a scale for each channel"):
        BinaryAttention(**roles)


def test_a_scale_for_each_row_of_values_is_refused():
    with pytest.raises(UserError, match="values cannot have a scale per row"):
        heads(recipes.get("xnor").but("rows", value=recipes.Choice("xnor-activation")))


def test_scores_without_a_binarizer_are_refused():
    with pytest.raises(UserError, match="needs an attention binarizer"):
        BinaryAttention(None, None, None, None, "scores")


def test_dropout_before_the_codes():
    """A dropped probability is a code of 0 (or of -1): the map in training has more zeros."""
    binary = heads(recipes.get("bnn-threshold"))
    q, k, v = projections()
    _, used = binary(nn.Module(), q, k, v, None, 0.5, 0.9)
    torch.manual_seed(0)
    _, dropped = binary.train()(nn.Module(), q, k, v, None, 0.5, 0.9)
    assert dropped.sum() != used.sum()


def test_dropped_scores_are_codes_of_0():
    """A score that dropout made 0 would be a code of 1."""
    binary = heads(recipes.get("bibert")).train()
    q, k, v = projections()
    _, none = binary(nn.Module(), q, -q.abs(), v, torch.full((5, 5), -10.0).double(), 0.5, 0.5)
    assert none.sum() == 0
    _, some = binary(nn.Module(), q, k, v, torch.full((5, 5), 10.0).double(), 0.5, 0.5)
    assert 0 < some.sum() < some.numel()


# What the official code gets wrong.


def test_no_parameter_is_dead():
    """BiT's official layers hold three shifts, move_q, move_k and move_v, that change nothing."""
    model = bert("bit-w1a4").train()
    model(input_ids=torch.tensor([[3, 4, 5, 6], [7, 8, 9, 1]])).logits.square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []
    for layer in model.bert.encoder.layer:
        binary = dict(layer.attention.self.binary.named_parameters())
        assert set(binary) == {f"{role}_binarizer.alpha" for role in ALPHA}


# The sign of a probability is constant, so with "bnn-probs" they cannot.
@pytest.mark.parametrize("name", [name for name in WAYS if name != "bnn-probs"])
def test_queries_and_keys_learn(name):
    """BiBench's official map gives no gradient back."""
    recipe = recipes.get(name).but(name, estimator_rank=0)
    q, k, v = (x.requires_grad_() for x in projections())
    context, _ = heads(recipe)(nn.Module(), q, k, v, None, 0.5, 0.0)
    context.mul(torch.randn(context.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    for x in (q, k, v):
        assert x.grad.abs().sum() > 0


def test_what_transformers_calls():
    q, k, v = projections()
    owner = nn.Module()
    owner.binary = heads(recipes.get("bivit-w1a1"))
    context, used = attention_forward(owner, q, k, v, None, is_causal=False)
    wanted = owner.binary(owner, q, k, v, None, 4**-0.5, 0.0)
    assert torch.equal(context, wanted[0].transpose(1, 2))
    assert torch.equal(used, wanted[1])
