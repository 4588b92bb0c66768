# %% [markdown]
# # 09 · What one bit saves, and by whose count
#
# | | |
# |---|---|
# | **You will** | count one network by seven rules; derive XNOR-Net's 62 and the 56 of binary BERTs, and see what each hangs on; state one model's size in five true ways; recompute an average that made a headline; fold a batch norm into a comparison; put counted beside measured; fill in a form for a model of your own |
# | **Minutes** | 25 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebooks 03 and 05 |
# | **Papers** | XNOR-Net [1603.05279](https://arxiv.org/abs/1603.05279) section 3.2; BiBERT [2203.06390](https://arxiv.org/abs/2203.06390); BiT [2205.13016](https://arxiv.org/abs/2205.13016) table 1; BiPFT [2312.08937](https://arxiv.org/abs/2312.08937); BiViT [2211.07091](https://arxiv.org/abs/2211.07091) tables 3 and 4; Bi-Real Net [1808.00278](https://arxiv.org/abs/1808.00278) section 3 |
# | **Not reproduced** | the papers' accuracies on GLUE: they are read from tables. The rules were derived from printed figures; where one is not confirmed, its name says so |
# | **Runs on** | a laptop's CPU, offline; times are read from records of three servers |
#
# "58 times faster, 32 times smaller, 10.4 points below." Each such number is a quotient, and each has a denominator that somebody chose. The idea to follow: **a factor is a rule with a denominator.** None of what you will see here is a
# lie. But ask for the rule.
#
# Words of the next output: a *MAC* is a multiplication with its addition. Some papers count it as one operation (OP), others as two (FLOPs). *Fitted* is what was
# chosen so that a paper's printed figure comes out; section 3 says how.

# %%
import numpy as np
import torch
from transformers import BertConfig

import binviz
from binviz import check, costs, plots, zoo
from binviz.bench import records, tradeoffs
from binviz.evidence import papers, runs
from binviz.evidence.noise import wilson
from binviz.saving.packed import packed_bytes

torch.set_num_threads(1)
bert = costs.of(BertConfig(), "bit-w1a1")
print("\n".join(bert.summary()))

# %% [markdown]
# ## 1. One network, seven rules
#
# BERT-base, all weights, embeddings and activations in one bit, a text of 128 tokens. Seven rules are known to `binviz.costs`: those of papers, and `everything`, which is what binviz runs and stores. They differ in what is counted (scales? biases? positions? norms?) and in what
# one product of bits is worth.
#
# **Predict:** how far apart are the seven factors, for operations and for memory?

# %%
by_rule = {rule: bert.under(rule) for rule in costs.rules.names()}
factors = {
    "operations": [counted.operations_ratio for counted in by_rule.values()],
    "memory": [counted.memory_ratio for counted in by_rule.values()],
}
plots.bars(list(by_rule), factors, "rule of counting (name)", "times less than float (factor)", ".1f")

# %% [markdown]
# The same network is 56, 60 or 64 times cheaper and 27 to 31 times smaller. The 64s do not count what is between the products; the 31 leaves out positions, biases and norms; the 27 counts every byte. Papers that print 31.2 and 28 for it disagree about nothing but the rule.
#
# ## 2. Sixty-four at a time
#
# Where do such factors come from? A float layer spends `products` multiplications (with their additions) on each number that it puts out. With bits, 64 of them are one operation. But then the number is multiplied by `floats` floats: a scale of the weights, perhaps one of the input.
#
# ### Exercise 9.1 · the speed-up that is left
# difficulty ●●○○○ · importance ●●●●● · 4 minutes
#
# How many times fewer operations are that for each number than in the float layer, which has no scales? (`products` is a multiple of 64 here.)


# %%
def fewer(products, floats):
    # solution
    return products / (products / 64 + floats)


# %%
check.ex_9_1(fewer)

# %% [markdown]
# XNOR-Net's section 3.2 takes 256 channels and 3×3 weights, and one float for each number.
#
# **Predict:** its factor; and the one of a layer with 3×3 weights on the 3 channels of a picture (rounded up to 64 products).

