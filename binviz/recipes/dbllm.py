"""DB-LLM (Chen et al. 2024, 2402.11960): weights of 2 bits as two binary sets, everything else float.

Activations, attention, embeddings and the output layer stay float, so that a decoder generates with its cache as it
did. So they do in `ternary`, whose weights are -1, 0 or +1 (Li et al. 2016, 1605.04711).

There is no official code. Departures from the paper: latent weights are trained with the scales
(`binviz.binarizers.fdb`), and in `db-llm` scales are of a row; `db-llm-g64` has the paper's, of 64 neighbours in a row
(of the whole row where 64 does not divide it, and in convolutions).
"""

from binviz.recipes.recipe import Choice, Recipe, register

DB_LLM = register(Recipe(name="db-llm", weight=Choice("fdb-weight")))
DB_LLM_G64 = register(Recipe(name="db-llm-g64", weight=Choice("fdb-weight", {"group": 64})))
TERNARY = register(Recipe(name="ternary", weight=Choice("ternary-weight")))
