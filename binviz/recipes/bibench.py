"""The operators that BiBench compares (Qin et al. 2023, 2301.11233), as recipes for whole networks.

As in BiBench's BERT, all eight take signs of queries, keys and values, and attend without a softmax where a score
is not negative; its word embeddings are BiBERT's. There the backward of attention's binarizer returns nothing,
so queries and keys never learn; here they do. Edges of the windows are those of its linear layers: DoReFa's and
XNOR-Net++'s block the gradient at exactly 1, the others pass it; queries, keys, values and scores block it.

Other departures from the official code: a score of exactly zero gives 1, as sign(0) = +1 does everywhere here; the
code gives 0. Its convolutions pass the gradient at 1 in DoReFa and XNOR-Net++ too. XNOR's linear layers do not
centre the rows of their weights, and neither does the paper (`xnor-weight` has an option for it); ReActNet's
threshold moves the forward value of linear layers too; biases of linear layers are kept; FDA's noise module exists
before the first forward; XNOR-Net++ learns one factor per output channel and none per position, which needs no
fixed image size.

`<name>-threshold` is ours: a softmax, whose probabilities become 1 from half of their row's maximum on; word
embeddings stay float; signs pass the gradient at 1, and only DoReFa's weights block it. `bnn-probs`, ours too,
takes the sign of the probabilities, which is constant, and so attends to everything alike.
"""

from binviz.recipes.recipe import Choice, Recipe, register

BLOCKING = Choice("bnn", {"edge": "blocks"})
PASSING = Choice("bnn", {"edge": "passes"})


def _bibench(name: str, weight: Choice, activation: Choice, *, output_scale: bool = False) -> Recipe:
    """BiBench's recipe, and registers it."""
    return register(
        Recipe(
            name=name,
            weight=weight,
            embedding=Choice("bibert-weight", {"edge": "passes"}),
            activation=activation,
            query=BLOCKING,
            key=BLOCKING,
            value=BLOCKING,
            attention=Choice("bibert-attention", {"edge": "blocks"}),
            attention_on="scores",
            output_scale=output_scale,
        )
    )


BNN = _bibench("bnn", PASSING, PASSING)
XNOR = _bibench(
    "xnor", Choice("xnor-weight", {"edge": "passes"}), Choice("xnor-activation", {"edge": "passes"})
)
DOREFA = _bibench("dorefa", Choice("dorefa-weight", {"edge": "blocks"}), BLOCKING)
BIREAL = _bibench("bireal", Choice("bireal-weight", {"edge": "passes"}), Choice("bireal-activation"))
XNORPP = _bibench("xnorpp", BLOCKING, BLOCKING, output_scale=True)
REACTNET = _bibench("reactnet", Choice("bireal-weight", {"edge": "passes"}), Choice("reactnet-activation"))
RECU = _bibench("recu", Choice("recu-weight"), Choice("recu-activation"))
FDA = _bibench("fda", Choice("fda-weight", {"edge": "passes"}), Choice("fda-activation", {"edge": "passes"}))


def _threshold(recipe: Recipe, **changes: Choice) -> Recipe:
    """The recipe's layers behind a softmax with a threshold, and registers it."""
    return register(
        recipe.but(
            f"{recipe.name}-threshold",
            embedding=None,
            query=PASSING,
            key=PASSING,
            value=PASSING,
            attention=Choice("row-threshold"),
            attention_on="probs",
            **changes,
        )
    )


BNN_THRESHOLD = _threshold(BNN)
XNOR_THRESHOLD = _threshold(XNOR)
DOREFA_THRESHOLD = _threshold(DOREFA, activation=PASSING)
BIREAL_THRESHOLD = _threshold(BIREAL)
XNORPP_THRESHOLD = _threshold(XNORPP, weight=PASSING, activation=PASSING)
REACTNET_THRESHOLD = _threshold(REACTNET)
RECU_THRESHOLD = _threshold(RECU)
FDA_THRESHOLD = _threshold(FDA)
BNN_PROBS = register(BNN_THRESHOLD.but("bnn-probs", attention=PASSING))
