# %% [markdown]
# # 02 · How a sign can learn at all
#
# | | |
# |---|---|
# | **You will** | turn a step into a smooth curve by adding noise, and find the papers' surrogates in it; count all outcomes of a small net and so know its *exact* gradient; measure the bias and the variance of what training uses instead; watch latent weights move and flip; make a net that cannot move |
# | **Minutes** | 25 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebook 01; expectation and variance of a random number |
# | **Papers** | Bengio, Léonard, Courville [1308.3432](https://arxiv.org/abs/1308.3432); BNN [1602.02830](https://arxiv.org/abs/1602.02830) sections 1.1 to 1.3; Bi-Real Net [1808.00278](https://arxiv.org/abs/1808.00278) section 3.3; FDA [2103.00841](https://arxiv.org/abs/2103.00841) |
# | **Not reproduced** | no table of these papers. The nets here have up to twelve units or learn 8×8 digits in seconds; the first kind is exact arithmetic, the second shows a mechanism |
# | **Runs on** | a laptop's CPU, offline |
#
# Notebook 01 ended with a lie: *forward* uses the sign, *backward* the slope of another function. Why does that work? How
# wrong is it? And what is it that learns, when a weight can only be −1 or +1?

# %%
import itertools

import numpy as np
import torch
from torch.nn import functional as F

from binviz import binarizers, check, plots
from binviz.playground import latent, stochastic

torch.set_num_threads(1)  # for nets this small a second thread only waits for the first

# %% [markdown]
# ## 1. Noise makes a step smooth
#
# Add a random number $\varepsilon$ before the sign: $b = \operatorname{sign}(x + \varepsilon)$. A single outcome is still −1 or
# +1. But its *mean* over the noise is a smooth function of $x$, and that has a gradient which is no lie. If the noise is
# symmetric, with distribution function $\Phi$ and density $\varphi$,
#
# $$\operatorname{E} b = P(\varepsilon > -x) - P(\varepsilon < -x) = 2\Phi(x) - 1,
# \qquad \frac{d \operatorname{E} b}{dx} = 2\varphi(x).$$
#
# ### Exercise 2.1 · uniform noise
# difficulty ●●○○○ · importance ●●●●● · 4 minutes
#
# Let the noise be uniform between −1 and +1. What is the mean of the noisy sign, for any $x$?


# %%
def mean_of_noisy_sign(x):
    # solution
    return np.clip(x, -1, 1)


# %%
check.ex_2_1(mean_of_noisy_sign)

# %% [markdown]
# You know that function: its slope is the *clipped straight-through estimator*, 1 inside ±1 and 0 outside. So BNN's surrogate
# is the true slope of the mean of a sign with uniform noise (which is the paper's *stochastic binarization*, its equation 2).
#
# ### Exercise 2.2 · logistic noise
# difficulty ●●●○○ · importance ●●●●○ · 5 minutes
#
# Units of the next section are +1 with probability $\sigma(2x) = 1/(1 + e^{-2x})$ and else −1. Return the mean of $b$ and the
# slope of that mean, separated by a comma.
#
# <details><summary>A first step</summary>
# The mean is P(+1) − P(−1) = 2σ(2x) − 1. Multiply numerator and denominator by e<sup>x</sup>: a function with a name.
# </details>


# %%
def mean_and_slope(x):
    # solution
    return np.tanh(x), 1 - np.tanh(x) ** 2


# %%
check.ex_2_2(mean_and_slope)

# %% [markdown]
# Now the other way round. Every surrogate that is symmetric, nowhere negative and has the area 2 is twice the density of *some*
# noise.
#
# **Predict:** in the figure, the slopes come from the library's backward passes, and the curves over them are means of 2,000 noisy signs.
# Uniform noise belongs to `bnn`. Which noise belongs to the triangle of Bi-Real Net: a narrower uniform one, the sum of two
# uniform ones, or a normal one? And which to the plain identity, whose slope is 1 everywhere?

# %%
check.predict(
    "02.1", None
)  # instead of None: the noise of the triangle, "narrower", "sum of two" or "normal"

# %%
rng = np.random.default_rng(0)
x = torch.linspace(-1.6, 1.6, 97)
half = rng.uniform(-0.5, 0.5, size=(2, 2000, 1))
noises = {
    "uniform noise, bnn": rng.uniform(-1, 1, size=(2000, 1)),
    "sum of two uniform, bireal-activation": half[0] + half[1],
    "logistic noise, 1 − tanh²": rng.logistic(scale=0.5, size=(2000, 1)),
}


