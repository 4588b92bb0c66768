# %% [markdown]
# # 03 · From the loop to the limit
#
# | | |
# |---|---|
# | **You will** | multiply bits in six ways, each measured on your machine: a Python loop, NumPy, a compiled loop, interleaved weights, registers filled by hand, and the processor's own limit; find out what becomes of "1/64 of the operations"; read a roofline; count a model's costs under two papers' rules |
# | **Minutes** | 26 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebook 00; what a cache and a register are, roughly |
# | **Papers** | XNOR-Net [1603.05279](https://arxiv.org/abs/1603.05279) section 4.1; Bi-Real Net [1808.00278](https://arxiv.org/abs/1808.00278); BiT [2205.13016](https://arxiv.org/abs/2205.13016); Roofline [10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785) |
# | **Not reproduced** | no paper's speed: their machines, shapes and float baselines are others. Every time here is yours |
# | **Runs on** | a laptop's CPU, offline; close what else is running |
#
# Papers say that a 1-bit network needs 1/64 of the operations. The code that came with them multiplies floats. This notebook
# starts from the slowest way to multiply bits, ends near the fastest that the processor allows, and says at each step where the
# factor comes from.

# %% tags=["timed"]
import itertools

import binviz_kernels as bits
import numpy as np
import plotly.graph_objects as go
from numba import njit

from binviz import check, plots
from binviz.bench import crossover, limit, machine, products, roofline
from binviz.bench.timing import interleave, spread

print(machine.describe()["cpu"], *machine.describe()["flags"])
bits.set_threads(1)  # one thread everywhere, so that steps can be compared

# %% [markdown]
# ## 1. The task, and a loop
#
# A linear layer of BERT-base: 128 tokens of 768 values meet 768 rows of weights. Each of the 128 · 768 dot products multiplies
# and adds 768 times. We count **one multiplication and one addition as two operations**, for bits as for floats, and compare
# operations per second: so a slow way may be measured on a small piece of the task.
#
# After the loop come NumPy, a compiled loop, panels, and registers filled by hand. **Predict** now: which of these four steps gains most,
# and how many times faster than the loop is the last one?

# %% tags=["timed"]
M, K, N = 128, 768, 768
rng = np.random.default_rng(0)
a, w = rng.choice([-1, 1], size=(M, K)).astype(np.int8), rng.choice([-1, 1], size=(N, K)).astype(np.int8)
speed = {}


def measure(name, function, dots=M * N, rounds=20):
    """Operations per second of a function that computes so many dot products: the best round counts."""
    seconds = min(interleave({name: function}, rounds)[name])
    speed[name] = 2 * K * dots / seconds
    print(f"{name}: {speed[name] / 1e9:,.2f} · 10⁹ operations per second")


def loop(x, y):
    total = 0
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


x, y = a[0].tolist(), w[0].tolist()
measure("Python loop", lambda: loop(x, y), dots=1)
check.predict("03.1", None)  # instead of None: for instance "panels, 1,000 times"

# %% [markdown]
# ## 2. NumPy on words
#
# 64 codes become one word (notebook 00), and `np.bitwise_count` counts the ones of a whole array of words.
#
# ### Exercise 3.1 · all dot products at once
# difficulty ●●○○○ · importance ●●●●● · 5 minutes
#
# `words_a` is (M, W) and `words_w` is (N, W), both uint64; bits beyond the K codes of a row are 0. Return the (M, N) dot products, whole
# numbers that may be negative, without a loop.
#
# <details><summary>A first step</summary>
# <code>words_a[:, None, :] ^ words_w[None, :, :]</code> has the shape (M, N, W).
# </details>


# %%
def numpy_dots(words_a, words_w, K):
    # solution
    differ = words_a[:, None, :] ^ words_w[None, :, :]
    return K - 2 * np.bitwise_count(differ).sum(axis=-1, dtype=np.int64)


# %%
check.ex_3_1(numpy_dots)

