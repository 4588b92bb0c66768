"""A layer whose table says "binary attention" calls it in every pass, or the pass is refused."""

import copy
import threading

import pytest
import torch
import transformers
from transformers.models.bert.modeling_bert import BertIntermediate, BertLayer, BertSelfAttention

import binviz
from binviz import recipes
from binviz.adapters import calls_interface
from binviz.errors import UserError
from binviz.layers.attention import use_binviz_attention
from binviz.layers.tap import listening

SWITCHED = ["eager", "sdpa"]


def answer(model, given):
    with torch.no_grad():
        return getattr(model(**given), "logits", None)


def binary(models, name="bert", recipe="bibert"):
    model = models.tiny(name)
    binviz.binarize_(model, recipe)
    return model


@pytest.mark.parametrize("name", ["bert", "roberta", "electra", "vit", "deit", "swin"])
@pytest.mark.parametrize("to", SWITCHED)
def test_a_pass_with_another_attention_is_refused(models, name, to):
    model, given = binary(models, name), models.inputs(name)
    wanted = answer(model, given)
    model.set_attn_implementation(to)
    with pytest.raises(UserError, match=rf"set to '{to}'.*use_binviz_attention\(model\)$"):
        answer(model, given)
    use_binviz_attention(model)
    assert torch.equal(answer(model, given), wanted)


@pytest.mark.parametrize("to", SWITCHED)
def test_so_is_whatever_is_made_of_it(models, tmp_path, to):
    model = binary(models)
    packed = binviz.pack(model)
    for switched in (model, packed, copy.deepcopy(model)):
        switched.set_attn_implementation(to)
    uses = [
        lambda: binviz.pack(model),
        lambda: binviz.save(model, tmp_path / "folder"),
        lambda: binviz.save_packed(model, tmp_path / "file.safetensors"),
        lambda: binviz.save_packed(packed, tmp_path / "file.safetensors"),
        lambda: binviz.capture(model, models.inputs("bert"), "embed"),
        lambda: model.train()(**models.inputs("bert")),
    ]
    for use in uses:
        with pytest.raises(UserError, match="use_binviz_attention") as caught:
            use()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_check_survives_copies_files_and_packing(models, tmp_path):
    model, given = binary(models), models.inputs("bert")
    file = tmp_path / "file.safetensors"
    binviz.save_packed(model, file)
    made = {
        "copy": copy.deepcopy(model),
        "folder": binviz.load(binviz.save(model, tmp_path / "folder")),
        "file": binviz.load(file),
        "packed": binviz.pack(model, fused=False),
        "again": copy.deepcopy(model),
    }
    binviz.binarize_(made["again"], "bivit-w1a1")
    for other in made.values():
        answer(other, given)
        other.set_attn_implementation("eager")
        with pytest.raises(UserError, match="use_binviz_attention"):
            answer(other, given)


@pytest.mark.parametrize("by", ["filter", "recipe"])
def test_attention_that_is_float_may_be_switched(models, by):
    model, given = models.tiny("bert"), models.inputs("bert")
    recipe = recipes.get("bnn")
    if by == "recipe":
        recipe = recipe.but("mine", query=None, key=None, value=None, attention=None, attention_on="probs")
    binviz.binarize_(model, recipe, lambda module, name: by == "recipe" or not name.endswith("attention"))
    wanted = answer(model, given)
    model.set_attn_implementation("eager")
    torch.testing.assert_close(answer(model, given), wanted)
    assert [part for part in model.modules() if part._forward_hooks or part._forward_pre_hooks] == [
        model.bert
    ]


def test_an_interrupted_pass_leaves_nothing_that_a_later_one_takes_for_its_own(models):
    model, given = binary(models), models.inputs("bert")

    def stop(module, part, value):
        if part == "context":
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"), listening(stop):
        answer(model, given)
    model.set_attn_implementation("eager")
    with pytest.raises(UserError, match="use_binviz_attention"):
        answer(model, given)


