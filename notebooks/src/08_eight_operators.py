# %% [markdown]
# # 08 · Eight operators
#
# | | |
# |---|---|
# | **You will** | find in their source what eight binarizers differ in; guess how far apart they end on three kinds of networks, and read the recorded matrix; see when a norm undoes a scale, by formula and in training; write a test that finds two defects of an official code; make another operator win by choosing weights; count the pairs that the recorded runs decide |
# | **Minutes** | 25 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebooks 02, 04 and 05 |
# | **Papers** | BiBench [2301.11233](https://arxiv.org/abs/2301.11233) abstract; its [code](https://github.com/Efficient-ML/BiBench); XNOR-Net [1603.05279](https://arxiv.org/abs/1603.05279) section 3; Bi-Real Net [1808.00278](https://arxiv.org/abs/1808.00278) section 3.3; ReActNet [2003.03488](https://arxiv.org/abs/2003.03488) section 4.2 |
# | **Not reproduced** | BiBench's tables: they were not at hand, its claims here are those of its abstract, and its metrics are from memory. Its networks are ResNets, BERT-base and others, trained for many epochs; the recorded ones have 4 or 6 layers and 800 or 1,000 steps |
# | **Runs on** | a laptop's CPU, offline, one thread; the matrix is read from records |
#
# Eight papers, each with a way to make one bit of a number, each with tables of its own, on networks of its own. **BiBench** put them into the same networks, on the same tasks, with the same training, and asked: which one? The idea to follow: **the operator matters where
# the architecture lets it.**

# %%
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import torch
from scipy.stats import binomtest
from torch import nn
from torch.nn import functional as F

from binviz import binarizers, check, plots, recipes
from binviz.binarizers.base import sign, with_surrogate
from binviz.binarizers.bireal import triangle
from binviz.evidence import leaderboard, noise, overall, runs
from binviz.evidence.claims import Claim, judge
from binviz.experiments import bibench, registry
from binviz.layers import BinaryLinear
from binviz.playground import latent

torch.set_num_threads(1)
EIGHT = list(bibench.OPERATORS)[:8]
for name in EIGHT:
    recipe = recipes.get(name)
    scaled = "learned" if recipe.output_scale else "none"
    print(
        f"{name:10s}weights {recipe.weight.binarizer:16s}inputs {recipe.activation.binarizer:22s}output's scale {scaled}"
    )

# %% [markdown]
# ## 1. What they differ in
#
# All eight multiply signs: the codes are the same. They differ in the **scale** (of the weights, of the inputs, of the output, or none), in the **surrogate**, which stands in for the gradient of the sign, and in what
# they **learn** beside the weights. Four numbers of a linear layer tell most of that:
#
# | number | question |
# |---|---|
# | inputs × 2 | by how much is the output multiplied, if all inputs are doubled? |
# | weights × 2 | and if all weights are, once training has begun? |
# | slope | what is the derivative of the inputs' code to an input x? |
# | learned | how many numbers does the layer learn beside its weights? (Without a bias.) |
#
# ### Exercise 8.1 · three rows from the source
# difficulty ●●○○○ · importance ●●●●○ · 8 minutes
#
# Write the rows of `"xnor"`, `"xnorpp"` and `"reactnet"`, for a layer with so many `inputs` and `outputs`, and the slope at `x`: four numbers, in the order of the table. Which binarizers they have is printed
# above; `binarizers.get("xnor-weight")??` shows the source of one (and of its class: files are a page long). No `x` here lies at the edge of a window.


# %%
def row(operator, inputs, outputs, x):
    # solution
    window, triangle = float(abs(x) < 1), max(2 - 2 * abs(x), 0)
    return {
        "xnor": (2, 2, window, 0),
        "xnorpp": (1, 1, window, outputs),
        "reactnet": (1, 2, triangle, inputs),
    }[operator]


# %%
check.ex_8_1(row)

# %% [markdown]
# And all eight, measured on a layer with 128 inputs and 64 outputs.


