"""Where bits meet: two vectors that a visitor writes, and an activation and a weight row inside a bundled model.

No Streamlit here.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from binviz import analysis
from binviz.adapters import layout_of
from binviz.analysis.sites import sites
from binviz.data import validate
from binviz.errors import UserError
from binviz.layers import BinaryLinear
from binviz.tasks import Example

MOST = 16
ABOUT = {
    True: "The sign of a number is its code, and 0 counts as +1. A code is one bit: 1 for +1, 0 for −1. The number "
    "beside a row of bits is its word, read from the right: place 0 is its last digit. XNOR marks the "
    "places that agree. Machines use XOR, which marks those that differ: bits after the last place are 0 on both "
    "sides and differ nowhere. The scales are the mean magnitudes of a and of w (XNOR-Net).",
    False: "An activation that cannot be negative has the codes 0 and 1: here 1 above 0.5. A 0 adds nothing. The "
    "number beside a row of bits is its word, read from the right: place 0 is its last digit. AND "
    "counts the ones that meet a +1; all other ones of a meet a −1. The scales are 1 for a and for w its mean "
    "magnitude.",
}


class Step(NamedTuple):
    """Two vectors of one length, and their bits.

    >>> found = step("0.5, -2", "1, 1", signed=True)
    >>> found.a_codes.tolist(), found.w_codes.tolist()
    ([1, -1], [1, 1])
    """

    a: NDArray[np.float64]
    w: NDArray[np.float64]
    a_bits: NDArray[np.int64]
    w_bits: NDArray[np.int64]
    signed: bool

    @property
    def a_codes(self) -> NDArray[np.int64]:
        """What the activation's bits stand for."""
        return 2 * self.a_bits - 1 if self.signed else self.a_bits

    @property
    def w_codes(self) -> NDArray[np.int64]:
        """-1 and +1."""
        return 2 * self.w_bits - 1


def step(a: str, w: str, signed: bool) -> Step:
    """Two lists of numbers, read and binarized: weights by their sign, activations by it or by half of 1.

    Raises:
        UserError: no numbers, too many, or not as many in one list as in the other.

    >>> step("0.5, -2", "1 1", signed=True).a_bits.tolist()
    [1, 0]
    """
    x, y = (
        np.array(validate.check_numbers(text, name, MOST)) for name, text in (("list a", a), ("list w", w))
    )
    if len(x) != len(y):
        raise UserError(f"list a has {len(x)} numbers and list w has {len(y)}; write as many in both")
    return _binarized(x, y, signed)


def _binarized(a: NDArray[np.float64], w: NDArray[np.float64], signed: bool) -> Step:
    return Step(a, w, (a >= 0 if signed else a > 0.5).astype(int), (w >= 0).astype(int), signed)


def flip(step: Step, of: Literal["a", "w"], place: int) -> Step:
    """The same with one bit turned, by another number there: scales stay, and the dot product of the codes moves.

    A number changes its sign, and a 0, which counts as +1, becomes -1; an activation of 0 and 1 becomes what is as far
    on the other side of a half, and a half becomes 1. So `written` gives lists that `step` reads back.

    Args:
        step: of now.
        of: the list in which a bit is turned.
        place: in it.

    Raises:
        UserError: no such place.

    >>> turned = flip(step("0.5 -2", "1 1", signed=True), "w", 1)
    >>> turned.w.tolist(), turned.w_bits.tolist(), dot(turned)
    ([1.0, -1.0], [1, 0], 2)
    """
    if not 0 <= place < len(step.a):
        raise UserError(f"there is no place {place}; choose one from 0 to {len(step.a) - 1}")
    numbers = {"a": step.a.copy(), "w": step.w.copy()}
    number = numbers[of][place]
    if of == "w" or step.signed:
        numbers[of][place] = -number if number else -1.0
    else:
        numbers[of][place] = 1.0 - number if number != 0.5 else 1.0
    return _binarized(numbers["a"], numbers["w"], step.signed)


def flipped(before: Step, after: Step) -> str:
    """What a turned bit did, in one sentence.

    >>> one = step("0.5 -2", "1 1", signed=True)
    >>> flipped(one, flip(one, "w", 1))
    'The dot product of the codes moves by +2, from 0 to 2.'
    """
    was, is_now = dot(before), dot(after)
    if was == is_now:
        return f"The dot product of the codes stays {is_now}: the activation there is 0 and adds nothing."
    return f"The dot product of the codes moves by {is_now - was:+d}, from {was} to {is_now}."


