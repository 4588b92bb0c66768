"""The page Your model, on a model of eight kilobytes."""

import doctest

import pytest
import torch
from binviz_dashboard import holds, yours
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification, ViTConfig, ViTForImageClassification

import binviz
from binviz import zoo
from binviz.errors import UserError
from binviz.saving import load_packed
from binviz.zoo.outside import Found, look


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with a tiny ViT."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=8,
        patch_size=4,
    )
    place = tmp_path_factory.mktemp("tiny")
    ViTForImageClassification(config).save_pretrained(place)
    return place


def test_examples_in_docstrings():
    assert doctest.testmod(yours).failed == doctest.testmod(holds).failed == 0


def test_a_plan_without_weights_is_what_conversion_with_them_gives(pictures, tmp_path):
    found = look(str(pictures))
    planned = yours.plan(found, "bibert", 0)
    model, _ = found.load()
    assert planned.float_bytes == 4 * sum(parameter.numel() for parameter in model.parameters())
    table = binviz.binarize_(model, "bibert")
    assert planned.conversion.rows == table.rows
    assert str(table.bits) in yours.in_words(planned, "bibert").replace(",", "")
    size = binviz.save_packed(model, tmp_path / "a.safetensors")
    assert 0 < size - planned.bytes < 20_000  # the header
    assert list(yours.table(table)["layer"]) == [row.name for row in table.rows]


def test_a_model_is_converted_measured_and_packed(pictures, tmp_path):
    told = []
    measured = yours.measure(look(str(pictures)), "bit-w1a1", lambda *given: told.append(given))
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert -1 <= measured.alike < 1 and "photographs" in measured.read
    assert measured.lost["name"].tolist() == ["float", "layers.0", "layers.1", "all"]
    assert measured.lost["score"].iloc[-1] == pytest.approx(measured.alike, abs=1e-6)
    assert yours.errors_figure(measured.errors).layout.meta["alt"]
    assert yours.sensitivity_figure(measured.lost).layout.meta["alt"]
    place = tmp_path / "model.safetensors"
    place.write_bytes(measured.file)
    assert load_packed(place).binviz_recipe.name == "bit-w1a1"
    assert f"{len(measured.file):,} bytes" in measured.card and "Nothing was trained since" in measured.card
    assert str(pictures.parent) not in measured.card.split("---")[1]


def test_texts_are_read_by_the_models_own_tokenizer():
    model, tokenizer = look("sst2-minilm.float").load()
    inputs, read = yours.examples(model, tokenizer)
    assert inputs["input_ids"].shape[0] == yours.SENTENCES and "sentences" in read
    with pytest.raises(UserError, match="no tokenizer"):
        yours.examples(BertForSequenceClassification(BertConfig(num_hidden_layers=0)), None)


@pytest.mark.slow
def test_the_page_converts_a_folder_for_who_sits_here_only(visit, pictures, monkeypatch):
    url = {"yours": "From the hub", "source": str(pictures)}
    monkeypatch.setattr(yours, "only_here", lambda *given: False)
    app = visit("yours", **url)
    assert "open to others" in app.error[0].value and not app.exception
    monkeypatch.setattr(yours, "only_here", lambda *given: True)
    app = visit("yours", **url)
    assert not app.error and not app.exception and not app.warning
    assert len(app.get("plotly_chart")) == 2
    app.button(key="convert").click().run()
    assert app.session_state["binviz"].jobs["convert last"].done.wait(120)
    app.run()
    assert not app.error and not app.exception
    assert len(app.get("plotly_chart")) == 4
    buttons = {button.proto.label.split(" (")[0] for button in app.get("download_button")}
    assert {"Packed model", "Model card"} <= buttons
    app.selectbox(key="recipe").set_value("xnor").run()
    assert any("Below is" in info.value for info in app.info)


def test_the_page_shows_what_a_file_holds_to_who_sits_here_only(visit, tmp_path, monkeypatch):
    path = tmp_path / "a model.safetensors"
    save_file({"layer.weight": torch.eye(4).half(), "ids": torch.zeros(3, dtype=torch.int64)}, path)
    url = {"yours": "From the hub", "source": str(path)}
    monkeypatch.setattr(yours, "only_here", lambda *given: False)
    app = visit("yours", **url)
    assert "open to others" in app.error[0].value and not app.exception
    monkeypatch.setattr(yours, "only_here", lambda *given: True)
    app = visit("yours", **url)
    app.button(key="contents").click().run()
    assert app.session_state["binviz"].jobs["contents last"].done.wait(120)
    app.run()
    assert not app.error and not app.exception and not app.warning
    shown = app.dataframe[0].value
    assert shown.columns[-1] == "positive" and shown["bits per weight"].tolist() == ["", "16"]
    assert any("16 weights in" in each.value for each in app.markdown)
    app.button(key="losses").click().run()
    assert app.session_state["binviz"].jobs["losses last"].done.wait(120)
    app.run()
    assert not app.error and not app.exception
    (lost,) = app.dataframe[1].value.to_dict("records")
    assert lost["tensor"] == "layer.weight" and lost["shape"] == "4 × 4"
    # Of the ones of eye(4) a scale of 1/4 for all loses 3/4 and of the zeros 1/4; with three levels all is there
    assert (
        lost["xnor-weight"] == pytest.approx((0.75**2 + 3 * 0.25**2) ** 0.5) and lost["ternary-weight"] == 0
    )
    path.write_bytes(b"GGUF")
    app.button(key="contents").click().run()
    assert app.session_state["binviz"].jobs["contents last"].done.wait(120)
    app.run()
    assert "as a GGUF file" in app.error[0].value and not app.exception


def test_a_packed_file_shows_its_weights_and_their_bits(visit, tmp_path, monkeypatch):
    path = tmp_path / "a model.safetensors"
    binviz.save_packed(binviz.load("digits-cnn.xnor"), path)
    monkeypatch.setattr(yours, "only_here", lambda *given: True)
    app = visit("yours", yours="From the hub", source=str(path))
    app.button(key="contents").click().run()
    assert app.session_state["binviz"].jobs["contents last"].done.wait(120)
    app.run()
    assert not app.error and not app.exception and not app.warning
    shown = app.dataframe[0].value
    packed = shown[shown["type"] == "packed 1-bit"]
    assert packed.tensor.str.endswith(".weight").all() and packed["median scale"].all() and len(packed) > 1
    assert not shown.tensor.str.endswith(".bits").any()
    assert any("of them packed by binviz, at 1." in each.value for each in app.markdown)


def test_an_id_is_asked_for_before_anything_is_fetched(visit):
    app = visit("yours", yours="From the hub")
    assert any("Give the id" in info.value for info in app.info)
    assert not app.exception and not app.error and not app.warning


@pytest.mark.slow
def test_every_bundled_float_model_can_be_planned(visit):
    for name in zoo.names("*.float"):
        app = visit("yours", yours=name)
        assert not app.exception and not app.error, name


def test_a_configuration_that_leaves_out_its_defaults_is_still_one_of_a_text_model():
    found = Found("short", "folder", 4, {"architectures": ["BertModel"], "model_type": "bert"})
    assert yours.most_tokens(found) == 512
