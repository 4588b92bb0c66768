# %% [markdown]
# # 11 · What one bit costs a generator
#
# | | |
# |---|---|
# | **You will** | calculate how many words a second a memory lets a model write; hold weights in two sets of {0, 1}, and find out when that is worse than three levels; read what a decoder in 2 bits lost; write the step that turns noise into a picture; give the same noise to float and binary nets and watch where they part; measure the bias of the distance that judges their pictures |
# | **Minutes** | 25 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebooks 01 and 05; 09 helps |
# | **Papers** | DB-LLM [2402.11960](https://arxiv.org/abs/2402.11960) abstract; BinaryDM [2404.05662](https://arxiv.org/abs/2404.05662); DDIM [2010.02502](https://arxiv.org/abs/2010.02502) section 4; FID [1706.08500](https://arxiv.org/abs/1706.08500) section 3 |
# | **Not reproduced** | the papers' models: LLaMAs of 7 to 70 thousand million weights, and U-Nets that draw bedrooms and faces. Recorded here is a decoder of 5 million; what draws, live and in the records, draws digits of 8×8 pixels |
# | **Runs on** | a laptop's CPU, offline, one thread; decoders are read from records |
#
# A classifier answers once. A **generator** uses its own output: the next word follows from the words that it wrote, the next picture from the one that it cleaned a little. What is wrong comes back as input. And it runs not once but for every word, or
# for every one of many steps, so that what one pass costs is paid again and again. The idea to follow: **a generator pays for its weights at every step, and so does its error.**

# %%
import copy
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

import binviz
from binviz import binarizers, check, plots
from binviz.adapters import Layout
from binviz.analysis import frechet
from binviz.binarizers.least import least_error
from binviz.data import digits
from binviz.evidence import runs
from binviz.evidence.claims import judge
from binviz.experiments import binarydm, dbllm, generated
from binviz.recipes import Choice, Recipe

torch.set_num_threads(1)

# %% [markdown]
# ## 1. What a word costs
#
# A decoder reads a prompt in one batch: each weight is loaded once, for all of its words. Then it *writes*, one word after the other, and for each of them all weights are loaded again.
#
# Below one linear layer, 4096 to 4096, 67 MB of float32, meets 1 row and then 64 rows. **Predict:** how many times as long do 64 rows take?

# %%
check.predict("11.1", None)  # instead of None: how many times

# %% tags=["timed"]
weight = torch.randn(4096, 4096)
took = {}
for rows in (1, 64):
    x = torch.randn(rows, 4096)
    found = []
    for _ in range(6):
        started = time.perf_counter()
        x @ weight.T
        found.append(time.perf_counter() - started)
    took[rows] = min(found)
    print(
        f"{rows:3d} rows: {1000 * took[rows]:6.1f} ms, {1000 * took[rows] / rows:6.2f} ms a row, weights read at {weight.nbytes / took[rows] / 1e9:.1f} GB/s"
    )
check.compare("11.1", f"{took[64] / took[1]:.1f} times, for 64 times the work")

# %% [markdown]
# One row is bounded by the memory and not by arithmetic: the weights have to come. So for writing it is the *bytes of the weights* that count, and papers on language models mostly leave the activations in float.
#
# ### Exercise 11.1 · words a second
# difficulty ●●○○○ · importance ●●●●● · 5 minutes
#
# A model has so many `weights` of so many `bits`. Each `group` of weights has so many `scales`, float16 numbers that are stored with them. The memory gives `bandwidth` bytes a second. How many words a second can it write at most, if reading weights and scales is all that takes time?


# %%
def words_a_second(weights, bits, group, scales, bandwidth):
    # solution
    return bandwidth / (weights * bits / 8 + weights / group * scales * 2)


# %%
check.ex_11_1(words_a_second)

