"""BiT: robustly binarized multi-distilled transformer (Liu et al. 2022, 2205.13016).

Two sets: {0, 1} where the float value cannot be negative (after softmax and ReLU), {-1, +1} elsewhere; elastic
scales and shifts are learned. As in the official code, a window passes the gradient at its edge, which is the elastic
functions' default. Departures from the official code: queries, keys, values and attention
probabilities have a scale but no shift, as in the code, and its three dead shift vectors there are not made;
whether a scale was initialised is saved with the model. From one number of bits to another scales start anew, where the
code keeps them (`binviz.training.stages`). As in the code, a scale starts from the whole first
batch, padding positions included, so the start depends on how that batch is padded.
"""

from binviz.recipes.recipe import Choice, Recipe, register


def _bit(bits: int) -> Recipe:
    signed = Choice("elastic-signed", {"bits": bits})
    return register(
        Recipe(
            name=f"bit-w1a{bits}",
            weight=Choice("bit-weight"),
            embedding=Choice("bit-weight", {"per_row": True}),
            activation=Choice("elastic-signed", {"bits": bits, "learn_shift": True}),
            nonneg_activation=Choice("elastic-unsigned", {"bits": bits, "learn_shift": True}),
            query=signed,
            key=signed,
            value=signed,
            attention=Choice("elastic-unsigned", {"bits": bits}),
            ffn_activation="relu",
        )
    )


W1A1, W1A2, W1A4 = _bit(1), _bit(2), _bit(4)
