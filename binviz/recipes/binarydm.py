"""BinaryDM (Zheng et al. 2024, 2404.05662, versions 1 to 4): a diffusion U-Net with weights of signs.

Weights of the outer levels are two sets of signs, those further in one, all with learned scales; inputs of the layers
have 8 or 4 bits with a learned step (LSQ, 1902.08153). `binviz.networks.UNet` names its layers "outer" and "inner"; the
two linears that read the step, the first and the last convolution stay float. `binarydm-plain` is the plain baseline:
signs times the mean magnitude of the weights as they are, with the same activations of 8 bits.

Departures from the official code: the step of an activation is learned, where the code sets it anew in every forward;
the two products of attention stay float, where the code gives queries, keys, values and the softmax 8 bits.
"""

from binviz.recipes.recipe import Choice, Recipe, register

ONE, TWO = (Choice("multi-basis-weight", {"bases": bases}) for bases in (1, 2))


def _lsq(bits: int) -> Choice:
    return Choice("elastic-signed", {"bits": bits})


W1A8 = register(
    Recipe("binarydm-w1a8", weight=ONE, activation=_lsq(8), overrides=(("outer.*", {"weight": TWO}),))
)
W1A4 = register(W1A8.but("binarydm-w1a4", activation=_lsq(4)))
PLAIN = register(Recipe("binarydm-plain", weight=Choice("xnor-weight"), activation=_lsq(8)))