# %%
LLAMA, LAPTOP = 6.7e9, 50e9  # weights of LLaMA-2-7B; bytes a second of a usual laptop
for what, bits, group, scales in (
    ("float16", 16, 64, 0),
    ("2 bits, 2 scales for each 64 (DB-LLM)", 2, 64, 2),
    ("2 bits, 2 scales for each row of 4096", 2, 4096, 2),
    ("1 bit, 1 scale for each row", 1, 4096, 1),
):
    speed = words_a_second(LLAMA, bits, group, scales, LAPTOP)
    print(f"{what:40s}{speed:6.1f} words a second at most, {LAPTOP / speed / 1e9:5.2f} GB a word")

# %% [markdown]
# (A *word* is a token: a word or a part of one.) Scales are not free: two for each 64 weights are half a bit for every weight, and make 2 bits 2.5.
#
# ## 2. Two sets of {0, 1}
#
# **DB-LLM** stores a weight of 2 bits as two bits of their own, *two sets*, each multiplied by a scale:
#
# $$\hat w = \alpha_1 b_1 + \alpha_2 b_2, \qquad b_1, b_2 \in \{0, 1\}, \qquad \alpha_1 = 2s,\ \alpha_2 = -s \text{ at the start}$$
#
# So four values can be made, −s, 0, s and 2s, where s is half of the largest magnitude in the group.
#
# ### Exercise 11.2 · both sets
# difficulty ●●●○○ · importance ●●●●● · 8 minutes
#
# Return `b1` and `b2`, two arrays of 0 and 1, with which each of the weights `w` (n,) becomes the nearest of the four values. (No weight lies in the middle between two.)


# %%
def two_sets(w, s):
    # solution
    first = w >= s / 2
    second = w - 2 * s * first <= -s / 2
    return first.astype(int), second.astype(int)


# %%
check.ex_11_2(two_sets)

# %% [markdown]
# Now the weights of a trained layer, `sst2-minilm.float`'s queries of layer 2: 384 rows of 384. Their error is what is lost of their energy, in percent. There are
#
# | | bits | |
# |---|---|---|
# | signs | 1 | times the mean size of the row |
# | three levels | 1.58 | −1, 0 and 1 times a scale of the row: the recipe `ternary` |
# | two sets, row | 2 | yours, s from the largest weight of the row |
# | two sets, 64 | 2 (2.5) | yours, s from the largest of each 64 weights |
# | two sets, fitted | 2 | the same codes' scales, one pair a row, sought for the least error |
#
# **Predict** the order. Is more bits always less error?

# %%
layer = binviz.load("sst2-minilm.float").bert.encoder.layer[2].attention.self.query
w = layer.weight.detach().numpy().astype(float)


def lost(made, of=w):
    return 100 * ((of - made) ** 2).sum() / (of**2).sum()


def in_groups(w, group):
    """Weights from your two sets, and the share of 0 in each set."""
    made, zeros = [], []
    for part in w.reshape(-1, group):
        s = np.abs(part).max() / 2
        first, second = two_sets(part, s)
        made.append(2 * s * first - s * second)
        zeros.append([np.mean(first == 0), np.mean(second == 0)])
    return np.reshape(made, w.shape), np.mean(zeros, axis=0)


def by_library(name, best=False):
    made = binarizers.get(name, features=len(w), channel_axis=0)
    given = layer.weight.detach()
    made = least_error(made, given) if best else made
    return made(given).detach().numpy()


of_rows, zeros = in_groups(w, w.shape[1])
errors = {
    "signs": lost(by_library("xnor-weight")),
    "three levels": lost(by_library("ternary-weight")),
    "two sets, row": lost(of_rows),
    "two sets, 64": lost(in_groups(w, 64)[0]),
    "two sets, fitted": lost(by_library("fdb-weight", best=True)),
}
print("your rows are the library's:", np.allclose(of_rows, by_library("fdb-weight"), atol=1e-6))
print(f"of b1 {zeros[0]:.0%} are 0, of b2 {zeros[1]:.0%}")
plots.bars(list(errors), {"lost": list(errors.values())}, "codes (name)", "energy lost (%)", ".1f")