# %%
def measured(operator, inputs, outputs, x):
    recipe = recipes.get(operator)
    torch.manual_seed(0)
    layer = BinaryLinear(
        inputs,
        outputs,
        bias=False,
        weight=recipe.weight.make(outputs, channel_axis=0),
        activation=recipe.activation.make(inputs),
        output_scale=recipe.output_scale,
    ).eval()
    given = torch.randn(1, inputs)
    with torch.no_grad():
        once, of_inputs = layer(given), layer(2 * given)
        layer.weight *= 2
        of_weights = layer(given)
    at = torch.full((1, inputs), x, requires_grad=True)
    layer.activation_binarizer.encode(at).q.sum().backward()
    learned = sum(p.numel() for p in layer.parameters()) - layer.weight.numel()
    found = of_inputs / once, of_weights / once, at.grad
    return *(float(ratio.nanmedian()) for ratio in found), learned


print(
    f"{'':10s}{'inputs × 2':>12s}{'weights × 2':>13s}{'slope at 0.75':>15s}{'learned':>9s}   {'yours':5s}  what it is"
)
for name in EIGHT:
    values = measured(name, 128, 64, 0.75)
    same = ""
    if name in ("xnor", "xnorpp", "reactnet"):
        same = "same" if np.allclose(row(name, 128, 64, 0.75), values) else "other"
    shown = f"{values[0]:12.0f}{values[1]:13.0f}{values[2]:15.2f}{values[3]:9d}"
    print(f"{name:10s}{shown}   {same:5s}  {bibench.OPERATORS[name]}")

# %% [markdown]
# (FDA's learned numbers belong to a small network that adds noise to the gradient in training, and is thrown away. ReCU divides its inputs by their deviation before the surrogate, in training; the slope here is the one without. All this is BiBench's
# code as we have it in `binviz/recipes/bibench.py`, where each departure is named.)
#
# ## 2. The matrix
#
# Experiment `bibench` has these eight in several networks: a column is a task with a network, and every cell starts from the column's float model, takes as many steps, and has the best of three learning rates by the same search. Two guests
# stand beside them, BiT and BiViT. Three kinds of networks are to be compared, all of which read the same digits:
#
# - `digits-cnn`: convolutions, each with a batch norm *behind* it and a shortcut around both;
# - `digits-vit`: attention and feed-forward parts, each with a layer norm *in front* of it and a shortcut around both;
# - `digits-mixer`: feed-forward parts alone, across patches and across channels, otherwise as the ViT.
#
# How far apart are the best and the worst of the eight, in points of accuracy? And who is the best?

# %%
check.predict("08.2", None)  # instead of None: {"digits-cnn": points, "digits-vit": ..., "digits-mixer": ...}

# %% [markdown]
# **Predict** where the dots of a network lie close together and where not. *Failed* is a run whose loss was no longer a number, a dash one that has not been made.

# %%
experiment = registry.get("bibench")
records = experiment.records()
board = leaderboard.board(
    records,
    bibench.OPERATORS,
    [leaderboard.Column(network.name, network.task, network.kind) for network in bibench.NETWORKS],
)
ROWS, COLUMNS = board.rows, [column.name for column in board.columns]


def show(title, said, columns=COLUMNS):
    """A line for each column, with a word for each row."""
    print(f"{title:20s}" + "".join(f"{name.removesuffix('-w1a1'):>9s}" for name in ROWS))
    for column in columns:
        print(f"{column:20s}" + "".join(f"{said(column, name):>9s}" for name in ROWS))


def percent(column, name):
    value = 100 * board.accuracy[ROWS.index(name), COLUMNS.index(column)]
    return f"{value:.1f}" if np.isfinite(value) else "failed" if board.runs[name, column] else "-"


show("accuracy (%)", percent)
of_eight = 100 * board.accuracy[1 : 1 + len(EIGHT)]
begun = [j for j, values in enumerate(of_eight.T) if np.isfinite(values).sum() > 1]
found = {}
for j in begun:
    values = of_eight[:, j]
    best, worst = np.nanargmax(values), np.nanargmin(values)
    known = np.isfinite(values).sum()
    found[COLUMNS[j]] = (
        f"{values[best] - values[worst]:.1f} points, best {EIGHT[best]}, worst {EIGHT[worst]}, {known} of 8"
    )
