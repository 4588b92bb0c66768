# %% [markdown]
# # 01 · What a binarizer does
#
# | | |
# |---|---|
# | **You will** | write a sign with two values; derive the best scale and see what one bit loses; see why attention and ReLU outputs need the codes 0 and 1; find a start at which a binarizer answers nothing but zeros; give the sign a gradient that it does not have |
# | **Minutes** | 20 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebook 00; the chain rule; what `loss.backward()` does |
# | **Papers** | XNOR-Net [1603.05279](https://arxiv.org/abs/1603.05279) section 3.1; Bi-Real Net [1808.00278](https://arxiv.org/abs/1808.00278); BiT [2205.13016](https://arxiv.org/abs/2205.13016) section 3; BiBench [2301.11233](https://arxiv.org/abs/2301.11233) |
# | **Not reproduced** | no table of these papers: everything here is arithmetic on random numbers, and every formula can be checked by hand |
# | **Runs on** | a laptop's CPU, offline |
#
# A **binarizer** maps a float tensor to two values. It has three parts, and papers differ in how they fill them:
#
# | part | question | typical answer |
# |---|---|---|
# | code | which two integers? | −1 and +1; or 0 and 1 |
# | scale | how large are they? | none; the mean of the magnitudes; learned |
# | surrogate | which gradient, when the true one is 0? | pass it where the input is small |
#
# First by hand, then with the library.

# %%
import numpy as np
import torch

from binviz import check, plots

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1. The code: two values, and no third one
#
# $$\operatorname{sign}(x) = \begin{cases} +1 & x \ge 0 \\ -1 & x < 0 \end{cases}$$
#
# ### Exercise 1.1 · a sign for machines with two values
# difficulty ●○○○○ · importance ●●●●○ · 2 minutes
#
# `np.sign` and `torch.sign` give 0 for 0. Exact zeros are common in a network (after a ReLU, which turns what is negative into 0; in padding,
# which fills up short sentences; in a fresh bias), and a bit cannot hold a third value. Return −1.0 or +1.0 for each value of `x`, which may
# have any shape.


# %%
def sign(x):
    # solution
    return np.where(x >= 0, 1.0, -1.0)


# %%
check.ex_1_1(sign)

# %% [markdown]
# ## 2. The scale: how large should the two values be?
#
# Weights of a trained layer are small numbers, around 0.05 in BERT. Replacing them by ±1 changes everything that
# follows. So we allow one float number for the whole tensor, $\alpha$, and ask for the best
#
# $$J(\alpha) = \sum_i \left(x_i - \alpha \operatorname{sign}(x_i)\right)^2.$$
#
# **Predict** before you run the next cell. The values of `x` are drawn from a normal distribution with standard
# deviation 1. Where is the minimum: at the mean magnitude, at the median magnitude, at 1, or at the largest magnitude?
# Is the error at $\alpha = 0$ smaller or larger than at twice the optimum?

# %%
x = rng.normal(size=10_000)
alphas = np.linspace(0, 2, 81)
errors = [100 * ((x - alpha * sign(x)) ** 2).sum() / (x**2).sum() for alpha in alphas]

at = np.argmin(errors)
print(f"mean of |x| {np.abs(x).mean():.3f}, median {np.median(np.abs(x)):.3f}, largest {np.abs(x).max():.3f}")
plots.error_curve(plots.Sweep(alphas, errors, alphas[at], errors[at]), of="scale")

# %% [markdown]
# A parabola, so both errors are equal: a scale of twice the optimum is no better than answering 0 everywhere.
#
# Expand the square. Since $x_i \operatorname{sign}(x_i) = |x_i|$ and $\operatorname{sign}(x_i)^2 = 1$,
#
# $$J(\alpha) = \sum_i x_i^2 \;-\; 2\alpha \sum_i |x_i| \;+\; n\,\alpha^2 .$$
#
# ### Exercise 1.2 · the best scale
# difficulty ●●○○○ · importance ●●●●● · 4 minutes
#
# Set $J'(\alpha) = 0$. Return the best α, one number for all values of `x`, whatever its shape.


# %%
def best_scale(x):
    # solution
    return np.abs(x).mean()


