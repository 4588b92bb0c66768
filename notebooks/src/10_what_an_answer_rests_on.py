# %% [markdown]
# # 10 · What an answer rests on, and what it survives
#
# | | |
# |---|---|
# | **You will** | ask of a float network and its 1-bit twin which pixels made them answer, by gradients and by taking pixels away; measure in which layer a surrogate gradient stops being true; see why integrated gradients do not add up in a network of steps; count the codes that one grey level flips; compare networks under fifteen corruptions, and find a measure by which the worst one wins |
# | **Minutes** | 25 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebooks 02 and 04 |
# | **Papers** | Sundararajan and others, Integrated Gradients [1703.01365](https://arxiv.org/abs/1703.01365) section 3; Zeiler and Fergus [1311.2901](https://arxiv.org/abs/1311.2901) section 4.2; SmoothGrad [1706.03825](https://arxiv.org/abs/1706.03825); Hendrycks and Dietterich [1903.12261](https://arxiv.org/abs/1903.12261); BiBench [2301.11233](https://arxiv.org/abs/2301.11233) |
# | **Not reproduced** | BiBench's robustness figures: its code has no corruption track. The corruptions are our own, by the published parameters |
# | **Runs on** | a laptop's CPU, offline, one thread; robustness is read from records |
#
# A 1-bit network is trained with gradients of another network, the one whose signs are soft. Notebook 02 asked whether one can learn by that. Here we ask what such a gradient *means*. The idea to follow: **the gradient
# that trains does not explain.**

# %%
import numpy as np
import torch

import binviz
from binviz import analysis, capture, check, plots, tasks
from binviz.analysis.attribution import log_odds
from binviz.data import digits
from binviz.data.corruptions import corrupt
from binviz.evidence import robustness

torch.set_num_threads(1)
pictures, truth = map(torch.as_tensor, digits.load("test"))
NAMES = {"float": "digits-vit.float", "1-bit": "digits-vit.bit-w1a1"}
twins = {network: binviz.load(name).eval() for network, name in NAMES.items()}


def score(model, pictures, target):
    """Log-odds of an answer, one for each picture."""
    return log_odds(model(pixel_values=pictures).logits, int(target))


with torch.inference_mode():
    for network, model in twins.items():
        said = model(pixel_values=pictures).logits.argmax(-1)
        print(f"{network}: {100 * (said == truth).float().mean():.1f} % of {len(truth)} digits right")

# %% [markdown]
# ## 1. Which pixels?
#
# The score of an answer is its log-odds, $\log (p/(1-p))$, where p is the probability that the network gives it. Which pixels made it? Two ways to ask:
#
# - **gradients**: how much would the score change if this pixel changed a little?
# - **absence**: how much *does* it change if this pixel is taken away?
#
# *Integrated gradients* add up the gradients on the straight way from a picture that says nothing, here grey, to the picture. The library `captum` computes it; `binviz.analysis` gives it the network.
#
# **Predict:** which of the two maps is the stronger one? Both networks say the same about this digit; do they rest on the same pixels?

# %%
grey = torch.zeros(1, 1, 8, 8)
example = tasks.get("digits").example(0, NAMES["float"], None)
maps = {
    network: analysis.integrated_gradients(model, example.inputs, grey, int(example.truth))
    for network, model in twins.items()
}
for network, found in maps.items():
    print(
        f"{network}: score {found.difference:+.1f} against grey; the map's sum is {found.total:+.1f}", end=""
    )
    print(f", {abs(found.missing):.1f} is missing")
plots.pixel_attribution(example.picture, maps["float"].values, maps["1-bit"].values)

# %% [markdown]
# The float map adds up to the score, as the theory says. The other one is pale, and does not add up: more than half of the score is not accounted for. Before we ask why, ask whether it is right about *which* pixels.
#
# ### Exercise 10.1 · without one pixel
# difficulty ●●○○○ · importance ●●●●○ · 5 minutes
#
# `picture` is (H, W). Return it H·W times, (H·W, H, W): in the first one the first pixel is `nothing`, in the second one the second pixel of the first row, and so on.


# %%
def without_each(picture, nothing):
    # solution
    copies = np.tile(picture.ravel(), (picture.size, 1))
    np.fill_diagonal(copies, nothing)
    return copies.reshape(-1, *picture.shape)


# %%
check.ex_10_1(without_each)

