"""A decoder in GGUF against the model that it was written from, files that lie, and what few bits make of it."""

import gguf
import numpy as np
import pytest
import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM

import binviz
from binviz.analysis.contents import contents
from binviz.data.corpus import open_corpus
from binviz.errors import UserError
from binviz.experiments import starting
from binviz.tasks import causal
from binviz.tasks.gguf_decoder import read_decoder

WORDS = ["<end>", *sorted(ByteLevel.alphabet()), "ca", "cat"]
NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def llama():
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 2, "num_key_value_heads": 1}
    model = LlamaForCausalLM(
        LlamaConfig(
            num_hidden_layers=1,
            vocab_size=len(WORDS),
            max_position_embeddings=32,
            tie_word_embeddings=True,
            **sizes,
        )
    )
    return model.eval()


def interleaved(weight, heads):
    """Rows of queries and keys as llama.cpp has them: the halves of a head, which are turned together, in turns."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def written(path, model, architecture="llama", kind="F32", without=(), parts=1):
    writer, config = gguf.GGUFWriter(path, architecture), model.config
    writer.add_block_count(1)
    writer.add_context_length(32)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(128)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(WORDS))
    writer.add_uint16("split.count", parts)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(WORDS)
    writer.add_token_types([3] + [1] * (len(WORDS) - 1))
    writer.add_token_merges(["c a", "ca t"])
    for mark in ("bos", "eos", "pad"):
        getattr(writer, f"add_{mark}_token_id")(0)
    tensors = {"token_embd": model.model.embed_tokens, "output_norm": model.model.norm}
    block = model.model.layers[0]
    tensors |= {f"blk.0.{short}": block.get_submodule(name) for name, short in NAMES.items()}
    for name, module in tensors.items():
        if name in without:
            continue
        weight, heads = module.weight.detach().numpy(), {"blk.0.attn_q": 2, "blk.0.attn_k": 1}
        weight = interleaved(weight, heads[name]) if name in heads else weight
        if kind == "F32" or weight.ndim == 1:
            writer.add_tensor(f"{name}.weight", np.ascontiguousarray(weight))
            continue
        block_size, width = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
        shape = (len(weight), weight.shape[1] // block_size * width)
        writer.add_tensor(
            f"{name}.weight", np.zeros(shape, np.uint8), raw_dtype=gguf.GGMLQuantizationType[kind]
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_it_computes_what_the_model_computes(tmp_path):
    model = llama()
    read, tokenizer = read_decoder(written(tmp_path / "a small.gguf", model))
    ids = tokenizer("cat é", return_tensors="pt")["input_ids"]
    assert ids[0, 0] == len(WORDS) - 1 and tokenizer.decode(ids[0]) == "cat é"
    with torch.no_grad():
        torch.testing.assert_close(read(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-6)
    binviz.binarize_(read, "ternary")
    with torch.no_grad():
        torch.testing.assert_close(binviz.pack(read)(ids).logits, read(ids).logits, rtol=1e-3, atol=1e-4)
    binviz.save(read, tmp_path / "saved")
    assert all(map(torch.equal, read.parameters(), binviz.load(tmp_path / "saved").parameters()))
    found, tokenizer = causal.start(str(tmp_path / "a small.gguf"), 0)
    assert tokenizer.sep_token_id == 0 and found.config.max_position_embeddings == 32


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parts": 3}, "w.gguf is one of 3 parts; join them"),
        (
            {"without": ("blk.0.ffn_up",)},
            r"lacks 1 weights of a LlamaForCausalLM, such as model.layers.0.mlp.up_proj",
        ),
        ({"architecture": "nothing"}, "no decoder can be built of w.gguf: .*nothing"),
    ],
    ids=["part", "without", "architecture"],
)
def test_what_is_no_whole_decoder(tmp_path, options, said):
    with pytest.raises(UserError, match=said) as caught:
        read_decoder(written(tmp_path / "w.gguf", llama(), **options))
    assert "\n" not in str(caught.value)


def test_a_type_that_is_not_read_is_named(tmp_path, monkeypatch):
    path = written(tmp_path / "w.gguf", llama(), kind="Q8_0")
    monkeypatch.setattr("binviz.tasks.gguf_decoder.UNREAD", "Q8_0")
    with pytest.raises(UserError, match=r"token_embd.weight in w.gguf is of type Q8_0, of which no decoder"):
        read_decoder(path)


def test_files_that_lie(tmp_path):
    whole = written(tmp_path / "w.gguf", llama()).read_bytes()
    path = tmp_path / "lies.gguf"
    for content, said in (
        (whole[:-1000], "ends at byte .* and the file at"),
        (whole[:8] + b"\xff" * 8 + whole[16:], "it claims .* tensors, and ends before them"),
        (b"PK" + whole, "does not begin with GGUF"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=said):
            read_decoder(path)
    with pytest.raises(UserError, match="No such file"):
        causal.start(str(tmp_path / "none.gguf"), 0)


def test_every_start_is_measured(tmp_path, monkeypatch):
    (tmp_path / "text.txt").write_text("a cat\n" * 400, "utf-8")
    monkeypatch.setattr(causal, "corpus", lambda name, split: open_corpus(str(tmp_path / "text.txt")))
    monkeypatch.setattr(causal, "_TOKENS", {})
    monkeypatch.setattr(causal, "LENGTH", 12)
    path = written(tmp_path / "w.gguf", llama())
    found = {run.cell.removeprefix("wikitext-w."): run for run in starting.measure(path, count=5)}
    assert list(found) == list(starting.STARTS) and all(run.examples == 5 for run in found.values())
    assert found["float"].metrics["file_bits_per_weight"] == contents(path).attrs["bits_per_weight"]
    bits = {name: run.metrics["linear_bits_per_weight"] for name, run in found.items()}
    # Rows of 64 and of 128: a group is a row in most
    assert bits["float"] == 32 and bits["1-bit"] < bits["1-bit.g64"] == 1.5 and bits["2-bits.g64"] == 3.5
    read, tokenizer = read_decoder(path)
    of = starting.held_out(causal.mark_ends(tokenizer), 5)
    assert found["float"].metrics["perplexity"] == causal.judge(read, of)[0]["perplexity"]
