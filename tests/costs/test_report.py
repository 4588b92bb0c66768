from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from binviz import UserError, costs
from binviz.costs.units import count, memory


def test_every_figure_names_its_unit_and_rule(make):
    config = make[1]("bert")
    counted = costs.of(config, "bit-w1a1", tokens=7)
    for name in costs.rules.names():
        under = counted.under(name)
        work, size = under.summary()[2:]
        assert work.startswith("operations") and under.rule.unit in work
        assert size.startswith("memory")
        for line, quantity in ((work, "operations"), (size, "memory")):
            sure = quantity not in under.rule.unconfirmed
            assert line.endswith(f"[rule {name}]" if sure else f"[rule {name}, unconfirmed]")
        assert ("iB" if under.rule.memory_unit == "MiB" else "B") in size
        assert f" {under.rule.unit} " in str(under)
        records = under.to_records()
        assert {record["rule"] for record in records} == {name}
        assert {record["operations_unit"] for record in records} == {under.rule.unit}


def test_rules_explain_themselves():
    for name in costs.rules.names():
        rule = costs.rules.get(name)
        assert len(rule.__doc__) > 200
        assert rule.source
        said = any(word in f"{rule.source} {rule.__doc__}" for word in ("from memory", "not the paper's"))
        assert said == bool(rule.unconfirmed), name


def test_what_is_fitted_or_assumed_is_said_in_every_form():
    counted = costs.of(nn.Sequential(*(nn.Linear(64, 64) for _ in range(3))), "bnn", shape=(64,))
    assert counted.rows[-1].layer == "remainder"
    assert counted.rows[-1].operations_from == "fitted" and counted.rows[0].operations_from == "counted"
    assert counted.not_counted("operations") == {"fitted": counted.rows[-1].operations}
    assert counted.not_counted("memory") == {}
    assert "% fitted)" in counted.summary()[2]
    assert str(counted).splitlines()[len(counted.rows) + 1].endswith("fitted")
    assumed = counted.under("reactnet")
    assert assumed.not_counted("operations") == {}
    assert assumed.not_counted("memory") == {"assumed": pytest.approx(assumed.bytes)}
    assert {row.provenance for row in assumed.rows} == {"counted, memory assumed"}
    assert {record["bytes_from"] for record in assumed.to_records()} == {"assumed"}


def test_no_rule_calls_its_ratio_a_saving_of_time():
    for name in costs.rules.names():
        assert "really save" not in costs.rules.get(name).__doc__


def test_rows_add_up(model, given):
    for recipe in (None, "bit-w1a4"):
        counted = costs.of(model, recipe, **given)
        for name in costs.rules.names():
            under = counted.under(name)
            assert under.operations == pytest.approx(sum(row.operations for row in under.rows))
            assert under.bytes == pytest.approx(sum(row.bytes for row in under.rows))
            assert sum(under.macs.values()) == sum(row.macs for row in under.rows)
            if recipe is None:
                assert (under.operations, under.bytes) == (under.float_operations, under.float_bytes)
                assert under.operations_ratio == under.memory_ratio == 1


def test_table(make):
    counted = costs.of(make[0]("vit"), "bivit-mixed", rule="bivit")
    lines = str(counted).splitlines()
    header = lines[0].split("  ")
    for column in ("layer", "1x1 MACs", "1x32 MACs", "float MACs", "OPs", "memory"):
        assert column in [cell.strip() for cell in header]
    assert len(lines) == len(counted.rows) + 8
    assert all(line == line.rstrip() for line in lines)
    assert f"{100 * counted.binary_share:.1f} % with two 1-bit operands" in lines[-3]
    assert counted.binary_share == counted.macs[1, 1] / sum(counted.macs.values())