# %% [markdown]
# A batch of 64 pictures says exactly what each pixel is worth, to any network: there is no theory in it. (Pixels that stand in for each other may all be worth nothing.)
#
# Beside it the simplest of all explanations, *gradient times input*: the gradient here, times how far the pixel is from grey. One backward pass.
#
# **Predict:** the correlation of that map with what really happens, over forty digits: of the float network, and of its twin.


# %%
check.predict("10.1", None)  # instead of None: two correlations, {"float": ..., "1-bit": ...}


# %%
def absence(model, picture, target):
    """What each pixel is worth: the score less the score without it, (64,)."""
    others = torch.from_numpy(without_each(picture[0].numpy(), 0.0))[:, None]
    with torch.inference_mode():
        return (score(model, picture[None], target) - score(model, others, target)).numpy()


def gradient_times_input(model, picture, target, noise=0.0, draws=1):
    """The gradient, or its mean over noisy pictures, times the picture, (64,)."""
    generator = torch.Generator().manual_seed(0)
    noisy = picture + noise * torch.randn(draws, *picture.shape, generator=generator)
    (slopes,) = torch.autograd.grad(score(model, noisy.requires_grad_(), target).sum(), noisy)
    return (picture * slopes.mean(0)).flatten().numpy()


def correlation(one, other):
    return np.corrcoef(np.ravel(one), np.ravel(other))[0, 1]


some = range(40)
worth = {network: [absence(model, pictures[i], truth[i]) for i in some] for network, model in twins.items()}
found = {
    network: [
        correlation(gradient_times_input(model, pictures[i], truth[i]), worth[network][i]) for i in some
    ]
    for network, model in twins.items()
}
steps = np.arange(-0.5, 1.01, 0.25)
shown = {network: 100 * np.histogram(each, steps)[0] / len(each) for network, each in found.items()}
check.compare("10.1", {network: f"{np.mean(each):.2f}" for network, each in found.items()})
ranges = [f"{low:.2f} to {low + 0.25:.2f}" for low in steps[:-1]]
plots.bars(ranges, shown, "correlation with absence (no unit)", "digits (%)", ".0f")

# %% [markdown]
# The gradient of the float network says much of what happens. That of its twin says little. Same architecture, same data, trained by that very gradient.
#
# ## 2. How deep is a gradient true?
#
# Move the hidden state in front of a block by a random vector. The gradient there predicts a change of the score; the network makes one. Do this with 48 vectors for each of ten digits and correlate. Behind the last block there are only a norm and a float
# layer, so there the gradient must be nearly right. What about the picture's end, where it has passed four blocks of steps?
#
# **Predict** the four curves: float and 1-bit, with large moves (0.3 of the state's size) and with small ones (0.1). Which moves does a gradient describe better, and is that true of both networks?


# %%
def told_right(model, place, size, i, draws=48):
    """Correlation of the changes that the gradient at a place predicts with those that happen, on digit i."""
    seen = {}
    hook = place.register_forward_pre_hook(lambda part, given: seen.update(h=given[0]))
    before = score(model, pictures[i][None].clone().requires_grad_(), truth[i])
    hook.remove()
    (slope,) = torch.autograd.grad(before, seen["h"])
    state = seen["h"].detach()
    generator = torch.Generator().manual_seed(i)
    moves = size * state.std() * torch.randn(draws, *state.shape[1:], generator=generator)
    hook = place.register_forward_pre_hook(lambda part, given: (state + moves, *given[1:]))
    with torch.no_grad():
        after = score(model, pictures[i][None].expand(draws, -1, -1, -1), truth[i])
    hook.remove()
    return correlation((moves * slope).sum((1, 2)).numpy(), (after - before).detach().numpy())


def places(model):
    return [*(part for part in model.modules() if type(part).__name__ == "ViTLayer"), model.vit.layernorm]


plots.lines(
    range(5),
    {
        f"{network}, moves of {size}": [
            np.mean([told_right(model, place, size, i) for i in range(10)]) for place in places(model)
        ]
        for network, model in twins.items()
        for size in (0.3, 0.1)
    },
    "blocks that lie before this place (number)",
    "correlation of told and true change (no unit)",
)

# %% [markdown]
# The literature calls it **gradient mismatch**, and there it is: true at the end, worse with each block below, and at the picture little is left. (That is why deep binary networks want shortcuts: a gradient that goes around a block stays what it was.)
#
# And the two networks are each other's opposite. A derivative describes *small* moves; the float network obeys. In its twin, as long as a block of steps lies behind, the gradient is better for *large* ones. Notebook 02 says why: a surrogate is the slope of a mean over noise as wide as its window. It knows
# nothing of the single steps, and a small move sees single steps only.
#
# So average! If the surrogate belongs to the noisy network, then perhaps a gradient that is a mean over noisy pictures (*SmoothGrad*) is nearer to the truth.
#
# **Predict:** does noise bring the correlation of section 1 back?

