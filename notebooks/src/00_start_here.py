# %% [markdown]
# # 00 · Start here: one bit per number
#
# | | |
# |---|---|
# | **You will** | compute a dot product with XOR and a bit count instead of multiplications; find the trap in the last machine word; see the same on a real layer; look at how small the file gets, and why not 32 times smaller; compare the answers of float models and their 1-bit twins |
# | **Minutes** | 20 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | Python and NumPy; what a matrix product is |
# | **Papers** | BNN [1602.02830](https://arxiv.org/abs/1602.02830) section 3.2; XNOR-Net [1603.05279](https://arxiv.org/abs/1603.05279) section 3.2; BiT [2205.13016](https://arxiv.org/abs/2205.13016) |
# | **Not reproduced** | no accuracy of any paper: the models here are small. They show the mechanism |
# | **Runs on** | a laptop's CPU, offline |
#
# A **binarized** network stores nearly all of its weights as one bit each, and computes with bits. Everything else in this course is
# about two questions: *how does it compute*, and *how can it learn at all*.
#
# | notebook | question |
# |---|---|
# | 00, this one | how do bits replace products? |
# | [01](01_what_a_binarizer_does.ipynb) | what does one bit lose, and what is a surrogate? |
# | [02](02_how_a_sign_can_learn.ipynb) | why can a sign learn at all? |
# | [03](03_from_the_loop_to_the_limit.ipynb) | how fast can bits be, and what stops them? |
# | [04](04_two_sets_and_elasticity.ipynb) | which two values, and how large? |
# | [05](05_many_teachers.ipynb) | one step from float to one bit, or several? |
# | [06](06_a_threshold_that_follows.ipynb) | how can attention's threshold follow each row? |
# | [07](07_what_signs_leave_out.ipynb) | what do signs leave out, and how much do they hold? |
# | [08](08_eight_operators.ipynb) | which operator wins, and where does it matter? |
# | [09](09_what_one_bit_saves.ipynb) | what does one bit save, and by whose count? |
# | [10](10_what_an_answer_rests_on.ipynb) | what does an answer rest on, and what breaks it? |
# | [11](11_what_one_bit_costs_a_generator.ipynb) | what does one bit cost where output becomes input? |
# | [12](12_make_one.ipynb) | the lab: a binarizer, a model and a verdict of your own |
#
# (The lab needs nothing of 08 to 11, and may come before them.) New words are explained where they first come
# up; the file `docs/glossary.md` lists the main ones.
#
# Cells that say `raise NotImplementedError` are yours to write. The check below each one runs your function. Where it is wrong, it
# prints a short case that you can paste into a cell, and what to think of. `check.last` holds that case. If the hints do not help, the
# solution is folded below the check; the executed notebooks are in the folder `solutions`.
#
# **One rule for all exercises:** your functions get NumPy arrays and numbers, return NumPy arrays and numbers, and leave their
# arguments as they are, because cells further down use them. So no tensors, no lists for arrays, nothing changed in place.
#
# Before a figure you are asked to **predict** it. Some guesses are kept: write yours where it says `check.predict`, and a later cell
# prints it beside the result.

# %%
import numpy as np

from binviz import check

# %% [markdown]
# ## 1. A dot product without multiplications
#
# Let every entry be −1 or +1. Then a product of two entries is +1 where they agree and −1 where they differ, so the
# whole dot product is a matter of counting:
#
# $$a \cdot b \;=\; \#\text{matches} - \#\text{mismatches}$$

# %%
a = np.array([+1, -1, +1, +1, -1, -1, +1, -1])
b = np.array([+1, +1, -1, +1, -1, +1, +1, -1])
print("products:", a * b)
print("sum:     ", (a * b).sum())
print("matches: ", (a == b).sum(), "of", len(a))

# %% [markdown]
# ### Exercise 0.1 · from matches to the dot product
# difficulty ●○○○○ · importance ●●●●● · 3 minutes
#
# You only know how many of the `n` places agree. What is the dot product?


# %%
def dot_from_matches(matches, n):
    # solution
    return 2 * matches - n


# %%
check.ex_0_1(dot_from_matches)