check.compare(
    "08.2", {name: found.get(name, "not run") for name in ("digits-cnn", "digits-vit", "digits-mixer")}
)
for name in found:
    print(f"{name}: {found[name]}")

figure = go.Figure()
for i, (name, colour) in enumerate(zip(ROWS[1:], plots.theme.colours(ROWS[1:]), strict=True), start=1):
    figure.add_scatter(
        x=[COLUMNS[j] for j in begun],
        y=[round(100 * kept, 2) if np.isfinite(kept) else None for kept in board.kept[i, begun]],
        name=name,
        mode="markers",
        marker={"size": 10, "color": colour, "symbol": i - 1, "line_width": 1},
    )
figure.update_xaxes(title="network (name)", type="category")
figure.update_yaxes(title="accuracy kept (% of the float network's)")
figure.update_layout(
    template="binviz",
    height=420,
    showlegend=True,
    meta={
        "alt": f"Accuracy kept by operators. {'; '.join(f'{name}: {said}' for name, said in found.items())}."
    },
)
figure

# %% [markdown]
# Where dots lie on top of one another, the choice of an operator was of no matter; where they are spread, it was. (Above 100 % lies a network whose float model was not done learning: binary ones go on from it, with steps of their own.) Is that a property of convolutions and attention? Or of what stands beside the layer?
#
# ## 3. What a norm undoes
#
# A layer of plain signs puts out whole numbers, about $\sqrt n$ large with n inputs. A scale makes them smaller. A norm, too: it takes the mean away and divides by the deviation. So is a scale in front of a norm lost labour?
#
# ### Exercise 8.2 · what is left of a scale
# difficulty ●●●○○ · importance ●●●●● · 7 minutes
#
# `sums` (examples, channels) come out of a layer, `scales` (channels,) multiply them, and what went around the layer is added, `shortcut` (examples, channels). Then comes a norm over `axis`: it makes mean 0 and deviation 1 along it. How
# far is what it puts out from what it would put out without the scales? Return the mean of the squared differences. (Since the deviation is 1, a mean of 1 is as much as the whole signal.)
#
# <details><summary>Then think</summary>
# For which axis, and which shortcut, is that 0 whatever the scales are?
# </details>


# %%
def left_of_scales(shortcut, sums, scales, axis):
    # solution
    def norm(z):
        return (z - z.mean(axis=axis, keepdims=True)) / z.std(axis=axis, keepdims=True)

    return np.mean((norm(shortcut + scales * sums) - norm(shortcut + sums)) ** 2)


# %%
check.ex_8_2(left_of_scales)

# %% [markdown]
# Now train. Four blocks of 48 units read digits, each a layer of signs, in four architectures; each once without a scale (`bnn`) and once with one for each channel (`dorefa`). The surrogates are the same, a window of $|x| \le 1$.
#
# **Predict:** in which architectures is a scale worth something, and in which most? Three seeds each, 300 steps.

# %%
WIDTH = 48
(pictures, labels), (unseen, truth) = latent.pixels("train"), latent.pixels("test")


class Block(nn.Module):
    """Signs of inputs times signs of weights, with or without a norm in front, a norm behind, and a shortcut."""

    def __init__(self, weight, before, behind, shortcut):
        super().__init__()
        binarizer = binarizers.get(weight, features=WIDTH, channel_axis=0)
        self.layer = BinaryLinear(
            WIDTH, WIDTH, weight=binarizer, activation=binarizers.get("bnn"), bias=False
        )
        self.before, self.behind, self.shortcut = before, behind, shortcut

    def forward(self, x):
        return self.behind(self.layer(self.before(x))) + (x if self.shortcut else 0)


def nothing(width):
    return nn.Identity()


ARCHITECTURES = {
    "bare": (nothing, nothing, False),
    "shortcut": (nothing, nothing, True),
    "shortcut, layer norm in front": (nn.LayerNorm, nothing, True),
    "shortcut, batch norm behind": (nothing, nn.BatchNorm1d, True),
}