# %%
noises = [0.0, 0.05, 0.1, 0.2, 0.4, 0.8]
few = some[:20]
smoothed = {
    network: [
        np.mean(
            [
                correlation(gradient_times_input(model, pictures[i], truth[i], noise, 8), worth[network][i])
                for i in few
            ]
        )
        for noise in noises
    ]
    for network, model in twins.items()
}
plots.lines(
    noises,
    smoothed,
    "noise (standard deviation, pixels go from −1 to 1)",
    "correlation with absence (no unit)",
)

# %% [markdown]
# It helps the 1-bit network a little, and does not bring it back; the float one needs no help. To average the gradient of the wrong function makes it smoother, not right. Who wants to know what a 1-bit network rests on takes pixels away.
#
# ## 3. Why the map does not add up
#
# For a smooth function the gradients on the way from r to x add up to $f(x) - f(r)$; that is all of calculus. A sign is not smooth, and what `captum` adds up is not its gradient.
#
# ### Exercise 10.2 · what is missing
# difficulty ●●●○○ · importance ●●●●● · 6 minutes
#
# One sign, forward +1 where $x \ge 0$ and else −1; backward the slope 1 where $|x| \le 1$, and else 0. Integrated gradients, with infinitely many steps, on the way from `r` to `x`: how much of the true difference is missing? (The true difference, less the sum of the gradients, each times its piece of the way. All are single numbers.)


# %%
def missing(r, x):
    # solution
    true = (1 if x >= 0 else -1) - (1 if r >= 0 else -1)
    return true - (np.clip(x, -1, 1) - np.clip(r, -1, 1))


# %%
check.ex_10_2(missing)

# %% [markdown]
# It is the integral of *another* function, the clipped line: integrated gradients explain that one, completely. From −2 to 3 nothing is missing at all, from −0.5 to 0.25 most is, and from 0 to 0.75 they explain a difference that is not there.
#
# **Predict:** in a whole network, does the missing part go away with more steps?

# %%
print(
    "one sign:", ", ".join(f"{r} to {x}: {missing(r, x):+.2f}" for r, x in ((-2, 3), (-0.5, 0.25), (0, 0.75)))
)
counts = [4, 8, 16, 32, 64]
left = {network: [] for network in twins}
for network, model in twins.items():
    for count in counts:
        each = [
            analysis.integrated_gradients(
                model, {"pixel_values": pictures[i][None]}, grey, int(truth[i]), count
            )
            for i in range(6)
        ]
        left[network].append(sum(abs(e.missing) for e in each) / sum(abs(e.difference) for e in each) * 100)
plots.lines(counts, left, "steps of the integral (number)", "missing, of the score's difference (%)", log="x")

# %% [markdown]
# Of the float network it goes to zero, as it must: there it was only the sum that was too coarse. Of its twin half or more stays missing, with however many steps. It is the distance between the network that runs and the one whose gradient you have, and no computing time helps.
#
# ## 4. One grey level
#
# A step at zero is sensitive where numbers are near zero. Change *one* pixel, in the middle, by one of sixteen grey levels, and count the codes that flip.
#
# **Predict:** how many of the codes of the first layer, how many of the last one? Of attention's codes, and of all others?

# %%
check.predict("10.4", None)  # instead of None: in percent, {"attention": [first layer, last layer], ...}

# %%
changed = pictures[:100].clone()
changed[:, :, 4, 4] += torch.where(changed[:, :, 4, 4] < 1, 0.125, -0.125)
kinds = {
    "into the block": "q_in",
    "attention": "probs",
    "into the feed-forward part": "ffn_in",
    "inside of it": "ffn_act",
}
wanted = [f"layers.*.{kind}.code" for kind in kinds.values()]
before, after = (
    capture(twins["1-bit"], {"pixel_values": each}, wanted) for each in (pictures[:100], changed)
)
flipped = {
    name: [
        100 * (before[f"layers.{i}.{kind}.code"] != after[f"layers.{i}.{kind}.code"]).mean() for i in range(4)
    ]
    for name, kind in kinds.items()
}
with torch.inference_mode():
    for network, model in twins.items():
        one, other = (model(pixel_values=each).logits.argmax(-1) for each in (pictures[:100], changed))
        print(f"{network}: {(one != other).sum()} of 100 answers change")
