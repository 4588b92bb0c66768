# %% [markdown]
# # 04 · Two sets, and a scale that learns
#
# | | |
# |---|---|
# | **You will** | see what attention and ReLU of a real model give a binarizer to do; measure what the codes −1 and +1 lose there, and the codes 0 and 1; find out what BiT's start of the scale really depends on, and how it empties attention; learn that the smallest error is not always the best aim; let the scale learn from a dead start |
# | **Minutes** | 25 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebook 01, sections 3 and 4 |
# | **Papers** | BiT [2205.13016](https://arxiv.org/abs/2205.13016); LSQ [1902.08153](https://arxiv.org/abs/1902.08153) |
# | **Not reproduced** | BiT's ablation on BERT-base. Everything up to section 5 is measured on a small float model and sixty sentences; accuracies come from recorded runs of small models |
# | **Runs on** | a laptop's CPU, offline |
#
# Notebook 01 did this on random numbers. Here are real ones: `sst2-minilm.float`, a BERT of 6 layers that tells praise from blame,
# and sixty sentences (the shorter ones filled up with *padding*). It is the *teacher* of the bundled 1-bit model: that one began with its weights and
# learned from its answers. Each layer has twelve attentions side by side, its *heads*, and behind them a *feed-forward part*: two linear layers
# with a bend between them.

# %%
import numpy as np
import torch

import binviz
from binviz import binarizers, capture, check, plots
from binviz.data import sentences
from binviz.evidence import runs
from binviz.experiments import registry

torch.set_num_threads(1)  # for sixty sentences a second thread mostly waits for the first
teacher = binviz.load("sst2-minilm.float")
tokenizer = binviz.load_tokenizer("sst2-minilm.float")
texts = [sentence.text for sentence in sentences.load()]
inputs = tokenizer(texts, padding=True, return_tensors="pt")

layers = range(6)
before_relu = [f"bert.encoder.layer.{i}.intermediate.dense" for i in layers]
inside = capture(teacher, inputs, ["layers.*.probs", "layers.*.v", *before_relu])
tokens = inside.mask  # False at padding
probs = [inside.flat(f"layers.{i}.probs") for i in layers]
relus = [np.maximum(inside[name][tokens], 0) for name in before_relu]
print(f"{len(texts)} sentences of {tokens.sum(1).min()} to {tokens.sum(1).max()} tokens")
print(
    f"attention probabilities: {probs[0].size:,} in each layer, from {probs[0].min():.0e} to {probs[0].max():.2f}"
)
print(f"ReLU outputs: {relus[0].shape[0]:,} tokens, {relus[0].shape[1]:,} values each")

# %% [markdown]
# (The teacher's bend is GELU, which is like ReLU but dips a little below zero. BiT replaces it by ReLU, so that the output is never negative;
# `relus` is what ReLU makes of the teacher's own values.)
#
# ## 1. Much of nothing, and a few that count
#
# Neither kind has negative values. But how are they spread? *Energy* is the sum of the squares; it is what a squared error counts.
#
# **Predict:** what share of all attention probabilities is below 0.03? And what share of the energy do these have?

# %%
every = np.concatenate(probs)
bins = np.digitize(every, [0.01, 0.03, 0.1, 0.3])
plots.bars(
    ["below 0.01", "0.01 to 0.03", "0.03 to 0.1", "0.1 to 0.3", "above 0.3"],
    {
        "of the values": [100 * (bins == i).mean() for i in range(5)],
        "of the energy": [100 * (every[bins == i] ** 2).sum() / (every**2).sum() for i in range(5)],
    },
    "attention probability (value)",
    "share (%)",
    ".0f",
)

# %% [markdown]
# Most values are next to nothing, and a few percent hold nearly all the energy. A code for these numbers needs a word for *nothing*.
#
# ## 2. One set or two
#
# ### Exercise 4.1 · one set: −1 and +1
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# Let no value of `x` be negative. Binarize it to ±α with the sign and the best α. Which share of the energy is lost?
#
# <details><summary>A first step</summary>
# All signs are +1. So every value is replaced by the same α, and the best one is the mean.
# </details>