def trained(weight, architecture, seed, steps=300, rate=0.005):
    before, behind, shortcut = ARCHITECTURES[architecture]
    torch.manual_seed(seed)
    blocks = [Block(weight, before(WIDTH), behind(WIDTH), shortcut) for _ in range(4)]
    net = nn.Sequential(nn.Linear(64, WIDTH), *blocks, nn.Linear(WIDTH, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        chosen = torch.randint(len(pictures), (64,))
        loss = F.cross_entropy(net(pictures[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@torch.no_grad()
def right_of(net):
    return 100 * (net(unseen).argmax(1) == truth).float().mean().item()


with_scales, results = {}, {"bnn": [], "dorefa": []}
for architecture in ARCHITECTURES:
    for name, weight in (("bnn", "bnn"), ("dorefa", "dorefa-weight")):
        nets = [trained(weight, architecture, seed) for seed in range(3)]
        results[name].append(np.mean([right_of(net) for net in nets]))
    with_scales[architecture] = nets[0]
    print(f"{architecture}: a scale is worth {results['dorefa'][-1] - results['bnn'][-1]:+.1f} points")
plots.bars(
    list(ARCHITECTURES),
    {"no scale": results["bnn"], "a scale for each channel": results["dorefa"]},
    "what stands beside the layer of signs",
    "right answers (% of 450 digits)",
    ".1f",
)

# %% [markdown]
# The operator is the same in all four; what it is worth is decided beside it. Bare, the sums of 48 signs are far outside of the window, and hardly any gradient comes back: the scale is what lets the net learn at all. A shortcut carries the gradient past. A
# norm brings the sums back into the window, and then little is left for a scale to do. Two norms, and not the same: what did each undo? Take the sums inside of a trained net, and ask your function.

# %%
net = with_scales["shortcut, layer norm in front"]
with torch.no_grad():
    x = net[:2](unseen)
    block = net[2]
    scale = block.layer.weight.abs().mean(dim=1)
    sums = (block.layer(block.before(x)) / scale).round()
x, sums, scale = x.numpy(), sums.numpy(), scale.numpy()
print(
    f"sums of {WIDTH} signs, deviation {sums.std():.1f}; scales from {scale.min():.3f} to {scale.max():.3f}"
)
for name, shortcut, axis in (
    ("norm over the batch, straight behind the layer", 0 * x, 0),
    ("norm over the features, straight behind the layer", 0 * x, 1),
    ("norm over the batch, behind the shortcut", x, 0),
    ("norm over the features, behind the shortcut", x, 1),
):
    print(f"{name:52s}{left_of_scales(shortcut, sums, scale, axis):.3f} of the signal is another one")

# %% [markdown]
# A batch norm straight behind the layer has a mean and a deviation for *each channel*, so it undoes a scale for each channel exactly, whatever it is. (But for its ε, a small number beside the deviation. The gradient is the same, too: multiplied by the scale on its
# way back, and divided by it in the norm.) A layer norm has one deviation for *all* channels: a factor that all share is undone, differences between channels are not. And a shortcut between layer and norm changes everything: the scale then
# says how much of what comes out is new and how much is old, and no norm can undo that.
#
# Look at the list of section 2 again: in the CNN the norm is straight behind the convolution. In ViT and mixer the shortcut comes first.
#
# ## 4. Does everything learn?
#
# Before an operator is blamed for a poor number, ask whether it was computed as meant. Every parameter should pass two tests: the output depends on it, *and* it gets a gradient. A binarizer needs both said apart, for its gradient is not that of its output.
#
# ### Exercise 8.3 · connected?
# difficulty ●●○○○ · importance ●●●●● · 5 minutes
#
# `gradients` (parameters,) has for each parameter of a module the largest size in its gradient, −1 where backward gave none at all, and `changes` (parameters,) how far the output moved when the parameter was moved much. Return a number for each:
# 0 *connected*, 1 *deaf* (it matters, and gets no gradient), 2 *ghost* (it gets a gradient, and matters to nothing), 3 *idle* (neither).


# %%
def connected(gradients, changes):
    # solution
    learns, matters = gradients > 0, changes > 0
    return np.where(learns, np.where(matters, 0, 2), np.where(matters, 1, 3))


# %%
check.ex_8_3(connected)

# %% [markdown]
# Four modules: a linear layer of ReActNet's kind, whose inputs get a learned threshold before their sign is taken, and an attention of signs, each twice. One of each pair is ours, the other does what BiBench's official code does.
#
# **Predict:** which two have a defect, and of which of the three kinds?


# %%
class LinearA(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight, self.threshold = nn.Parameter(torch.randn(6, 8) / 4), nn.Parameter(torch.zeros(8))

    def forward(self, x):
        moved = x + self.threshold
        code = with_surrogate(moved, sign(x), triangle)
        return code @ binarizers.get("bireal-weight", features=6, channel_axis=0)(self.weight).T


def linear_b():
    recipe = recipes.get("reactnet")
    return BinaryLinear(
        8, 6, weight=recipe.weight.make(6, 0), activation=recipe.activation.make(8), bias=False
    )


class Zero(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores):
        return (scores >= 0).to(scores.dtype)

    @staticmethod
    def backward(ctx, grad):
        return


class Attention(nn.Module):
    def __init__(self, to_bits):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8, bias=False) for _ in range(3))
        self.to_bits = to_bits

    def forward(self, x):
        return self.to_bits(self.query(x) @ self.key(x).mT) @ self.value(x)


def examined(module, seed=0):
    """Names of the parameters, the largest size in each one's gradient, and how far the output moves with it."""
    torch.manual_seed(seed)
    x = torch.rand(16, 8) - 0.5
    out = module(x)
    (out * torch.randn_like(out)).sum().backward()
    names, gradients, changes = [], [], []
    for name, parameter in module.named_parameters():
        names.append(name)
        gradients.append(-1.0 if parameter.grad is None else parameter.grad.abs().max().item())
        before = parameter.data.clone()
        parameter.data = before + torch.randn_like(before)
        changes.append((module(x) - out).abs().max().item())
        parameter.data = before
    return names, np.array(gradients), np.array(changes)


WORDS = ["connected", "deaf", "ghost", "idle"]
torch.manual_seed(0)
modules = {
    "linear A": LinearA(),
    "linear B": linear_b(),
    "attention A": Attention(binarizers.get("bibert-attention")),
    "attention B": Attention(Zero.apply),
}
for title, module in modules.items():
    names, gradients, changes = examined(module)
    kinds = [WORDS[kind] for kind in connected(gradients, changes)]
    print(f"{title:13s}" + "; ".join(f"{name} {kind}" for name, kind in zip(names, kinds, strict=True)))

# %% [markdown]
# In BiBench's linear ReActNet (`react.py`) the sign is taken of the input, not of the input and its threshold: the threshold moves only the surrogate, a *ghost*, though it is learned and saved. Its convolutions are right. And the backward of BiBench's
# attention (`ZMeanBinaryQuantizer` in `binlp/models/bert.py`) ends with a bare `return`: queries and keys are *deaf*, they stay as they were at the start. A [user asks](https://github.com/Efficient-ML/BiBench/issues/4) why a score stays at 0
# there; that would fit. Neither raises an error, and in neither case does the loss stop falling: everything else learns. (Our test moves parameters of one seed; `binviz.check_binarizer` asks the same of every binarizer that is registered.)
#
# So a row of a benchmark is an operator *as it was written*. The recorded matrix has both mended.
#
# ## 5. One number for each
#
# A benchmark wants a winner. BiBench's *overall metrics* take of each network the share $r$ of the float accuracy that is kept, and their quadratic mean. We add weights: how much does each network count?
#
# ### Exercise 8.4 · a score
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# `kept` is (operators, networks), `weights` (networks,), not negative. Return (operators,): of each row the root of the mean square, in which a network with twice the weight counts twice. Weights need not add up to 1.


# %%
def score(kept, weights):
    # solution
    return np.sqrt(kept**2 @ weights / weights.sum())


# %%
check.ex_8_4(score)
complete = [j for j in begun if np.isfinite(board.kept[: 1 + len(EIGHT), j]).all()]  # float and all eight
networks = [COLUMNS[j] for j in complete]
print(
    f"all eight were run on {len(complete)} of {len(COLUMNS)} networks: {', '.join(networks) or 'none yet'}"
)
check.predict("08.5", None)  # instead of None: who has the best score, if all of these count alike?

# %% [markdown]
# Only networks on which all eight have a number can be asked: a mean over what happened to be run would compare different things. Who has the best score with equal weights? And of the eight, how many can be made
# the winner by *some* weights? Below 2,000 weightings are drawn.
#
# **Predict** both, and the one that wins most often. Then change `mine` until the winner is another one, if any can be.

# %%
shares = board.kept[1 : 1 + len(EIGHT), complete]
mine = np.ones(len(complete))  # change me: one weight for each of the networks above
if complete:
    scores = score(shares, mine)
    order = np.argsort(-scores)
    check.compare("08.5", EIGHT[order[0]])
    for i in order:
        print(f"{EIGHT[i]:10s}{scores[i]:.3f}")
    alike = [overall.quadratic_mean(values) for values in shares]
    print(
        "with equal weights that is the library's mean:",
        np.allclose(score(shares, np.ones(len(complete))), alike),
    )
    drawn = np.random.default_rng(0).dirichlet(np.ones(len(complete)), size=2000)
    wins = np.bincount([score(shares, weights).argmax() for weights in drawn], minlength=len(EIGHT)) / 20
    print(f"{(wins > 0).sum()} of 8 win under some of the weightings")
    figure = plots.bars(EIGHT, {"wins": wins}, "operator (name)", "weightings in which it wins (%)", ".0f")
else:
    figure = None
    print("not run yet: binviz reproduce bibench --out runs-out")
figure

# %% [markdown]
# Nobody lied, and nothing was measured anew. Which networks count, and how much, is a choice, and whoever makes a table makes it, if only by what is left out. (So does the quadratic mean: it lies above the plain one, so a network on which
# an operator is good counts more than one that it ruins. And a share of float's accuracy flatters tasks with few classes, where guessing keeps half.) A ranking is worth what its lead is worth:
#
# ## 6. How many pairs are decided?
#
# Eight operators are 28 pairs. On one network all of them answered the same examples, so each pair can be put to McNemar's coin (notebook 05).
#
# ### Exercise 8.5 · pairs that are decided
# difficulty ●●●○○ · importance ●●●●● · 7 minutes
#
# `right` is (operators, examples), boolean: who had which example right. Of how many pairs is one side ahead with a two-sided p below 0.05? (`binomtest(b, b + c).pvalue` is the coin's p.)


# %%
def decided(right):
    # solution
    found = 0
    for i, one in enumerate(right):
        for other in right[:i]:
            b, c = (one & ~other).sum(), (~one & other).sum()
            if b + c and binomtest(b, b + c).pvalue < 0.05:
                found += 1
    return found


# %%
check.ex_8_5(decided)

# %% [markdown]
# With 28 tests at 5 % one or two may come out by luck. Holm's correction asks more of each, so that *any* false one is rare.
#
# **Predict:** of 28 pairs, how many are decided on each network? And on how many networks is the first place one operator's alone?

# %%
pairs = list(combinations(EIGHT, 2))
alone, corrected = [], []
for j, column in zip(complete, networks, strict=True):
    first = np.array([runs.each_example(board.runs[name, column][0]) for name in EIGHT])
    alone.append(decided(first))
    judged = [judge(Claim("", "", f"{column}.{a}", f"{column}.{b}"), records) for a, b in pairs]
    corrected.append(sum(p < noise.LEVEL for p in noise.holm([each.p for each in judged])))
    leader = EIGHT[of_eight[:, j].argmax()]
    behind = {}
    for name in EIGHT:
        if name != leader:
            each = judge(Claim("", "", f"{column}.{leader}", f"{column}.{name}"), records)
            if each.low <= 0:
                behind[name] = f"{name} ({100 * each.low:+z.1f} to {100 * each.high:+z.1f})"
    seeds = len(board.runs[leader, column])
    print(f"{column}, {seeds} seed{'s' * (seeds > 1)}, {first.shape[1]} examples: {leader} leads", end="")
    print(f"; not decided against {', '.join(behind.values())}" if behind else ", alone")
print("(In brackets: by how many points the leader is ahead, 95 % interval.)")
if complete:
    counting = [float(j in complete) for j in range(len(COLUMNS))]
    print("\nrank, overall score and its 95 % interval, on these networks together:")
    for each in leaderboard.ranking(board, counting):
        print(f"{each.rank:>6s}  {each.row:12s}{each.score:.3f}  {each.low:.3f} to {each.high:.3f}")
series = {"seed 0, each at 5 % (yours)": alone, "all seeds, Holm": corrected}
plots.bars(networks, series, "network (name)", "pairs decided (of 28)", ".0f") if networks else None

# %% [markdown]
# Count the networks on which a first place is shared. To print *the best operator* there is to print the luck of a draw: of these examples, and, with a single seed, of one start and one order of batches, which the test does not see. (On all networks together the library draws examples anew, a thousand times, and the guests are in it;
# operators share a rank with the first of them until its lead is settled: a paired test finds it at 5 %, and 95 % of the draws keep its sign. BiBench's score, and so this one, takes the mean of the networks of a task first.) Intervals and seeds are part of the number.
#
# The claims of BiBench's abstract and recommendation, and some of our own, were written as inequalities before these runs, each with the verdict that was expected:

# %%
texts = {}
for claim, expected in bibench.EXPECTED.items():
    texts.setdefault(claim.text, []).append((judge(claim, records).verdict, expected))
for text, verdicts in texts.items():
    said = [verdict for verdict, _ in verdicts if verdict != "not run"]
    counts = ", ".join(f"{verdict} {said.count(verdict)}" for verdict in ("holds", "weak", "fails"))
    expected = sum(verdict == guess for verdict, guess in verdicts)
    print(f"{text}\n    {counts}, not run {len(verdicts) - len(said)}; as expected {expected} of {len(said)}")

# %% [markdown]
# (`binviz reproduce bibench --list` has each by itself.)
#
# ## 7. What does it cost to get there?
#
# An operator that is as good and trains twice as long, or only with the one right learning rate, is not as good. On the small networks each row was tried under five settings, with a fifth of the steps: three rates, gradient descent instead of Adam, a cosine instead of a straight line. Their
# spread is the standard deviation of the accuracy, on training digits that were held back. (On the digits these are a single batch of 64: one more right answer is 1.6 points.)
#
# **Predict:** whose accuracy hangs most on the setting? And does float's less?

# %%
SETTINGS = [*bibench.SEARCHED, *bibench.OTHERS]
sweeps, costs = {}, {}
for column in [network.name for network in bibench.NETWORKS if network.group == 1]:
    for name in ROWS:
        tried = [records.get((f"{column}.{name}.{setting}", 0)) for setting in SETTINGS]
        held = [100 * run.metrics["accuracy_held_out"] for run in tried if run and not run.failed]
        timed = [run for run in (*tried, *board.runs[name, column]) if run and not run.failed]
        if len(held) == len(SETTINGS):
            sweeps[column, name] = np.std(held)
        if timed:
            costs[column, name] = 1000 * min(run.seconds / run.config["train"]["steps"] for run in timed)
swept = [column for column in COLUMNS if (column, "float") in sweeps]


def milliseconds(column, name):
    return f"{costs[column, name]:.0f}" if (column, name) in costs else "-"


def training(column, name):
    both = [costs.get((column, each)) for each in (name, "float")]
    both += [sweeps.get((column, each)) for each in (name, "float")]
    return f"{overall.training(*[[each] for each in both]):.2f}" if all(both) else "-"


show("milliseconds a step", milliseconds, list(dict.fromkeys(column for column, _ in costs)))
show("overall.training", training, swept)
series = {column: [sweeps.get((column, name), np.nan) for name in ROWS] for column in swept}
print("" if swept else "the settings were not run yet")
plots.bars(ROWS, series, "operator (name)", "spread over five settings (points)") if swept else None

# %% [markdown]
# (Milliseconds are the fewest of all runs of a row, since the machine had other work beside them, and float models that are bundled were trained on another day; they are those of training with floats that happen to be −1 and +1, where an operator costs what its arithmetic costs. Packed, all eight run on the same bits. `overall.training` is 1
# where time and spread are float's, and less where either is worse. It hides which settings were tried.)
#
# ## Four questions
#
# **A paper adds a learned scale to every channel of a CNN with batch norms behind its convolutions, and gains a point. What would you ask?**
# <details><summary>Answer</summary>
# What the scale does that the norm does not undo. Straight behind the layer, nothing: the forward pass is the same up to the norm's ε. So another thing changed with it (rate, weight decay, steps, the surrogate), or a seed.
# </details>
#
# **BiBench's code makes FDA's small network in the first forward pass, when the optimizer has its list of parameters already. Would your test of section 4 find that?**
# <details><summary>Answer</summary>
# No: the parameters are connected, and get gradients. Nobody reads them. Compare the module's parameters with those of the optimizer; or train one step, and ask which parameters have moved.
# </details>
#
# **Operator A leads on a benchmark's overall metric by 0.004. What do you need to know before you use it?**
# <details><summary>Answer</summary>
# The interval of the lead, from seeds and from examples; the weights under which it leads; and the row of *your* kind of network, which may be one on which all eight are alike.
# </details>
#
# **Why does a scale help a transformer's block, whose layer norm divides by the deviation as well?**
# <details><summary>Answer</summary>
# That norm comes after the shortcut was added. Without a scale the sums of signs are many times as large as what they are added to, and drown it; with one the block adds a little to what came in. The norm divides both by the same number.
# </details>
#
# ## Summary
#
# - Eight operators have the same codes. They differ in scale, surrogate, and what else is learned: four numbers of a layer tell.
# - A batch norm straight behind a layer undoes its scale exactly. A layer norm undoes what all channels share; a shortcut in between keeps it all.
# - So an operator's worth depends on what stands beside the layer: from all there is, in a bare net, to nothing.
# - Two questions to each parameter, does it matter and does it learn, find ghosts and deaf ones; neither raises an error.
# - A ranking is a choice of weights; a lead is worth what its interval says; and a matrix has to say which of its cells failed or are missing.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | the operator matters more than the architecture | BiBench, abstract, from memory | as two inequalities, with their verdicts in section 6 | no: small networks, 800 or 1,000 steps |
# | a soft surrogate and a scale for each channel are the best choice | BiBench, recommended operator, from memory | the verdicts in section 6; live, a scale is worth nothing behind a batch norm | no |
# | binarization costs more on other networks than on CNNs | BiBench, abstract, from memory | the figure in section 2 | no |
# | the threshold of ReActNet is learned | BiBench's code | not in its linear layers, where it moves no code (section 4) | the mechanism, rebuilt |
#
# **Next:** [notebook 09](09_what_one_bit_saves.ipynb): what all this saves, and by whose count; or [make one](12_make_one.ipynb) and give it a row: `binviz reproduce bibench --operator my.py:MyBinarizer`. In the dashboard: [the matrix, with weights to move](http://localhost:8501/evidence?part=Leaderboard), [ReActNet's surrogate beside a window](http://localhost:8501/binarizers?kind=activation&binarizer=reactnet-activation&beside-it=bnn).

# %% [markdown]
# ## References
#
# - H. Qin and others: BiBench, Benchmarking and Analyzing Network Binarization, [2301.11233](https://arxiv.org/abs/2301.11233); its code, [Efficient-ML/BiBench](https://github.com/Efficient-ML/BiBench)
# - M. Courbariaux and others: Binarized Neural Networks, [1602.02830](https://arxiv.org/abs/1602.02830)
# - M. Rastegari and others: XNOR-Net, [1603.05279](https://arxiv.org/abs/1603.05279)
# - S. Zhou and others: DoReFa-Net, [1606.06160](https://arxiv.org/abs/1606.06160)
# - Z. Liu and others: Bi-Real Net, [1808.00278](https://arxiv.org/abs/1808.00278)
# - A. Bulat, G. Tzimiropoulos: XNOR-Net++, [1909.13863](https://arxiv.org/abs/1909.13863)
# - Z. Liu and others: ReActNet, [2003.03488](https://arxiv.org/abs/2003.03488)
# - Z. Xu and others: ReCU, Reviving the Dead Weights in Binary Neural Networks, [2103.12369](https://arxiv.org/abs/2103.12369)
# - Y. Xu and others: Learning Frequency Domain Approximation for Binary Neural Networks (FDA), [2103.00841](https://arxiv.org/abs/2103.00841)
# - S. Holm: A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979