check.compare("10.4", {name: f"{shares[0]:.1f} to {shares[3]:.1f} %" for name, shares in flipped.items()})
plots.bars([f"layer {i}" for i in range(4)], flipped, "layer (number)", "codes that flip (%)", ".1f")

# %% [markdown]
# One step of one pixel touches one or two of a thousand codes that enter the first layer. The layers multiply that; in the last one every fifth code of attention is another one. That is no small change any more: small differences grow from layer to layer, as in what is called chaos. And the answers? About nine in ten stay. What carries an
# answer is in many codes at once, and a vote of hundreds does not mind who votes. But one in ten is more than such a change should cost.
#
# (So a code by itself explains nothing. And a packed model, in which a sum is added in another order, may differ in many codes without being worse.)
#
# ## 5. What an answer survives
#
# Is such a network more fragile? The records hold accuracies under fifteen corruptions at five severities, of all bundled networks that see pictures.
#
# **Predict:** three of the fifteen, on CIFAR-10. Where do the curves meet?

# %%
records = robustness.records()
pair = {"float": records["cifar10-vit.float"], "1-bit": records["cifar10-vit.bit-w1a1"]}
three = {
    name: {network: [100 * a for a in record.accuracy(name)] for network, record in pair.items()}
    for name in ("gaussian_noise", "fog", "contrast")
}
plots.robustness(three, 100 * pair["float"].chance)

# %% [markdown]
# Under noise the 1-bit network falls more slowly: at the highest severity it is level with the float one. In fog both fall alike. So who is more robust? That is a question of arithmetic.
#
# ### Exercise 10.3 · what corruption takes
# difficulty ●●○○○ · importance ●●●●● · 4 minutes
#
# Accuracy is `clean` without a corruption and `corrupted` with it; an answer that is always the same gets `chance`. Return two numbers, separated by a comma: how many points are lost, and which share (0 to 1) of what the network could lose at all.


# %%
def lost(clean, corrupted, chance):
    # solution
    points = clean - corrupted
    return points, points / (clean - chance)


# %%
check.ex_10_3(lost)

# %%
print(f"{'':34s}{'clean':>7s}{'all 75':>8s}{'points lost':>13s}{'share lost':>12s}")
for name, record in records.items():
    if name.startswith(("digits-vit", "cifar10-vit")):
        values = 100 * record.clean / record.examples, 100 * record.mean, 100 * record.chance
        points, share = lost(*values)
        print(f"{name:34s}{values[0]:7.1f}{values[1]:8.1f}{points:13.1f}{100 * share:11.1f} %")

# %% [markdown]
# By **points** (and metrics like BiBench's are made of such gaps, as far as we know: we could not check its formula), nearly every 1-bit ViT is *more* robust than its float teacher, and the most robust of all is `digits-vit.bivit-w1a1`, which is right on 39 % of the clean digits: it has little to lose. By the **share** of what there was, BiT's networks are a little more fragile than float. And by plain
# accuracy under corruption, which is what you get in the end, the float network wins both times. Three measures, three answers; say which one you use, and why.
#
# ## 6. Words
#
# The same with text, where there are no small changes: a word is there or not.
#
# **Predict:** *hard* and *dislike* are both bad words. Together they praise, a little. Which of the two networks has understood?

# %%
tokenizer = binviz.load_tokenizer("sst2-minilm.float")
text = "A film that is hard to dislike."
inputs = dict(tokenizer(text, return_tensors="pt"))
reading = {}
for network, name in {"float": "sst2-minilm.float", "1-bit": "sst2-minilm.bit-w1a1"}.items():
    reader = binviz.load(name).eval()
    with torch.inference_mode():
        positive = reader(**inputs).logits.softmax(-1)[0, 1].item()
    print(f"{network}: positive with {positive:.0%}")
    reading[network] = analysis.ablation(reader, inputs, analysis.masked(inputs, tokenizer), 1).values
words = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
plots.word_attribution(words, reading["float"], reading["1-bit"])

# %% [markdown]
# In the float network *hard* speaks for the praise, in its twin against it, like *di-* (the word pieces are those of a small table): it read two bad words. One sentence proves nothing; but it shows where to look. In the
# dashboard you can write others.
#
# ## 7. As good is not the same
#
# Two networks with the same accuracy are easily taken for the same network. Here are two 1-bit convolutional networks and their float teacher, all right on 99 % of the digits.
#
# **Predict:** how many of the digits does exactly one of a pair get right, when the digits are clean? And when they are blurred?