# %% [markdown]
# Two bits, rounded by the largest weight, lose *more* than three levels: one large weight in a row stretches the levels for all others. Small groups help, and cost half a bit. Scales that are sought, or **learned**, help as much and cost nothing; that is DB-LLM's
# first point. (And both sets are mostly 0, of which a product can make use where a whole word of them is; section 3 counts.)
#
# ## 3. What a decoder lost
#
# Experiment `dbllm` took a small LLaMA that learned to write novels, put its weights into few bits, and let each student learn the float model's next words. The loss is in *nats a token*: its exponential, the perplexity, is the number of equally likely words among which a
# model would be as unsure. DB-LLM's second point is in the loss: tokens on which teacher or student are unsure weigh more. Its formula is not known; the one here is ours.
#
# **Predict:** by how many nats is each student behind the float model? Take the order of the figure above, and ask whether training keeps it. (Minus: ahead of it. A student has seen more text than its teacher.)


# %%
def recorded(experiment, expected, task):
    """Print what is on record of a task, and the verdicts; returns row -> loss of seed 0."""
    records, found = experiment.records(), {}
    for cell in (each for each in experiment.cells if each.task == task):
        run = records.get((cell.name, 0))
        if run is None or run.failed:
            print(f"{cell.row:18s}{'failed' if run else 'not run':12s}{cell.why}")
        else:
            found[cell.row] = run.metrics["loss"]
            print(f"{cell.row:18s}loss {run.metrics['loss']:.4f} {cell.why}")
    print()
    for claim, guess in expected.items():
        if claim.better.startswith(task):
            print(f"{judge(claim, records).verdict:9s}(expected: {guess}) {claim.text}")
    return found


def behind(losses, unit):
    """How far each student is behind the float model: printed, and as bars; None where nothing was run."""
    worse = {row: loss - losses["float"] for row, loss in losses.items() if row != "float"} if losses else {}
    if not worse:
        return print("\nno figure: not run yet")
    least, most = min(worse, key=worse.get), max(worse, key=worse.get)
    print(f"\nnearest to float: {least}, {worse[least]:+.4f}; farthest: {most}, {worse[most]:+.4f} {unit}")
    series = {"behind": list(worse.values())}
    return plots.bars(list(worse), series, "student (name)", f"behind float ({unit})", ".3f")


behind(recorded(dbllm.EXPERIMENT, dbllm.EXPECTED, dbllm.TASK), "nats a token")

# %% [markdown]
# (DB-LLM's own number: LLaMA-2-7B's perplexity of 5.47 becomes 7.23, which is 0.28 nats. Claims and expected verdicts were written before the runs. `binviz reproduce dbllm --out runs-out` runs them; they need novels, which are not in the box.)
#
# How fast they read a prompt and how fast they write, each on its bits, is on record where they were timed (`python -m binviz.experiments.decoding`):

# %%
timed = list(runs.runs(experiment="decoding"))
for run in timed:
    found = run.metrics
    read, written = (found.get(f"packed_{part}", found.get(part)) for part in ("prefill", "generation"))
    speed = f"reads {read:6,.0f} words a second, writes {written:5,.1f}"
    print(
        f"{run.cell.removesuffix('-Q4_1').replace('-Instruct-Q4_1', ''):22s}{speed}, from {found['linear_bytes'] / 1e6:6.2f} MB of linears"
    )
for run in (each for each in timed if "zeros_1" in each.metrics):
    ones = 2 - run.metrics["zeros_1"] - run.metrics["zeros_2"]
    print(
        f"{run.cell}: {ones:.2f} ones a weight in both sets, {run.metrics['zero_words_1']:.2%} of b1's words of 64 all 0"
    )
print("" if timed else "not run")

