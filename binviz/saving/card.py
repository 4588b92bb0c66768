"""The card of a packed model: what it is, what it came from, what it lost, how to use it."""

from __future__ import annotations

from collections.abc import Mapping

from binviz.convert.table import Conversion
from binviz.errors import one_line
from binviz.words import percent, times


def card(
    source: str,
    conversion: Conversion,
    size: int,
    float_size: int,
    measured: Mapping[str, str] | None = None,
    revision: str = "",
    licence: str = "",
) -> str:
    """A README.md in the hub's format for a model that was converted and not trained since.

    Args:
        source: hub id or name of the float model. revision: commit of it. licence: of it, as its page says.
        conversion: what `binarize_` returned.
        size: bytes of the packed file. float_size: four bytes for each parameter of the float model.
        measured: what -> the number with its unit, in words.

    >>> text = card("me/bert", Conversion("bnn", "BERT", ()), 100, 3200)
    >>> text.splitlines()[:5]
    ['---', 'library_name: binviz', 'base_model: me/bert', 'tags:', '- binviz']
    """
    import binviz

    named = one_line(source, 200)
    # A folder is named for its owner only; what is published names what others can find
    base = [f"base_model: {named}"] if named.count("/") == 1 and not named.startswith(("/", ".", "~")) else []
    licensed = (
        [f"license: {licence}"] if licence and licence.replace("-", "").replace(".", "").isalnum() else []
    )
    bits, floats = conversion.bits, conversion.floats
    lines = [
        "---",
        "library_name: binviz",
        *base,
        *licensed,
        "tags:",
        "- binviz",
        "- 1-bit",
        f"- {conversion.recipe}",
        "---",
        f"# {named.rstrip('/').split('/')[-1]}, 1 bit ({conversion.recipe})",
        "",
        f"Converted by binviz {binviz.__version__} from `{named}`{f' at {revision}' if revision else ''} with the "
        f"recipe `{conversion.recipe}`. **Nothing was trained since**: its answers are those of a start, not of a "
        "finished model.",
        "",
        f"- {bits:,} weights of 1 bit, {floats:,} float parameters ({percent(bits / max(bits + floats, 1))} binary)",
        f"- {size:,} bytes, 1/{times(float_size / max(size, 1))} of the float32 model's {float_size:,}",
        *(f"- {what}: {value}" for what, value in (measured or {}).items()),
        "",
        "```python",
        "import binviz",
        "",
        'model = binviz.load("model.safetensors")  # computes in float32; can be trained on',
        "packed = binviz.pack(model)               # the same call, on bits",
        "```",
        "",
    ]
    return "\n".join(lines)