# %% [markdown]
# ## 2. The same with bits
#
# A number that is −1 or +1 needs no 32 bits. One is enough: **bit 1 for +1, bit 0 for −1**. To make bits of floats we
# need a rule for every float, and that includes zero: the sign of 0 is **+1**, here and everywhere in binviz
# (`np.sign(0)` is 0, which would be a third value).
#
# ### Exercise 0.2 · bits of floats
# difficulty ●○○○○ · importance ●●●●○ · 2 minutes
#
# `x` is a float vector. Among its values are 0.0 and -0.0 (floats have two zeros, which are equal). Return an array of the same length: the bit
# of each value, 1 or 0.


# %%
def to_bits(x):
    # solution
    return (x >= 0).astype(int)


# %%
check.ex_0_2(to_bits)

# %% [markdown]
# Now put 64 such bits side by side into one machine word. A CPU combines two words with **one** instruction, and counts
# the ones in the result with another (`popcount`). Two instructions in place of 64 multiplications and 63 additions.


# %%
def to_word(signs):
    """At most 64 values of -1 and +1 in one integer, the first one in the lowest bit."""
    return sum(int(bit) << i for i, bit in enumerate(to_bits(signs)))


word_a, word_b = to_word(a), to_word(b)
for label, word in [("a", word_a), ("b", word_b), ("a XOR b", word_a ^ word_b)]:
    print(f"{label:8s} {word:08b}   ones: {word.bit_count()}")
print("matches to dot product:", dot_from_matches(len(a) - (word_a ^ word_b).bit_count(), len(a)))

# %% [markdown]
# (The first value stands on the right, because it is the lowest bit.) XOR is 1 where the two differ, so its ones are the
# mismatches; XNOR, its opposite, marks the matches, and gives the method its name.
#
# ### Exercise 0.3 · the last word is not full
# difficulty ●●●○○ · importance ●●●●● · 5 minutes
#
# Write the dot product of two words of which the lowest `n` bits are used; the others are 0. Python's `int.bit_count()`
# is the popcount. There is a way that is right for 64 and wrong for every smaller `n`.


# %%
def word_dot(word_a, word_b, n):
    # solution
    return n - 2 * (word_a ^ word_b).bit_count()


# %%
check.ex_0_3(word_dot)

# %% [markdown]
# The networks of this course are mostly **transformers**: each place of a text or picture (a *token*) takes from the other places what it needs. How
# much from whom is a row of probabilities; that is **attention**. A probability is never negative, so its bits mean **0 and 1**, not −1 and +1.
# A 0 contributes nothing, and AND picks the numbers that count.
#
# ### Exercise 0.4 · ones and zeros against signs
# difficulty ●●●○○ · importance ●●●○○ · 5 minutes
#
# `word_a` holds values 0 and 1, `word_b` holds −1 and +1 (bit 1 for +1). Unused bits are 0 in both. Return their dot product, a whole number.
#
# <details><summary>A first step</summary>
# Among the places where <code>word_a</code> is 1: how many have a +1 beside them, and how many a −1?
# </details>


# %%
def and_dot(word_a, word_b):
    # solution
    return 2 * (word_a & word_b).bit_count() - word_a.bit_count()


# %%
check.ex_0_4(and_dot)

# %% [markdown]
# ## 3. A whole layer
#
# BERT-base is a transformer that reads text. One of its linear layers takes 768 values to 768: 589,824 weights. `binviz_kernels` packs its rows into 64-bit words
# and does what you have just written, on all words of all rows, with the widest instructions that this CPU has. The
# result is not close to the float product of the signs, it is **the same**, because both are sums of whole numbers.

# %%
import binviz_kernels as bits

rng = np.random.default_rng(0)
activations = rng.normal(size=(128, 768)).astype(np.float32)  # 128 tokens
weights = rng.normal(size=(768, 768)).astype(np.float32)


def signs(x):
    return np.where(x >= 0, np.float32(1), np.float32(-1))


packed_activations, packed_weights = bits.pack_rows(activations), bits.pack_weights(weights)
by_bits = bits.xnor_gemm(packed_activations, packed_weights)
by_floats = signs(activations) @ signs(weights).T
print("by floats:", by_floats[0, :6])
print("by bits:  ", by_bits[0, :6])
print("equal everywhere:", np.array_equal(by_bits, by_floats))