def test_notebook_table_is_sound_and_escaped(make):
    counted = costs.of(make[1]("bert"), "bit-w1a1", tokens=7)
    html = costs.Costs("<model>", "a & b", "7 tokens", counted.rule, counted.parts)._repr_html_()
    assert "&lt;model&gt;, a &amp; b" in html and "<model>" not in html

    class Cells(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.rows, self.cells = [], 0, 0

        def handle_starttag(self, tag, attrs):
            if tag != "br":
                self.open.append(tag)
            self.rows += tag == "tr"
            self.cells += tag in ("td", "th")

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    parser = Cells()
    parser.feed(html)
    assert parser.open == []
    assert parser.rows == len(counted.rows) + 2
    assert parser.cells == parser.rows * 8


def test_records_make_a_data_frame(make):
    import pandas as pd

    table = pd.DataFrame(costs.of(make[1]("bert"), "bit-w1a1", tokens=7).to_records())
    assert set(table.columns) == {
        *("layer", "module", "kind", "weight_bits", "activation_bits", "macs", "operations", "bytes"),
        *("operations_from", "bytes_from", "rule", "operations_unit", "bytes_unit"),
    }
    assert table.layer.is_unique


def test_units():
    assert memory(1023, "MiB") == "1,023 B" and memory(1024, "MiB") == "1.00 KiB"
    assert memory(999, "MB") == "999 B" and memory(1000, "MB") == "1.00 kB"
    assert memory(2**20, "MiB") == "1.00 MiB" and memory(10**6, "MB") == "1.00 MB"
    assert memory(5e12, "MB") == "5,000.00 GB"
    assert count(0, "OPs") == "0 OPs" and count(1e3, "OPs") == "1.000 k OPs"


@pytest.mark.parametrize(
    ("subject", "options", "message"),
    [
        ("bert-base-uncased", {}, "a model or a transformers configuration is expected, not str"),
        (None, {}, "not NoneType"),
        (nn.Linear(2, 2), {}, "give the shape of one input"),
        (nn.Linear(2, 2), {"shape": ()}, "positive whole numbers"),
        (nn.Linear(2, 2), {"shape": (2, -1)}, "positive whole numbers"),
        (nn.Linear(2, 2), {"shape": 2.5}, "positive whole numbers"),
        (nn.Linear(2, 2), {"shape": (3,)}, "cannot be run on the shape 3 alone"),
        (nn.LayerNorm(2), {"shape": (3,)}, r"a layer norm of \[2\] does not take \[1, 3\]"),
        (nn.BatchNorm1d(2), {"shape": (3,)}, "running_mean should contain 3 elements not 2"),
        (nn.Linear(2, 2), {"shape": (2,), "recipe": "bnn"}, "no linear or convolution between"),
        (nn.Linear(2, 2), {"shape": (2,), "recipe": "bitt"}, "no recipe named 'bitt'"),
        (nn.Linear(2, 2), {"shape": (2,), "rule": "bivt"}, "did you mean 'bivit'"),
        (nn.Linear(2, 2), {"shape": (2,), "rule": "flops"}, "no counting rule named 'flops'; choose one of"),
    ],
)
def test_refusals(subject, options, message):
    with pytest.raises(UserError, match=message) as error:
        costs.of(subject, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("tokens", [0, -3, 33, 7.0, True, None])
def test_a_length_that_the_model_does_not_take(make, tokens):
    with pytest.raises(UserError, match="this model takes 1 to 32"):
        costs.of(make[1]("bert"), tokens=tokens)


def test_a_network_that_looks_at_its_numbers():
    class Picky(nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum().item() > 0 else x

    with pytest.raises(UserError, match="Picky cannot be run on the shape 2 alone") as error:
        costs.of(Picky(2, 2), shape=(2,))
    assert "\n" not in str(error.value)


def test_configurations_without_a_model():
    from transformers import PreTrainedConfig

    with pytest.raises(UserError, match="pass the model itself"):
        costs.of(PreTrainedConfig())


def test_a_model_that_binviz_does_not_know_is_not_binarized():
    from transformers import GPTNeoXConfig

    config = GPTNeoXConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, vocab_size=20
    )
    with pytest.raises(UserError, match="gpt_neox"):
        costs.of(config, "bit-w1a1")


def test_om_comp_needs_a_result():
    with pytest.raises(UserError, match="at least one result"):
        costs.om_comp([])


def test_a_rule_of_ones_own():
    class Watts(costs.rules.Rule):
        """Half a unit for every MAC."""

        name, unit, source = "watts", "nJ", "a test"

        def share(self, part):
            return 0.5

    counted = costs.of(nn.Linear(4, 4), shape=(4,), rule=Watts())
    assert counted.rows[0].operations == 16  # the float network's price
    assert "[rule watts]" in str(counted)


def test_size_of_one_image_can_be_given():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    counted = costs.of(network, shape=torch.Size((3, 10, 12)), rule="reactnet")
    assert counted.operations == 8 * 10 * 4 * 27
    assert counted.input == "input of 3 x 10 x 12"