# %% tags=["timed"]
words_a, words_w = bits.pack_rows(a > 0).words, bits.pack_rows(w > 0).words
truth = a.astype(int) @ w.T.astype(int)
assert np.array_equal(numpy_dots(words_a, words_w, K), truth)
measure("NumPy", lambda: numpy_dots(words_a, words_w, K), rounds=3)

# %% [markdown]
# Each line of NumPy writes its whole result to memory before the next one reads it: here 9 MB of words that differ. A compiled
# loop keeps a word in a register instead.
#
# ## 3. A compiled loop
#
# Numba compiles Python to machine code. We do not ask it for a count of bits: one can be written with arithmetic, on all bits of
# the word at once: first the ones of each *pair* of bits, then of each four, then of each eight. LLVM, the compiler underneath,
# recognises these lines and puts the processor's own instruction in their place, if there is one.
#
# ### Exercise 3.2 · ones of pairs
# difficulty ●●●○○ · importance ●●○○○ · 5 minutes
#
# The first line. `x` is an integer (and later an array of uint64, so use operators only); the result holds, in the place of each pair of bits,
# the number of its ones (0, 1 or 2).


# %%
PAIRS = 0x5555_5555_5555_5555


def ones_of_pairs(x):
    # solution
    return x - ((x >> 1) & PAIRS)


# %%
check.ex_3_2(ones_of_pairs)


# %% tags=["timed"]
def ones(x):
    """Your line first, then fours, then eights, then the sum of all eight bytes in the top one."""
    x = ones_of_pairs(x)
    x = (x & 0x3333_3333_3333_3333) + ((x >> 2) & 0x3333_3333_3333_3333)
    x = (x + (x >> 4)) & 0x0F0F_0F0F_0F0F_0F0F
    return (x * 0x0101_0101_0101_0101) >> 56


assert np.array_equal(ones(words_a), np.bitwise_count(words_a))

from binviz_kernels.portable import popcount  # the same lines, compiled


@njit
def compiled_dots(words_a, words_w, K):
    out = np.empty((len(words_a), len(words_w)), np.int32)
    for m in range(len(words_a)):
        for n in range(len(words_w)):
            differing = np.int32(0)
            for k in range(words_a.shape[1]):
                differing += np.int32(popcount(words_a[m, k] ^ words_w[n, k]))
            out[m, n] = K - 2 * differing
    return out


assert np.array_equal(compiled_dots(words_a, words_w, K), truth)
measure("compiled loop", lambda: compiled_dots(words_a, words_w, K))

# %% [markdown]
# ## 4. Panels: neighbours side by side
#
# A vector register holds several words: two, four or eight, by its width. In the loop above these would be words of *one* row, whose counts
# must then be added across the register, which is slow. Better: let each *lane* of the register, the place of one number, belong to another output. Then all
# additions go straight down, and the sum of an output never leaves its lane. For that, word k of neighbouring outputs must lie
# side by side in memory, in **panels** of 64 outputs.
#
# ### Exercise 3.3 · arrange the weights
# difficulty ●●●○○ · importance ●●●●○ · 6 minutes
#
# From uint64 (N, W) to (P, W, 64), where `panels[p, k, j]` is word k of output 64·p + j. The last panel may not be full.