# %%
def lost_with_signs(x):
    # solution
    return 1 - x.mean() ** 2 / (x**2).mean()


# %%
check.ex_4_1(lost_with_signs)

# %% [markdown]
# ### Exercise 4.2 · two sets: 0 and 1 for what cannot be negative
# difficulty ●●●○○ · importance ●●●●● · 6 minutes
#
# Now the code is 1 where `x > threshold`, else 0, and the value is α times the code, with the best α. Which share is lost? If no value is
# above the threshold, everything is.


# %%
def lost_with_zero_and_one(x, threshold):
    # solution
    kept = x[x > threshold]
    return 1 - kept.sum() ** 2 / max(kept.size, 1) / (x**2).sum()


# %%
check.ex_4_2(lost_with_zero_and_one)

# %% [markdown]
# Which threshold is best? Sorted, the k largest values lie above a threshold, so running sums try all thresholds at once. That works for ±α,
# too: there a threshold other than 0 stands for a learned shift before the sign.
#
# **Predict:** the energy lost, layer by layer, with the best threshold and the best α for either set. In which layers is the gain of
# 0 and 1 the largest?


# %%
def least_lost(x, low, high):
    x = np.sort(x, axis=None)[::-1].astype(float)
    above, count = np.cumsum(x), np.arange(1, x.size + 1)
    product = high * above + low * (x.sum() - above)  # of the values and their codes, threshold by threshold
    square = high**2 * count + low**2 * (x.size - count)  # of the codes
    return 100 * (1 - (product**2 / square).max() / (x**2).sum())


best = {"probabilities": [], "ReLU outputs": []}
for kind, tensors in (("probabilities", probs), ("ReLU outputs", relus)):
    for low, high in ((-1, 1), (0, 1)):
        best[kind].append([least_lost(tensor[::3], low, high) for tensor in tensors])
print("layer 4, by your functions, with thresholds that nobody tuned:")
for kind, tensor, threshold in (("probabilities", probs[4], 0.05), ("ReLU outputs", relus[4], 1.0)):
    ones = lost_with_zero_and_one(tensor, threshold)
    print(
        f"  {kind:13s} −1 and +1 lose {lost_with_signs(tensor):.0%}, 0 and 1 above {threshold} lose {ones:.0%}"
    )

plots.bars(
    [f"layer {i}" for i in layers],
    {
        "−1, +1: probabilities": best["probabilities"][0],
        "0, 1: probabilities": best["probabilities"][1],
        "−1, +1: ReLU outputs": best["ReLU outputs"][0],
        "0, 1: ReLU outputs": best["ReLU outputs"][1],
    },
    "layer of the teacher (number)",
    "energy lost (%)",
)

# %% [markdown]
# With ±α most of the energy is gone, everywhere, and a threshold does not help: whatever is not +α is −α, and nothing is 0. With 0 and 1
# and a good threshold the same single bit keeps more than half of it. (The gain is largest in layers 1 and 2 for probabilities, in the last ones
# for ReLU.) That is the case for two sets.
#
# ## 3. What the start of α depends on
#
# BiT writes $x_B = \alpha \cdot \operatorname{round}(\operatorname{clip}(x/\alpha, 0, 1))$: the code is 1 above $\alpha/2$. One number is
# both the size *and* the switch. It is learned, and it starts from the first batch: the official code takes 4 times the mean.
#
# ### Exercise 4.3 · the mean of a softmax
# difficulty ●●○○○ · importance ●●●●● · 3 minutes
#
# A softmax runs over `length` tokens (padding counts as tokens, with probability 0). What is 4 times the mean of its outputs?


# %%
def start_of_alpha(length):
    # solution
    return 4 / length


# %%
check.ex_4_3(start_of_alpha)

# %% [markdown]
# So the start says nothing about the sentences or the model! It depends on how long the longest sentence of the first batch
# happens to be. If the first batch is of short sentences, the switch is high, and from there training begins.
#
# ### Exercise 4.4 · tokens that see nothing
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# A row of attention without a single 1 passes nothing on: for that token the head's output is zero. Return the share (0 to 1) of such rows in
# `rows`, an array of any shape whose last axis is a row of probabilities.