# %%
print(f"256 channels: {fewer(256 * 9, 1):.2f}, as printed; 3 channels: {fewer(64, 1):.1f}")
sums = [64, 128, 256, 512, 768, 1024, 2304, 4608, 9216]
curves = {
    f"{floats} float{'s' * (floats > 1)} a number": [fewer(n, floats) for n in sums] for floats in (1, 2, 4)
}
plots.lines(sums, curves, "products of one number (number)", "fewer operations (factor)", log="x")

# %% [markdown]
# So 62.27 is a property of *that* layer. The 58 that made the paper famous is this layer on a processor, as the authors say, without memory access. And small layers gain little: it is one more reason why first layers stay float.
#
# ## 3. What is left over
#
# The binary BERTs print 22.5 G operations for float and 0.4 G for one bit, "56 times". Divided by 64, 22.5 would be 0.35. So something is left float. How much?
#
# ### Exercise 9.2 · the remainder
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# A network costs `whole`. A part of it stays float, all the rest becomes `ways` times cheaper, and then the network costs `quoted`. Return the part that stays, in the unit of `whole`.


# %%
def remainder(whole, quoted, ways):
    # solution
    return (quoted * ways - whole) / (ways - 1)


# %%
check.ex_9_2(remainder)

# %% [markdown]
# **Predict:** 0.4 is printed with one digit, so it may be anything from 0.35 to 0.45. Between which factors may the "56 times" lie? And how large may the float part be, if a factor of 32 is to be left of 64?

# %%
for quoted in (0.3516, 0.4, 0.45):
    print(
        f"{quoted:.2f} G: {22.5 / quoted:4.1f} times, {remainder(22.5, quoted, 64) / 22.5:6.2%} of the work stays float"
    )
half = remainder(1, 1 / 32, 64)
print(f"half of 64 is gone when {half:.1%} stay float")
parts = np.linspace(0, 0.1, 41)
plots.lines(
    100 * parts,
    {"left of 64": 1 / ((1 - parts) / 64 + parts)},
    "work that stays float (%)",
    "fewer operations (factor)",
)

# %% [markdown]
# That is Amdahl's law (notebook 03), and it is steep at the start: *1.6 %* of float work halve the gain. Two of a thousand are the difference between 64 and 56. So whoever reports 56 and whoever reports 64 disagree about softmax, norms and GELU, which nobody multiplies out in a table. (The rule `bert-line` has that
# remainder as a fitted number and says so.)
#
# ## 4. Five sizes of one model
#
# `digits-vit.bit-w1a1`: how many times smaller is it than its float teacher?
#
# **Predict** the largest and the smallest answer that is true.

# %%
check.predict("09.4", None)  # instead of None: two factors, [..., ...]

# %%
student, teacher = binviz.load("digits-vit.bit-w1a1"), binviz.load("digits-vit.float")
weights = sum(row.bytes for row in costs.of(student, rule="bert-line").rows if row.weight_bits == 1)
entry, other = zoo.describe("digits-vit.bit-w1a1"), zoo.describe("digits-vit.float")
numbers = sum(p.numel() for p in teacher.parameters())
every = packed_bytes(student)
binary = sum(part.weights for part in costs.of(student).parts if part.weight_bits == 1)
sizes = {
    "1-bit weights alone, against float32": (binary / 8, 4 * binary),
    "every tensor, against float32": (every, 4 * numbers),
    "every tensor, against float16": (every, 2 * numbers),
    "the file, against the float32 numbers": (entry.bytes, 4 * numbers),
    "the file, against the float16 file": (entry.bytes, other.bytes),
}
for what, (small, large) in sizes.items():
    print(f"{what:38s} {large:9,.0f} / {small:8,.0f} bytes = {large / small:4.1f} times")
ratios = [large / small for small, large in sizes.values()]
check.compare("09.4", [f"{max(ratios):.1f}", f"{min(ratios):.1f}"])
print(f"the header of the packed file: {(entry.bytes - every) / entry.bytes:.0%} of it")

# %% [markdown]
# From 32 to 4, and every line is true. A small model's header alone is a third of its file (of a large model it is next to nothing). Who ships float16 today gains half of what the paper's float32 promises.
#
# ## 5. Two averages
#
# BiT's headline: 73.5 on average over GLUE's tasks (notebook 05), 10.4 points below BERT's 83.9. `binviz.evidence.papers` holds the table, column by column.

