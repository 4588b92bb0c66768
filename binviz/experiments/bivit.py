"""BiViT, reproduced at small scale: attention that follows softmax, layers one after the other, learned scales.

He et al. 2023, "BiViT: Extremely Compressed Binary Vision Transformers" (2211.07091). Every student is a ViT of 4
layers, 96 wide, behind two convolutions, trained on CIFAR-10 and then binarized. All learn what the float model answers
and nothing else, as the paper's do, and within the same number of steps.

What was expected, before the runs. Attention's threshold and its gradient decide little here: 65 tokens make rows that
are less long-tailed than those of the paper's 3,136; a point or two. Learned scales help by less than that, since each
layer norm that follows can do their work. Attention first and then the rest beats all at once by two points, and beats
the other order by less than noise. BiT is within three points of BiViT on so small a ViT; BiBERT's map of signs loses
five or more. The window's open edge is worth more than any of it, as on the digits.

Added after the first rows, before its own run: BiViT drops the factor v of its attention's codes. Without it
attention's output is an integer at the very edge of the next window, which blocks its gradient; v alone should win most
of the 14 points by which BiT leads, as much as the open edge does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from binviz import recipes
from binviz.evidence import papers
from binviz.evidence.claims import Claim
from binviz.experiments.cells import Experiment
from binviz.experiments.matrix import Budget, Row, matrix
from binviz.losses import LossChoice
from binviz.recipes import Choice

BUDGET = Budget(1000, 64, 2e-3, float_steps=12_000, float_lr=2e-3, weight_decay=0.05)
#: The paper's distillation is of the answers alone.
LOSS = LossChoice("bit", {"hidden_weight": 0.0})
BETAS = (0.20, 0.35, 0.45)

BIVIT = recipes.get("bivit-w1a1")
FEED_FORWARD = BIVIT.but(
    "bivit-feed-forward-w1a1",
    keep_float=("*.query", "*.key", "*.value", "*.attn_out"),
    query=None,
    key=None,
    value=None,
    attention=None,
)
NO_SAB = BIVIT.but(
    "bivit-w1a1-scores-sign",
    attention=Choice("bibert-attention", {"edge": "blocks"}),
    attention_on="scores",
)
TO_SCORES = BIVIT.but(
    "bivit-w1a1-scores-gradient", attention=Choice("bivit-attention-scores"), attention_on="scores"
)
NO_PWS = BIVIT.but("bivit-w1a1-fixed-scales", weight=Choice("bibert-weight", {"edge": "blocks"}))


def _row(name: str, recipe: Any = None, **rest: Any) -> Row:
    return Row(name, recipe or name, loss=LOSS, scale_lr=1e-3, **rest)


ROWS = (
    Row("float", "float", teacher="", why="trained from scratch, 32 bits: every student's teacher"),
    _row("bivit-w1a1", why="BiViT, attention and feed-forward part at once"),
    _row("bit-w1a1", why="BiT's elastic signs, ReLU in place of GELU"),
    _row("bibert", why="BiBERT's signs, no softmax, under the same loss"),
    _row("bnn-threshold", why="plain signs, probabilities cut at half their row's maximum"),
    _row(
        "bivit-w1a1.attention",
        "bivit-attention",
        share=0.5,
        why="attention alone is binary: first half of the steps of attention-first",
    ),
    _row(
        "bivit-w1a1.attention-first",
        BIVIT,
        teacher="bivit-w1a1.attention",
        taught_by="float",
        share=0.5,
        why="BiViT layer kind after layer kind: the feed-forward part follows attention",
    ),
    _row("bivit-mixed", why="the feed-forward part's inputs stay float, the paper's default"),
    _row(
        "bivit-w1a1.no-sab", NO_SAB, group=2, why="BiBERT's signs of scores in place of softmax's threshold"
    ),
    _row(
        "bivit-w1a1.to-scores",
        TO_SCORES,
        group=2,
        why="the same map, its gradient straight to the scores instead of to softmax's output",
    ),
    _row("bivit-w1a1.no-pws", NO_PWS, group=2, why="weight scales are mean magnitudes, not learned"),
    _row(
        "bivit-w1a1.passes",
        BIVIT.with_edge("passes"),
        group=2,
        why="at the edge of every window the gradient passes",
    ),
    _row(
        "bivit-w1a1.with-v",
        "bivit-w1a1-v",
        group=2,
        why="attention's codes are scaled by the factor v, which the paper drops",
    ),
    _row(
        "bivit-w1a1.feed-forward",
        FEED_FORWARD,
        group=3,
        share=0.5,
        why="the feed-forward part alone is binary: first half of the steps of the other order",
    ),
    _row(
        "bivit-w1a1.feed-forward-first",
        BIVIT,
        teacher="bivit-w1a1.feed-forward",
        taught_by="float",
        group=3,
        share=0.5,
        why="the other order: attention follows the feed-forward part",
    ),
    *(
        _row(
            f"bivit-w1a1.beta-{beta:.2f}",
            BIVIT.but(f"bivit-w1a1-beta-{beta:.2f}", attention=Choice("bivit-attention", {"beta": beta})),
            group=3,
            why=f"threshold at {beta:.2f} of a row's maximum, not at a quarter",
        )
        for beta in BETAS
    ),
)


#: The paper's tables: number -> columns or rows.
TABLES = {number: papers.table("bivit")[f"table {number}"] for number in (2, 5, 6, 7, 8)}


def _printed(number: int, row: str, better: str, worse: str) -> dict[str, Any]:
    """What a table printed of a difference, as a claim has it."""
    values = dict(zip(TABLES[number]["columns"], TABLES[number][row], strict=True))
    network = row if number != 8 else f"NesT-T, {row} alone"
    difference = round((values[better] - values[worse]) / 100, 6)
    return {"theirs": difference, "where": f"{network} on TinyImageNet"}


def _claim(text: str, source: str, better: str, worse: str, **options: Any) -> Claim:
    source = source if source == "asked here" else f"2211.07091, {source}"
    written = {"written": "2026-11-29"} | options
    return Claim(text, source, f"cifar10-vit.{better}", f"cifar10-vit.{worse}", **written)


ONE, FIRST = "bivit-w1a1", "bivit-w1a1.attention-first"
#: What later claims stand on.
_FOLLOWS = "A threshold that follows softmax is better than signs of scores"
_STAGES = "Attention first is better than all at once, with as many steps"
_NEST = "NesT-T on TinyImageNet"
CLAIMS = (
    _claim("BiViT is better than BiT", "table 2", FIRST, "bit-w1a1", **_printed(2, "Swin-T", "BiViT", "BiT")),
    _claim(
        "BiViT is better than BiBERT", "table 2", FIRST, "bibert", **_printed(2, "Swin-T", "BiViT", "BiBERT")
    ),
    _claim("BiViT is better than plain signs", "asked here", FIRST, "bnn-threshold"),
    _claim(
        "Float inputs of the feed-forward part are better than binary ones",
        "table 2",
        "bivit-mixed",
        ONE,
        **_printed(2, "Swin-T", "BiViT, float MLP inputs", "BiViT"),
    ),
    _claim(_FOLLOWS, "table 5", ONE, f"{ONE}.no-sab", **_printed(5, "Swin-T", "softmax-aware", "BiBERT")),
    _claim(
        "Softmax's own gradient is better than one to the scores",
        "table 5",
        ONE,
        f"{ONE}.to-scores",
        needs=(_FOLLOWS,),
        **_printed(5, "NesT-T", "softmax-aware", "softmax-aware, gradient to the scores"),
    ),
    _claim(
        _STAGES,
        "table 7",
        FIRST,
        ONE,
        theirs=round((TABLES[7]["cross-layer"] - TABLES[7]["all at once"]) / 100, 6),
        where=_NEST,
    ),
    _claim(
        "Attention first is better than the feed-forward part first",
        "asked here",
        FIRST,
        f"{ONE}.feed-forward-first",
        needs=(_STAGES,),
    ),
    _claim(
        "Learned weight scales are better than mean magnitudes",
        "table 8",
        ONE,
        f"{ONE}.no-pws",
        **_printed(8, "attention", "learned", "mean magnitudes"),
    ),
    _claim(
        "On photographs, too, BiViT learns better if its windows pass the gradient at 1",
        "asked here",
        f"{ONE}.passes",
        ONE,
    ),
    _claim(
        "The factor v that BiViT drops from attention is worth keeping", "asked here", f"{ONE}.with-v", ONE
    ),
    *(
        _claim(
            f"The threshold hardly matters: {beta:.2f} of the maximum loses at most 2 points to a quarter",
            "table 6",
            f"{ONE}.beta-{beta:.2f}",
            ONE,
            margin=0.02,
            needs=(_FOLLOWS,),
            theirs=round((TABLES[6][f"{beta:.2f}"] - TABLES[6]["0.25"]) / 100, 6),
            where=_NEST,
        )
        for beta in BETAS
    ),
    _claim(
        "At most 21.9 points below float, as Swin-T on the paper's TinyImageNet",
        "table 2",
        FIRST,
        "float",
        margin=0.219,
        **_printed(2, "Swin-T", "BiViT", "float"),
    ),
)

EXPERIMENT = Experiment(
    name="bivit",
    cells=tuple(
        replace(cell, bundled=cell.name) if cell.row == "float" else cell
        for cell in matrix({"cifar10": BUDGET}, ROWS, ["vit"])
    ),
    claims=CLAIMS,
    settings={},
    notes=(
        f"Every binary row takes {BUDGET.steps} steps of {BUDGET.batch_size} pictures, 1.3 epochs; a row in two parts "
        "shares them between its halves. The rate is the better of 0.002 and 0.005, by 200 steps of bivit-w1a1 and "
        "bit-w1a1 and 2,000 training pictures. The float model is the bundled one, whatever the seed; students of "
        "seed 0 start from it before it was rounded to float16. The reported model is the last step's; the held-out "
        "pictures are seen once."
    ),
    gap=(
        "a ViT of 4 layers, 96 wide, on CIFAR-10 in place of Swin-T or NesT-T on TinyImageNet; 1.3 "
        "epochs of training"
    ),
)