# %%
def empty_rows(rows, alpha):
    # solution
    return (rows <= alpha / 2).all(axis=-1).mean()


# %%
check.ex_4_4(empty_rows)

# %% [markdown]
# **Predict:** α starts from a first batch whose longest sentence has so many tokens. How many rows of our sixty sentences are empty?

# %%
lengths = np.array([2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128])
rows = np.concatenate(
    [inside[f"layers.{i}.probs"].transpose(0, 2, 1, 3)[tokens].reshape(-1, tokens.shape[1]) for i in layers]
)
whole = torch.tensor(inside["layers.0.probs"])
print(
    f"library, on our padded batch: {binarizers.elastic.alpha_start(whole, bits=1, signed=False):.4f}", end=""
)
print(f"   4 / {tokens.shape[1]} = {start_of_alpha(tokens.shape[1]):.4f}")

for length in (6, 16, 50, 128):
    ones = (rows > start_of_alpha(length) / 2).sum(-1).mean()
    print(f"longest sentence of {length:3d} tokens: {ones:4.1f} ones a row, on average")

plots.lines(
    lengths,
    {"rows": [100 * empty_rows(rows, start_of_alpha(length)) for length in lengths]},
    "longest sentence of the first batch (tokens, logarithmic)",
    "rows without a 1 (%)",
    log="x",
)

# %% [markdown]
# With two tokens the switch is at 1 and nothing is ever above it: **dead**. With six, nearly half of all rows are empty.
#
# This has happened to us. The first 1-bit model for these sentences was trained on batches of similar length, and the first one held
# 32 sentences of at most six tokens. When the start was taken from 256 sentences of mixed length instead, whose longest has 50, this came of it
# (a *seed* fixes whatever is random in a run):

# %%
for cell, label in (("sst2.float+bit-w1a1.short-first-batch", 6), ("sst2.float+bit-w1a1", 50)):
    run = runs.find("sst2", cell)
    steps = run.config["train"]["steps"]
    print(
        f"longest {label:2d} tokens: α starts at {start_of_alpha(label):.3f}; after {steps} steps right on "
        f"{run.metrics['accuracy']:.1%} of SST-2's validation set (recorded, seed {run.seed})"
    )

# %% [markdown]
# Fewer steps, and better by several points. Nothing in the loss had told us; the codes did.
#
# ## 4. Which α is right?
#
# The paper asks for the α that makes the squared error $\|x - x_B\|^2$ smallest. But nobody looks at the probabilities. What goes on is
# attention's *output*, their product with the values $V$, the vectors that the tokens hand over. So there are two errors, and the empty rows.
#
# **Predict:** for layer 4, which of the two errors wants the larger α?

# %%
mask_rows = torch.tensor(tokens)[:, None, :, None]
tensors = [
    tuple(torch.tensor(inside[f"layers.{i}.{name}"]) * mask_rows for name in ("probs", "v")) for i in layers
]


def errors_of(layer, alpha):
    """Energy lost (%) in the probabilities and in attention's output."""
    p, v = tensors[layer]
    code = alpha * (p > alpha / 2)
    parts = ((code - p, p), ((code - p) @ v, p @ v))
    return [100 * (wrong.square().sum() / right.square().sum()).item() for wrong, right in parts]


alphas = np.geomspace(0.02, 1.28, 19)
measured = np.array([[errors_of(layer, alpha) for alpha in alphas] for layer in layers])
figure = plots.lines(
    alphas,
    {
        "error of the probabilities": measured[4, :, 0],
        "error of attention's output": measured[4, :, 1],
        "rows without a 1, all layers": [100 * empty_rows(rows, alpha) for alpha in alphas],
    },
    "α (probability, logarithmic)",
    "energy lost (%), rows (%)",
    log="x",
)
for length, dash in ((6, "dash"), (50, "dot")):
    start = start_of_alpha(length)
    figure.add_scatter(
        x=[start, start],
        y=[0, 100],
        mode="lines",
        name=f"start 4/{length}",
        line={"dash": dash, "color": plots.theme.GREY},
    )
figure