def library_slope(name, x):
    given = x.clone().requires_grad_()
    binarizers.get(name)(given).sum().backward()
    return given.grad.numpy()


slopes = [library_slope("bnn", x), library_slope("bireal-activation", x), mean_and_slope(x.numpy())[1]]
means = {name: np.where(x.numpy() + noise >= 0, 1, -1).mean(axis=0) for name, noise in noises.items()}
for (name, mean), slope in zip(means.items(), slopes, strict=True):
    believed = np.cumsum(slope) * (x[1] - x[0]).item()
    gap = np.abs(mean - mean[48] - believed + believed[48]).max()
    print(f"{name:38s} area under the slope seen as a curve: at most {gap:.3f} from the measured mean")
check.compare("02.1", "sum of two")
gap = np.abs(means["uniform noise, bnn"] - mean_of_noisy_sign(x.numpy())).max()
print(f"{'uniform noise, your exercise 2.1':38s} at most {gap:.3f} from the measured mean")

plots.curves(x.numpy(), means, dict(zip(means, slopes, strict=True)))

# %% [markdown]
# The sum of two small uniform numbers has a triangle as its density. The identity belongs to no noise at all: its area is
# infinite. Keep that in mind for section 3.
#
# So training with a surrogate is *as if* the signs were noisy and we cared about their mean. As if: in a net, a sign feeds the
# next one, and the loss is not linear. How much does that cost?
#
# ## 2. A net that can be counted
#
# Take units that really draw their sign, with the probability of exercise 2.2. With $n$ of them there are $2^n$ outcomes, and
# for small $n$ we can try them all. The expected loss is then a plain sum, and its gradient is **exact**:
#
# $$\mathcal L = \sum_b P(b)\,(y(b) - t)^2$$
#
# ### Exercise 2.3 · the probability of an outcome
# difficulty ●●○○○ · importance ●●●○○ · 4 minutes
#
# `codes` is (outcomes, units), `means` (units,) holds the mean $\tanh a_i$ of each unit, where $a_i$ is its *drive*: what it hands to its sign.
# The units draw independently. What is the probability of each row? (Which probability of +1 has a unit whose mean is 0, and which one whose mean is 1?)


# %%
def probabilities(codes, means):
    # solution
    return np.prod((1 + codes * means) / 2, axis=-1)


# %%
check.ex_2_3(probabilities)

# %% [markdown]
# `binviz.playground.stochastic` does it for a net: three inputs of ±1, six stochastic units, one answer. The task is parity,
# $t = x_1 x_2 x_3$, which no linear function can do. We look at the gradient of one weight: exact, and as three single
# outcomes would have it, in two ways that section 3 explains.

# %%
inputs = stochastic.outcomes(3)
examples = [(row, float(row.prod())) for row in inputs]
net = stochastic.random_net((3, 6, 1), seed=0)
input_0, target_0 = examples[0]

chance = probabilities(
    stochastic.outcomes(6).numpy(),
    torch.tanh(stochastic.drives(net, input_0, stochastic.codes_of(net))[0]).numpy(),
)
print(f"{len(chance)} outcomes, whose probabilities add up to {chance.sum():.6f}")
print(f"expected loss {stochastic.expected_loss(net, input_0, target_0):.3f}")

weight = 12
print(
    f"\ngradient to weight {weight}, exact: {stochastic.exact_gradient(net, input_0, target_0)[weight]:+.3f}"
)
for name in ("slope of the mean", "REINFORCE"):
    guesses = stochastic.estimates(net, input_0, target_0, name)[:, weight].numpy()
    p = chance / chance.sum()
    drawn, mean = rng.choice(guesses, size=3, p=p), (p * guesses).sum()
    print(
        f"{name:18s} says",
        ", ".join(f"{guess:+.3f}" for guess in drawn),
        f"  (all {len(p)}: mean {mean:+.3f}, standard deviation {((p * (guesses - mean) ** 2).sum()) ** 0.5:.3f})",
    )

