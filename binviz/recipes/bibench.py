"""The operators that BiBench compares (Qin et al. 2023, 2301.11233), as recipes for whole networks.

BiBench defines linear and convolution layers. In a transformer these recipes take signs of queries, keys and
values, whose linear layers' biases already are learned thresholds. The map of attention is theirs to choose:
`bnn` takes the sign of the probabilities, which is constant, and so attends to everything alike;
`bnn-threshold` and all others set a probability to 1 from half of its row's maximum on.

Departures from the official code: XNOR's linear layers do not centre the rows of their weights, and neither
does the paper (`xnor-weight` has an option for it); ReActNet's threshold moves the forward value of linear
layers too; biases of linear layers are kept; FDA's noise module exists before the first forward; XNOR-Net++
learns one factor per output channel and none per position, which needs no fixed image size.
"""

from binviz.recipes.recipe import Choice, Recipe, register

SIGN = Choice("bnn")
THRESHOLD = Choice("row-threshold")


def _bibench(name: str, weight: str, activation: str, *, output_scale: bool = False) -> Recipe:
    return register(
        Recipe(
            name=name,
            weight=Choice(weight),
            activation=Choice(activation),
            query=SIGN,
            key=SIGN,
            value=SIGN,
            attention=THRESHOLD,
            output_scale=output_scale,
        )
    )


BNN_THRESHOLD = _bibench("bnn-threshold", "bnn", "bnn")
BNN = register(BNN_THRESHOLD.but("bnn", attention=SIGN))
XNOR = _bibench("xnor", "xnor-weight", "xnor-activation")
DOREFA = _bibench("dorefa", "dorefa-weight", "bnn")
BIREAL = _bibench("bireal", "bireal-weight", "bireal-activation")
XNORPP = _bibench("xnorpp", "bnn", "bnn", output_scale=True)
REACTNET = _bibench("reactnet", "bireal-weight", "reactnet-activation")
RECU = _bibench("recu", "recu-weight", "recu-activation")
FDA = _bibench("fda", "fda-weight", "fda-activation")
