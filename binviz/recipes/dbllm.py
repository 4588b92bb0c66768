"""DB-LLM (Chen et al. 2024, 2402.11960): weights of 2 bits as two binary sets, everything else float.

Activations, attention, embeddings and the output layer stay float, so that a decoder generates with its cache as it
did. So they do in `ternary`, whose weights are -1, 0 or +1 (Li et al. 2016, 1605.04711).

There is no official code. Departures from the paper: scales are of a row, not of groups of 64 weights in it, and latent
weights are trained with them (`binviz.binarizers.fdb`).
"""

from binviz.recipes.recipe import Choice, Recipe, register

DB_LLM = register(Recipe(name="db-llm", weight=Choice("fdb-weight")))
TERNARY = register(Recipe(name="ternary", weight=Choice("ternary-weight")))
