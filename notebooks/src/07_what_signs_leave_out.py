# %% [markdown]
# # 07 · What signs leave out
#
# | | |
# |---|---|
# | **You will** | split a head's scores into what codes compute and what they leave out, exactly; see how much of the rest a matrix of low rank could give back; build BiPFT's estimators and learn them; find out why one map cannot serve all heads; count which signs training changed, and flip others by an XOR |
# | **Minutes** | 20 to read, 1 to run, 25 for the exercises |
# | **Before this** | notebooks 03 and 04 |
# | **Papers** | BiPFT [2312.08937](https://arxiv.org/abs/2312.08937); Eckart and Young 1936 |
# | **Not reproduced** | BiPFT's GLUE results: its students are BERT-base and see 33,000 million tokens before their task. Live here is a 1-bit student of 6 layers that was never pre-trained in binary form |
# | **Runs on** | a laptop's CPU, offline |
#
# A 1-bit layer of attention multiplies codes. What does it not compute? **BiPFT** writes that down as a polynomial, and adds small float
# estimators of it. The second half asks the opposite: not what signs leave out, but how much *they* hold.
#
# We look into `sst2-minilm.bit-w1a1`, which judges sentences, while it reads our sixty.

# %%
import numpy as np
import torch

import binviz
from binviz import analysis, check, plots, recipes
from binviz.analysis import random_flips, residual_polynomial, scores_of_flips
from binviz.analysis.residual_polynomial import TERMS, polynomials_of
from binviz.data import digits, sentences
from binviz.evidence import claims
from binviz.experiments import registry
from binviz.layers.attention import LowRankEstimators

student = binviz.load("sst2-minilm.bit-w1a1")
tokenizer = binviz.load_tokenizer("sst2-minilm.bit-w1a1")
inputs = tokenizer([s.text for s in sentences.load()], padding=True, return_tensors="pt")
parts = [f"layers.*.{part}{end}" for part in ("q", "k", "v", "probs") for end in ("", ".decoded")]
seen = analysis.capture(student, inputs, [*parts, "layers.*.q_in"])
LAYERS, HEADS = student.config.num_hidden_layers, student.config.num_attention_heads

# %% [markdown]
# ## 1. A product in four terms
#
# Queries are floats, $Q$. The layer multiplies their codes times a scale instead, $Q_b$: the *main part*. What is left is the *residual*, $Q_r = Q - Q_b$. The same for
# keys. Then the float scores of a head are, exactly,
#
# $$\frac{QK^\top}{\sqrt d} = \frac{Q_bK_b^\top + Q_bK_r^\top + Q_rK_b^\top + Q_rK_r^\top}{\sqrt d}$$
#
# and the layer computes the first term.
#
# ### Exercise 7.1 · four terms
# difficulty ●●○○○ · importance ●●●●● · 5 minutes
#
# `q`, `q_b`, `k` and `k_b` are (tokens, d). Return the four terms in that order, each (tokens, tokens).


# %%
def four_terms(q, q_b, k, k_b):
    # solution
    left, right, d = (q_b, q - q_b), (k_b, k - k_b), q.shape[1]
    return tuple(x @ y.T / d**0.5 for x in left for y in right)


# %%
check.ex_7_1(four_terms)

# %% [markdown]
# Now one head of the student, as it reads our first sentence, and then all of its heads. The *energy* of a matrix is the sum of its squares.
#
# **Predict:** which of the four terms has most energy beside the float scores? And do the four add up to 100 %?

# %%
tokens = int(inputs["attention_mask"][0].sum())
q, q_b, k, k_b = (seen[f"layers.0.{name}"][0, 3, :tokens] for name in ("q", "q.decoded", "k", "k.decoded"))
terms = four_terms(q, q_b, k, k_b)
print(f"the four add up to the float scores within {np.abs(sum(terms) - q @ k.T / q.shape[1] ** 0.5).max():.0e}")

EXAMPLES = range(0, 60, 6)


def heads_of(layer, product, example):
    return [getattr(polynomials_of(student, seen, layer, head, example), product) for head in range(HEADS)]


found = {
    product: [[part for e in EXAMPLES for part in heads_of(layer, product, e)] for layer in range(LAYERS)]
    for product in ("scores", "context")
}
energies = {
    name: [100 * np.mean([part.energies[name] for part in layer]) for layer in found["scores"]] for name in TERMS
}
plots.bars([f"layer {i}" for i in range(LAYERS)], energies, "layer (number)", "energy (% of the float scores)", ".0f")