# %% [markdown]
# ## 3. Two ways to guess from one outcome
#
# A real net cannot be counted. It is run once, and the gradient has to be guessed from that.
#
# **REINFORCE** uses that $\nabla P = P\,\nabla \log P$. So $\nabla \sum_b P(b)\,\ell(b) = \operatorname{E}\,[\,\ell(b)\,\nabla \log P(b)\,]$, and
# $\ell\,\nabla\log P$ of one outcome is right *on average*. It needs no slope of the loss, only its value, and one may subtract any
# constant from that (a *baseline*), because $\operatorname{E}\,\nabla \log P = 0$.
#
# ### Exercise 2.4 · REINFORCE
# difficulty ●●●○○ · importance ●●●○○ · 6 minutes
#
# One outcome: `drives` $a$, `codes` $b$, its `loss`, and a `baseline`. With $P(b_i) = \sigma(2 a_i b_i)$, what is the guess of the gradient to
# the drives?
#
# <details><summary>A first step</summary>
# The derivative of log σ(2ab) to a is 2b·(1 − σ(2ab)). Write it with tanh a, once for b = 1 and once for b = −1.
# </details>


# %%
def reinforce(drives, codes, loss, baseline):
    # solution
    return (loss - baseline) * (codes - np.tanh(drives))


# %%
check.ex_2_4(reinforce)

# %% [markdown]
# Is it right on average? The net of section 2 can be counted: 64 outcomes, your guess for each. (A weight behind input $x$ gets $x$ times the
# gradient to its drive.)

# %%
codes = stochastic.codes_of(net)
drives = stochastic.drives(net, input_0, codes)
losses = (drives[1][:, 0] - target_0).square().numpy()
unit, place = divmod(weight, 4)  # three inputs and a bias
for baseline in (0.0, losses.mean()):
    guesses = [
        reinforce(a, b, loss, baseline)[unit] * input_0[place].item()
        for a, b, loss in zip(drives[0].numpy(), codes[0].numpy(), losses, strict=True)
    ]
    mean = (p * guesses).sum()
    print(
        f"baseline {baseline:.2f}: mean {mean:+.3f}, standard deviation {(p * (guesses - mean) ** 2).sum() ** 0.5:.3f}"
    )

# %% [markdown]
# The mean is the exact gradient, with or without a baseline. What the baseline changes is the scatter.
#
# **Straight-through** lets the loss's own derivative $\partial \ell / \partial b$ pass, times a slope. Where the loss is linear in each $b_i$ and
# the slope is that of the mean, this is right on average, too. A squared error is not linear. The smallest case shows it: one
# unit, and $\ell = (b - t)^2$.
#
# ### Exercise 2.5 · the bias, by hand
# difficulty ●●●●○ · importance ●●●●○ · 8 minutes
#
# Return the *bias*: the mean of the straight-through guess minus the exact gradient, as a function of the drive $a$.
#
# <details><summary>A first step</summary>
# b² is 1, so ℓ = 1 − 2tb + t². Its mean is 1 − 2t·tanh a + t²: take the derivative to a. The guess is 2(b − t)·(1 − tanh² a): take
# its mean.
# </details>


# %%
def bias(a, t):
    # solution
    return 2 * np.tanh(a) * (1 - np.tanh(a) ** 2)


# %%
check.ex_2_5(bias)

# %%
a, t = np.array([-1.0, 0.25, 1.0, 2.0]), 0.8
slope = 1 - np.tanh(a) ** 2
b = np.where(rng.random((200_000, 4)) < 1 / (1 + np.exp(-2 * a)), 1, -1)
print("drive             ", a)
print("bias, drawn       ", ((2 * (b - t) * slope).mean(axis=0) + 2 * t * slope).round(2))
print("bias, by your rule", bias(a, t).round(2))

# %% [markdown]
# Gradient *descent* with this bias pushes $a$ towards 0, that is, towards indecision, whatever the target. Not always a harm, but not what
# was asked for. (At −1 and +1 the loss agrees with a straight line, whose slope would have no bias. Straight-through takes the slope of the curve
# between them.)
#
# In our net we can count bias and variance of every guess, over all outcomes: no number below is sampled. Whoever averages the
# guesses of $N$ outcomes has the squared error $\text{bias}^2 + \text{variance}/N$.
#
# **Predict:** draw the lines before you look. Which guesses level off? Which falls for ever? Who is better at $N = 1$?

# %%
samples = np.geomspace(1, 10_000, 33)
curves = {}
print("squared, over the exact gradient's square:   bias   variance of one guess")
for name in stochastic.ESTIMATORS:
    moment = stochastic.moments(net, examples, name)
    curves[name] = moment.bias + moment.variance / samples
    print(f"{name:40s} {moment.bias:8.3f} {moment.variance:10.2f}")

plots.lines(
    samples, curves, "outcomes averaged (number)", "squared error (of the gradient's square)", log="xy"
)