# %%
published = {(row.model, row.augmentation): row for row in papers.glue() if row.bits[2] in (1, 32)}
print(f"{'':24s}{'printed':>9s}{'nine columns':>14s}{'eight tasks':>13s}   the printed one is of")
for (model, more), row in published.items():
    nine, eight = (row.average(rule) for rule in ("nine columns", "eight tasks"))
    name = model + ", more data" * more
    print(
        f"{name:24s}{row.printed_average:9.1f}{nine:14.2f}{eight:13.2f}   {row.printed_rule or 'either or neither'}"
    )
float_row, bit_row = published["BERT", False], published["BiT", False]
print(f"\nprinted minus printed: {float_row.printed_average - bit_row.printed_average:.1f}", end="")
for rule in papers.RULES:
    print(f"; {rule}: {float_row.average(rule) - bit_row.average(rule):.1f}", end="")

# %% [markdown]
# **The headline's 10.4 does not survive either rule.** BERT's average counts MNLI twice (matched and mismatched), BiT's counts it once; each is printed right, their difference is of two kinds. By one rule it is 9.8, by the other 10.2. It is a small slip, and to the authors' own disadvantage. What it teaches: recompute.
#
# ## 6. A norm that costs nothing
#
# What of the float work between the products can be saved? Take a batch norm behind a binary layer, and a sign behind it. In use, its mean and deviation are constants. The layer's sum $z$ is a whole number, and nobody wants the norm's result but for its sign:
#
# $$\operatorname{sign}\Big(\gamma \, \frac{s z - \mu}{\sigma} + \beta\Big)$$
#
# ### Exercise 9.3 · a norm becomes a comparison
# difficulty ●●●○○ · importance ●●●●● · 6 minutes
#
# Return the number t at which the sign changes, and whether it is +1 for the *larger* z (True) or for the smaller ones (False). All arguments are single numbers: `mean` is μ, `sd` is σ, `scale` is s. The
# last two are positive; `gamma` is not 0.


# %%
def folded(gamma, beta, mean, sd, scale):
    # solution
    return (mean - beta * sd / gamma) / scale, gamma > 0


# %%
check.ex_9_3(folded)

# %%
block = binviz.load("digits-cnn.reactnet").blocks[1]
scales = block.conv.weight_binarizer.bases(block.conv.weight)[0].scale.detach().double().flatten().numpy()
gammas, betas, means, variances = (
    x.detach().double().numpy()
    for x in (block.norm.weight, block.norm.bias, block.norm.running_mean, block.norm.running_var)
)
sds = np.sqrt(variances + block.norm.eps)
z = np.arange(-288, 289, 2)  # all sums of 288 products of signs
differ = 0
for gamma, beta, mean, sd, scale in zip(gammas, betas, means, sds, scales, strict=True):
    threshold, up = folded(gamma, beta, mean, sd, scale)
    by_comparison = z >= threshold if up else z <= threshold
    differ += (by_comparison != (gamma * (scale * z - mean) / sd + beta >= 0)).sum()
print(
    f"{len(scales)} channels, {len(scales) * len(z):,} sums: by norm and by comparison {differ} signs differ"
)

# %% [markdown]
# Scale, norm and sign together are *one comparison of whole numbers*, one threshold a channel: the last float is gone. This is why batch norms come free in binary networks, and why they help so much there: a norm learns thresholds. (It also undoes any scale of a channel's weights. No wonder that plain signs tie with XNOR-Net on our convolutional networks.)
#
# Two things forbid it. A **float shortcut** that is added behind the norm: the sum is no longer a whole number, and the norm has to be computed. Our network has one, as Bi-Real Net advises; it pays with floats for a better gradient. And a **layer norm**, as transformers have: mean and deviation belong to the row, so there is nothing
# to fold before the row is there. That is the remainder of section 3.
#
# ## 7. Counted and measured
#
# **Predict:** BERT-base with batch 1 on one thread. The count says 56 or 64. What does a clock say, against float32, bfloat16 and int8?

# %%
check.predict("09.7", None)  # instead of None: three factors, {"float32": ..., "bfloat16": ..., "int8": ...}

