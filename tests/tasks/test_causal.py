"""Next tokens: what follows what, how a decoder is judged, and what it writes; a text of ours in place of novels."""

import numpy as np
import pytest
import torch
import transformers

import binviz
from binviz import tasks
from binviz.data.corpus import Corpus, open_corpus
from binviz.errors import UserError
from binviz.tasks import causal
from binviz.training.augment import get
from binviz.training.evaluate import evaluate_named

LINES = [f"a {one} cat sees the {other} dog" for one in ("good", "bad", "old") for other in ("big", "red")]


def llama(**sizes):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1} | sizes
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 40}
    marks = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), 0)
    config = transformers.LlamaConfig(vocab_size=270, tie_word_embeddings=True, **marks, **heads, **sizes)
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture
def text(tmp_path, monkeypatch):
    """In place of the texts of the hub one of ours; its tokenizer."""
    (tmp_path / "text.txt").write_text("\n".join(LINES * 200), "utf-8")
    monkeypatch.setattr(causal, "corpus", lambda name, split: open_corpus(str(tmp_path / "text.txt")))
    monkeypatch.setattr(causal, "_TOKENS", {})
    return causal.learn_tokenizer(iter(LINES * 9), pieces=270)


def test_labels_are_the_tokens_that_follow():
    found = causal.Continued(np.arange(1000), length=8, seed=3)
    batch = found.batch(range(found.per_epoch))
    assert torch.equal(batch["input_ids"] + 1, batch["labels"])
    shown = torch.cat([batch["input_ids"], batch["labels"][:, -1:]], 1)
    assert sorted(shown.flatten().tolist()) == list(range(found.per_epoch * 9))
    with pytest.raises(UserError, match="has 8 tokens, too few for a sequence of 8"):
        causal.Continued(np.arange(8), length=8, seed=0)


def test_of_a_long_text_runs_are_read(monkeypatch):
    monkeypatch.setattr(causal, "MOST", 200)
    lines = [str(i) for i in range(1050)]
    found = causal._thinned(Corpus("many", "", len(lines), lambda: iter(lines)))
    read = list(map(int, found.documents()))
    assert found.count == len(read) <= 200 and {i // 100 for i in read} == {0, 6}
    few = Corpus("few", "", 150, lambda: iter(lines[:150]))
    assert list(causal._thinned(few).documents()) == lines[:150]


def test_a_decoder_is_judged_as_transformers_computes_its_loss():
    model, of = llama(), causal.Continued(np.random.default_rng(0).integers(0, 270, 2000), 16, 0)
    metrics, values = causal.judge(model, of, batch_size=7)
    ids = torch.from_numpy(np.stack([of.stretch(number) for number in of.judged()]))
    with torch.no_grad():
        assert metrics["loss"] == pytest.approx(model(ids, labels=ids).loss.item(), rel=1e-5)
    assert metrics["perplexity"] == pytest.approx(np.exp(-values.mean())) and len(values) == len(ids)
    bert = transformers.BertForMaskedLM(
        transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=270)
    )
    with pytest.raises(UserError, match="a BertForMaskedLM is no decoder; take a causal language model"):
        causal.judge(bert, of)


def test_a_tokenizer_of_bytes_reads_everything(text, tmp_path):
    given = "a good cat\n\x00 \u00e9\U0001f408"
    assert text.decode(text(given)["input_ids"]) == given and len(text) == 270
    binviz.save(llama(), tmp_path / "model", text)
    again = binviz.load_tokenizer(tmp_path / "model")
    assert again(given)["input_ids"] == text(given)["input_ids"] and again.eos_token == causal.END


def test_a_saved_decoder_is_judged_by_its_name_and_writes_the_same_on_bits(text, tmp_path):
    model, path = llama(), tmp_path / "model.safetensors"
    binviz.binarize_(model, "db-llm")
    model(torch.tensor([[1, 2]]))
    binviz.save_packed(model.eval(), path, text)
    metrics, values = evaluate_named(str(path), "novels", packed=True)
    assert metrics["perplexity"] > 1 and len(values) > 10
    loaded = binviz.load(path)
    for temperature in (0, 0.7):
        found = causal.write(loaded, text, "a good", count=12, temperature=temperature, seed=1)
        assert found == causal.write(binviz.pack(loaded), text, "a good", 12, temperature, seed=1) != ""
    problem = tasks.get("novels").problem(text, 4, 0)
    assert problem.batch_of(2)["input_ids"].shape == (4, causal.LENGTH) and problem.per_epoch > 1
    held_out = tasks.get("novels").held_out(text)
    assert held_out.collate(held_out.examples[:2])["input_ids"].shape == (2, causal.LENGTH)
    assert tasks.get("novels").example(3, "", text).inputs["input_ids"].shape[0] == 1
    with pytest.raises(UserError, match="no sentence has the number 60; choose one from 0 to 59"):
        tasks.get("novels").example(60, "", text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"given": "cat " * 60}, "tokens and 5 are to follow, of 40 that LlamaForCausalLM has places for"),
        ({"count": 0}, "ask for fewer .at least one"),
        ({"count": 40}, "40 are to follow, of 40"),
        ({"temperature": -1.0}, "temperature is 0 for the likeliest words or above it, not -1.0"),
        ({"temperature": float("nan")}, "not nan"),
        ({"given": " "}, "the text is empty"),
    ],
    ids=str,
)
def test_what_cannot_be_written_on(text, options, said):
    with pytest.raises(UserError, match=said):
        causal.write(llama(), text, **{"given": "a cat", "count": 5} | options)


def test_a_folder_without_one_of_its_parts(text, tmp_path):
    llama().save_pretrained(tmp_path, max_shard_size="5KB")
    text.save_pretrained(tmp_path)
    lost = sorted(tmp_path.glob("model-*"))[1]
    lost.unlink()
    with pytest.raises(UserError, match=f"cannot be read: .*{lost.name}"):
        causal.start(str(tmp_path), 0)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")
def test_a_decoder_with_adapters_is_merged_first():
    peft = pytest.importorskip("peft")
    wrapped = peft.get_peft_model(llama(), peft.LoraConfig(target_modules=["q_proj"]))
    with pytest.raises(UserError, match="merge"):
        binviz.binarize_(wrapped, "db-llm")
    merged = wrapped.merge_and_unload()
    assert binviz.binarize_(merged, "db-llm").bits


def test_batches_of_the_models_own_text(text):
    model, problem = llama(), tasks.get("novels").problem(text, 4, 0)
    problem.calibration["input_ids"] = problem.calibration["input_ids"][:, :11]
    own, again = (get("own-text")(problem, seed, model, count=8) for seed in (0, 0))
    batches = [own.batch_of(step) for step in range(4)]
    assert own.per_epoch == 2 and batches[0]["input_ids"].shape == (4, 11)
    for batch, other in zip(batches, map(again.batch_of, range(4)), strict=True):
        assert torch.equal(batch["input_ids"], other["input_ids"])
        assert torch.equal(batch["input_ids"][:, 1:], batch["labels"][:, :-1])
    rows = [sorted(map(tuple, torch.cat(pair).tolist())) for pair in
            ([b["labels"] for b in batches[:2]], [b["labels"] for b in batches[2:]])]  # fmt: skip
    assert rows[0] == rows[1] and own.data["train"] == "8 sequences that the model wrote"
    assert (torch.cat([batch["input_ids"] for batch in batches])[:, 0] == 0).all()