# %% [markdown]
# They disagree by several times. The squared error of the probabilities is ruled by the few large ones; it prefers a high switch, and
# does not mind the empty rows. Attention's output needs the many small ones, too: their sum is an average over the
# sentence, and without them the token is left with nothing. 4/50 is close to what the output wants; 4/6 lies on the side of what the
# squared error wants, and that was the bad start.
#
# **Predict** the same for all layers, and beside it what the bundled 1-bit model has *learned*. To which of the two will that be closer?

# %%
student = binviz.load("sst2-minilm.bit-w1a1")
learned = [
    layer.attention.self.binary.attention_binarizer.alpha.item() for layer in student.bert.encoder.layer
]
plots.bars(
    [f"layer {i}" for i in layers],
    {
        "least error of the probabilities": alphas[measured[:, :, 0].argmin(axis=1)],
        "least error of attention's output": alphas[measured[:, :, 1].argmin(axis=1)],
        "learned by the 1-bit model": learned,
    },
    "layer (number)",
    "α (probability)",
    ".2f",
)

# %% [markdown]
# In the first layers attention's output wants a large α, too; further up it wants much less. The learned values are small everywhere:
# far below both in the first layers, near what the output wants in the last ones. Have they been learned, or have they just stayed
# near 4/50 = 0.08, where they began? That is the next question.
#
# ## 5. Elastic: α learns
#
# The gradient of α is that of exercise 1.7. A dead binarizer has one, too. Let us learn α on real attention, so that its output is near
# the float one: $\|A_B V - A V\|^2$, with Adam and the library's binarizer. (Of layer 4 again, but on the shorter sentences alone, up to 25 tokens,
# so what the output wants is not quite the α of section 4.)
#
# **Predict:** three starts, one of them dead. How many arrive, and where?

# %%
short = tokens.sum(1) <= 25
length = tokens[short].sum(1).max()
p, v = (tensor[torch.tensor(short)][:, :, :length] for tensor in tensors[4])
p = p[..., :length]


def learn_alpha(start, steps=80, rate=0.02):
    elastic = binarizers.get("elastic-unsigned", grad_scale=False)
    elastic.load_state_dict({"alpha": torch.tensor(start), "initialized": torch.tensor(True)})
    optimizer = torch.optim.Adam([elastic.alpha], lr=rate)
    history = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        history.append(elastic.alpha.item())
        loss = (elastic(p) @ v - p @ v).square().sum() / (p @ v).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"start {start:.2f}: α {elastic.alpha.item():.3f}, energy lost {100 * loss.item():.0f} %")
    return history


histories = {
    name: learn_alpha(start) for name, start in {"4/50": 4 / 50, "4/6": 4 / 6, "4/2, dead": 4 / 2.0}.items()
}
plots.lines(range(80), histories, "step (number)", "α (probability)")

# %% [markdown]
# The scale is elastic indeed: from 4/6 it finds the same place as from 4/50. The dead one goes the right way, too, but in 80 steps it
# does not arrive. Look at the speed.
#
# ### Exercise 4.5 · how far can α go?
# difficulty ●●●○○ · importance ●●●●○ · 5 minutes
#
# One step of Adam moves a parameter by about the learning rate at most. If that falls in a straight line from `rate` to 0 within `steps`
# steps, how far can a parameter go altogether? Check the answer with the dead start above.


# %%
def farthest(rate, steps):
    # solution
    return rate * steps / 2


# %%
check.ex_4_5(farthest)

# %% [markdown]
# From 2 to the 0.125 where it arrives it is 1.875, so the dead start needs nearly 190 steps at this rate. BiT's code gives its scales a learning rate of their own, 0.0001. In the recorded run:

# %%
learn_alpha(4 / 2.0, steps=240)

run = runs.find("sst2", "sst2.float+bit-w1a1.short-first-batch")
train = run.config["train"]
way = farthest(train["scale_lr"], train["steps"])
print(
    f"\n{train['steps']} steps at a rate of {train['scale_lr']}: α can go {way:.3f}, from {4 / 6:.3f} to {4 / 6 - way:.3f}"
)
print("bundled model, from 4/50 = 0.080 to", ", ".join(f"{alpha:.3f}" for alpha in learned))