# %% [markdown]
# REINFORCE is right on average and worth little at $N = 1$: its error is many times the gradient itself. The straight-through guesses
# are off by a fixed amount, and much better where it counts, since training takes *one* guess a step. The slope that belongs to
# the units' own noise has the least bias, the identity, which belongs to none, has the most.
#
# Six units are few. A loss is one number for all of them: REINFORCE cannot tell which unit was to blame, and the more units there
# are, the more the others are noise to each.
#
# **Predict:** which line rises most with the number of units? (Error of a single guess, the median over 15 random nets.)

# %%
units = [2, 4, 6, 8, 10, 12]
growth = {}
for name in ("REINFORCE", "REINFORCE with baseline", "identity", "clipped", "slope of the mean"):
    growth[name] = []
    for count in units:
        nets = [stochastic.random_net((3, count, 1), seed) for seed in range(15)]
        growth[name].append(np.median([sum(stochastic.moments(each, examples, name)) for each in nets]))

plots.lines(
    units,
    growth,
    "stochastic units (number)",
    "squared error (of the gradient's square)",
    log="y",
)

# %% [markdown]
# Does it matter for what is learned? A layer of stochastic units that reads digits, trained with one outcome for each picture. The
# layer behind it always gets its true gradient, so there is a third contestant: `frozen`, whose stochastic layer never learns.
#
# **Predict** the order with 8 units, and with 256. Whom do more units help?


# %%
class SlopeOfTheMean(torch.autograd.Function):
    """Forward: the sign that was drawn. Backward: the slope of its mean."""

    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a)
        return b

    @staticmethod
    def backward(ctx, grad):
        (a,) = ctx.saved_tensors
        return grad * (1 - torch.tanh(a) ** 2), None


def accuracy_with(method, units, steps=500):
    torch.manual_seed(0)
    before, behind = torch.nn.Linear(64, units), torch.nn.Linear(units, 10)
    optimizer = torch.optim.Adam([*before.parameters(), *behind.parameters()], lr=0.01)
    (pictures, labels), (unseen, truth) = latent.pixels("train"), latent.pixels("test")
    baseline = 2.3
    for _ in range(steps):
        chosen = torch.randint(len(pictures), (64,))
        a = before(pictures[chosen])
        b = torch.where(torch.rand_like(a) < torch.sigmoid(2 * a), 1.0, -1.0)
        passed = SlopeOfTheMean.apply(a, b) if method == "straight-through" else b
        losses = F.cross_entropy(behind(passed), labels[chosen], reduction="none")
        objective = losses.mean()
        if method == "REINFORCE with baseline":
            log_p = F.logsigmoid(2 * a * b).sum(1)
            objective = objective + ((losses.detach() - baseline) * log_p).mean()
            baseline = 0.9 * baseline + 0.1 * losses.mean().item()
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
    with torch.inference_mode():
        signs = torch.where(before(unseen) >= 0, 1.0, -1.0)
        return 100 * (behind(signs).argmax(1) == truth).float().mean().item()


widths = [8, 32, 128, 256]
accuracies = {
    method: [accuracy_with(method, width) for width in widths]
    for method in ("straight-through", "REINFORCE with baseline", "frozen")
}
plots.bars(
    [str(w) for w in widths], accuracies, "stochastic units (number)", "accuracy (% of 450 digits)", ".0f"
)

# %% [markdown]
# In our run (one seed) REINFORCE nearly keeps up with few units. More units help the biased guess, and they help the layer that never learns. They hardly help
# REINFORCE, until it does little better than not learning at all. Networks have not 256 units but millions. *That* is why everybody
# accepts the lie.
#
# ## 4. What training believes
#
# From now on the signs are not random any more. A surrogate still defines the function that training believes in: the area
# under the slope, from the left up to $x$.
#
# **Predict:** FDA builds its slope from sines; `set_progress` goes from 0, the start of training, to 1. Where will the function that
# it believes in be *above* +1?

# %%
x = torch.linspace(-2.5, 2.5, 2001)
step = (x[1] - x[0]).item()
believed, slopes = {}, {}
for name, progress in [("bnn", 0), ("bireal-activation", 0), ("fda-activation", 0), ("fda-activation", 1)]:
    binarizer = binarizers.get(name)
    binarizer.set_progress(progress)
    given = x.clone().requires_grad_()
    binarizer(given).sum().backward()
    label = name if progress == 0 else f"{name}, end of training"
    slopes[label] = given.grad.numpy()
    believed[label] = np.cumsum(slopes[label]) * step - 1
    print(f"{label:35s} area {slopes[label].sum() * step:.2f}   slope at 0 {slopes[label][1000]:.2f}")

