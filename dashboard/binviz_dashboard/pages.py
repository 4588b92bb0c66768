"""The pages, and where the pages of older versions have gone."""

from binviz import zoo
from binviz.evidence import gaps

#: The model that fills gaps live on the page of that name, which is there where the model is.
FILLER = "words-minilm.bipft-a"

#: File in views/ -> title, icon; the first is the start.
PAGES = {
    "answers": ("Two answers", ":material/forum:"),
    "gap": ("Fill the gap", ":material/edit_note:"),
    "playground": ("Playground", ":material/play_arrow:"),
    "binarizers": ("Binarizers", ":material/tune:"),
    "bits": ("Bits", ":material/memory:"),
    "inside": ("Inside", ":material/grid_on:"),
    "text": ("Find the text", ":material/document_scanner:"),
    "robustness": ("Robustness", ":material/foggy:"),
    "generate": ("Generate", ":material/blur_on:"),
    "tradeoffs": ("Trade-offs", ":material/balance:"),
    "evidence": ("Evidence", ":material/fact_check:"),
    "field": ("The field", ":material/menu_book:"),
    "yours": ("Your model", ":material/upload_file:"),
}
if FILLER not in zoo.names() or not gaps.SHIPPED.exists():
    del PAGES["gap"]
#: Pages of older versions -> the page that has their content now, and what to show on it.
MOVED = {
    "lab": ("binarizers", {}),
    "training": ("evidence", {}),
    "activations": ("inside", {"view": "Distributions"}),
    "errors": ("inside", {"view": "Errors"}),
    "attention": ("inside", {"view": "Attention"}),
}