# %%
measured = {}
for record in records.shipped().values():
    line = next(
        each
        for each in record["models"]
        if (each["model"], each["recipe"], each["threads"], each["batch"]) == ("BERT-base", "bit-w1a1", 1, 1)
    )
    ratios = {kind: line["ratio"][kind]["median"] for kind in ("float32", "bfloat16", "int8")}
    measured[f"measured {len(measured) + 1}"] = [*ratios.values(), None]
    print(f"measured {len(measured)}: {records.machine(record)}")
factors = {
    kind: " and ".join(f"{each[i]:.1f}" for each in measured.values()) for i, kind in enumerate(ratios)
}
check.compare("09.7", factors)
measured["counted"] = [None, None, None, bert.operations_ratio]
kinds = ["against float32", "against bfloat16", "against int8", "rule bert-line"]
shown = {name: [np.nan if v is None else v for v in values] for name, values in measured.items()}
plots.bars(kinds, shown, "against what", "times faster, or fewer (factor)", ".1f")

# %% [markdown]
# Against float32 a fifth to a half of the count, and against int8 a tenth or less. Where a processor has units that multiply whole matrices of bfloat16 (`amx_bf16` in the list of what it has), 3.5 is left against that format: a count knows no processors. No mistake was made: a processor multiplies floats many at once as well, and a "one" of 64 products is an XOR, a count and an addition. The count is a property of the network; the time is one of network, code and machine. Both are worth printing. One does not stand for the other.
#
# ## 8. What you pay, what you get
#
# A factor alone says nothing about accuracy, and an accuracy alone nothing about cost. A figure has room for both, and shows which networks *nothing beats*: no other one is at least as small and as often right, and in one of the two
# ahead. A line joins them.
#
# **Predict:** of all networks for digits, float and 1-bit, which are on that line? Does the float ViT belong to it?

# %%
rows = [
    row
    for row in tradeoffs.rows()
    if row.source.startswith("recorded: digits/") and row.network in ("ViT", "CNN")
]
points, _ = tradeoffs.points(rows, "memory", "everything")
on_line = plots.pareto([point.cost for point in points], [point.value for point in points])
best = [f"{p.name}, {p.architecture}, {p.network}" for p, on in zip(points, on_line, strict=True) if on]
print("nothing beats:", "; ".join(best))
plots.tradeoff(points, "memory", tradeoffs.unit("memory", "everything"), "accuracy", "%", 100 * 46 / 450)

# %% [markdown]
# What is left are convolutional networks (CNN) of 1 bit; float ones are beaten, too. That of plain signs is as often right as any, and nearly the smallest. "The 1-bit ViT is 12 times smaller than its float teacher" is true; but whoever wants small for digits takes another architecture. Compare with what the
# reader could do *instead*, not with what the method started from.
#
# ## 9. The best of three
#
# Papers often print the best run, or the best evaluation of a run. How much is that worth? Experiment `bit` has rows with three seeds.

# %%
cells = [
    "bit-w1a1",
    "bit-w1a1.fixed",
    "bit-w1a1.one-set",
    "bit-w1a1.gelu",
    "bit-w1a1.two-step",
    "bit-w1a2.half",
    "bibert.bit-loss",
]
gains = []
for cell in cells:
    three = [100 * runs.find("bit", f"sst2.{cell}", seed).metrics["accuracy"] for seed in range(3)]
    gains.append(max(three) - np.mean(three))
    print(f"SST-2, {cell:20s}{np.mean(three):6.1f} mean, best {gains[-1]:+.1f}")
print(f"\nthe best instead of the mean: {np.mean(gains):+.1f} points on average, for nothing")

# %% [markdown]
# More than a point on average for a choice of one seed in three. And a paper that takes the best for its own row and copies the others' has made a claim of that size without any idea at all.
#
# ## 10. A form
#
# What a reader needs to check you. The next cell fills in what can be counted; fill in the rest for the model of notebook 12, or for any of yours.