# %% [markdown]
# Section 1 would have it that a twentieth of the bytes writes faster. Not so the five million weights that learned novels: they lie in the processor's caches whatever their type, so reading them costs nothing that bits could save, and small layers pay for each call. SmolLM2, with 135 million, does not lie there; with one bit it writes somewhat faster than in floats, with two no faster, and both are far from what its linears shrink by. What is left is its table of words, which stays float and is read for every token, and all that stands between the products. Reading a prompt gains as little, or loses: there the floats' arithmetic is fast, too.
#
# And DB-LLM's 20 % less computation? Two dense sets would have one 1 a weight (half of two), and here are far fewer, because of how the two steps cut a bell of weights: rounding without any training has as many. But they lie scattered. Words of 64 that are all 0, which a processor could pass over, are next to none.
#
# ## 4. Pictures from noise
#
# Another generator begins with noise. A **diffusion** model has seen clean pictures $x_0$ mixed with noise $\epsilon$, more of it the later the *time* t,
#
# $$x_t = \sqrt{k_t}\, x_0 + \sqrt{1 - k_t}\, \epsilon$$
#
# where k falls from 1 to 0 over a thousand times, and learned to say which noise is in there. It learns in seconds, on digits, with a small net: three residual layers of 256. (What it says is added to a share of what came in, since late pictures are nearly all noise.)


# %%
class Denoiser(nn.Module):
    """(B, 1, 8, 8) at times (B,) -> the noise in them."""

    def __init__(self, width=256):
        super().__init__()
        self.enter, self.time, self.leave = nn.Linear(64, width), nn.Linear(32, width), nn.Linear(width, 64)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def binviz_layout(self):
        stay = {"enter": "sees the picture", "time": "reads the time", "leave": "gives the answer"}
        return Layout("denoiser", others={f"blocks.{i}": f"blocks.{i}" for i in range(3)}, stay=stay)

    def forward(self, x, t):
        angle = t[:, None] / 1000 * torch.exp(torch.arange(16) / 2)
        h = self.enter(x.flatten(1)) + self.time(torch.cat([angle.sin(), angle.cos()], 1))
        for norm, block in zip(self.norms, self.blocks, strict=True):
            h = h + block(F.silu(norm(h)))
        kept = torch.from_numpy(KEPT).float()[t].view(-1, 1, 1, 1)
        return (1 - kept).sqrt() * x + kept.sqrt() * self.leave(h).view_as(x)


KEPT = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))  # k_t
clean, held_out = (torch.from_numpy(digits.load(split)[0]) for split in ("train", "test"))


def mixed(x, t, noise):
    kept = torch.from_numpy(KEPT).float()[t].view(-1, 1, 1, 1)
    return kept.sqrt() * x + (1 - kept).sqrt() * noise


def train(net, steps, rate, teacher=None):
    """Learn the noise, or what the teacher says of it."""
    draw = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, steps)
    for _ in range(steps):
        x = clean[torch.randint(len(clean), (128,), generator=draw)]
        t, noise = torch.randint(1000, (128,), generator=draw), torch.randn(x.shape, generator=draw)
        given = mixed(x, t, noise)
        with torch.no_grad():
            wanted = noise if teacher is None else teacher(given, t)
        optimizer.zero_grad()
        F.mse_loss(net(given, t), wanted).backward()
        optimizer.step()
        falling.step()
    return net.eval()


@torch.no_grad()
def loss_of(net):
    """Mean squared error of the noise in held-out digits."""
    draw = torch.Generator().manual_seed(9)
    x = held_out.repeat(8, 1, 1, 1)
    t, noise = torch.randint(1000, (len(x),), generator=draw), torch.randn(x.shape, generator=draw)
    return F.mse_loss(net(mixed(x, t, noise), t), noise).item()


torch.manual_seed(0)
float_net = train(Denoiser(), 2000, 3e-3)
print(f"loss on held-out digits: {loss_of(float_net):.3f} (always saying 0 would have 1)")