records = registry.get("bit").records()
print(
    "\nscales that learn ten times as fast, and signed ones that start at half the value (experiment `bit`, seed 0):"
)
for cell in ("sst2.bit-w1a1", "sst2.bit-w1a1.scale-lr-10", "sst2.bit-w1a1.optimal-start"):
    run = records.get((cell, 0))
    print(f"  {cell:28s}", "not run" if run is None else f"accuracy {run.metrics['accuracy']:.1%}")

# %% [markdown]
# So both answers hold: α moves, and it cannot go far. In a short training a scale ends close to where it starts, so the start decides.
#
# Neither of the two remedies that are printed last was one (with one seed). Scales that learn faster go too far, some below zero. And the start of least squared error, half of
# the official one for signed codes, makes queries and keys small, from whose products the probabilities come. So these come out nearly equal in a sentence, 1 / length each.
#
# **Predict:** our sixty sentences, shortest first. α starts from all of them at once. What share of attention's codes is 1 in the shortest ten, and in the longest ten?
# (The result is a range, from the layer with the fewest to that with the most.)

# %%
check.predict("04.5", None)  # instead of None: in percent, {"shortest": ..., "longest": ...}

# %%
halved = binviz.load("sst2-minilm.float")
binviz.binarize_(halved, registry.get("bit").cell("sst2.bit-w1a1.optimal-start").stage.recipe)
order = np.argsort(tokens.sum(1), kind="stable")
with torch.inference_mode():
    halved.eval()(**inputs)  # every scale starts here
codes = capture(halved, inputs, ["layers.*.probs.code"])
pairs = tokens[:, None, :, None] & tokens[:, None, None, :]  # a token that looks at a token, both no padding
found = {}
for label, chosen in {"shortest": order[:10], "longest": order[-10:]}.items():
    sizes = tokens[chosen].sum(1)
    ones = [
        (codes[f"layers.{i}.probs.code"][chosen] * pairs[chosen]).sum() / (12 * (sizes**2).sum())
        for i in layers
    ]
    found[f"{label}, {sizes[0]} to {sizes[-1]} tokens"] = f"{min(ones):.1%} to {max(ones):.1%}"
check.compare("04.5", found)

# %% [markdown]
# The code says nothing any more but how long the sentence is. The error of one tensor is not the error of the network.
#
# ## 6. The shift β
#
# In front of the linear layers BiT also learns a shift: $x + \beta$ instead of $x$, one β for each channel (each entry of the layer's input). On {0, 1} it moves the switch of that
# channel.
#
# ### Exercise 4.6 · the gradient of β
# difficulty ●●●○○ · importance ●●●○○ · 6 minutes
#
# `x` is (tokens, channels), `beta` (channels), `grad` (tokens, channels) the gradient of the loss to $x_B$. As for α, rounding counts as the
# identity. Where does β move $x_B$ then, where not, and with which slope? (At both ends of that window it still does.) Return the gradient
# to `beta`.


# %%
def beta_gradient(x, alpha, beta, grad):
    # solution
    q = (x + beta) / alpha
    return (grad * ((q >= 0) & (q <= 1))).sum(axis=0)


# %%
check.ex_4_6(beta_gradient)

# %% [markdown]
# Now the feed-forward part of layer 4: ReLU outputs are binarized and multiplied with the second weight matrix $W$ of that part. The aim is
# $\|x_B W^\top - x W^\top\|^2$.
#
# **Predict:** scale fixed at 4 times the mean, scale learned, scale and shifts learned. How much does each step gain?

# %%
relu = torch.tensor(relus[4][::2])
matrix = teacher.get_submodule("bert.encoder.layer.4.output.dense").weight.detach()
wanted = relu @ matrix.T