# %%
check.ex_1_2(best_scale)

# %% [markdown]
# ### Exercise 1.3 · what one bit loses
# difficulty ●●○○○ · importance ●●●○○ · 5 minutes
#
# Put the best scale back into $J$ and divide by $\sum_i x_i^2$, the *energy* of `x`. The result is 0 when nothing is
# lost and 1 when everything is.
#
# <details><summary>Then think</summary>
# For which vectors is it exactly 0?
# </details>


# %%
def energy_lost(x):
    # solution
    return 1 - np.abs(x).mean() ** 2 / (x**2).mean()


# %%
check.ex_1_3(energy_lost)

# %% [markdown]
# **Predict:** the sets of numbers below have (nearly) the same standard deviation: two points, −1 and +1; uniform numbers, which have no
# outliers; normal ones; and the Laplace distribution, which has many outliers. How much does a bit lose of each?

# %%
shapes = {
    "two points": rng.choice([-1.0, 1.0], size=100_000),
    "uniform": rng.uniform(-np.sqrt(3), np.sqrt(3), size=100_000),
    "normal": rng.normal(size=100_000),
    "Laplace": rng.laplace(scale=np.sqrt(0.5), size=100_000),
}
for name, values in shapes.items():
    print(
        f"{name:10s} best scale {best_scale(values):.3f}, where the standard deviation is {values.std():.3f}"
    )
lost = {name: 100 * energy_lost(values) for name, values in shapes.items()}
plots.bars(list(lost), {"1 bit": list(lost.values())}, "distribution of x (name)", "energy lost (%)", ".1f")

# %% [markdown]
# For normal numbers it is $1 - 2/\pi = 36.3\,\%$, whatever their size (a sample is a little off). The heavier the tails, the more is lost: most
# values are then smaller than the scale and a few are many times larger, and one size fits neither. That is why outliers in activations are the
# enemy of low bits.
#
# One remedy for weights is a scale *per row*, that is, per output of the layer. In BERT-base it costs one float for 768 bits.
#
# ### Exercise 1.4 · a scale for each row
# difficulty ●●○○○ · importance ●●●○○ · 4 minutes
#
# `w` is (outputs, inputs). Return the binarized matrix, of the same shape: signs times the best scale of each row. Use your `sign`.


# %%
def binarize_rows(w):
    # solution
    return sign(w) * np.abs(w).mean(axis=1, keepdims=True)


# %%
check.ex_1_4(binarize_rows)

# %% [markdown]
# ## 3. Values that cannot be negative
#
# A ReLU output and an attention probability are never below 0, so their sign is +1 everywhere: a bit that is always 1
# says nothing. The codes here are **0 and 1**, and the values are 0 and $\alpha$. BiT rounds: every input goes to the nearer of the two.
#
# ### Exercise 1.5 · the switch
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# Return 0 or $\alpha$ for each value of `x`. Where does it switch from one to the other? An input exactly in the middle goes to 0, as
# `np.round(0.5)` does. And what about inputs far above $\alpha$?


# %%
def binarize_unsigned(x, alpha):
    # solution
    return alpha * np.round(np.clip(x / alpha, 0, 1))


# %%
check.ex_1_5(binarize_unsigned)

# %% [markdown]
# With $q = x/\alpha$ this is $x_B = \alpha \cdot \operatorname{round}\!\left(\operatorname{clip}(q, 0, 1)\right)$. The scale is also the **switch**: it
# says how large a 1 is, and who becomes one.
#
# Where should $\alpha$ start? BiT's official code takes **4 times the mean** of the first batch, so the switch is at twice
# the mean. Three inputs that a transformer may meet:
#
# - `ReLU`: normal numbers, negative ones set to 0
# - `softmax`: rows of attention over 128 tokens. A softmax turns scores, here normal ones, into probabilities that add up to 1
# - `uniform`: numbers spread evenly between 0 and 1
#
# **Predict:** what share of the codes is 1 when the start is 4 times the mean? For one of the three it is zero. Which?

# %%
check.predict("01.3", None)  # instead of None: in percent, {"ReLU": ..., "softmax": ..., "uniform": ...}