# %%
alike = ["digits-cnn.float", "digits-cnn.bit-w1a1", "digits-cnn.xnor"]
digits_task = tasks.get("digits").pictures
raw, labels = digits_task.held_out()
views = {"clean": raw, "defocus blur 4": corrupt(raw, "defocus_blur", 4), "fog 2": corrupt(raw, "fog", 2)}
share = {}
for view, each in views.items():
    right = {name: digits_task.logits(binviz.load(name), each).argmax(-1) == labels for name in alike}
    print(
        f"{view:15s}",
        ", ".join(f"{name.partition('.')[2]} {100 * r.mean():.1f} %" for name, r in right.items()),
    )
    share[view] = [
        100 * (right[a] != right[b]).mean()
        for a, b in ((alike[0], alike[1]), (alike[0], alike[2]), (alike[1], alike[2]))
    ]
plots.bars(
    ["float, BiT", "float, XNOR", "BiT, XNOR"],
    share,
    "pair of networks",
    "digits on which one of two is right (%)",
    ".0f",
)

# %% [markdown]
# On clean digits they look like one network in three dresses. Under blur and fog they part on a quarter of the digits and more, and it is not the float one that copes best. A test set that all of them solve cannot tell them apart. So a network that was binarized has to be asked again whatever mattered of the float one: for whom does it fail, on which inputs, and under which weather. (Notebook 05 had a case:
# a student as good as another on short sentences, and bad on long ones.)
#
# ## Four questions
#
# **A 1-bit network learns by its gradient. Why is that gradient no explanation?**
# <details><summary>Answer</summary>
# It belongs to another function, the mean over noise of the one that runs. On average over many steps and examples it points downhill, which is enough to learn. Of this input and this small change it says little.
# </details>
#
# **Does taking pixels away always tell the truth?**
# <details><summary>Answer</summary>
# Each number is true: it is a difference of two outputs. But two pixels that say the same may both be worth nothing, since either suffices; and a picture with a grey hole is none that the network has seen.
# </details>
#
# **Every fifth code flips, and the answer stays. How can that be?**
# <details><summary>Answer</summary>
# An answer is a sum over many codes. Codes near their threshold flip easily, some up and some down, and their sum hardly moves.
# </details>
#
# **A paper reports that its binarized network loses fewer points under corruption than the float one. What do you ask?**
# <details><summary>Answer</summary>
# How much it had to lose: its clean accuracy. And what it gets right under corruption, in the end.
# </details>
#
# ## Summary
#
# - Gradient times input goes with what happens in a float network; in its 1-bit twin hardly.
# - A surrogate gradient is true at the output and gets worse with each block; it describes large moves better than small ones.
# - Integrated gradients explain the network with soft signs. What they miss does not go away with more steps.
# - One grey level of one pixel flips every fifth of the last attention codes, and about one answer in ten.
# - Robustness in points lost favours networks that had little to lose.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | integrated gradients are complete | 1703.01365, proposition 1 | yes for the float network, no for its twin: the condition, a function differentiable nearly everywhere with its own gradient, fails | the same method |
# | averaging over noise sharpens gradient maps | SmoothGrad | it raises the correlation with absence a little in the 1-bit network, and not in the float one | other pictures |
#
# **Next:** the notebook 09 on cost, if you have not read it. In the dashboard (`make app`):
# [this digit's attribution](http://localhost:8501/inside?model=digits-vit.bit-w1a1&view=Attribution&nothing=grey),
# [how many bits its answer is away from another one](http://localhost:8501/inside?model=digits-vit.bit-w1a1&view=Margins),
# [all fifteen corruptions](http://localhost:8501/robustness?model=cifar10-vit.bit-w1a1&severity=5).
#
# ## References
#
# - M. Sundararajan and others: Axiomatic Attribution for Deep Networks, [1703.01365](https://arxiv.org/abs/1703.01365)
# - M. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks, [1311.2901](https://arxiv.org/abs/1311.2901)
# - D. Smilkov and others: SmoothGrad, [1706.03825](https://arxiv.org/abs/1706.03825)
# - D. Hendrycks, T. Dietterich: Benchmarking Neural Network Robustness to Common Corruptions and Perturbations, [1903.12261](https://arxiv.org/abs/1903.12261)
# - H. Qin and others: BiBench, [2301.11233](https://arxiv.org/abs/2301.11233)
# - N. Kokhlikyan and others: Captum, [2009.07896](https://arxiv.org/abs/2009.07896)