# %% [markdown]
# To draw, begin with nothing but noise and go backwards. From what the net says follows which clean picture it believes in; mix that anew, with the *same* noise and a little less of it, and ask again. That is **DDIM**: no new noise on the way, so what comes out
# depends on the first noise alone.
#
# ### Exercise 11.3 · one step
# difficulty ●●●○○ · importance ●●●●● · 8 minutes
#
# `x` is a picture, `noise` what the net says is in it, `kept` is k now and `left` is k after this step. Return the clean picture that follows, with no pixel outside −1 to 1, and the next `x`.


# %%
def ddim(x, noise, kept, left):
    # solution
    clean = ((x - np.sqrt(1 - kept) * noise) / np.sqrt(kept)).clip(-1, 1)
    return clean, np.sqrt(left) * clean + np.sqrt(1 - left) * noise


# %%
check.ex_11_3(ddim)

# %% [markdown]
# **Predict:** of twenty steps, after which can you first read the digit in `x`? And in the clean picture that the net believes in?

# %%


def sample(net, x, steps=20):
    """After each step what the net believes in and the next picture, both (steps, N, 1, 8, 8)."""
    times, found = [999 - i * (1000 // steps) for i in range(steps)], []
    for t, left in zip(times, [*KEPT[times[1:]], 1.0], strict=True):
        with torch.no_grad():
            noise = net(torch.from_numpy(x).float(), torch.full((len(x),), t)).double().numpy()
        believed, x = ddim(x, noise, KEPT[t], left)
        found.append((believed, x))
    return map(np.array, zip(*found, strict=True))


given = np.random.default_rng(1).normal(size=(450, 1, 8, 8))
believed, drawn = sample(float_net, given)
some = [0, 4, 8, 12, 16, 19]
shown = [part[i, 3, 0] for part in (drawn, believed) for i in some]
plots.pictures(shown, [f"{what} {i + 1}" for what in ("x,", "clean,") for i in some], columns=6)

# %% [markdown]
# What it believes in is at first noise as well, then grey and round, a mean of many digits, and then one of them: some steps before `x` shows it. (`binviz.analysis.sampling` does the same for the library's U-Nets.)
#
# ## 5. How good is a picture?
#
# A loss says how well noise is seen in *real* pictures. Whether drawn ones look real is another question. The usual answer: let a classifier look at many of them, take the numbers in front of its last layer as Gaussian, and compare with those of real pictures. With the network Inception and 50,000
# pictures that is the *FID*. Ours is the **Frechet distance on the features of `digits-cnn`**, another number, to be compared with nothing but itself.
#
# How far are real digits from other real digits? **Predict** the curve: 50 against 50 others, then 100, 200, 400, 650.

# %%
classifier = binviz.load("digits-cnn.float")
real = frechet.features(classifier, clean)
counts = [25, 50, 100, 200, 400, 650]
of_real = [np.mean([frechet.of_real(real, count, seed) for seed in range(5)]) for count in counts]
plots.lines(
    counts,
    {"real against real": of_real},
    "pictures in each set (number)",
    "Frechet distance (features²)",
    log="xy",
)

# %% [markdown]
# A perfect generator would get these numbers. With few pictures the mean and covariance of 64 features are guesses, and guesses differ: the distance is *biased*, and halves about whenever the pictures double. So a distance without the number of pictures says nothing, and beside ours stand 450 held-out digits.


# %%
def distance(pictures):
    return frechet.frechet(frechet.features(classifier, torch.as_tensor(pictures).float()), real)


print(f"450 held-out digits: {distance(held_out):.1f}")
print(f"450 drawn by the float net: {distance(drawn[-1]):.1f}")
print(f"450 of the noise itself: {distance(given):.1f}")

# %% [markdown]
# Our net is small and learned for seconds: a classifier does not take its digits for real ones, though it tells them from noise. That is all right here, where the question is what *bits* change.
#
# ## 6. A second set of signs
#
# **BinaryDM** binarizes such nets. Signs alone were too little for it, so the outer layers of its U-Net get **two bases**: signs with a scale, and of what these leave out signs with a scale again.
#
# ### Exercise 11.4 · several bases
# difficulty ●●●○○ · importance ●●●●● · 7 minutes
#
# `w` is (rows, n). Return the sum of `count` bases. Each is made of what those before it have left: signs (that of 0 is +1), times the mean size in its row.


# %%
def bases(w, count):
    # solution
    made = np.zeros_like(w)
    for _ in range(count):
        rest = w - made
        made = made + np.abs(rest).mean(axis=-1, keepdims=True) * np.where(rest >= 0, 1, -1)
    return made


# %%
check.ex_11_4(bases)

# %% [markdown]
# Signs lose $1 - 2/\pi$ = 36 % of Gaussian weights (notebook 01). No code of 2 bits a weight, with levels as good as can be, can lose less than 11.8 %, of 3 bits 3.5 %, of 4 bits 1.0 % (Max 1960).
#
# **Predict:** how near does a second basis come, which sees only what the first has left? And a third and a fourth?

# %%
gauss = np.random.default_rng(0).normal(size=(64, 4096))
numbers = [1, 2, 3, 4]
curves = {
    "Gaussian weights": [lost(bases(gauss, count), gauss) for count in numbers],
    "the queries of section 2": [lost(bases(w, count)) for count in numbers],
    "best levels, Gaussian": [36.34, 11.75, 3.454, 0.950],
}
plots.lines(numbers, curves, "bases, or bits a weight (number)", "energy lost (%)", log="y")

# %% [markdown]
# The second basis takes two thirds of the error away, and is near to the best that 2 bits can do, because its two scales share a row and its levels lie apart as the weights do: compare it with the two sets of section 2, which have 2 bits as well. Later ones bring less and less than their bit could.
#
# Now into the net: its three hidden layers get your bases, untrained. **Predict:** the same noise through all four. From how many bases on does the *same digit* come out as from the float net?

# %%
nets = {"float": float_net}
for count, name in ((1, "1 basis"), (2, "2 bases"), (4, "4 bases")):
    nets[name] = copy.deepcopy(float_net)
    for block in nets[name].blocks:
        block.weight.data = torch.from_numpy(bases(block.weight.detach().numpy(), count)).float()
ways = {name: list(sample(net, given))[1] for name, net in nets.items()}
for name, way in ways.items():
    print(f"{name:10s}loss {loss_of(nets[name]):.3f}, Frechet distance {distance(way[-1]):6.1f}")
seen = range(4)
titles = [f"{name} {i + 1}" for name in ways for i in seen]
plots.pictures([way[-1, i, 0] for way in ways.values() for i in seen], titles, columns=4)

# %% [markdown]
# Each basis brings the picture nearer to the float net's own: with one it is often another shape, with four nearly the same. Compare the lines: the *loss* of one basis is a fifth worse, its *pictures* are half as far again from real ones. Twenty steps of small errors, each on what the last one left.
#
# ## 7. Trained with its signs
#
# Nobody uses a binary net untrained. Two students start from the float net, have one or two bases with scales that are learned, as BinaryDM has them, and learn for some hundred steps what the float net says.
#
# Then the same noise goes through all of them, and after every step we measure how far a student's picture is from the float net's. Each step's error is in the next step's input. **Predict** the curves: is the distance largest at the end?

# %%
for count, name in ((1, "1 basis, trained"), (2, "2 bases, trained")):
    nets[name] = copy.deepcopy(float_net)
    binviz.binarize_(nets[name], Recipe(name, weight=Choice("multi-basis-weight", {"bases": count})))
    train(nets[name], 500, 1e-3, teacher=float_net)
    ways[name] = list(sample(nets[name], given))[1]
for name in ("float", "1 basis", "1 basis, trained", "2 bases", "2 bases, trained"):
    print(f"{name:18s}loss {loss_of(nets[name]):.3f}, Frechet distance {distance(ways[name][-1]):6.1f}")
apart = {
    name: np.sqrt(np.mean((way - ways["float"]) ** 2, axis=(1, 2, 3, 4)))
    for name, way in ways.items()
    if name not in ("float", "4 bases")
}
plots.lines(range(1, 21), apart, "step of sampling", "apart from the float net's picture (rms)")

# %% [markdown]
# Not at the end. Early steps see nearly nothing but noise, and agree; in the middle it is decided which digit this will be, and there a small error sends a picture elsewhere; at the end both see almost the same clean picture, and what the net says is weighted less. Errors of a generator add up, *and* it mends some of them.
#
# Training takes most of the distance away. (The students learn by latent weights and a surrogate, notebook 02; here their inputs stay float. BinaryDM's have 8 or 4 bits.) The second basis, which mattered much before training, matters less behind it: ask for it where a basis is cheap against what it saves.
#
# ## 8. BinaryDM on record
#
# Experiment `binarydm` does this with a U-Net of convolutions and attention, inputs of 8 and of 4 bits, and with BinaryDM's other half: *low-rank representation mimicking*, a loss that asks a student's features to be the teacher's in a few directions.
#
# **Predict:** how far behind the float net, in loss, are two bases in the outer levels, and one everywhere? Does mimicking help?

# %%
behind(recorded(binarydm.EXPERIMENT, binarydm.EXPECTED, "digits-diffusion"), "mean squared error")

# %% [markdown]
# What those networks draw is on record as well, where they were asked (`python -m binviz.experiments.generated`): how far their pictures are from real ones, and the first six. All began with the same noise.
#
# **Predict:** in how many of the six places does BinaryDM draw the float net's digit? Does plain rounding to signs, trained as long, draw worse ones, or others?

# %%
drawings = {run.cell: run for run in runs.runs(experiment="generated") if run.seed == 0}
for cell, run in drawings.items():
    print(
        f"{cell:36s}{run.metrics['frechet']:6.2f}, {run.config['count']} pictures (real ones: {run.metrics['frechet_held_out']:.2f})"
    )
sheets = {}
for row in ("float", "plain", "binarydm", "binarydm-w1a4"):
    if run := drawings.get(f"digits-diffusion.{row}"):
        sheets[row] = 255 - np.asarray(Image.open(generated.picture_of(run, runs.SHIPPED)))[:10, :55]
plots.pictures(list(sheets.values()), list(sheets), columns=1) if sheets else print("not run")

# %% [markdown]
# The eye finds the float net's digits in all four rows, a pixel here and there apart. What it misses, the distance of 450 of them tells; but each number is one draw, and neighbours in the list may change places with another. (CIFAR-10's photographs of 16 pixels are read by another classifier, so its distances are to be compared among themselves; there, too, BinaryDM's pictures are nearest to the float net's, and plain signs' far behind.)
#
# And while they learn? The float net began with random weights, both others as the float net with signs. Each row below is a look: before the first step, after a sixteenth, a quarter and half of all steps, and behind the last (`python -m binviz.experiments.learning_to_draw`). **Predict:** does a student draw digits before its first step?

# %%
courses = {}
for row in ("float", "plain", "binarydm"):
    for run in runs.runs(experiment="learning-to-draw", cell=f"digits-diffusion.{row}"):
        print(f"{row:9s} looked at after {run.config['looks']} steps")
        courses[row] = 255 - np.asarray(Image.open(generated.picture_of(run, runs.SHIPPED)))
plots.pictures(list(courses.values()), list(courses), columns=3) if courses else print("not run")

# %% [markdown]
# It does, pale and blurred: the signs of the float net's weights already know which digit this noise becomes. A sixteenth of the steps later the digits stand; what comes after cleans the paper around them, and here and there turns one into another.
#
# ## Five questions
#
# **A decoder's weights become 1 bit, and it writes 8 times as fast as in float16, not 16 times. What may the rest be?**
# <details><summary>Answer</summary>
# What was not made small: the table of words and the output layer, scales, and with a long text the cached keys and values, which are read for every word too. (Or the weights are so few that arithmetic counts again.)
# </details>
#
# **And how much faster does it read a long prompt?**
# <details><summary>Answer</summary>
# Hardly: a prompt's words share one reading of the weights, so it is bound by arithmetic, and the activations are float.
# </details>
#
# **Rounding to 2 bits lost more than three levels did. Is the code worse?**
# <details><summary>Answer</summary>
# The scale is. With s from the largest weight most weights fall to 0 or to a level that is too far out. The same four levels with a fitted scale beat the three.
# </details>
#
# **Somebody reports "FID 12 against 9" of 1,000 pictures each, on features of their own. What do you ask?**
# <details><summary>Answer</summary>
# Which features (with others it is not the FID), what real pictures get against as many real ones, and how far two draws of the same network are apart.
# </details>
#
# **Two networks with the same loss draw differently good pictures. How can that be?**
# <details><summary>Answer</summary>
# The loss is a mean over all amounts of noise, on real pictures. Drawing runs through them in turn, on pictures that the network made itself: errors in the middle, where it is decided what is drawn, cost more than others.
# </details>
#
# ## Summary
#
# - Writing is bound by reading the weights: words a second are bandwidth over bytes, and scales are bytes.
# - Two bits with a scale from the largest weight lose more than three levels with a good one. Scales want to be learned.
# - A second set of signs, made of what the first left, takes two thirds of the error away, near to the best that 2 bits can.
# - The same noise through two nets shows where they part: in the middle of sampling, not at its end.
# - A distance between sets of pictures is biased by their number. It needs its features' name, its count, and real against real beside it.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | two sets of {0, 1} with learned scales beat rounding to 2 bits | DB-LLM, abstract | of untrained weights, yes: section 2; trained, the verdicts of section 3 | no: 5 million weights, scales of rows |
# | in 2 bits perplexity rises from 5.47 to 7.23 (0.28 nats) | DB-LLM, abstract | section 3 | no |
# | a second basis in the outer layers makes up for what signs lose | BinaryDM, section 3 | untrained much, trained less: section 7; the verdicts of section 8 | no: digits, a small net, inputs in float |
# | mimicking features in few directions helps | BinaryDM, section 3 | the verdicts of section 8 | no |
#
# **Next:** [notebook 12](12_make_one.ipynb), the lab: a binarizer, a model and a verdict of your own. In the dashboard (`make app`): [the same noise through both nets](http://localhost:8501/generate), [a weight of two bases, curve and gradient](http://localhost:8501/binarizers?kind=weight&binarizer=multi-basis-weight), [claims of these papers](http://localhost:8501/evidence).

# %% [markdown]
# ## References
#
# - H. Chen and others: DB-LLM, Accurate Dual-Binarization for Efficient LLMs, [2402.11960](https://arxiv.org/abs/2402.11960)
# - X. Zheng and others: BinaryDM, Towards Accurate Binarization of Diffusion Model, [2404.05662](https://arxiv.org/abs/2404.05662)
# - J. Ho, A. Jain, P. Abbeel: Denoising Diffusion Probabilistic Models, [2006.11239](https://arxiv.org/abs/2006.11239)
# - J. Song, C. Meng, S. Ermon: Denoising Diffusion Implicit Models, [2010.02502](https://arxiv.org/abs/2010.02502)
# - M. Heusel and others: GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (FID), [1706.08500](https://arxiv.org/abs/1706.08500)
# - M. Chong, D. Forsyth: Effectively Unbiased FID and Inception Score, [1911.07023](https://arxiv.org/abs/1911.07023)
# - J. Max: Quantizing for Minimum Distortion, IRE Transactions on Information Theory 6, 1960
# - F. Li, B. Zhang, B. Liu: Ternary Weight Networks, [1605.04711](https://arxiv.org/abs/1605.04711)