few = slice(None, None, 20)  # 101 of the 2,001 points, for the picture
plots.curves(x.numpy()[few], *({name: y[few] for name, y in curves.items()} for curves in (believed, slopes)))

# %% [markdown]
# The two classics have the area 2: they lead from −1 to +1 without a detour. FDA's sum of sines overshoots late in training, as every
# such sum does at a step. With the area given, a slope that is higher at 0 leaves less for the inputs farther away. There is a choice between
# *many move a little* and *few move a lot*, and no surrogate escapes it.
#
# ## 5. Latent weights and flips
#
# A binary weight cannot take a small step. So training keeps a float number for each, the **latent weight**, moves that, and the
# net uses its sign. When the latent weight crosses zero the binary weight **flips**; everything else is invisible to the net.
#
# ### Exercise 2.6 · how long until it flips?
# difficulty ●●○○○ · importance ●●●●○ · 5 minutes
#
# Every step moves a latent weight by `step` (positive) towards the other sign; both are single numbers. After how many steps has the binary
# weight flipped? Mind that the sign of 0 is +1.


# %%
def steps_to_flip(latent_weight, step):
    # solution
    if latent_weight >= 0:
        return np.floor(latent_weight / step) + 1
    return np.ceil(-latent_weight / step)


# %%
check.ex_2_6(steps_to_flip)

# %% [markdown]
# A latent weight is not a weight, it is the *stamina* of a sign: the farther from zero, the more pushes it withstands. Let us
# watch 4,096 of them. The net reads digits and has binary weights only; between the layers stand normalizations.
#
# **Predict** the picture: they start evenly between −0.125 and +0.125, and every step moves each by at most about the learning
# rate, which falls from 0.01 to 0. Do they gather at ±1, do they spread out, do they stay near zero?

# %%
run = list(latent.train(latent.Settings(), snapshots=30))
frozen = list(latent.train(latent.Settings(frozen=True), snapshots=1))
print(f"accuracy at the start {run[0].accuracy:.1%}, at the end {run[-1].accuracy:.1%}")
print(f"with signs that never flip, only normalizations learning: {frozen[-1].accuracy:.1%}")
near = sum(run[-1].latent.counts[18:22]) / sum(run[-1].latent.counts)  # 4 of 40 bins from -1.5 to 1.5
print(f"latent weights farther than 0.15 from zero, where none began: {1 - near:.0%}")
plots.moving_histogram(
    [snapshot.step for snapshot in run], [snapshot.latent for snapshot in run], "latent weight (value)"
)

# %% [markdown]
# Two kinds part. Some run away from zero: their sign is decided, and the net would be the same if they ran half as far. But a bright
# line stays *at* zero: weights that are pushed to and fro, because different digits want different signs, or because no digit
# needs them. All flips come from there.
#
# **Predict:** the share of weights that flip in one step. With a learning rate that falls to zero, and with one that stays.

# %%
steady = list(latent.train(latent.Settings(decay=False), snapshots=30))
for label, snapshots in {"falling rate": run, "constant rate": steady}.items():
    total = sum(s.flips * (s.step - before.step) for before, s in itertools.pairwise(snapshots))
    print(
        f"{label:13s} flips per weight in the whole run {total:.2f}   accuracy {snapshots[-1].accuracy:.1%}"
    )

plots.lines(
    [snapshot.step for snapshot in run[1:]],
    {
        "falling rate": [100 * snapshot.flips for snapshot in run[1:]],
        "constant rate": [100 * snapshot.flips for snapshot in steady[1:]],
    },
    "step (number)",
    "flips (% of the weights in a step)",
    log="y",
)

# %% [markdown]
# A float net with a constant learning rate jitters a little. A binary net goes on flipping, and each flip is a jump of 2. So the
# end of the schedule, where the rate goes to zero, is when a binary net *decides*. Flips are the thing to watch: the loss alone does not
# show whether a net still moves.
#
# ## 6. Dead zones
#
# `bnn` passes no gradient to a weight beyond ±1. Such a weight keeps its sign for ever. BNN's remedy is to put latent weights back to
# ±1 after every step. `bit-weight` has another one, the identity: no dead zone at all.
#
# **Predict:** all four nets have the same data and learning rate. Three start with latent weights of standard deviation 3 instead of
# 0.07. Which order after 600 steps?

