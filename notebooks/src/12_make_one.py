# %% [markdown]
# # 12 · Make one
#
# | | |
# |---|---|
# | **You will** | find out which parts of a network had better stay float; write a binarizer of your own and register it; turn a float ViT into a 1-bit one with `binarize_` and read what became of each layer; write down a claim, train both sides of it, and judge it; pack your model and compare it with itself; exchange the optimizer, and find out what a published comparison of optimizers can have measured |
# | **Minutes** | 20 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebooks 02, 04 and 05 |
# | **Papers** | BNN [1602.02830](https://arxiv.org/abs/1602.02830) section 1.3; XNOR-Net [1603.05279](https://arxiv.org/abs/1603.05279) section 3; Bi-Real Net [1808.00278](https://arxiv.org/abs/1808.00278) section 3; ReActNet [2003.03488](https://arxiv.org/abs/2003.03488); QP-SBGD [2310.15128](https://arxiv.org/abs/2310.15128) |
# | **Not reproduced** | no paper's number. 300 steps on 8×8 digits with one seed show that a mechanism works, not how good a method is |
# | **Runs on** | a laptop's CPU, offline, one thread |
#
# So far 1-bit models were given, or trained in cells that you only ran. Here you make one. It takes four things: a rule for each number (a *binarizer*), a list of
# which rule goes where (a *recipe*), a few hundred steps of training, and one sentence, written down *before*, that says what you expect.
#
# The idea to follow: **a surrogate has to be as wide as what it is given.** Yours will be.

# %%
import copy
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

os.environ["TQDM_DISABLE"] = "1"  # loops print a line, instead of a bar that a stored notebook cannot show
import binviz
from binviz import binarizers, capture, check, plots, recipes, tasks
from binviz.binarizers import Binarizer, Code, sign
from binviz.binarizers.base import with_surrogate
from binviz.data import digits
from binviz.evidence.claims import Claim, judge
from binviz.evidence.headline import headline
from binviz.evidence.runs import Run, of_examples
from binviz.experiments import registry
from binviz.losses import LossChoice
from binviz.recipes import Choice
from binviz.training import optimizers
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig

torch.set_num_threads(1)
pictures, truth = map(torch.as_tensor, digits.load("test"))


@torch.inference_mode()
def answers(model, pictures=pictures):
    return model.eval()(pixel_values=pictures).logits.argmax(-1)


def accuracy(model, pictures=pictures):
    return 100 * (answers(model, pictures) == truth).float().mean().item()


teacher = binviz.load("digits-vit.float")
print(f"{len(truth)} digits that it was not trained on: {accuracy(teacher):.1f} % right")

# %% [markdown]
# ## 1. What had better stay float
#
# Nearly every binary network leaves three things alone: the **first layer**, which sees the picture (here the *patch embedding*); the **last layer**, which gives the answer (the *classifier*); and the **shortcuts**, the
# path on which each block adds what it found to what came in. Is that a habit, or does it matter? Take the float model and make one part at a time 1-bit, without any
# training: weights become their sign times their row's mean size, values become their sign times the token's mean size.
#
# **Predict:** which costs more, the first layer's weights or all weights of one block? And which of all parts costs least?


# %%
def to_bits(x, axes):
    return sign(x) * x.abs().mean(axes, keepdim=True)


def without_training(of="", shortcuts=False):
    """The float model with the weights of the modules below `of`, or all shortcuts, in one bit."""
    model = copy.deepcopy(teacher)
    for name, part in model.named_modules():
        if of and of in f"{name}." and getattr(part, "weight", torch.zeros(1)).ndim > 1:
            part.weight.data = to_bits(part.weight.data, tuple(range(1, part.weight.ndim)))
        if shortcuts and type(part).__name__ == "ViTLayer":
            part.register_forward_hook(lambda block, given, h: to_bits(h, (-1,)))
    return model