# %%
def arrange(words):
    # solution
    N, W = words.shape
    padded = np.zeros((-(-N // 64) * 64, W), np.uint64)
    padded[:N] = words
    return np.ascontiguousarray(padded.reshape(-1, 64, W).transpose(0, 2, 1))


# %%
check.ex_3_3(arrange)


# %% tags=["timed"]
@njit
def panel_dots(words_a, panels, K, N):
    out = np.empty((len(words_a), N), np.int32)
    sums = np.empty(64, np.uint64)
    for m in range(len(words_a)):
        for p in range(len(panels)):
            sums[:] = 0
            for k in range(words_a.shape[1]):
                for j in range(64):  # neighbours: LLVM makes vector instructions of this loop
                    sums[j] += popcount(words_a[m, k] ^ panels[p, k, j])
            for j in range(min(64, N - 64 * p)):
                out[m, 64 * p + j] = K - 2 * np.int32(sums[j])
    return out


panels = arrange(words_w)
assert np.array_equal(panel_dots(words_a, panels, K, N), truth)
measure("panels", lambda: panel_dots(words_a, panels, K, N))

# %% [markdown]
# ## 5. Registers filled by hand
#
# The sums above still travel between registers and memory, at every k. `binviz_kernels` writes the innermost loop in LLVM's own
# language instead (read `binviz_kernels/sums.py`; it is short). With AVX-512, instructions on registers of 512 bits, the sums of 6 rows times 64 outputs stay in 24 registers
# from the first k to the last: each step loads 4 registers of weights, repeats one word of each row over a register, and does XOR,
# popcount and an addition, 24 times. With AVX2 registers are fewer and narrower, 256 bits, and hold fewer sums.
#
# And the limit? Leave out all loads and stores, keep XOR, popcount and addition on registers, and time that. Some processors count
# slowly but look up fast: there a table of all sums of four products takes the place of XOR and popcount, and the faster of the two
# ways is the limit. No product of bits made like that can be faster on this processor.

# %% tags=["timed"]
packed_a, packed_w = bits.pack_rows(a.astype(np.float32)), bits.pack_weights(w.astype(np.float32))
out = np.empty((M, N), np.int32)
assert np.array_equal(bits.xnor_gemm(packed_a, packed_w), truth)
measure("registers by hand", lambda: bits.xnor_gemm(packed_a, packed_w, out))

speed["the limit"] = max(limit.best(limit.measure(rounds=10)))

# %% [markdown]
# **Predict:** which share of the limit do the registers by hand reach? (Your guess of section 1 is printed beside the result.)

# %% tags=["timed"]
names = list(speed)
steps = {b: speed[b] / speed[a] for a, b in itertools.pairwise(names)}
gained = ["", *(f"{gain:.3g} times" for gain in steps.values())]
figure = go.Figure(
    go.Bar(x=names, y=[speed[name] / 1e9 for name in names], text=gained, textposition="outside")
)
figure.update_xaxes(title="way to multiply bits (in the order above)")
figure.update_yaxes(title="speed (10<sup>9</sup> operations per second)", type="log", dtick=1)
said = "; ".join(f"{name} {speed[name] / 1e9:.3g}" for name in names)
figure.update_layout(
    template="binviz", margin_t=30, meta={"alt": f"Speed in 10⁹ operations per second: {said}."}
)
whole_way = speed["registers by hand"] / speed["Python loop"]
check.compare("03.1", f"{max(steps, key=steps.get)}; from the loop to the registers {whole_way:,.0f} times")
in_turns = products.measure(M, K, N, rounds=15)["share"]
print(f"share of the limit, both measured in turns: {in_turns['median']:.0%}")
if in_turns["high"] - in_turns["low"] > 0.1 * in_turns["median"]:
    print(
        "Something else was running: the rounds differ by more than a tenth. Measure again when the machine is idle."
    )
figure

# %% [markdown]
# ## 6. What becomes of 64
#
# A word of 64 codes takes one XNOR and one popcount where floats take 64 multiplications: that is the papers' 1/64. But a
# processor does not multiply floats one by one either.
#
# - A register holds 32 times as many bits as floats of 32 bits, whatever its width. So 64 becomes **32**.
# - A float instruction multiplies and adds all pairs of two registers at once. Bits need three instructions: XOR, popcount, addition.
#
# ### Exercise 3.4 · what is possible
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# A register of bits takes `cycles_bits` cycles for all its products and sums, one of float32 takes `cycles_floats`. How many times
# faster are bits at best?


# %%
def possible(cycles_bits, cycles_floats):
    # solution
    return 32 * cycles_floats / cycles_bits


# %%
check.ex_3_4(possible)

# %% [markdown]
# If the three instructions together took 1.5 cycles, for example, and a float instruction 1, that would make 21. What they take depends on the processor. So
# here both limits are measured in turns with a whole layer: `BinaryLinear` as it is used, with float activations packed first, scale and bias after, beside
# torch's linear layer in three formats: float32, bfloat16 (floats of 16 bits) and int8 (whole numbers of 8 bits).

# %% tags=["timed"]
contest = roofline.measure(M, K, N, rounds=10)
print(
    f"limits: {contest.limit.high / 1e12:.2f} on bits, {contest.float_limit.high / 1e12:.3f} on float32, in 10¹² per second"
)
per_register = 2 * 512 / contest.limit.high, 2 * 16 / contest.float_limit.high  # in seconds instead of cycles
print(f"possible on this core: {possible(*per_register):.1f} times")
for name, ratio in contest.ratio.items():
    print(f"torch {name:9s} {1e6 * contest.seconds[name].median:8.1f} µs, {ratio.median:5.1f} times ours")
print(f"binviz          {1e6 * contest.seconds['binviz'].median:8.1f} µs")
if roofline.disturbed([contest]):
    print("Something else was running: the limit was not steady. Run this cell again.")

# %% [markdown]
# Where the ratio to float32 is above what is possible, torch's float32 does not reach its own limit at this shape. The other two
# depend on the processor. Where it has instructions for bfloat16 or int8, they are faster than float32's and the ratio to them is
# smaller; where it has none, torch has to work around that, and bfloat16 may well be the slowest of all. Which of the three is the
# honest comparison? That of the format you would otherwise use, and nobody would use one that is slow here.
#
# ## 7. The roofline
#
# A layer needs data, too. If it moves few bytes for many operations, instructions limit it; if it moves many, memory does. The
# ratio of the two is its *intensity*, in operations per byte.
#
# ### Exercise 3.5 · under the roof
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# Operations per second that a layer can reach at most, from its operations, the bytes it moves, the limit of instructions
# (operations per second) and the bandwidth of memory (bytes per second).


# %%
def attainable(operations, moved, limit, bandwidth):
    # solution
    return min(limit, bandwidth * operations / moved)


# %%
check.ex_3_5(attainable)

# %% [markdown]
# **Predict:** with one token instead of 128, each weight is used once. Does the 1-bit layer then stand under the slanted part of
# the roof or under the flat one? And the float32 layer?

# %% tags=["timed"]
kinds = {"binviz": "1-bit", "float32": "float32", "bfloat16": "bfloat16"}
contests = [contest if rows == M else roofline.measure(rows, K, N, rounds=5) for rows in (1, 8, M, 512)]
points = [
    plots.Point(
        kind,
        f"{c.rows}",
        c.operations,
        roofline.bytes_moved(name, c.rows, K, N),
        c.seconds[name].median,
    )
    for name, kind in kinds.items()
    for c in contests
]
limits = {
    "1-bit": max(c.limit.high for c in contests),
    "float32": max(c.float_limit.high for c in contests),
}
bandwidth = roofline.bandwidth(rounds=4)
for c in contests:
    moved = roofline.bytes_moved("binviz", c.rows, K, N)
    roof = attainable(c.operations, moved, limits["1-bit"], bandwidth)
    print(f"1 bit, {c.rows:3d} tokens: {c.operations / c.seconds['binviz'].median / roof:.0%} of the roof")
plots.roofline(points, limits, bandwidth)

# %% [markdown]
# The numbers beside the points are tokens. Bits have a higher roof *and* stand further to the right, because their weights take
# fewer bytes; activations come and go as floats in both. The slanted line is memory beyond the caches: a small layer that stays in a
# cache may lie above it. At one token the call from Python may take longer than the product itself.
#
# ### Who is fastest where
#
# So nobody is fastest everywhere. Below, a layer K → K of M rows is measured in six formats: signs times codes of 1, 2 and 4
# bits, and torch's int8, bfloat16 and float32 (bfloat16 only where the processor has instructions for it). Floats go in and come
# out; packing and rounding are included.
#
# **Predict:** which format wins in the lower left corner, where a layer is narrow and has one row? Does 1 bit lead by more, or by
# less, as layers grow? And without 1 bit in the race, do 4 bits beat int8?

# %% tags=["timed"]
found = crossover.measure(sizes=(64, 256, 1024), rows=(1, 8, 64, 512), rounds=3)
for name, why in found["left_out"].items():
    print(f"without {name}: {why}")
if found["unsteady"] > crossover.MOST_UNSTEADY:
    print("Something else was running: times were not steady. Run this cell again.")
plots.crossover([plots.Size(**cell) for cell in found["cells"]])

# %% [markdown]
# Each cell names the fastest format and how many times longer the next one takes; the rest is shown when you hover. Where two
# formats are close, look at what they say rather than at what they take: four bits say more than one. The dashboard draws a larger
# map, of any of these formats, and `binviz bench` prints one.
#
# ## 8. A whole model
#
# Not everything in a transformer is a product of codes: embeddings (the table with a vector for each word), softmax, normalizations and
# additions stay.
#
# ### Exercise 3.6 · Amdahl's law
# difficulty ●●○○○ · importance ●●●●● · 3 minutes
#
# A share of a model's time becomes `ratio` times faster, the rest stays as it is. How many times faster is the whole?


# %%
def whole(share, ratio):
    # solution
    return 1 / (1 - share + share / ratio)


# %%
check.ex_3_6(whole)

# %% tags=["timed"]
import torch

import binviz
from binviz import costs

torch.set_num_threads(1)
float_model, student = binviz.load("sst2-minilm.float"), binviz.load("sst2-minilm.bit-w1a1")
packed = binviz.pack(student)
inputs = binviz.load_tokenizer("sst2-minilm.float")(["A warm and funny film. " * 10], return_tensors="pt")
tokens = inputs["input_ids"].shape[1]


def runs(model):
    return lambda: model(**inputs).logits


with torch.inference_mode():
    print("equal answers:", torch.equal(runs(packed)(), runs(student)()))
    times = interleave({"float": runs(float_model), "1-bit": runs(packed)}, rounds=7)
    # The float model's linear layers alone, on inputs of the right shapes
    layers = [layer for layer in float_model.modules() if isinstance(layer, torch.nn.Linear)]
    rows = [(layer, torch.randn(tokens, layer.in_features)) for layer in layers[:-2]]
    alone = interleave({"linear": lambda: [layer(x) for layer, x in rows]}, rounds=7)["linear"]
seconds = {name: spread(samples).median for name, samples in (times | {"linear": alone}).items()}
share = min(seconds["linear"] / seconds["float"], 1)
print(
    f"{tokens} tokens: float {1e3 * seconds['float']:.1f} ms, on bits {1e3 * seconds['1-bit']:.1f} ms,",
    end=" ",
)
print(f"{seconds['float'] / seconds['1-bit']:.1f} times")
print(f"linear layers take {share:.0%} of the float model's time;", end=" ")
print(f"were they 64 times faster and nothing else, it would be {whole(share, 64):.1f} times")

# %% [markdown]
# By Amdahl's law most of a factor of 64 is lost to what is not a product. Where the measured factor is larger than that law allows, the packed
# model does the other parts better, too: it leaves out what a threshold can replace (notebook 09), and does a layer in one call.
#
# ## 9. What papers count
#
# Operations and bytes are counted on paper, and every paper has its rule. binviz prints the rule beside each figure. (A *MAC* is a multiplication
# with its addition, by some rules one operation and by others two.) First one model, counted by what binviz runs and stores. (`counted` in a cell of your own shows each layer.)

# %%
counted = costs.of(binviz.load("digits-vit.bit-w1a1"), rule="everything")
print(f"{'kind of part':30s}{'parts':>6s}{'bits':>6s}{'MACs':>10s}{'bytes':>8s}")
for kind, bits_ in dict.fromkeys((row.kind, row.weight_bits) for row in counted.rows):
    own = [row for row in counted.rows if (row.kind, row.weight_bits) == (kind, bits_)]
    macs, size = sum(row.macs for row in own), sum(row.bytes for row in own)
    print(f"{kind:30s}{len(own):6d}{bits_ or '-':>6}{macs:10,d}{size:8,.0f}")

# %% [markdown]
# Now BERT-base as BiT and others count it, and as the rule above does. Which of the two includes positions, biases and
# normalizations?

# %%
import transformers

bert = costs.of(transformers.BertConfig(), "bit-w1a1", tokens=128)
for rule in ("bert-line", "everything"):
    print("\n".join(bert.under(rule).summary()), end="\n\n")

# %% [markdown]
# "everything" includes them, and so its memory is larger. Its 64.0 times fewer operations are the word counted as one, with nothing
# added. The papers' 56 comes from a remainder of 0.217 % of the float operations, for softmax and the like: no paper says what it is
# made of, it follows from their printed 0.4 GFLOPs.
#
# ## Three questions
#
# **A kernel (the compiled product of bits) reaches 95 % of its limit and the layer with it 50 %. Where is the other half?**
# <details><summary>Answer</summary>
# In packing the activations, in scale and bias, and in memory: what is no XOR and no popcount. The limit is one of the product alone.
# </details>
#
# **Where a layer is narrow and has one row, 1 bit leads float32 by little or not at all. Are bits useless there?**
# <details><summary>Answer</summary>
# No, but arithmetic is not what limits it. On a small layer the call itself takes longest; on one that no cache holds each weight is read for one product, so bytes count, and bits need fewer.
# </details>
#
# **A paper counts 1/64 of the operations and measures 7 times the speed. Which steps lie between the two?**
# <details><summary>Answer</summary>
# Registers hold 32 times as many bits as floats, not 64; bits need three instructions where floats need one; and what stays float does not get faster at all (Amdahl).
# </details>
#
# ## Summary
#
# - From a Python loop to full registers a product of bits becomes many thousand times faster. Much of that a good product of floats gains as
#   well: compiling, keeping sums in registers, and laying data out as the registers want it.
# - XOR, popcount and addition on registers are a limit that can be measured. A good kernel comes close to it.
# - "1/64 of the operations" counts a word as one. Between two good kernels it becomes 32 for the width of registers, less
#   because bits need more instructions, and less again in a whole model.
# - One token at a time, memory and the call decide, not arithmetic.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | 58 times faster convolutions | XNOR-Net, section 4.1 | the ratios to three formats printed in section 6 | no: a linear layer, another processor, and torch as baseline |
# | 56 times fewer operations, BERT-base | BiT, BiBERT | 56.2 under their rule, 64.0 under "everything" | yes, it is arithmetic |
# | 31.2 times less memory, BERT-base | BiBERT | 31.1 under its rule, 27.1 with every tensor that binviz stores | yes, it is arithmetic |
# | 28 times less memory, BERT-base | BiPFT | 27.9 (notebook 09) with every float tensor, but one scale for a matrix where binviz has one a row, and without its estimators, small float parts (notebook 07) | nearly: their list of what is counted is not printed |
#
# **Next:** [notebook 04](04_two_sets_and_elasticity.ipynb) asks which two values, and how large.
# In the dashboard: [a row of a model, as words](http://localhost:8501/bits?part=A+row+of+a+model), [who is fastest where](http://localhost:8501/tradeoffs?part=Speed).

# %% [markdown]
# ## References
#
# - M. Rastegari, V. Ordonez, J. Redmon, A. Farhadi: XNOR-Net, [1603.05279](https://arxiv.org/abs/1603.05279)
# - Z. Liu, B. Wu, W. Luo, X. Yang, W. Liu, K.-T. Cheng: Bi-Real Net, [1808.00278](https://arxiv.org/abs/1808.00278)
# - Z. Liu and others: BiT, Robustly Binarized Multi-distilled Transformer, [2205.13016](https://arxiv.org/abs/2205.13016)
# - H. Qin and others: BiBERT, [2203.06390](https://arxiv.org/abs/2203.06390); X. Xing and others: BiPFT, [2312.08937](https://arxiv.org/abs/2312.08937)
# - S. Williams, A. Waterman, D. Patterson: Roofline, an insightful visual performance model for multicore architectures, [10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785)
