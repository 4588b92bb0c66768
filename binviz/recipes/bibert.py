"""BiBERT (Qin et al. 2022, 2203.06390): signs everywhere, and an attention map that is a sign of the scores.

There is no softmax: a position is attended to where its score is not negative. As in the official code, the window
of weights and of linear layers' inputs passes the gradient at exactly 1, that of queries, keys, values and scores
blocks it. Departure: a score of exactly zero gives 1, as sign(0) = +1 does everywhere here; the code gives 0.
"""

from binviz.recipes.recipe import Choice, Recipe, register

WEIGHT = Choice("bibert-weight", {"edge": "passes"})
SIGN = Choice("bnn", {"edge": "blocks"})

BIBERT = register(
    Recipe(
        name="bibert",
        weight=WEIGHT,
        embedding=WEIGHT,
        activation=Choice("bnn", {"edge": "passes"}),
        query=SIGN,
        key=SIGN,
        value=SIGN,
        attention=Choice("bibert-attention", {"edge": "blocks"}),
        attention_on="scores",
    )
)
