"""BiBERT (Qin et al. 2022, 2203.06390): signs everywhere, and an attention map that is a sign of the scores.

There is no softmax: a position is attended to where its score is not negative. Departure from the official
code: a score of exactly zero gives 1, as sign(0) = +1 does everywhere here; the code gives 0.
"""

from binviz.recipes.recipe import Choice, Recipe, register

SIGN = Choice("bnn")

BIBERT = register(
    Recipe(
        name="bibert",
        weight=Choice("bibert-weight"),
        embedding=Choice("bibert-weight"),
        activation=SIGN,
        query=SIGN,
        key=SIGN,
        value=SIGN,
        attention=Choice("bibert-attention"),
        attention_on="scores",
    )
)
