"""BiBench, reproduced at small scale: every operator on every task and network (Qin et al. 2023, 2301.11233).

    binviz reproduce bibench --out runs-out
    binviz reproduce bibench --out runs-out --operator my.py:MyBinarizer

A row is an operator: the eight of the paper as `binviz.recipes.bibench` has them, which in transformers attend as
BiBench's BERT does, without a softmax; BiT and BiViT as guests, with attention of their own; and float. A column is a
task with a network, a line of `NETWORKS`. Every binary network starts from the float one and learns from labels alone.

Each operator's rate is the best of three, by the same search on every network: the rows `<row>.lr-<times>` take a fifth
of the steps at so many times the network's own rate, on 95 % of the training batches, and are judged on the other 5 %.
The search is part of the method: every seed repeats it, and three fifths of a row's steps are its cost. On the digits
these 5 % are one batch of 64, so there the choice is coarse. Two further settings, `OTHERS`, are tried on the small
networks alike, and float models under all five: the spread over settings is a part of the cost of training.

What is expected was written down before any run, in `EXPECTED`, but not blindly: records of "digits" and "bivit" have
some of these operators, trained longer and with a teacher. What a claim says of several cells, it says here of pairs.
"The operator matters more than the architecture": a good operator on either of two kinds of networks of a task beats a
poor one on the other, two inequalities, of which both must hold. "Binarization costs more here than there": the same
loss is allowed everywhere, and it is kept on one network and not on another. Which operators stand for good and poor is
fixed beforehand, `GOOD` and `POOR`. The paper's tables were not at hand: its claims are those of its abstract and of
its recommendation, from memory.

Seconds a step on one core (processor time of plain signs and of FDA, the slowest, over some steps): digits 0.03 to
0.06 with the CNN, 0.08 to 0.15 with the ViT, 0.05 to 0.12 with the mixer, 0.02 to 0.03 with either ResNet; speech 0.03
to 0.04; points 0.02 to 0.03; SST-2 0.4; CIFAR-10 0.4 with its ViT, by the records of "bivit", 0.3 to 0.6 with its
ResNet, and the CNN is taken to be alike. So all ten rows of one seed, with their search, take about 12, 30, 18 and
twice 5 minutes on the digits, 9 on speech, 5 on points, and 60 to 90 on SST-2 and on each network of CIFAR-10. No cell
takes more than 10 on two cores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations

from binviz.errors import UserError
from binviz.evidence.claims import Claim, Verdict
from binviz.experiments.cells import Cell, Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.recipes import Recipe, get

DIGITS = Budget(1000, 64, 5e-3, float_steps=2500, float_lr=1e-3, weight_decay=0.05)
SPEECH = DIGITS
POINTS = replace(DIGITS, batch_size=32)
SST2 = Budget(800, 16, 2e-4, float_steps=12_624, precision="bf16")
CIFAR10 = Budget(800, 64, 2e-3, float_steps=2000, float_lr=2e-3, weight_decay=0.05)


@dataclass(frozen=True)
class Network:
    """A column of the matrix.

    task: a name of `binviz.tasks`. architecture: of the task's, "" its usual one. budget: of each row. group: priority.
    bundled: name of its float model, "" where that is trained first. attends: whether it has attention.

    >>> Network("digits", "cnn", DIGITS, 1).name
    'digits-cnn'
    """

    task: str
    architecture: str
    budget: Budget
    group: int
    bundled: str = ""
    attends: bool = False

    @property
    def name(self) -> str:
        return f"{self.task}-{self.architecture}" if self.architecture else self.task

    @property
    def kind(self) -> str:
        """The architecture without its width."""
        return self.architecture.partition("-")[0]


NETWORKS = (
    Network("digits", "cnn", DIGITS, 1, "digits-cnn.float"),
    Network("speech", "", SPEECH, 1),
    Network("points", "", POINTS, 1),
    Network("digits", "resnet", DIGITS, 1),
    Network("digits", "birealnet", DIGITS, 1),
    Network("digits", "mixer", DIGITS, 1),
    Network("digits", "vit", DIGITS, 1, "digits-vit.float", attends=True),
    Network("sst2", "", SST2, 2, "sst2-minilm.float", attends=True),
    Network("cifar10", "cnn", CIFAR10, 3),
    Network("cifar10", "vit", replace(CIFAR10, float_steps=12_000), 4, "cifar10-vit.float", attends=True),
    Network("cifar10", "resnet", CIFAR10, 4),
)
#: The kinds of networks: with convolutions, with attention, with neither.
KINDS = ("cnn", "vit", "mixer")
#: Recipe -> what it is.
OPERATORS = {
    "bnn": "signs, without a scale",
    "xnor": "signs, analytic scales of weights and inputs",
    "dorefa": "signs, a scale for each channel of the weights",
    "bireal": "DoReFa's scales behind a soft surrogate",
    "xnorpp": "signs, a learned scale for each output channel",
    "reactnet": "Bi-Real with learned thresholds",
    "recu": "weights clamped by quantiles, learned scales behind a soft surrogate",
    "fda": "a surrogate that is a Fourier series, with a noise module",
    "bit-w1a1": "BiT's elastic codes, two sets: a guest",
    "bivit-w1a1": "BiViT's threshold behind softmax: a guest",
}
GOOD, POOR = "reactnet", "bnn"
#: Of the steps of a row, what each setting is tried for.
TRIED = 0.2
Setting = tuple[str, float, dict[str, str]]
#: Suffix of a row -> in words, times the network's own rate, further settings; the first of equals is taken.
SEARCHED: dict[str, Setting] = {
    f"lr-{rate:g}": (f"at {rate:g} times the rate", rate, {}) for rate in (1.0, 0.3, 3.0)
}
#: For the spread over settings; gradient descent takes longer steps than Adam.
OTHERS: dict[str, Setting] = {
    "sgd": ("with gradient descent and momentum", 10.0, {"optimizer": "sgd"}),
    "cosine": ("with a cosine's schedule", 1.0, {"schedule": "cosine"}),
}
#: Points that an operator may lose everywhere.
LOSS = 0.05


def rows_of(name: str, recipe: str | Recipe, why: str) -> list[Row]:
    """The row of an operator behind the rows of its search.

    >>> [row.name for row in rows_of("bnn", "bnn", "plain signs")]
    ['bnn.lr-1', 'bnn.lr-0.3', 'bnn.lr-3', 'bnn']
    """
    row = Row(name, recipe, loss=LossChoice("labels"), scale_lr=1e-3, why=why)
    tried = _tried(row, SEARCHED)
    return [*tried, replace(row, search=tuple(each.name for each in tried))]


def spread_of(rows: Iterable[Row]) -> list[Row]:
    """For the spread over settings: those of `OTHERS`; float's search, too, which has no other use.

    A float row learns from its start, not from a float model.

    >>> [row.name for row in spread_of([Row("float", "float"), Row("bnn", "bnn")])]
    ['float.lr-1', 'float.lr-0.3', 'float.lr-3', 'float.sgd', 'float.cosine', 'bnn.sgd', 'bnn.cosine']
    """
    return [
        tried for row in rows for tried in _tried(row, (SEARCHED if row.recipe == "float" else {}) | OTHERS)
    ]


def _tried(row: Row, settings: Mapping[str, Setting]) -> list[Row]:
    return [
        replace(
            row,
            name=f"{row.name}.{suffix}",
            share=TRIED,
            lr=times,
            train=train,
            augment="held-out",
            search=(),
            why=f"{row.why}; tried {words}",
        )
        for suffix, (words, times, train) in settings.items()
    ]


FLOAT = Row("float", "float", teacher="", why="32 bits: what every row starts from")


def cells_of(networks: Iterable[Network], rows: Iterable[Row]) -> tuple[Cell, ...]:
    """Those rows on every network, float first."""
    rows = (FLOAT, *rows)
    return tuple(
        replace(cell, bundled=network.bundled) if cell.row == "float" else cell
        for network in networks
        for cell in _column(network, rows)
    )


def _column(network: Network, rows: Iterable[Row]) -> list[Cell]:
    return matrix({network.task: network.budget}, rows, [network.architecture], later=network.group - 1)


@dataclass(frozen=True)
class Asked:
    """A claim on every network: better above worse. expected: the verdict; but: of networks where it is another one."""

    text: str
    source: str
    better: str
    worse: str
    expected: Verdict
    but: Mapping[str, Verdict] = field(default_factory=dict)
    margin: float = 0.0
    attends: bool = False


_ABSTRACT, _RECOMMENDED = "2301.11233, abstract", "2301.11233, recommended operator"
#: A batch norm behind every convolution does a scale's work.
_NORMED: dict[str, Verdict] = dict.fromkeys(
    ("digits-cnn", "digits-resnet", "digits-birealnet", "speech", "points", "cifar10-cnn", "cifar10-resnet"),
    "weak",
)
ASKED = (
    Asked(
        "Scales for each channel behind a soft surrogate are better than plain signs",
        _RECOMMENDED,
        "bireal",
        "bnn",
        "holds",
        {"digits-cnn": "weak"},
    ),
    Asked("Scales for each channel are better than none", _RECOMMENDED, "dorefa", "bnn", "holds", _NORMED),
    Asked(
        "A soft surrogate is better than a clipped one, with the same scales",
        _RECOMMENDED,
        "bireal",
        "dorefa",
        "weak",
    ),
    Asked(
        "Learned thresholds add to them", "asked here", "reactnet", "bireal", "weak", {"digits-vit": "holds"}
    ),
    Asked(
        "Learned scales of the output are better than none", "asked here", "xnorpp", "bnn", "holds", _NORMED
    ),
    Asked("ReCU is better than plain signs", _RECOMMENDED, "recu", "bnn", "holds", _NORMED),
    Asked("FDA is better than plain signs", _RECOMMENDED, "fda", "bnn", "holds", _NORMED),
    Asked(
        "An operator that was made for transformers is better there than the best of those for convolutions",
        "asked here",
        "bit-w1a1",
        GOOD,
        "holds",
        attends=True,
    ),
    Asked(
        "At most 5 points are lost to float by a good operator",
        _ABSTRACT,
        GOOD,
        "float",
        "fails",
        {
            "digits-cnn": "holds",
            "digits-birealnet": "holds",
            "digits-resnet": "weak",
            "speech": "weak",
            "points": "weak",
            "cifar10-cnn": "weak",
        },
        LOSS,
    ),
)
_OPERATOR = "A good operator on one network is better than a poor one on another: it matters more than the architecture"
_ARCHITECTURE = "A good operator is worth more on convolutions than where there is attention"
_SHORTCUTS = "A shortcut around every convolution is better than one around two"
#: Networks between which the operator is expected not to matter more.
_BETWEEN: dict[tuple[str, str], Verdict] = {
    ("digits-vit", "digits-cnn"): "fails",
    ("digits-mixer", "digits-cnn"): "fails",
    ("cifar10-vit", "cifar10-cnn"): "fails",
}


def _claim(text: str, source: str, better: str, worse: str, margin: float = 0.0) -> Claim:
    return Claim(text, source, better, worse, margin=margin, written="2026-11-30")


def expected_of(networks: Iterable[Network]) -> dict[Claim, Verdict]:
    """Each claim on those networks, and the verdict that is expected of it."""
    networks = tuple(networks)
    found: dict[Claim, Verdict] = {}
    for asked in ASKED:
        for network in networks:
            if network.attends or not asked.attends:
                sides = f"{network.name}.{asked.better}", f"{network.name}.{asked.worse}"
                claim = _claim(asked.text, asked.source, *sides, margin=asked.margin)
                found[claim] = asked.but.get(network.name, asked.expected)
    for one, other in permutations(networks, 2):
        kinds = one.kind, other.kind
        if one.task != other.task:
            continue
        if set(kinds) <= set(KINDS):
            claim = _claim(_OPERATOR, _ABSTRACT, f"{one.name}.{GOOD}", f"{other.name}.{POOR}")
            found[claim] = _BETWEEN.get((one.name, other.name), "holds")
        if kinds == ("cnn", "vit"):
            claim = _claim(_ARCHITECTURE, _ABSTRACT, f"{one.name}.{GOOD}", f"{other.name}.{GOOD}")
            found[claim] = "holds"
        if kinds == ("birealnet", "resnet"):
            claim = _claim(_SHORTCUTS, "1808.00278, abstract", f"{one.name}.bireal", f"{other.name}.bireal")
            found[claim] = "holds"
    return found


#: Claim -> the verdict that was expected before its runs.
EXPECTED = expected_of(NETWORKS)

_ROWS = [row for name, why in OPERATORS.items() for row in rows_of(name, name, why)]
EXPERIMENT = Experiment(
    name="bibench",
    cells=(
        *cells_of(NETWORKS, _ROWS),
        *(
            cell
            for network in NETWORKS
            if network.group == 1
            for cell in _column(network, spread_of([FLOAT, *(row for row in _ROWS if row.search)]))
        ),
    ),
    claims=tuple(EXPECTED),
    settings={},
    notes=(
        "Every row of a network takes as many steps: "
        + ", ".join(f"{network.name} {network.budget.steps}" for network in NETWORKS)
        + f". Its rate is the best of {len(SEARCHED)}, each tried for {TRIED:g} of the steps on 95 % of the training "
        "batches and judged on the others. The reported model is the last step's; the evaluation split is looked at "
        "once. Seeds repeat the search: --seed 1 comes after all cells of seed 0."
    ),
    gap=(
        "networks of 4 or 6 layers and 800 or 1,000 steps from a float model, in place of ResNets, BERT-base and "
        "others trained for many epochs; one rate in three for each operator; the paper's tables were not at hand. On "
        "CIFAR-10 the CNN's float model was still learning when its steps ended: rows that go on from it pass it"
    ),
    compared=("float", *OPERATORS),
)


def cell_of(network: str, row: str) -> Cell:
    """The cell of a row there; of an operator of yours, which is no row of `EXPERIMENT`, with plain signs' recipe.

    >>> cell_of("digits-cnn", "fda").name, cell_of("points", "mine").search
    ('digits-cnn.fda', ('mine.lr-1', 'mine.lr-0.3', 'mine.lr-3'))
    """
    name = f"{network}.{row}"
    known = {cell.name: cell for cell in EXPERIMENT.cells}
    return known.get(name) or with_operator(get(POOR), row).cell(name)


def with_operator(recipe: Recipe, name: str, networks: Iterable[Network] | None = None) -> Experiment:
    """The matrix of one operator of yours, its row beside those of `EXPERIMENT`.

    Args:
        recipe: of the operator.
        name: of its row.
        networks: columns; all where not given.

    Raises:
        UserError: a row has that name.

    >>> from binviz import recipes
    >>> found = with_operator(recipes.get("bibert"), "mine", NETWORKS[:1])
    >>> [cell.name for cell in found.cells][-2:], found.compared[-1], found.claims[0].worse
    (['digits-cnn.mine.lr-3', 'digits-cnn.mine'], 'mine', 'digits-cnn.bnn')
    """
    if name in EXPERIMENT.compared:
        raise UserError(f"bibench has a row {name} already; give the class another name")
    networks = tuple(NETWORKS if networks is None else networks)
    return replace(
        EXPERIMENT,
        cells=cells_of(networks, rows_of(name, recipe, "an operator of yours")),
        claims=tuple(
            Claim(
                f"{name} is better than {other}",
                "asked here",
                f"{network.name}.{name}",
                f"{network.name}.{other}",
            )
            for other in (POOR, GOOD)
            for network in networks
        ),
        compared=(*EXPERIMENT.compared, name),
    )