# The first of them with your functions, word by word; then with codes 0 and 1 on the left, as for attention
words_a, words_w = ([int(word) for word in bits.pack_rows(x).words[0]] for x in (activations, weights))
print("by you:   ", sum(word_dot(a, w, 64) for a, w in zip(words_a, words_w, strict=True)), end="")
print(", with 0 and 1:", sum(and_dot(a, w) for a, w in zip(words_a, words_w, strict=True)), end="")
print(", by floats:", (activations[0] >= 0) @ signs(weights)[0])

# %% [markdown]
# ## 4. A whole model, twice
#
# binviz brings two small vision transformers (ViT: the tokens are patches of a picture) that read handwritten digits of 8×8 pixels: a float
# one, and its 1-bit twin, which was trained from it by the method of the paper BiT. The twin's name ends in `w1a1`: weights of 1 bit, and
# *activations*, the numbers that one layer hands to the next, of 1 bit. Each model is one file.
#
# **Predict:** one bit instead of 32. How many times smaller is the file?

# %%
check.predict("00.4 size", None)  # instead of None: how many times

# %%
import binviz
from binviz import plots, zoo
from binviz.data import digits

names = {"float": "digits-vit.float", "1-bit": "digits-vit.bit-w1a1"}
for label, name in names.items():
    entry = zoo.describe(name)
    print(f"{label:5s}  in memory as float32: {entry.float_bytes:9,d} bytes   file: {entry.bytes:9,d} bytes")

# %% [markdown]
# Smaller than what? As float32 numbers in memory both models would take the same bytes. The float model's *file* takes about half of them,
# since it holds float16 (two bytes a number are enough here). So there are two ratios, and neither is 32.

# %%
float32, float16, one_bit = [
    zoo.describe(names["float"]).float_bytes,
    *(zoo.describe(name).bytes for name in names.values()),
]
check.compare("00.4 size", f"{float32 / one_bit:.1f} times smaller than float32 in memory")
print(f"and {float16 / one_bit:.1f} times smaller than the file of float16")

# %% [markdown]
# What is in the 1-bit file? A safetensors file says the type of each tensor.

# %%
from collections import Counter

from safetensors.numpy import load_file

entry = zoo.describe(names["1-bit"])
stored = Counter()
for tensor in load_file(entry.path).values():
    stored[tensor.dtype.name] += tensor.nbytes
stored["header"] = entry.bytes - stored.total()
for kind, size in stored.most_common():
    print(f"{kind:8s} {size:8,d} bytes  {size / entry.bytes:4.0%}")

# %% [markdown]
# The bits stand in words of 64 (`uint64`). The rest is float: the first and the last layer, positions (which say where in the picture a
# patch lies), biases, normalizations (layers that bring numbers to mean 0 and size 1), scales. And there is a header, which says what each tensor is. In a model this small these parts weigh more than the bits;
# in BERT-base, whose layers are wide, they weigh little. So "32 times smaller" is true of a weight matrix, and of a model
# it is a limit.
#
# (In the next cell, `logits` are the ten numbers that a model puts out for a picture, one for each digit. The largest one is its answer.)
#
# **Predict:** on 450 pictures that neither model has seen, on how many do the two disagree?

# %%
import torch

images, labels = digits.load("test")
answers = {}
for label, name in names.items():
    with torch.inference_mode():
        answers[label] = binviz.load(name)(pixel_values=torch.from_numpy(images)).logits.argmax(-1).numpy()
disagree = np.flatnonzero(answers["float"] != answers["1-bit"])
print("they disagree on", len(disagree))

# %% [markdown]
# Who is right more often where they disagree, the float model or its twin? And on what share of these pictures?

# %%
check.predict("00.4 right", None)  # instead of None: for instance "float, on 70 %"

# %% [markdown]
# **Predict** the answers to these pictures yourself: on each of them the two models disagree.

# %%
right = {label: answer[disagree] == labels[disagree] for label, answer in answers.items()}
check.compare("00.4 right", {label: f"right on {r.mean():.0%}" for label, r in right.items()})
for label, answer in answers.items():
    print(f"{label:5s} right on {100 * (answer == labels).mean():.1f} % of all {len(labels)} pictures")
shown = disagree[:8]
titles = [f"float {answers['float'][i]}, 1-bit {answers['1-bit'][i]} ({labels[i]})" for i in shown]
plots.pictures([images[i, 0] for i in shown], titles, columns=4)

# %% [markdown]
# (In brackets: the label.) Where they disagree it is mostly the 1-bit model that is wrong, and still it reads most digits with
# one bit for each weight and one for each value that it is multiplied by, in all layers but the first and the last. How much is lost depends on the task, on the size of
# the model and above all on how it was trained. That is what the other notebooks are about.

