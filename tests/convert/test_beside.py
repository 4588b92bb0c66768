"""A converted model beside the tools that people use: nothing about it is special to them."""

import copy

import numpy as np
import pytest
import torch
import transformers
from accelerate import Accelerator
from captum.attr import LayerIntegratedGradients
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import binviz
from binviz.errors import UserError
from binviz.layers import BinaryLinear

SENTENCES = ["good film", "bad film", "a good plot", "no plot"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "a", "plot", "no"]


def tokenizer():
    table = {word: i for i, word in enumerate(WORDS)}
    made = Tokenizer(models.WordLevel(table, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def float_model():
    """A BERT without dropout."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


@pytest.fixture
def model():
    """A converted BERT whose scales have started."""
    model = float_model()
    binviz.binarize_(model, "bit-w1a1")
    with torch.no_grad():
        model(**encoded())
    return model.eval()


def encoded():
    return tokenizer()(SENTENCES, padding=True, return_tensors="pt")


def gradients(model):
    model.zero_grad()
    model(**encoded(), labels=torch.tensor([1, 0, 1, 0])).loss.backward()
    return {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}


def test_trainer(model, tmp_path):
    before = copy.deepcopy(model.state_dict())
    data = [{**tokenizer()(sentence), "labels": i % 2} for i, sentence in enumerate(SENTENCES)]
    arguments = transformers.TrainingArguments(
        str(tmp_path / "runs"), max_steps=2, per_device_train_batch_size=2, learning_rate=0.05, use_cpu=True,
        report_to="none", save_strategy="no", disable_tqdm=True, logging_strategy="no",
        dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, train_dataset=data, data_collator=transformers.DataCollatorWithPadding(tokenizer()),
        processing_class=tokenizer(),
    )  # fmt: skip
    trainer.train()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {
        f"{path}.weight" for path, part in model.named_modules() if isinstance(part, BinaryLinear)
    } <= moved
    trainer.save_model(str(tmp_path / "theirs"))
    binviz.save(model.eval(), tmp_path / "ours", tokenizer())
    for folder in ("theirs", "ours"):
        again, words = binviz.load(tmp_path / folder), binviz.load_tokenizer(tmp_path / folder)
        with torch.no_grad():
            given = words(SENTENCES, padding=True, return_tensors="pt")
            assert torch.equal(again(**given).logits, model(**encoded()).logits)


@pytest.mark.parametrize("packed", [False, True], ids=["binary", "packed"])
def test_pipeline(model, packed):
    with torch.no_grad():
        wanted = model(**encoded()).logits.softmax(-1).max(-1)
    answers = transformers.pipeline(
        "text-classification",
        model=binviz.pack(model) if packed else model,
        tokenizer=tokenizer(),
        device="cpu",
    )(SENTENCES)
    assert [answer["label"] for answer in answers] == [f"LABEL_{i}" for i in wanted.indices]
    assert [answer["score"] for answer in answers] == pytest.approx(wanted.values.tolist(), abs=1e-4)


def test_accelerate(model):
    prepared = Accelerator(cpu=True).prepare(model)
    assert gradients(prepared).keys() == gradients(model).keys()


def test_a_deep_copy_is_a_model_of_its_own(model):
    twin = copy.deepcopy(model)
    wanted = gradients(twin)
    assert all(torch.equal(value, wanted[name]) for name, value in gradients(model).items())
    kept = model(**encoded()).logits
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.neg_()
    assert torch.equal(model(**encoded()).logits, kept) and not torch.equal(twin(**encoded()).logits, kept)
    assert twin.binviz_recipe == model.binviz_recipe


@pytest.mark.parametrize("recipe", ["bit-w1a1", "bibert", "bipft-b"])
def test_gradient_checkpointing(recipe):
    """Also in the first batch, from which scales start."""
    model = float_model()
    binviz.binarize_(model, recipe)
    twin = copy.deepcopy(model).train()
    wanted = gradients(model.train())
    twin.activation_checkpointing_enable()
    found = gradients(twin)
    assert found.keys() == wanted.keys() and any(value.any() for value in wanted.values())
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, msg=name)


def test_integrated_gradients(model):
    """captum's, along the embeddings: a way of two ends, whose attributions are finite and are not all zero."""
    inputs = encoded()

    def answer(ids, mask):
        return model(ids, attention_mask=mask).logits[:, 1]

    attributions = LayerIntegratedGradients(answer, model.bert.embeddings).attribute(
        inputs["input_ids"],
        torch.zeros_like(inputs["input_ids"]),
        additional_forward_args=inputs["attention_mask"],
        n_steps=8,
    )
    assert attributions.shape == (*inputs["input_ids"].shape, 16)
    assert attributions.isfinite().all() and attributions.any()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_low_rank_adapters(model, tmp_path):
    """PEFT's, by the names that everybody gives: a float correction beside binary layers, which stay as they are."""
    peft = pytest.importorskip("peft")
    inputs = encoded()
    with torch.no_grad():
        wanted = model(**inputs).logits
    binviz.save(model, tmp_path / "base")
    before = copy.deepcopy(model.state_dict())
    config = peft.LoraConfig(target_modules=["query", "value"], r=2, task_type="SEQ_CLS")
    adapted = peft.get_peft_model(model, config)
    targets = {name for name, part in adapted.named_modules() if isinstance(part, peft.tuners.lora.Linear)}
    layers = [f"base_model.model.bert.encoder.layer.{i}.attention.self" for i in (0, 1)]
    assert targets == {f"{layer}.{name}" for layer in layers for name in ("query", "value")}
    assert torch.equal(adapted(**inputs).logits, wanted)
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], 0.5)
    for _ in range(2):
        optimizer.zero_grad()
        adapted(**inputs, labels=torch.tensor([1, 0, 1, 0])).loss.backward()
        optimizer.step()
    adapted.eval()
    with torch.no_grad():
        trained = adapted(**inputs).logits
        assert not torch.equal(trained, wanted)
        packed = binviz.pack(adapted)
        assert torch.equal(packed(**inputs).logits, trained)
        assert "not binary" in binviz.packed.why_not_fused(packed)
    with pytest.raises(UserError, match="is no model of transformers; save the one inside"):
        binviz.save(adapted, tmp_path / "refused")
    adapted.save_pretrained(tmp_path / "adapters")
    again = peft.PeftModel.from_pretrained(binviz.load(tmp_path / "base"), tmp_path / "adapters").eval()
    with torch.no_grad():
        assert torch.equal(again(**inputs).logits, trained)
    bare = adapted.unload()
    assert all(
        torch.equal(value, before[name]) for name, value in bare.bert.state_dict(prefix="bert.").items()
    )


def test_sentence_transformers(tmp_path):
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    float_model().bert.save_pretrained(tmp_path / "float")
    tokenizer().save_pretrained(tmp_path / "float")
    parts = [Transformer(str(tmp_path / "float"), max_seq_length=16), Pooling(16)]
    model = SentenceTransformer(modules=parts, device="cpu")
    wanted = model.encode(SENTENCES)
    binviz.binarize_(model, "bit-w1a1")
    found = model.encode(SENTENCES)
    assert found.shape == wanted.shape and not np.allclose(found, wanted)
    packed = binviz.pack(model)
    np.testing.assert_allclose(packed.encode(SENTENCES), found, atol=1e-5)
    with pytest.raises(UserError, match=r"is saved by binviz\.save_packed"):
        packed.save(str(tmp_path / "packed"))
    # The recipe is with the model inside, whose folder and file come back binary
    model.save(str(tmp_path / "binary"))
    binviz.save_packed(model[0].model, tmp_path / "file.safetensors")
    for path in (tmp_path / "binary", tmp_path / "file.safetensors"):
        model[0].model = binviz.load(path)
        np.testing.assert_allclose(model.encode(SENTENCES), found, atol=1e-5)