# %%
cases = {
    "small start": latent.Settings(),
    "large start": latent.Settings(spread=3.0),
    "large start, clipped to ±1": latent.Settings(spread=3.0, clip=True),
    "large start, no dead zone": latent.Settings(spread=3.0, weight="bit-weight"),
}
told = {label: list(latent.train(settings, snapshots=30)) for label, settings in cases.items()}
for value in (0.07, 3.0):
    print(
        f"a latent weight of {value} flips after {steps_to_flip(value, 0.01):.0f} steps of 0.01, if all agree"
    )
for label, snapshots in told.items():
    print(
        f"{label:27s} latent weights beyond ±1: {snapshots[-1].outside:4.0%}   accuracy {snapshots[-1].accuracy:.1%}"
    )

plots.lines(
    [snapshot.step for snapshot in told["small start"]],
    {label: [100 * s.accuracy for s in snapshots] for label, snapshots in told.items()},
    "step (number)",
    "accuracy (% of 450 digits)",
)

# %% [markdown]
# Two things go wrong at once. Beyond ±1 there is no gradient. And even where there is one, a latent weight at 3 needs hundreds of
# pushes of 0.01 (exercise 2.6): *inertia*. To remove the dead zone mends only the first, and by the end of our run that was worth nothing. To
# bring the weights back mends both. It also means that the learning rate of a binary net has no meaning by itself, only in comparison with the size of its
# latent weights.
#
# The same holds for activations: what lies beyond the window sends no gradient to the layers in front of it. Normalizations and
# BiT's learned scale, the topic of [notebook 04](04_two_sets_and_elasticity.ipynb), keep it inside.

# %% [markdown]
# ## Three questions
#
# **Why does hardly anybody train large networks of signs with REINFORCE, which has no bias at all?**
# <details><summary>Answer</summary>
# A step takes one guess. Its error is bias² + variance, and with many units the variance is many times the gradient itself.
# </details>
#
# **A latent weight of a trained network is 0.8, another one 0.01. What does the network compute with them, and what will the next step change?**
# <details><summary>Answer</summary>
# The same, +1, with both. The next step may flip the second one, and cannot flip the first.
# </details>
#
# **Somebody multiplies all latent weights by 100 before training, since signs do not change. What goes wrong?**
# <details><summary>Answer</summary>
# Forward nothing. Backward nearly all lie beyond the window, so they get no gradient; and without a window each would need a hundred times as many pushes to flip.
# </details>
#
# ## Summary
#
# - The mean of a noisy sign is smooth. A surrogate is, up to a factor of 2, the density of that noise: uniform for BNN's, a
#   triangle for Bi-Real's.
# - Counted exactly on small nets: REINFORCE has no bias and a variance that grows with the number of units; straight-through has a
#   bias and a small variance. One guess a step makes variance the greater evil.
# - A latent weight is how many pushes a sign withstands. What the net sees are flips, and they stop only if the learning rate does.
# - A weight beyond the window is dead, and one far from zero is slow. Size and learning rate belong together.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | the straight-through estimator is biased | 1308.3432 | counted: its bias is above zero with every slope | exact, on a net of six units |
# | its low variance makes up for that | 1308.3432 | yes, more so with more units | digits instead of MNIST, one hidden layer |
# | latent weights beyond ±1 should be put back | BNN, section 1.3 | with a large start it helped, by some four points; with a small one next to nothing lies out there | one small net, one seed |
#
# **Next:** [notebook 03](03_from_the_loop_to_the_limit.ipynb) makes the bits run; notebook 04 asks which two values, and how large.
# In the dashboard: [watch both networks learn, and drag the surrogate](http://localhost:8501/playground), [latent weights and flips](http://localhost:8501/playground?part=On+digits).

# %% [markdown]
# ## References
#
# - Y. Bengio, N. Léonard, A. Courville: Estimating or Propagating Gradients Through Stochastic Neurons, [1308.3432](https://arxiv.org/abs/1308.3432)
# - M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio: Binarized Neural Networks, [1602.02830](https://arxiv.org/abs/1602.02830)
# - Z. Liu, B. Wu, W. Luo, X. Yang, W. Liu, K.-T. Cheng: Bi-Real Net, [1808.00278](https://arxiv.org/abs/1808.00278)
# - Y. Xu, K. Han, C. Xu, Y. Tang, C. Xu, Y. Wang: Learning Frequency Domain Approximation for Binary Neural Networks, [2103.00841](https://arxiv.org/abs/2103.00841)
# - R. J. Williams: Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning, Machine Learning 8, 1992