def learn(shift, rate=0.02, steps=60):
    elastic = binarizers.get("elastic-unsigned", features=relu.shape[1], learn_shift=shift, grad_scale=False)
    elastic.initialize(relu)
    optimizer = torch.optim.Adam(elastic.parameters(), lr=rate)
    lost = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        loss = (elastic(relu) @ matrix.T - wanted).square().sum() / wanted.square().sum()
        lost.append(100 * loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return lost


elastic = binarizers.get("elastic-unsigned", features=relu.shape[1], learn_shift=True, grad_scale=False)
elastic.initialize(relu)
above = torch.randn(relu.shape, generator=torch.Generator().manual_seed(0))
elastic(relu).backward(above)
yours = beta_gradient(relu.numpy(), elastic.alpha.item(), elastic.beta.detach().numpy(), above.numpy())
print("the library's gradient to β is yours:", np.allclose(elastic.beta.grad, yours, atol=1e-3))

scale_alone = learn(shift=False)
plots.lines(
    range(60),
    {"fixed": scale_alone[:1] * 60, "α learned": scale_alone, "α and β learned": learn(shift=True)},
    "step (number)",
    "energy lost behind the layer (%)",
)

# %% [markdown]
# The scale brings most of the gain; 1,536 shifts add a little to it. And in the bundled student?

# %%
for role in ("intermediate", "output"):
    for i in (0, 4):
        binarizer = student.bert.encoder.layer[i].get_submodule(f"{role}.dense").activation_binarizer
        alpha, beta = binarizer.alpha.item(), binarizer.beta.detach().abs()
        print(
            f"layer {i}, input of {role + '.dense':18s} α {alpha:.2f}   |β| on average {beta.mean():.3f}, largest {beta.max():.3f}"
        )

# %% [markdown]
# The shifts have stayed near the zero that they started from: a small part of α. Whether elasticity is worth points of accuracy is a claim
# about training, and an experiment: the recorded run `sst2.bit-w1a1.fixed` freezes α and β where they start. [Notebook 05](05_many_teachers.ipynb) shows
# its verdict beside those of the other claims.
#
# ## Three questions
#
# **Why is 4 times the mean a good start behind a ReLU, and a lottery for attention?**
# <details><summary>Answer</summary>
# Behind a ReLU the mean says how large the values are. Of a softmax it says how long the longest sentence of the batch is, and nothing else.
# </details>
#
# **Two values of α: one describes the probabilities best, the other attention's output. Which one do you start from, and why?**
# <details><summary>Answer</summary>
# From the one that the output wants. Nobody reads the probabilities; what goes on is their product with the values, and a row without a 1 passes nothing on.
# </details>
#
# **α can move by 0.05 in a whole training. What do you check before you start it?**
# <details><summary>Answer</summary>
# Where it starts, on data as mixed as those to come: share of ones, empty rows. What the start gets wrong, training will not repair.
# </details>
#
# ## Summary
#
# - Probabilities of attention are mostly next to nothing and rarely much. With ±α one bit loses most of their energy and of that of ReLU outputs;
#   with 0 and 1 and a good threshold it keeps more than half.
# - α is size and switch at once. BiT's start of 4 times the mean is 4/T for attention: it depends on the length of the first batch
#   alone. Too short a batch empties rows or kills the binarizer.
# - The least squared error of the probabilities is not the least error of attention's output, and not the best start.
# - α learns, also from a dead start; but a parameter cannot go farther than its learning rate lets it.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | two sets describe non-negative activations better than one | BiT | in every layer, for probabilities and ReLU outputs | real activations, a BERT of 6 layers |
# | the best α minimises the squared error | BiT | true of that error; for attention's output and for training another α was better | the same; two recorded trainings, one seed each, 1,500 and 1,000 steps |
# | learned scales and shifts beat fixed ones | BiT | α yes, β a little, for the error behind one layer; for accuracy see notebook 05 | one layer, 60 steps |
#
# **Next:** [notebook 05](05_many_teachers.ipynb): one step from float to 1 bit, or several?
# In the dashboard: [attention before and after](http://localhost:8501/inside?view=Attention), [what a layer's inputs look like](http://localhost:8501/inside?view=Distributions).

# %% [markdown]
# ## References
#
# - Z. Liu and others: BiT, Robustly Binarized Multi-distilled Transformer, [2205.13016](https://arxiv.org/abs/2205.13016)
# - S. K. Esser and others: Learned Step Size Quantization, [1902.08153](https://arxiv.org/abs/1902.08153)