parts = {
    "nothing": accuracy(teacher),
    "pixels": accuracy(teacher, sign(pictures)),
    "first layer": accuracy(without_training("patch_embeddings.")),
    **{f"block {i}": accuracy(without_training(f"layers.{i}.")) for i in range(4)},
    "last layer": accuracy(without_training("classifier.")),
    "shortcuts": accuracy(without_training(shortcuts=True)),
    "all blocks": accuracy(without_training("layers.")),
}
plots.bars(list(parts), {"right": list(parts.values())}, "what has one bit", "right answers (%)", ".0f")

# %% [markdown]
# The first layer is the worst place of all for single bits: 256 of 136,000 weights cost more than those of any block. All that comes later builds on it, and four inputs a patch are too few for errors to
# average out. The last layer hardly minds: ten sums of 64 numbers, and only their order counts. That papers leave it float has another reason: it is small. And a shortcut carries numbers, not signs: each block adds a little to
# what came in, and a little is what a sign cannot hold. Here that costs less than the first two blocks do, but there is nothing to gain by it either: a shortcut has no weights.
#
# What costs little to keep and much to lose is kept. All blocks together are lost, of course. For that there is training; and training needs a gradient.
#
# ## 2. A window of the wrong width
#
# Let all of a block's weights and inputs be plain signs (`bnn-threshold`, our *baseline*, with which the other is compared: signs without any scale, and a softmax that is cut at half of its row's maximum). `bnn` passes the gradient where
# $|x| \le 1$. How much is that? Convert the float model and look at every tensor that is about to be binarized.
#
# **Predict:** a norm gives numbers of size 1, so about two thirds of a linear layer's inputs lie in the window. And of queries, keys and values, which are sums of 64 products of signs?

# %%
plain = recipes.get("bnn-threshold")
untrained = binviz.load("digits-vit.float")
table = binviz.binarize_(untrained, plain)
places = ["q_in", "q", "k", "v", "context", "ffn_in", "ffn_act"]
seen = capture(untrained, {"pixel_values": pictures[:100]}, [f"layers.*.{place}.pre" for place in places])


def inside(layer):
    return [100 * (np.abs(seen[f"layers.{layer}.{place}.pre"]) <= 1).mean() for place in places]


plots.bars(
    places, {f"layer {i}": inside(i) for i in range(4)}, "what is binarized", "inside the window (%)", ".0f"
)

# %% [markdown]
# Queries, keys and values are eight times too large: nine tenths of their gradient are lost, and so are the weights' that made them. It is notebook 02's net that cannot move, in the middle of a network.
# (XNOR-Net's scales make sums smaller, and that is one reason why they help.) A window that is as wide as its row would need no scale.
#
# ### Exercise 12.1 · a window that follows
# difficulty ●●●○○ · importance ●●●●● · 8 minutes
#
# Write the slope of a surrogate for `x`, an array of any shape whose last axis is a row; return an array of that shape. The slope is constant where $|x|$ is at most *twice the mean size of its row*, and 0 elsewhere. Under it lies an area
# of 2 in every row, as under every honest surrogate of a sign (notebook 02). A row of zeros has the slope 0.


# %%
def slope(x):
    # solution
    half = 2 * np.abs(x).mean(axis=-1, keepdims=True)
    return (np.abs(x) <= half) / np.where(half > 0, half, np.inf)


# %%
check.ex_12_1(slope)

# %% [markdown]
# ## 3. A binarizer of your own
#
# A binarizer says what the codes are, and what stands in for their gradient. `encode` returns codes, a scale and a shift; codes are signs, and this one has neither. `register` gives it a name that recipes can use.
# And `check_binarizer` holds it against the contract: codes on their levels, sign(0) = +1, gradients that are finite even for a tensor of zeros, nothing that depends on the other examples of a batch, and more. (Most of these
# checks are there because a published code failed one.)