# %%
name = "digits-vit.bit-w1a1"
model, entry = binviz.load(name), zoo.describe(name)
counted, run = costs.of(model, rule="everything"), runs.find(entry.run[0], entry.run[1])
low, high = wilson(run.metrics["accuracy"], run.examples)
form = {
    "network, recipe": f"{counted.model}, {counted.recipe}; {counted.input}",
    "what stays float": f"{sum(p.floats + p.added for p in counted.parts):,} numbers and first and last layer",
    "products with two 1-bit operands": f"{counted.binary_share:.1%} of {sum(counted.macs.values()):,}",
    "operations, and by which rule": "; ".join(
        f"{counted.under(rule).operations_ratio:.1f}x [{rule}]" for rule in ("everything", "bivit")
    ),
    "bytes of all tensors; of the file": f"{packed_bytes(model):,}; {entry.bytes:,} (float16 file: {other.bytes:,})",
    "milliseconds, machine, threads, batch": "measure: binviz bench",
    "accuracy, examples, interval": f"{run.metrics['accuracy']:.1%} of {run.examples}, {low:.1%} to {high:.1%}",
    "how this model was chosen": run.selection,
    "seeds": "1: say so",
    "float network trained alike": "digits-vit.float, the same budget",
    "claim, and when it was written": "...",
}
for line, value in form.items():
    print(f"{line:40s}{value}")

# %% [markdown]
# ## Four questions
#
# **"Our 1-bit network needs 64 times fewer operations." What do you ask first?**
# <details><summary>Answer</summary>
# What is not counted. With 1.6 % of the work in float it would be 32; softmax, norms, first and last layer, scales have to be somewhere.
# </details>
#
# **Why is a batch norm free, and a layer norm not?**
# <details><summary>Answer</summary>
# In use a batch norm's mean and deviation are constants, so that norm and sign are one threshold of a whole number. A layer norm's come from the row itself.
# </details>
#
# **A model is 32, 12 and 4 times smaller. Which is right?**
# <details><summary>Answer</summary>
# All: of the binary weights alone, of all tensors against float32, of the files. Say which, and against what the reader would use.
# </details>
#
# **The count says 56, the clock says 18. Who is wrong?**
# <details><summary>Answer</summary>
# Nobody. The count assumes that a machine does one float product or 64 of bits at a time; real ones do many floats at once, and for bits an XOR, a count and an addition.
# </details>
#
# ## Summary
#
# - One network, seven rules: 56 to 64 times fewer operations, 27 to 31 times fewer bytes.
# - 62.27 is of one layer. 1.6 % of float work halve a factor of 64.
# - A size needs two names: of what, against what.
# - Averages of two kinds have no difference. Recompute them.
# - A batch norm before a sign is one comparison; shortcuts and layer norms stay floats.
# - Counts, times and accuracies belong side by side, with the rule, the machine and the choice beside them.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | 62.27 times fewer operations | XNOR-Net, section 3.2 | yes, it is arithmetic | the same layer |
# | 56 times fewer operations | BiBERT, BiT, BiPFT | anything from 50 to 64 is printed alike | the same network, their rule |
# | 31.2 times and 28 times smaller | BiBERT; BiPFT | 31.1 and 27.9, each by its own rule | the same network |
# | 10.4 points below float on GLUE | BiT, table 1 | 9.8 or 10.2 by one rule of averaging | their numbers |
# | 58 times faster | XNOR-Net, abstract | 18 and 27 times, a whole BERT on today's processors | no: one layer, another machine, without memory access |
#
# **Next:** notebook 10 asks what an answer of a 1-bit network rests on; notebook 12 makes one. In the dashboard (`make app`):
# [this network by another rule](http://localhost:8501/tradeoffs?part=Costs&network=BERT-base&recipe=bit-w1a1&rule=bert-line),
# [accuracy against memory, every task](http://localhost:8501/tradeoffs?task=digits&cost=memory&rule=everything).
#
# ## References
#
# - M. Rastegari and others: XNOR-Net, [1603.05279](https://arxiv.org/abs/1603.05279)
# - H. Qin and others: BiBERT, [2203.06390](https://arxiv.org/abs/2203.06390)
# - Z. Liu and others: BiT, [2205.13016](https://arxiv.org/abs/2205.13016); Bi-Real Net, [1808.00278](https://arxiv.org/abs/1808.00278)
# - X. Xing and others: BiPFT, [2312.08937](https://arxiv.org/abs/2312.08937)
# - Y. He and others: BiViT, [2211.07091](https://arxiv.org/abs/2211.07091)
# - G. Amdahl: Validity of the single processor approach to achieving large scale computing capabilities, AFIPS 1967