def written(numbers: NDArray[np.float64]) -> str:
    """A list as a visitor would write it.

    >>> written(np.array([0.8, -1.2, 2.0]))
    '0.8 -1.2 2'
    """
    return " ".join(f"{number:.12g}" for number in numbers)


def dot(step: Step) -> int:
    """The dot product of the codes, from bits in machine words.

    >>> dot(step("1 -1 1", "1 1 1", signed=True)), dot(step("1 0 1", "1 1 -1", signed=False))
    (1, 0)
    """
    a, w = (sum(int(bit) << place for place, bit in enumerate(bits)) for bits in (step.a_bits, step.w_bits))
    if step.signed:
        return len(step.a) - 2 * (a ^ w).bit_count()
    return 2 * (a & w).bit_count() - a.bit_count()


def scaled(step: Step) -> float:
    """What the count says about the dot product of the numbers themselves.

    >>> scaled(step("2 -2", "3 -3", signed=True))
    12.0
    """
    alpha = np.abs(step.a).mean() if step.signed else 1.0
    return float(dot(step) * alpha * np.abs(step.w).mean())


def in_words(step: Step) -> str:
    """The count as a formula with its numbers, in LaTeX; no line is wider than a phone."""
    a, w, n = step.a_bits, step.w_bits, len(step.a)
    if step.signed:
        count = int((a ^ w).sum())
        return (
            rf"\begin{{aligned}}a\cdot w &= \text{{matches}}-\text{{mismatches}} \\ &= {n - count} - {count} \\ "
            rf"&= K - 2\,\mathrm{{popcount}}(a \oplus w) \\ "
            rf"&= {n} - 2\cdot {count} = {n - 2 * count}\end{{aligned}}"
        )
    count, ones = int((a & w).sum()), int(a.sum())
    return (
        rf"\begin{{aligned}}a\cdot w &= 2\,\mathrm{{popcount}}(a \wedge w) \\ "
        rf"&\quad - \mathrm{{popcount}}(a) \\ "
        rf"&= 2\cdot {count} - {ones} = {2 * count - ones}\end{{aligned}}"
    )


class Place(NamedTuple):
    """A 1-bit linear layer: its module's path, and the name of its input's codes.

    >>> Place("encoder.0.mlp.0", "layers.0.fc1.code", outputs=128).inputs
    ['layers.0.fc1.pre', 'layers.0.fc1.code']
    """

    path: str
    codes: str
    outputs: int

    @property
    def inputs(self) -> list[str]:
        """Names of the layer's input before its binarizer, and of its codes."""
        return [f"{self.codes.removesuffix('code')}pre", self.codes]


def places(model: nn.Module) -> dict[str, Place]:
    """Canonical name -> each linear layer whose weights and activations have one bit.

    Raises:
        UserError: there is none.
    """
    layout = layout_of(model)
    names = {path: name for block in layout.blocks for name, path in block.linears().items()}
    names |= {path: name for name, path in layout.others.items()}
    found = {}
    for name, site in sites(model, layout).items():
        layer: Any = model.get_submodule(site.module)
        one_bit = isinstance(layer, BinaryLinear) and layer.weight_binarizer.basis_count == 1
        one_bit = one_bit and layer.weight_binarizer.group is None
        if name.endswith(".code") and one_bit and layer.activation_binarizer.bits == 1:
            found[names.get(site.module, site.module)] = Place(site.module, name, layer.weight.shape[0])
    if not found:
        raise UserError("this model has no 1-bit linear layer, only convolutions; choose another model")
    return found


class Met(NamedTuple):
    """An activation and a weight row, and what becomes of their count.

    a_bits, w_bits: (K,). dot: counted on words. scale: of weight times activation. added: the bias.
    output: the number that follows. models: the number that the model itself gave.
    """

    a_bits: NDArray[np.int64]
    w_bits: NDArray[np.int64]
    signed: bool
    counted: int
    dot: int
    scale: float
    added: float
    output: float
    models: float