# %%
@binarizers.register("mine")
class Mine(Binarizer):
    """Signs whose surrogate is as wide as the row."""

    def encode(self, x):
        q = with_surrogate(x, sign(x), lambda x: torch.from_numpy(slope(x.detach().numpy())).to(x.dtype))
        return Code(q, x.new_ones(()), x.new_zeros(()))


binviz.check_binarizer("mine")
own = Choice("mine")
recipe = plain.but("mine", activation=own, query=own, key=own, value=own)
print("the contract holds;", recipe.name, "is", plain.name, "with another surrogate for all but the weights")

# %% [markdown]
# Change `Mine` if you like: another shape, a scale (`scale_kind`), a learned threshold (`shifts`). The list of what there is to look at: `binarizers.names()`, and each one's file is a page long.
#
# ## 4. Read the table
#
# `binarize_` changed the model in place and returned a table: what became 1-bit, what stayed float, and why.

# %%
lines = str(table).splitlines()
print("\n".join([*lines[:11], "...", *lines[-3:]]))

# %% [markdown]
# The patch embedding stayed float because it is the first layer, the classifier because it is the last. What would bits save there, in bytes?
#
# ### Exercise 12.2 · bytes of a packed matrix
# difficulty ●●○○○ · importance ●●●○○ · 4 minutes
#
# A packed matrix is stored row by row in words of 64 bits, and no word holds bits of two rows. Its scales are floats of four bytes. How many bytes does a matrix of `rows` × `inputs` weights with so many `scales` take?