# %%
scores = np.exp(rng.normal(size=(200, 128)))
inputs = {
    "ReLU of normal": np.maximum(rng.normal(size=25_600), 0),
    "softmax of normal": scores / scores.sum(axis=1, keepdims=True),
    "uniform": (np.arange(25_600) + 0.5) / 25_600,
}
multiples = np.linspace(0.5, 6, 45)
ones = {
    name: [100 * (binarize_unsigned(values, m * values.mean()) > 0).mean() for m in multiples]
    for name, values in inputs.items()
}
at_four = {name: (binarize_unsigned(values, 4 * values.mean()) > 0).mean() for name, values in inputs.items()}
check.compare("01.3", {name: f"{100 * share:.1f} %" for name, share in at_four.items()})

figure = plots.lines(multiples, ones, "start of α (multiples of the mean)", "codes that are 1 (%)")
figure.add_vline(x=4, line_dash="dot", line_color=plots.theme.GREY, annotation_text="BiT's code")

# %% [markdown]
# Uniform numbers have their mean at ½. Twice that is 1, and no number is above it: the binarizer answers 0 for every input.
# It is **dead**: the layer behind it gets nothing but zeros. A rule that is good for the inputs it was made for can be fatal for others.
#
# Dead for ever? That depends on the gradients, and these come next.
#
# ## 4. The surrogate: a gradient that is not there
#
# The derivative of a step is 0 everywhere except at the step, where there is none. PyTorch knows that, as the first line below shows.
#
# With zeros, no weight in front of a sign ever learns. The way out is a small lie: *forward* uses the sign, *backward*
# uses the derivative of something smoother. That replacement is the **surrogate**. BNN's, the clipped
# straight-through estimator, pretends that the sign was the function $\operatorname{clip}(x, -1, 1)$:


