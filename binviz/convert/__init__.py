"""Turn a loaded model into a binary one, in place.

    model = AutoModelForSequenceClassification.from_pretrained(...)
    print(binviz.binarize_(model, "bit-w1a1"))

Convert after loading: what a binarizer learns starts from the loaded weights. A model that is binary already
can be given another recipe.
"""

from binviz.convert.binarize import binarize_
from binviz.convert.configuration import ENTRY
from binviz.convert.table import Conversion, Converted

__all__ = ["ENTRY", "Conversion", "Converted", "binarize_"]