def test_gradient_checkpointing_and_threads(models):
    model, given = binary(models), models.inputs("bert")
    plain = copy.deepcopy(model)
    model.train().activation_checkpointing_enable()
    for each in (model, plain.train()):
        each(**given).logits.square().sum().backward()
    for (name, one), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)

    wanted, found = answer(plain.eval(), given), []
    threads = [
        threading.Thread(target=lambda: found.extend(answer(plain, given) for _ in range(5)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 15
    for one in found:
        torch.testing.assert_close(one, wanted)


class Own(BertSelfAttention):
    """Computes attention itself, in a module in which transformers' table of attentions is known."""

    def forward(self, hidden_states, *rest, **options):
        q, k, v = (
            projection(hidden_states).unflatten(-1, (-1, self.attention_head_size)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        probs = (q @ k.mT * self.scaling).softmax(-1)
        return (probs @ v).transpose(1, 2).flatten(2), probs


class Longer(BertSelfAttention):
    """Leaves attention to its parent."""

    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)


def with_attention(models, kind):
    model = models.tiny("bert")
    attention = model.bert.encoder.layer[1].attention
    own = kind(model.config)
    own.load_state_dict(attention.self.state_dict())
    attention.self = own.eval()
    return model


def test_a_class_is_judged_by_its_forward_not_by_its_file(models):
    globals()["ALL_ATTENTION_FUNCTIONS"] = None
    assert not calls_interface(Own) and calls_interface(Longer)
    with pytest.raises(UserError, match=r"its own way \(bert.encoder.layer.1.attention.self\)"):
        binviz.binarize_(with_attention(models, Own), "bibert")
    model = with_attention(models, Longer)
    binviz.binarize_(model, "bibert")
    answer(model, models.inputs("bert"))


def test_a_forward_that_is_replaced_after_conversion(models):
    model = with_attention(models, Longer)
    binviz.binarize_(model, "bibert")
    attention = model.bert.encoder.layer[1].attention.self
    attention.__class__ = Own
    with pytest.raises(UserError, match="Own computes attention in its own way"):
        answer(model, models.inputs("bert"))


def test_an_audio_tower_with_an_attention_of_its_own():
    size = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    text = size | {"hidden_size": 16, "vocab_size": 40}
    audio = {
        "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 16,
        "num_mel_bins": 16, "spec_size": 32, "patch_size": 4, "patch_stride": [4, 4], "window_size": 4,
    }  # fmt: skip
    model = transformers.ClapModel(transformers.ClapConfig(text_config=text, audio_config=audio))
    with pytest.raises(UserError, match=r"its own way \(audio_model"):
        binviz.binarize_(model, "bibert")
    assert binviz.binarize_(model.text_model, "bibert").bits > 0


class PastAttention(BertLayer):
    """Calls the linears of its attention, and not the module that they are in."""

    def forward(self, hidden_states, *args, **kwargs):
        attention = self.attention.self
        q, k, v = (
            projection(hidden_states).unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2)
            for projection in (attention.query, attention.key, attention.value)
        )
        context = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.feed_forward_chunk(self.attention.output(context, hidden_states))


def forward_past_layers(self, input_ids, **kwargs):
    """An encoder's own, which calls no layer."""
    hidden = self.embeddings(input_ids)
    for layer in self.encoder.layer:
        hidden = PastAttention.forward(layer, hidden)
    return transformers.modeling_outputs.BaseModelOutputWithPooling(hidden, self.pooler(hidden))


@pytest.mark.parametrize(
    "use",
    [lambda model: model, lambda model: binviz.pack(model, fused=False), copy.deepcopy],
    ids=["binary", "packed", "copy"],
)
@pytest.mark.parametrize("past", ["attention", "layers"])
def test_a_forward_that_goes_past_the_attention_modules(models, monkeypatch, past, use):
    model, given = models.tiny("bert"), models.inputs("bert")
    if past == "attention":
        model.bert.encoder.layer[1].__class__ = PastAttention
    else:
        monkeypatch.setattr(transformers.BertModel, "forward", forward_past_layers)
    binviz.binarize_(model, "bibert")
    with pytest.raises(
        UserError, match=r"BertModel .* encoder.layer.\d.attention.self.binary, which was not called"
    ) as caught:
        answer(use(model), given)
    assert "\n" not in str(caught.value)
    binviz.binarize_(model, "bibert", lambda module, name: not name.endswith("attention"))
    answer(use(model), given)


class PastLinear(BertIntermediate):
    """Reads the weight of its linear, and does not call it."""

    def forward(self, hidden_states):
        return torch.nn.functional.linear(hidden_states, self.dense.weight, self.dense.bias).relu()


def test_a_forward_that_goes_past_a_linear(models):
    model, given = models.tiny("bert"), models.inputs("bert")
    model.bert.encoder.layer[1].intermediate.__class__ = PastLinear
    binviz.binarize_(model, "bibert")
    for use in (lambda model: model, copy.deepcopy):
        with pytest.raises(
            UserError, match=r"BertModel .* encoder.layer.1.intermediate.dense, which was not called"
        ):
            answer(use(model), given)
    binviz.binarize_(model, "bibert", lambda module, name: name != "layers.1.fc1")
    answer(model, given)


def test_a_linear_that_was_replaced_is_no_fault(models):
    model, given = binary(models), models.inputs("bert")
    model.bert.encoder.layer[1].intermediate.dense = torch.nn.Linear(16, 24)
    answer(model, given)


def test_a_layer_that_is_left_out_or_moved_is_no_fault(models):
    model, given = binary(models), models.inputs("bert")
    model.bert.encoder.layer.insert(0, model.bert.encoder.layer.pop(1))
    answer(model, given)
    del model.bert.encoder.layer[0]
    answer(model, given)
    model.bert.encoder.layer[0].attention.output.dense(torch.zeros(1, 16))
    model.bert.encoder.layer[0].attention.self.query(torch.zeros(1, 16))
    answer(model, given)