# %%
def packed_bytes(rows, inputs, scales):
    # solution
    return rows * -(-inputs // 64) * 8 + 4 * scales


# %%
check.ex_12_2(packed_bytes)

# %%
bits = sum(packed_bytes(*row.shape, scales=1) for row in table.rows if row.weights)
print(f"1-bit layers {bits:,} bytes, floats {4 * table.floats:,}")
matrices = {row.name: row.shape for row in table.rows if len(row.shape) > 1 and not row.weights}
for name, (rows, *others) in (matrices | {"layers.0.fc2": (64, 128)}).items():
    inputs = int(np.prod(others))
    ratio = 4 * rows * inputs / packed_bytes(rows, inputs, rows)
    print(f"{name:45s}{4 * rows * inputs:7,} bytes in float, {ratio:4.1f} times less in bits")

# %% [markdown]
# One parameter in 27 is a float, and these few are more than half of the bytes. And the first layer would hardly shrink: with four inputs a row, its words are nearly empty, and its scales come on top. So it has the most to lose and the least to
# gain. (Words could be shared between rows; no kernel would thank you.)
#
# ## 5. First the claim
#
# Two models learn the same: `bnn-threshold`, and yours. A difference of two numbers always has a sign, so decide *now* what would convince you. The test is McNemar's (notebook 05): only digits on which the two differ count, and if
# nothing were behind it each would be a coin.
#
# ### Exercise 12.3 · what the test can see
# difficulty ●●●○○ · importance ●●●●● · 7 minutes
#
# Two models differ in which answers are right on `differ` examples. One is ahead on b of them and the other on c, so it leads by b − c. Which is the smallest lead with a two-sided p below 0.05? Return 0 where no lead has one.
# `binomtest(b, differ).pvalue` is that p.


# %%
def smallest_lead(differ):
    # solution
    for lead in range(differ % 2, differ + 1, 2):
        if binomtest((differ + lead) // 2, differ).pvalue < 0.05:
            return lead
    return 0


# %%
check.ex_12_3(smallest_lead)

# %%
for differ in (5, 10, 50, 100, 200):
    lead = smallest_lead(differ)
    said = f"a lead of {lead}, {lead / len(truth):.1%} of all" if lead else "no lead at all"
    print(f"differ on {differ:3d} of {len(truth)}: {said} is more than chance")

claim = Claim(
    text="a window that follows its row trains plain signs better than one of width 1",
    source="mine",
    better="mine",
    worse="bnn-threshold",
)
print("\nclaimed:", claim.inequality)

# %% [markdown]
# That line is now fixed. If you would rather claim something else, do it here, not below.
#
# ## 6. Train
#
# 300 steps of 32 digits, AdamW, the rate rising for 30 steps and then falling to zero: `fit` is the loop behind all of binviz's models, and made to be read. Both start from the float model's weights and see the same batches. On a laptop it may take a quarter of
# a minute each, more on a busy machine.
#
# **Predict:** do both learn? And by the end, is there a gap between their losses?

# %%
check.predict("12.6", None)  # instead of None: right answers in percent, {"bnn-threshold": ..., "mine": ...}

# %%
problem = tasks.get("digits").problem(None, batch_size=32, seed=0)
SETTINGS = {"batch_size": 32, "weight_decay": 0.05, "scale_lr": 1e-3}


def train(recipe, steps=300, **settings):
    model = binviz.load("digits-vit.float")
    binviz.binarize_(model, recipe)
    model(pixel_values=problem.calibration["pixel_values"])  # scales that start from data, if there are any

    def batch(step):
        if step % 100 == 0:
            print(f"{recipe.name}: step {step} of {steps}")
        return problem.batch_of(step)

    return model, fit(model, batch, problem.loss.make(), TrainConfig(steps, **SETTINGS | settings))


theirs, their_history = train(plain, lr=5e-3)
mine, my_history = train(recipe, lr=5e-3)


def smooth(values, n=15):
    return np.convolve(values, np.ones(n) / n, "same")[n // 2 : -(n // 2)].round(3)


middle = my_history.steps[7:-7]
curves = {"bnn-threshold": smooth(their_history.loss), "mine": smooth(my_history.loss)}
plots.lines(middle, curves, "step (number)", "loss (nat, mean of 15 points)")

# %% [markdown]
# ## 7. Judge
#
# Now, and only now, the digits that neither has seen.

# %%
right = {"bnn-threshold": answers(theirs) == truth, "mine": answers(mine) == truth}


def record(name):
    """What is kept of a run: its number, and which answers were right."""
    score = {"accuracy": right[name].float().mean().item()}
    return Run("lab", name, 0, {}, "last step", problem.data, score, 0.0, **of_examples(right[name].numpy()))


found = judge(claim, {(name, 0): record(name) for name in right})
ahead, behind = (int((right[a] & ~right[b]).sum()) for a, b in (list(right)[::-1], list(right)))
check.compare("12.6", {name: f"{100 * each.float().mean():.1f} %" for name, each in right.items()})
print(f"mine is ahead on {ahead} digits, behind on {behind}; a lead of", end=" ")
print(f"{smallest_lead(ahead + behind)} of these {ahead + behind} would have been enough")
print(
    f"p = {found.p:.2g}, the difference is {found.low:+.1%} to {found.high:+.1%}: the claim {found.verdict}"
)

# %% [markdown]
# What the verdict says: *these two models* differ by more than the draw of 450 digits explains. It does not say that the method is better: another seed is another pair. Five seeds would say more, and another base than plain signs could say the
# opposite: with XNOR-Net's scales on the weights, sums have size 1 anyway, and there is nothing left to follow. (Try it: `recipes.get("xnor-threshold")`.) That, too, is a claim to be written down first.
#
# ## 8. Pack, save, compare
#
# `fit` multiplied floats that happen to be −1 and +1. `pack` makes the model that runs on bits. Where do answers change: from float to one bit, by packing, or when the packed model is saved and loaded?

# %%
packed = binviz.pack(mine)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "mine.safetensors"
    size = binviz.save_packed(mine, path)
    loaded = binviz.load_packed(path)
said = {
    "float": answers(teacher),
    "1-bit": answers(mine),
    "packed": answers(packed),
    "loaded": answers(loaded),
}
for one, other in (("float", "1-bit"), ("1-bit", "packed"), ("packed", "loaded")):
    print(f"{one} and {other} give different answers to {(said[one] != said[other]).sum()} of {len(truth)}")
print(f"file {size:,} bytes: your {bits:,} of bits, {4 * table.floats:,} of floats", end="")
print(f", and a header of {size - bits - 4 * table.floats:,} that says how to build it again")

# %% [markdown]
# Packing changes no answer, or hardly one: products of signs are whole numbers, exact on both sides. Only between them, in norms and softmax, floats are added in another order, and a number next to its threshold may fall to the other side.
#
# ## 9. The optimizer decides as well
#
# Nobody uses the latent weights' size: what counts is when one crosses zero. Adam divides each gradient by its own usual size, so all weights move about as fast, those with small gradients, too. Plain gradient descent moves each by the gradient itself. An
# optimizer is registered like a binarizer.
#
# **Predict:** gradient descent with ten times Adam's rate, a hundred steps. How many weights change sign in comparison with yours at that time?


# %%
@optimizers.register("descent")
def descent(groups, clip):
    return torch.optim.SGD(groups, momentum=0.9), clip


_, history = train(recipe, steps=100, lr=5e-2, optimizer="descent")
kinds = ["query", "key", "value", "attn_out", "fc1", "fc2"]


def flips(history, until=100):
    """Mean share of the weights that change sign in a step (%), in the first steps."""
    early = np.array(history.watched) <= until
    of = {
        kind: [np.mean(history.curves[f"flips/layers.{i}.{kind}"], where=early) for i in range(4)]
        for kind in kinds
    }
    return [100 * np.mean(each) for each in of.values()]


early = [loss for step, loss in zip(my_history.steps, my_history.loss, strict=True) if 90 < step <= 100]
print(f"loss near step 100: {np.mean(history.loss[-10:]):.2f}, with AdamW {np.mean(early):.2f}")
shown = {"AdamW": flips(my_history), "gradient descent": flips(history)}
plots.bars(kinds, shown, "layer, mean over blocks", "signs that change in a step (%)", ".2f")

# %% [markdown]
# Hardly any sign changed, and yet the loss fell nearly as fast! What learned there are the floats: first layer, norms, biases, last layer. A loss that falls does not show that bits learn; watch the flips.
#
# One warning goes with AdamW: its *weight decay* makes every latent weight a little smaller at each step, so it pulls them to zero, where a small step flips them. In a float network decay keeps weights small; here it makes signs restless. (Helwegen and others take the next step and throw the latent weight away: their optimizer
# *Bop* flips a sign when a running mean of its gradient says so strongly enough.)
#
# ## 10. Steps that find the best signs
#
# QP-SBGD asks the gradient another question. Of the backward pass it keeps, layer by layer, not the gradient of the weights but that of the layer's *outputs*, $\Gamma$: where it is negative, a larger output would help. So $y = -\Gamma$ is what is *wished* of an output. Which row of signs would
# have given, from the same inputs $X$, the outputs that are nearest to the wishes?
#
# $$v = \arg\min_{v \in \{\pm 1\}^n} \lVert \operatorname{sign}(X v) - y \rVert^2$$
#
# The latent weights move a little towards $v$. Written with bits, that is a *quadratic binary program*, which one can hand to a quantum annealer. A row of few inputs needs none: try all.
#
# ### Exercise 12.4 · the best signs
# difficulty ●●●○○ · importance ●●○○○ · 6 minutes
#
# `x` is (examples, inputs), `y` (examples,) holds the wishes, and `rows` (candidates, inputs) all rows of signs that there are. Return the best one. The sign of 0 is +1, as always.


# %%
def best_signs(x, y, rows):
    # solution
    outputs = np.where(x @ rows.T >= 0, 1, -1)
    return rows[((outputs - y[:, None]) ** 2).sum(axis=0).argmin()]


# %%
check.ex_12_4(best_signs)

# %% [markdown]
# The official code has two experiments. In the one with ten layers it hands the program to a solver, and before that asks it for *any* signs that are allowed; this question takes the place of the first one. binviz has that fault as an option. Four examples of three inputs, and
# the same wishes with other signs and sizes:

# %%
x = np.array([[1, 1, -1], [1, -1, 1], [-1, 1, 1], [-1, -1, -1]])
y = np.array([0.3, -0.2, 0.5, -0.1])
rows = np.array(np.meshgrid(*[[-1, 1]] * 3, indexing="ij")).reshape(3, -1).T
blind = LossChoice("qp-official").make()
print(f"gradient's signs {np.where(y @ x >= 0, 1, -1)}")
for name, wishes in {"y": y, "-y": -y, "100 y": 100 * y}.items():
    given = torch.tensor(x).float(), torch.tensor(wishes).float()[:, None]
    solver = blind.signs(*given)[0].numpy().astype(int)
    print(f"wishes {name:5s}  yours {best_signs(x, wishes, rows)}  official, of ten layers {solver}")

# %% [markdown]
# Your signs follow the wishes, and differ from those of the gradient. The others follow nothing. (In the official code we saw the same; *which* allowed signs come out is the solver's whim.) The second fault: `return` stands *inside* the loop over the layers, so the first layer moves and no other.
#
# What can an experiment with these faults have measured? Experiment `qpsbgd` asks that of ten layers, nine of 128 units and an answer, which tell benign tumours from others, with five seeds: `official` has both faults, in `sighted` the solver sees the wishes but
# still moves only the first layer, `mended` has none; and `unmoved` is the network as it was drawn. Always answering "benign" gets 62.6 %.
#
# **Predict:** in which of the ten layers do signs change? And how many answers in a hundred are right in the end?

# %%
check.predict("12.10", None)  # instead of None: {"unmoved": ..., "official": ..., "mended": ...}

# %%
experiment = registry.get("qpsbgd")
records = experiment.records()
prefix = "tumours-mlp-128-9."
kept = {
    row: [records[prefix + row, seed] for seed in range(5)]
    for row in ("unmoved", "official", "sighted", "mended")
}
for row, runs in kept.items():
    print(f"{row:9s} right:", *(f"{run.metrics['accuracy']:6.1%}" for run in runs))
print(headline(runs[0]).beside)
for claim in experiment.claims:
    if claim.better.startswith(prefix):
        found = judge(claim, records)
        print(f"{found.verdict:6s}{found.difference:+7.1%}  {claim.text}")
means = {
    row: f"{np.mean([100 * run.metrics['accuracy'] for run in runs]):.1f} %" for row, runs in kept.items()
}
check.compare("12.10", means)


def moved(runs):
    """Share of a layer's signs that change in a step (%), mean over steps and seeds."""
    return [100 * np.mean([run.curves[f"flips/layers.{i}"] for run in runs]) for i in range(10)]


layers = [f"{i}" for i in range(1, 10)] + ["10, the answer"]
shown = {row: moved(runs) for row, runs in kept.items() if row != "unmoved"}
plots.bars(layers, shown, "layer", "signs that change in a step (%)")

# %% [markdown]
# Nine of ten layers stand still in the official experiment, and its first one is no better than the one that was drawn: no difference to `unmoved` can be seen, and all five seeds are *below* the answer that is always the same. A solver that sees the wishes changes nothing about that. So whatever
# such an experiment prints compares draws of ten random layers, not steps.
#
# Moving all layers is 12 points better than the first alone, and the bars say what moved: mostly the answer's own row, the other nine in at most one step of ten. A sum of 128 signs is even, so the window from −1 to +1 lets a wish pass only where the sum is exactly 0; once the
# last layer has made up its mind, those below it hear nothing. One seed of five ended at 42 %. Whether such steps can train ten layers, these runs do *not* show.
#
# (In networks of two and three layers the official rates make these steps better than gradient descent, signSGD and ProxQuant. With each method's rate searched two leads of six remain, and nowhere is solving the program better than the plain signs of $y\,X$: `binviz reproduce qpsbgd --list`.)
#
# ## Your report
#
# Two points each; show it to somebody.
#
# | | 0 | 1 | 2 |
# |---|---|---|---|
# | binarizer | fails the contract | holds it | and differs from every one in `binarizers.names()` |
# | claim | written after the run | written before | and says what would refute it |
# | comparison | other steps, data or start | the same | and five seeds |
# | verdict | "better by x points" | with p and interval | and says what it does not show |
# | model | accuracy alone | and bytes, counted | and packed, with answers compared |
#
# ## Five questions
#
# **Why does the first layer stay float, if its weights are so few?**
# <details><summary>Answer</summary>
# Because they are so few. In bits they would save next to nothing (few inputs a row: half-empty words, and a scale each), and an error of theirs is in everything that follows.
# </details>
#
# **A network of plain signs with a fixed window does not learn. Which three things could help?**
# <details><summary>Answer</summary>
# Scales that make the sums smaller, a norm behind each sum, or a window that is as wide as what comes in. All three bring numbers and window together.
# </details>
#
# **Two models are 3 points apart on 450 examples, p = 0.2. Is that "no difference"?**
# <details><summary>Answer</summary>
# No. It is a difference that this test could not see. Look at the interval, and at the smallest lead that would have been seen.
# </details>
#
# **Why may a packed model give another answer, if its products are exact?**
# <details><summary>Answer</summary>
# Between products there are norms and softmax, sums of floats in some order. A number next to a threshold may land on its other side, and its code flips.
# </details>
#
# **A paper compares four ways to train a deep network of signs. Which three numbers would have shown that most of its layers never moved?**
# <details><summary>Answer</summary>
# The flips of each layer; the accuracy of the network before any step; and that of always giving the commonest answer.
# </details>
#
# ## Summary
#
# - The first layer stays float because bits cost most there and save least; the last layer because it is small; shortcuts because they carry
#   sums of small steps and have no weights to save.
# - A fixed window of width 1 loses nine tenths of the gradient of queries, keys and values that are sums of signs.
# - A binarizer is codes, a scale, a surrogate; a recipe says where it goes; `binarize_` puts it there and says what it left alone.
# - A claim is written before its run, and a test has a smallest difference that it can see.
# - Packing changes bytes, not answers. The optimizer changes how many signs ever change.
# - A comparison of optimizers says little before it is known that layers move: count flips, and put the untrained network and the commonest answer beside it.
#
# **Next:** notebook 09 asks what all this saves, and by whose count; notebook 10 what the answers of such a model rest on. In the dashboard (`make app`):
# [the same recipe, trained for longer, and what its queries look like](http://localhost:8501/inside?model=digits-vit.bnn-threshold&view=Distributions&tensor=layers.*.q),
# [the surrogates beside each other](http://localhost:8501/binarizers?binarizer=bireal-activation&beside-it=bnn).
#
# ## References
#
# - M. Courbariaux and others: Binarized Neural Networks, [1602.02830](https://arxiv.org/abs/1602.02830)
# - M. Rastegari and others: XNOR-Net, [1603.05279](https://arxiv.org/abs/1603.05279)
# - Z. Liu and others: Bi-Real Net, [1808.00278](https://arxiv.org/abs/1808.00278)
# - Z. Liu and others: ReActNet, [2003.03488](https://arxiv.org/abs/2003.03488)
# - M. Krahn and others: Projected Stochastic Gradient Descent with Quantum Annealed Binary Gradients, [2310.15128](https://arxiv.org/abs/2310.15128)
# - K. Helwegen and others: Latent Weights Do Not Exist: Rethinking Binarized Neural Network Optimization, [1906.02107](https://arxiv.org/abs/1906.02107)
# - Q. McNemar: Note on the sampling error of the difference between correlated proportions, Psychometrika 12, 1947