# %%
class SignClipped(torch.autograd.Function):
    """Forward: the sign. Backward: the gradient of clip(x, -1, 1)."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


for name, step in {"torch.sign": torch.sign, "the surrogate": SignClipped.apply}.items():
    t = torch.tensor([-1.5, -0.2, 0.3, 2.0], requires_grad=True)
    step(t).sum().backward()
    print(f"gradient of {name:13s}", t.grad)

# %% [markdown]
# The values beyond ±1 get nothing: they are far from the switch, and a small push would not change their sign.
#
# ### Exercise 1.6 · Bi-Real's triangle
# difficulty ●●○○○ · importance ●●●●○ · 5 minutes
#
# A value *near* 0 is more likely to change its sign than one at 0.9. Bi-Real Net's slope is therefore a triangle: highest at 0, it
# falls in straight lines to 0 at ±1, and stays 0 outside. The function that it belongs to still has to rise by 2, from −1 to +1: how
# high is the triangle? Write the backward pass: `x` is the input, `grad` the gradient from above.


# %%
def triangle_backward(x, grad):
    # solution
    return grad * np.clip(2 - 2 * np.abs(x), 0, None)


# %%
check.ex_1_6(triangle_backward)

# %% [markdown]
# ### Exercise 1.7 · can a dead binarizer wake up?
# difficulty ●●●●○ · importance ●●●○○ · 8 minutes
#
# In BiT, $\alpha$ is learned. The rounding is taken as if it were the identity ($d\operatorname{round}(u)/du := 1$), so
# with $q = x/\alpha$ the product rule gives, for one value,
#
# $$\frac{\partial x_B}{\partial \alpha} = \begin{cases} 0 & q < 0 \\ \;? & 0 \le q \le 1 \\ 1 & q > 1\end{cases}$$
#
# Why 0, and why 1? Derive the middle line ($x_B = \alpha\operatorname{round}(x/\alpha)$ has $\alpha$ twice), then return the gradient
# to $\alpha$: the sum over all values of slope times `grad`.


# %%
def alpha_gradient(x, alpha, grad):
    # solution
    q = x / alpha
    slope = np.where(q < 0, 0.0, np.where(q <= 1, np.round(q) - q, 1.0))
    return (slope * grad).sum()


# %%
check.ex_1_7(alpha_gradient)

# %% [markdown]
# Look at the dead case: every $q$ is below ½, so every code is 0 and every slope to $\alpha$ is $-q$, which is *not* zero.
# So there is a gradient, and its direction depends on what comes from above. Let the aim be to describe `x` itself, that
# is, to make $\sum (x - x_B)^2$ small.
#
# **Predict:** starting dead, at $\alpha = 4 \cdot \text{mean}$, does gradient descent make $\alpha$ smaller or larger? Does the
# share of ones ever leave zero?

# %%
values = inputs["uniform"]
alpha, steps, history, awake = 4 * values.mean(), 400, [], []
for _ in range(steps):
    code = binarize_unsigned(values, alpha)
    history.append(alpha)
    awake.append((code > 0).mean())
    alpha -= 0.02 * alpha_gradient(values, alpha, -2 * (values - code) / len(values))

plots.lines(
    np.arange(steps),
    {"α": history, "share of codes that are 1": awake},
    "step (number)",
    "α (unit of x), share (of 1)",
)

# %% [markdown]
# It wakes, because shrinking $\alpha$ is what this aim asks for. Inside a network the gradient from above comes through the
# layers behind, and may point the other way. So a dead start is not the end, but it is time lost, and nothing in the loss
# tells you about it: look at the codes.

# %% [markdown]
# ## 5. The same from the library
#
# `binviz.binarizers` holds the binarizers of the papers, one file each (`binarizers.names()` lists them). `encode` gives the parts apart: integer codes,
# a scale and a shift. `forward` is `code · scale + shift`. This is the dead start again, now with the library's BiT:

# %%
from binviz import binarizers

elastic = binarizers.get("elastic-unsigned")
code = elastic.encode(torch.tensor(inputs["uniform"], dtype=torch.float32))
print(f"α starts at {elastic.alpha.item():.3f}, ones: {int(code.q.sum())} of {code.q.numel()}")

# %% [markdown]
# Weights may be of any size, so most of their binarizers bring a scale along. A matrix in which some rows are
# larger than others, as in every trained layer:
#
# **Predict:** `bit-weight` has one scale for the whole matrix, `xnor-weight` one for each row, `bnn` none at all. Which order?

# %%
w = torch.tensor(rng.normal(size=(64, 256)) * np.linspace(0.02, 0.1, 64)[:, None], dtype=torch.float32)
lost = {}
for name in ["xnor-weight", "bit-weight", "bnn"]:
    binarized = binarizers.get(name, channel_axis=0)(w)
    lost[name] = 100 * ((w - binarized) ** 2).sum().item() / (w**2).sum().item()
    print(f"{name:11s} the same as your binarize_rows: {np.allclose(binarized, binarize_rows(w.numpy()))}")

figure = plots.bars(
    list(lost),
    {"1 bit": list(lost.values())},
    "binarizer (name)",
    "squared error (% of the energy, logarithmic)",
    ",.0f",
)
figure.update_yaxes(type="log", dtick=1)

# %% [markdown]
# Without a scale every answer is ±1, some 16 times the standard deviation of these weights. That need not be fatal: a normalization behind
# the layer can undo one common factor. A layer norm, which brings all outputs of a token to one size together, cannot undo a factor for each
# row; a batch norm, which treats every output by itself, can (notebook 09). And a normalization is float arithmetic that has to be there.
#
# Now the surrogates. The library's own backward pass draws them:
#
# - `bnn`: clipped identity, as in section 4
# - `bireal-activation`: the triangle of exercise 1.6
# - `fda-activation`: the sign as a sum of sines, cut off after a few terms (FDA, a paper of notebook 02); here as it is at the end of training
#
# **Predict:** which of these three slopes is the highest at 0, and which of them can be *negative*?

# %%
x = torch.linspace(-1.6, 1.6, 81)
outputs, slopes = {}, {}
for name in ["bnn", "bireal-activation", "fda-activation"]:
    binarizer = binarizers.get(name).eval()
    binarizer.set_progress(1.0)
    inputs_ = x.clone().requires_grad_()
    output = binarizer(inputs_)
    output.sum().backward()
    outputs[name], slopes[name] = output.detach().numpy(), inputs_.grad.numpy()
yours = triangle_backward(x.numpy(), np.ones(len(x)))
print(
    "bireal-activation's slope is your triangle:", np.allclose(slopes["bireal-activation"], yours, atol=1e-6)
)

plots.curves(x.numpy(), outputs, slopes)

# %% [markdown]
# All three have the same forward curve; only what training believes differs. The slope of the sum of sines is the highest at 0, and late in
# training it is negative for inputs between 0.83 and 1, and between −1 and −0.83: there the gradient points the wrong way. Whether that harms is a
# question for experiments, not for a curve.
#
# A binarizer of your own is a few lines, and `check_binarizer` tells whether it keeps what layers and packing rely on (it returns the names of
# what it looked at). Change `binarizers.sign` to `torch.sign` and run it again: the check for exact zeros says what is wrong.


# %%
import math


@binarizers.register("bell")
class Bell(binarizers.Binarizer):
    """Sign, with the slope of a bell: exp(-x^2)."""

    def encode(self, x):
        q = binarizers.with_surrogate(x, binarizers.sign(x), lambda x: torch.exp(-(x**2)))
        return binarizers.Code(q, scale=x.new_ones(()), shift=x.new_zeros(()))


binarizers.check_binarizer(Bell, derivative=lambda x: math.exp(-(x**2)))

# %% [markdown]
# ## Three questions
#
# **You double all weights of a matrix. What happens to the share of its energy that a sign with the best scale loses?**
# <details><summary>Answer</summary>
# Nothing. The best scale doubles with them, and the share has no unit. It depends on the shape of the distribution alone.
# </details>
#
# **A binarizer of attention answers 0 for every input, and its loss does not fall. Name two looks that tell you more than the loss.**
# <details><summary>Answer</summary>
# The share of codes that are 1 (none), and the gradient that reaches α (not zero: it can wake up). Then the start: is the switch above every value?
# </details>
#
# **The triangle of Bi-Real is 2 at zero, the clipped identity is 1. Does a network with the triangle train twice as fast?**
# <details><summary>Answer</summary>
# No. Both have the area 2: what is given to inputs near zero is taken from the others. And an optimizer such as Adam undoes a common factor anyway.
# </details>
#
# ## Summary
#
# - A binarizer is a code, a scale and a surrogate. The code has two values; the sign of 0 is one of them.
# - The best scale for a sign is the mean magnitude. With it, normal numbers lose 36.3 % of their energy; numbers of equal
#   magnitude lose nothing; heavy tails lose more.
# - What cannot be negative needs the codes 0 and 1, and a switch. A switch above every value is a dead binarizer.
# - The true gradient of a step is 0. A surrogate replaces it in the backward pass only.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | the best scale is the mean magnitude | XNOR-Net, section 3.1 | derived, and the minimum of the curve | yes, it is arithmetic |
# | a start at 4 times the mean suits non-negative inputs | BiT's official code | 22 % ones on ReLU, 12 % on softmax, 0 % on uniform inputs | random inputs, not BERT's |
#
# **Next:** [notebook 02](02_how_a_sign_can_learn.ipynb): why a sign can learn at all, and what its latent weights do meanwhile.
# In the dashboard: [the scale of a sign](http://localhost:8501/binarizers?kind=weight&binarizer=xnor-weight&input=normal), [two surrogates beside each other](http://localhost:8501/binarizers?kind=activation&binarizer=bnn&beside-it=bireal-activation).

# %% [markdown]
# ## References
#
# - M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio: Binarized Neural Networks, [1602.02830](https://arxiv.org/abs/1602.02830)
# - M. Rastegari, V. Ordonez, J. Redmon, A. Farhadi: XNOR-Net, [1603.05279](https://arxiv.org/abs/1603.05279)
# - Z. Liu, B. Wu, W. Luo, X. Yang, W. Liu, K.-T. Cheng: Bi-Real Net, [1808.00278](https://arxiv.org/abs/1808.00278)
# - Z. Liu and others: BiT, Robustly Binarized Multi-distilled Transformer, [2205.13016](https://arxiv.org/abs/2205.13016)
# - H. Qin and others: BiBench, [2301.11233](https://arxiv.org/abs/2301.11233)