# %% [markdown]
# ## 5. A sentence of your own
#
# The other pair reads film reviews: a BERT with 6 layers, 384 wide, that had read much text and was then trained (*fine-tuned*) to tell praise
# from blame on SST-2, a collection of sentences from reviews. A part of these was kept out of training: the *validation set*. Its accuracies
# below are *recorded*: they come from the runs that made the models. Here the layers are wide enough that the file shrinks to a small part of
# float32.
#
# **Predict:** on which of these sentences will the 1-bit model fail? Add some of your own.

# %%
sentences = [
    "A warm, funny and moving film.",
    "The plot is thin and the jokes are worse.",
    "Not bad at all.",
    "I would not call this film a success.",
    "It is hard to dislike, and harder to remember.",
]
print("share of praise, float and 1-bit")
pair = {"float": "sst2-minilm.float", "1-bit": "sst2-minilm.bit-w1a1"}
praise = []
for name in pair.values():
    inputs = binviz.load_tokenizer(name)(sentences, padding=True, return_tensors="pt")
    with torch.inference_mode():
        praise.append(binviz.load(name)(**inputs).logits.softmax(-1)[:, 1].tolist())
for sentence, float_share, bit_share in zip(sentences, *praise, strict=True):
    print(f"  {float_share:4.0%}  {bit_share:4.0%}  {sentence}")

for label, name in pair.items():
    entry = zoo.describe(name)
    print(
        f"{label:5s}  as float32: {entry.float_bytes / 1e6:5.1f} MB   file: {entry.bytes / 1e6:5.1f} MB",
        end="   ",
    )
    print(f"right on {entry.metrics['accuracy']:.1%} of SST-2's validation set (recorded run)")

# %% [markdown]
# Look at the sentences with *not* first. Five sentences prove nothing, but they are a place to start. The dashboard takes yours,
# too, and shows where in the model the two part.

# %% [markdown]
# ## Three questions
#
# **Two words of 64 bits hold 50 values each. Somebody counts matches by XNOR and gets 14 too many. Where do they come from?**
# <details><summary>Answer</summary>
# From the 14 places that are not used. Both words hold 0 there, which XNOR takes for agreement. `n - 2 * popcount(a ^ b)` cannot make this mistake: equal padding adds nothing to an XOR.
# </details>
#
# **A weight matrix became 32 times smaller, the file of the model 4 times. Which of the two is the lie?**
# <details><summary>Answer</summary>
# Neither. One is about what became bits, the other about everything that was stored, against a file that was half as large already. Ask what is above and what is below the fraction line.
# </details>
#
# **The 1-bit twin is right on 91 of 100 pictures, its float model on 98. Does it get the 98 right, less 7?**
# <details><summary>Answer</summary>
# Not exactly. Some pictures it gets right on which the float model fails. That is why two models are compared picture by picture, as in notebook 05.
# </details>
#
# ## Summary
#
# - With entries −1 and +1 a dot product is `n − 2 · popcount(a XOR b)`; with 0 and 1 on one side it is
#   `2 · popcount(a AND b) − popcount(a)`. Both are exact.
# - The empty bits of the last word are the trap: they must not count.
# - A weight matrix becomes 32 times smaller. A model does not quite, because part of it stays float.
# - The 1-bit twin gives mostly the same answers, not all of them.
#
# `check.tally()` in a cell of your own says what you have solved, in this notebook and all others. It is kept in the file
# `binviz-tally.json` beside them.
#
# **Next:** [notebook 01](01_what_a_binarizer_does.ipynb): what a bit loses, and how a step can have a gradient.
# In the dashboard (`make app`): [the same two models and a sentence of yours](http://localhost:8501/), [a dot product bit by bit](http://localhost:8501/bits).

# %% [markdown]
# ## References
#
# - M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio: Binarized Neural Networks, [1602.02830](https://arxiv.org/abs/1602.02830)
# - M. Rastegari, V. Ordonez, J. Redmon, A. Farhadi: XNOR-Net, [1603.05279](https://arxiv.org/abs/1603.05279)
# - Z. Liu and others: BiT, Robustly Binarized Multi-distilled Transformer, [2205.13016](https://arxiv.org/abs/2205.13016)