@torch.inference_mode()
def meet(model: nn.Module, place: Place, seen: analysis.Captured, token: int, row: int) -> Met:
    """One token's activation and one row of weights of a layer, from bits to the layer's output.

    Args:
        model: that holds the layer.
        place: the layer.
        seen: its input before the binarizer and its codes, and its output by the module's path.
        token: number of the token or patch.
        row: number of the output.
    """
    layer: Any = model.get_submodule(place.path)
    before, codes = (seen[name] for name in place.inputs)
    a = codes.reshape(-1, codes.shape[-1])[token]
    given = torch.from_numpy(before.reshape(-1, codes.shape[-1])[token : token + 1])
    code, (weight,) = layer.activation_binarizer.encode(given), layer.weight_binarizer.bases(layer.weight)
    signed = min(layer.activation_binarizer.levels) < 0
    a_bits, w_bits = (a > 0).astype(int), (weight.q[row] > 0).long().numpy()
    words_a, words_w = (np.packbits(bits, bitorder="little") for bits in (a_bits, w_bits))
    if signed:
        # dot = K - 2 popcount(a ^ w)
        count = int(np.bitwise_count(words_a ^ words_w).sum())
        dot = len(a) - 2 * count
    else:
        # dot = 2 popcount(a & w) - popcount(a)
        count = int(np.bitwise_count(words_a & words_w).sum())
        dot = 2 * count - int(np.bitwise_count(words_a).sum())
    weight_scale, scale = weight.scale.reshape(-1).expand(len(weight.q))[row], code.scale.reshape(-1)[0]
    of_row = weight._replace(q=weight.q[row : row + 1], scale=weight_scale)
    y = layer.scaled(torch.tensor([float(dot)]), code, of_row).reshape(())
    if layer.output_scale is not None:
        y, scale = y * layer.output_scale[row], scale * layer.output_scale[row]
    y = y if layer.bias is None else y + layer.bias[row]
    scale = weight_scale * scale
    output = seen[place.path]
    return Met(
        a_bits, w_bits, signed, count, dot, float(scale), float(y - dot * scale), float(y),
        float(output.reshape(-1, output.shape[-1])[token, row]),
    )  # fmt: skip


def row_in_words(met: Met) -> str:
    """From the count to the layer's output as a formula with its numbers, in LaTeX; no line is wider than a phone."""
    n, ones = len(met.a_bits), int(met.a_bits.sum())
    count = f"{n} - 2\\cdot {met.counted}" if met.signed else f"2\\cdot {met.counted} - {ones}"
    return (
        rf"\begin{{aligned}}\text{{dot}} &= {count} = {met.dot} \\ "
        rf"y &= \text{{dot}}\cdot\text{{scales}} + \text{{bias}} \\ "
        rf"&= {met.dot}\cdot {met.scale:.5g} {met.added:+.5g} \\ &= {met.output:.6g}\end{{aligned}}"
    )


def numbers(met: Met) -> dict[str, str]:
    """What the page shows in large."""
    return {
        "Ones of a XOR w" if met.signed else "Ones of a AND w": str(met.counted),
        "Dot product": str(met.dot),
        "From the bits": f"{met.output:.6g}",
        "The model says": f"{met.models:.6g}",
    }


def verdict(met: Met) -> str:
    """Whether both numbers are one, and what was added to the scaled count."""
    if met.output == met.models:
        same = "The two numbers are equal to the last bit: both count exactly, then scale in the same order."
    else:
        same = f"The two numbers differ by {abs(met.output - met.models):.2g}."
    return f"{same} What is added after the scales is the layer's bias."


def code_of_row(name: str, example: Example, place: Place, token: int, row: int) -> str:
    """Python that draws the words of an activation and a weight row."""
    torch = "import torch\n\n" if "torch." in example.code else ""
    return (
        f"{torch}import binviz\nfrom binviz import plots, zoo\n{example.imports}\n{example.code}"
        f"model = binviz.load({name!r})\n"
        f"layer = model.get_submodule({place.path!r})\n"
        f"codes = binviz.capture(model, inputs, {place.codes!r})[{place.codes!r}]\n"
        f"activation = codes.reshape(-1, layer.in_features)[{token}] > 0\n"
        f"weights = (layer.weight_binarizer.encode(layer.weight).q[{row}] > 0).int().numpy()\n"
        f"signed = min(layer.activation_binarizer.levels) < 0\n"
        f"figure = plots.bit_words(activation.astype(int), weights, signed)\n"
    )
