# %% [markdown]
# # 05 · Many teachers
#
# | | |
# |---|---|
# | **You will** | write the loss by which a 1-bit student learns from its teacher; see why two bits lie between many and one; train a student in one step and another in two, with the same number of steps; read a matrix of recorded runs, and judge a paper's claims by a rule that was fixed before |
# | **Minutes** | 20 to read, {run} to run, {exercises} for the exercises |
# | **Before this** | notebooks 02 and 04 |
# | **Papers** | BiT [2205.13016](https://arxiv.org/abs/2205.13016); Hinton, Vinyals, Dean [1503.02531](https://arxiv.org/abs/1503.02531); McNemar 1947 |
# | **Not reproduced** | BiT's GLUE table, which is BERT-base on graphics cards. The recorded runs here have a model of 6 layers and a few hundred steps: they test the *mechanisms*, and what they find holds for that budget |
# | **Runs on** | a laptop's CPU, offline; the recorded runs are read, not run |
#
# A 1-bit model does not learn its task from labels alone: it learns from a float model, the **teacher**. BiT adds one idea. From float to
# one bit is a big step, so take two: float teaches a student with 1-bit weights and 2-bit activations (W1A2), and that one teaches the 1-bit student
# (W1A1). Each starts with its teacher's weights. (And with its scales α? The official code keeps them. The recorded runs start them anew where the number of
# bits changes, but for those named `alphas-kept`.)

# %%
import copy

import numpy as np
import plotly.graph_objects as go
import torch
from scipy.stats import binomtest
from torch import nn
from torch.nn import functional as F

from binviz import binarizers, check, plots
from binviz.evidence import claims, papers, runs
from binviz.experiments import registry
from binviz.layers import BinaryLinear
from binviz.playground import latent

torch.set_num_threads(1)  # for nets this small a second thread only waits for the first

# %% [markdown]
# ## 1. What a teacher says
#
# A label says *seven*. A teacher says *seven, but it looks a bit like a one*. The loss is the cross-entropy of the two softmaxes: how surprised is
# the student by what the teacher expects? BiT averages it over examples **and** classes, and adds to it the squared distance of all hidden
# states (the outputs of every layer).
#
# ### Exercise 5.1 · the loss
# difficulty ●●○○○ · importance ●●●●● · 5 minutes
#
# `student` and `teacher` are arrays of logits (what a network puts out before the softmax), (examples, classes). Return the cross-entropy, one number,
# without the hidden states. Who weighs, and whose logarithm is it?
#
# <details><summary>Then think</summary>
# Regression has a single logit, (examples, 1). What does this loss say then? Users of the official code could not reproduce its
# results on STS-B, a task of that kind.
# </details>


# %%
def distillation_loss(student, teacher):
    # solution
    p_teacher = np.exp(teacher) / np.exp(teacher).sum(axis=-1, keepdims=True)
    log_p_student = student - np.log(np.exp(student).sum(axis=-1, keepdims=True))
    return -(p_teacher * log_p_student).mean()


# %%
check.ex_5_1(distillation_loss)

# %% [markdown]
# $$L = -\frac{1}{BC} \sum_{b,c} p^{T}_{bc} \log p^{S}_{bc}, \qquad p = \operatorname{softmax}(z)$$
#
# With one logit the softmax is 1 whatever the logit is, so the loss is 0 for every student. `binviz.losses.bit` takes the squared
# distance there.
#
# ## 2. Between many and one
#
# ### Exercise 5.2 · two bits
# difficulty ●●○○○ · importance ●●●○○ · 4 minutes
#
# An unsigned binarizer with `bits` bits has the codes $0, 1, 2, \dots$, as many as so many bits can tell apart, and its values are α times the code. Return for
# each `x` the nearest of these values. What is the nearest one to −5, and to something huge?


# %%
def quantize(x, alpha, bits):
    # solution
    return alpha * np.clip(np.round(x / alpha), 0, 2**bits - 1)


# %%
check.ex_5_2(quantize)

# %% [markdown]
# **Predict:** the largest value is the same, 1, with one, two and four bits. How many steps does each staircase have, and where does each
# pass a gradient?

# %%
x = torch.linspace(-0.5, 1.5, 101)
outputs, slopes = {}, {}
for bits in (1, 2, 4):
    elastic = binarizers.get("elastic-unsigned", bits=bits)
    elastic.load_state_dict({"alpha": torch.tensor(1 / (2**bits - 1)), "initialized": torch.tensor(True)})
    given = x.clone().requires_grad_()
    output = elastic(given)
    output.sum().backward()
    outputs[f"{bits} bit"], slopes[f"{bits} bit"] = output.detach().numpy(), given.grad.numpy()
    yours = quantize(x.numpy(), elastic.alpha.item(), bits)
    print(f"{bits} bit: the library's values are yours: {np.allclose(outputs[f'{bits} bit'], yours)}")

plots.curves(x.numpy(), outputs, slopes)

# %% [markdown]
# The surrogate is the same; what differs is how far the forward curve is from it. A student with four levels can come nearer to the teacher, and
# its own outputs should be nearer to what a 1-bit student can do. So much for the idea. It has a price: two trainings.
#
# ## 3. One step or two, with the same number of steps
#
# A float net that reads digits teaches: four layers in the middle become binary, with {0, 1} behind each ReLU, as in BiT. The whole training
# is in the next cell.


# %%
(pictures, labels), (unseen, truth) = latent.pixels("train"), latent.pixels("test")


def float_net(width=48, depth=4):
    torch.manual_seed(0)
    middle = [part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), *middle, nn.Linear(width, 10))


def student_of(teacher, bits):
    """A copy whose middle layers have 1-bit weights and activations of so many bits; it starts from the teacher's weights."""
    net = copy.deepcopy(teacher)
    for i in range(2, len(net) - 1, 2):
        width = net[i].in_features
        activation = binarizers.get("elastic-unsigned", bits=bits, features=width, learn_shift=True)
        layer = BinaryLinear(width, width, weight=binarizers.get("bit-weight"), activation=activation)
        layer.load_state_dict({"weight": net[i].weight, "bias": net[i].bias}, strict=False)
        net[i] = layer
    with torch.inference_mode():
        net(pictures[:256])  # the scales start from these
    return net


def train(net, teacher, steps, rate=0.005, seed=0):
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * min((step + 1) / (0.1 * steps), 1 - step / steps)
        chosen = torch.randint(len(pictures), (64,), generator=generator)
        with torch.no_grad():
            wanted = (
                F.one_hot(labels[chosen], 10).float()
                if teacher is None
                else teacher(pictures[chosen]).softmax(-1)
            )
        loss = F.cross_entropy(net(pictures[chosen]), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def accuracy(net):
    with torch.inference_mode():
        return 100 * (net(unseen).argmax(1) == truth).float().mean().item()


teacher = train(float_net(), None, steps=500, rate=0.002)
print(f"float teacher: {accuracy(teacher):.1f} % of {len(truth)} digits")
untrained = student_of(teacher, 1)
with torch.inference_mode():
    logits = untrained(unseen), teacher(unseen)
    loss = F.cross_entropy(logits[0], logits[1].softmax(-1)).item()
yours = distillation_loss(*(z.numpy() for z in logits))
print(
    f"its 1-bit student, untrained: loss {loss:.3f}, your mean over 10 classes {yours:.4f}, times 10 {10 * yours:.3f}"
)

# %% [markdown]
# **Predict:** the budget is the *whole* number of steps; of two stages each gets one half. Is two better than one? Everywhere, or only from
# some budget on?

# %%
budgets = [100, 200, 400, 800]
curves = {"one step: W1A1": [], "two steps: W1A2, then W1A1": [], "the W1A2 in between": []}
for budget in budgets:
    one = train(student_of(teacher, 1), teacher, budget)
    between = train(student_of(teacher, 2), teacher, budget // 2)
    two = train(student_of(between, 1), between, budget // 2, seed=1)
    for values, net in zip(curves.values(), (one, two, between), strict=True):
        values.append(accuracy(net))
    print(f"{budget} steps: " + ", ".join(f"{name} {values[-1]:.0f} %" for name, values in curves.items()))

figure = plots.lines(budgets, curves, "steps altogether (number)", "accuracy (% of 450 digits)", log="x")
figure.update_xaxes(tickvals=budgets, ticktext=budgets)

# %% [markdown]
# In our run one step is ahead at every budget, and the distance shrinks as the budget grows. The student in between needs few steps, which
# speaks for the idea. But the last student has only half the steps to get away from where it started, and at a small budget nothing makes
# up for that. Try other seeds: 450 digits and one seed are little, and a difference of two points is noise.
#
# ## 4. The same question on real tasks
#
# Experiment `bit` asks it on two tasks of GLUE, a collection of tasks on English text: sentiment (SST-2) and paraphrase (MRPC: do two sentences say the
# same?). It has a BERT of 6 layers, and takes away the parts of BiT one at a time. A *recipe* says which binarizer stands where. Each *cell* of the experiment is one task learned in one way;
# `binviz reproduce bit` runs them, and each run leaves a record. This notebook reads the records:

# %%
experiment = registry.get("bit")
records = experiment.records()
for cell in experiment.cells:
    if cell.task == "sst2" and cell.group <= 3:
        print(f"{cell.row:22s} {cell.why}")

# %% [markdown]
# No result is printed yet. Which are the best and the worst row on SST-2, beside float? And
# is one step better, or two with as many steps altogether?

# %%
check.predict("05.4", None)  # instead of None: {"best": "...", "worst": "...", "one step or two": "..."}

# %% [markdown]
# **Predict** the order of the other rows as well. (MRPC is the harder test: two of three of its pairs are paraphrases, so whoever always says *yes*
# is right on 68 %.)

# %%
rows = [cell.row for cell in experiment.cells if cell.task == "sst2" and cell.group <= 3]
recorded = [row for row in rows if ("sst2." + row, 0) in records]


def percent(name):
    run = records.get((name, 0))
    return 100 * run.metrics["accuracy"] if run else float("nan")


series = {task.upper(): [percent(f"{task}.{row}") for row in recorded] for task in ("sst2", "mrpc")}
binary = sorted((row for row in recorded if row != "float"), key=lambda row: percent(f"sst2.{row}"))
two = percent("sst2.bit-w1a1.two-step") > percent("sst2.bit-w1a1")
found = {"best": binary[-1], "worst": binary[0], "one step or two": "two" if two else "one"}
check.compare("05.4", found)
figure = plots.bars(recorded, series, "row of the matrix (name)", "accuracy (% of the validation set)", ".0f")
figure.update_xaxes(tickangle=-40).update_layout(height=460, margin_b=140)

# %% [markdown]
# A row that has not been run on a task has no bar. (On MRPC no binary row is more than a few points above 68 %: at this budget that task says little.) Beside it,
# what was *published* for BERT-base (scores in percent on the development sets, which were kept out of training, as printed; the rows marked with a star
# were distilled in one step). The papers' averages over GLUE are of two kinds: MNLI, a task with two such sets, counts twice or once. Here both are
# computed from the printed scores:

# %%
print(f"{'bits of weights,':27s}{'average over':>36s}")
print(f"{'embeddings, activations':27s}{'SST-2':>7s}{'MRPC':>7s}{'nine columns':>15s}{'eight tasks':>13s}")
for row in papers.glue():
    if not row.augmentation:
        nine, eight = row.average("nine columns"), row.average("eight tasks")
        scores = f"{row.scores['sst2']:7.1f}{row.scores['mrpc']:7.1f}{nine:15.1f}{eight:13.1f}"
        print(f"{row.model:14s}{row.bits!s:13s}{scores}")
print("\n".join(sorted({f"source: {row.source}" for row in papers.glue() if not row.augmentation})))

# %% [markdown]
# ## 5. Is a difference a difference?
#
# Two models have seen the same examples. Those on which both are right, or both wrong, say nothing about which is better. What counts are the
# others: $b$ where only the first is right, $c$ where only the second is. If the two were equally good, each of these would fall to
# either side like a coin. That is McNemar's test.
#
# ### Exercise 5.3 · paired predictions
# difficulty ●●●○○ · importance ●●●●○ · 6 minutes
#
# `first` and `second` say for each example whether that model is right (boolean). Return three numbers, $b$, $c$ and the two-sided p-value of a fair coin: how
# likely it divides the tosses at least as unevenly. (`binomtest` of SciPy is imported, and has a `pvalue`. How many tosses are there, and how many heads? And what should p be if no example distinguishes the two?)


# %%
def paired(first, second):
    # solution
    b, c = int((first & ~second).sum()), int((~first & second).sum())
    return b, c, binomtest(b, b + c).pvalue if b + c else 1.0


# %%
check.ex_5_3(paired)

# %% [markdown]
# ### Exercise 5.4 · a verdict
# difficulty ●●○○○ · importance ●●●●○ · 4 minutes
#
# A claim says *the first is better than the second*; b, c and p are those of exercise 5.3. Its verdict is **fails** (−1) if the measured accuracies contradict it or are equal, **weak** (0) if they
# agree with it but p is 0.05 or more, and **holds** (+1) otherwise.


# %%
def verdict(b, c, p):
    # solution
    if b <= c:
        return -1
    return 1 if p < 0.05 else 0


# %%
check.ex_5_4(verdict)

# %% [markdown]
# The claims of the paper were written down as such inequalities before their runs. Six of them follow, on SST-2, all of this kind. (Where one says *at
# least as good*, equality is enough; where it allows a distance, a bound takes the place of the coin. `binviz claims --paper bit` and the dashboard's
# page *Evidence* have them all, with Holm's correction for their number: see the questions at the end.)
#
# A claim that *fails within noise* is not contradicted: the measured difference goes the other way, but a coin could have done that. The last number (*would be seen*) is the
# smallest true difference that these runs *would have seen*, four times in five. Where it is larger than what you would care about, the claim was never
# really tested: on MRPC, with 408 sentence pairs and one seed, it is 4 to 6 points. Below each verdict stands yours, by exercises 5.3 and
# 5.4, on seed 0 alone: look where one seed and three seeds say something else.
#
# **Predict** for each: holds, weak or fails? The dots are differences in accuracy, with intervals of 95 %.

# %%
# instead of None: {"two sets": "...", "attention alone": "...", "elastic": "...", "ReLU": "...", "BiT's recipe": "...", "two steps": "..."}
check.predict("05.5", None)

# %%
asked = {  # how a claim begins, and what it is called in the figure
    "Two sets": "two sets, not one",
    "{0, 1} for attention alone": "{0, 1} for attention alone",
    "Elastic functions": "elastic, not fixed",
    "ReLU": "ReLU, not GELU",
    "BiT's recipe": "BiT's recipe, not BiBERT's",
    "Two steps are better than one, with as many": "two steps, not one",
}
found = [
    claims.judge(
        next(c for c in experiment.claims if c.better.startswith("sst2.") and c.text.startswith(begins)),
        records,
    )
    for begins in asked
]
check.compare("05.5", {name: f.verdict for f, name in zip(found, asked.values(), strict=True)})
words = {-1: "fails", 0: "weak", 1: "holds"}
for f in found:
    said = f"{f.verdict}, {f.doubt}" if f.doubt else f.verdict
    print(f"{said:20s} {f.claim.text}")
    print(
        f"{'':20s} {100 * f.difference:+.1f} points, p {f.p:.2g}, {f.seeds} seeds; {100 * f.seen:.1f} would be seen"
    )
    b, c, p = paired(*(runs.each_example(records[(cell, 0)]) for cell in (f.claim.better, f.claim.worse)))
    print(f"{'':20s} by your rule, seed 0 alone: {b} against {c}, p {p:.2g}, {words[verdict(b, c, p)]}")

figure = go.Figure()
for f, name in zip(found, asked.values(), strict=True):
    figure.add_scatter(
        x=[100 * f.difference],
        y=[name],
        error_x={"array": [100 * (f.high - f.difference)], "arrayminus": [100 * (f.difference - f.low)]},
        mode="markers",
        marker={"size": 12, "color": {"holds": plots.theme.GREEN}.get(f.verdict, plots.theme.GREY)},
    )
figure.add_vline(x=0, line_dash="dot", line_color=plots.theme.GREY)
figure.update_xaxes(title="gain in accuracy (percentage points)")
figure.update_yaxes(autorange="reversed", title=None)
figure.update_layout(
    template="binviz",
    showlegend=False,
    height=340,
    meta={
        "alt": "; ".join(
            f"{f.claim.text}: {100 * f.difference:+.1f} points, {100 * f.low:+.1f} to {100 * f.high:+.1f}"
            for f in found
        )
    },
)
figure

# %% [markdown]
# Two of the six look different on one seed. Elastic functions seem to win on seed 0, and over three seeds they do not. {0, 1} for attention alone is
# *weak* on seed 0, and three seeds settle it.
#
# ## 6. Why two bits can be worse than one
#
# With seed 0 the 2-bit student reads the *training* phrases as well as any, and is the worst of its family (1, 2 and 4 bits) on the validation sentences. The two splits differ: a
# training phrase has 11 word pieces (words or parts of words; the median), a sentence 26. So split the accuracy by length. And one more look: multiply the learned α of the attention
# probabilities by a factor, in the trained model, without any training.
#
# **Predict:** where does the 2-bit student lose, and which factor helps, 0.7 or none?

# %%
looks = {run.cell: run for run in runs.runs() if run.experiment == "lengths"}
pieces = {"to 16": "1_16", "17 to 22": "17_22", "23 to 30": "23_30", "31 and more": "31_"}
shown = {
    "1 bit": "sst2.bit-w1a1.attention-1",
    "1 bit, α x 0.85": "sst2.bit-w1a1.attention-0.85",
    "2 bits": "sst2.bit-w1a2.attention-1",
    "2 bits, α x 0.85": "sst2.bit-w1a2.attention-0.85",
    "2 bits, α x 0.7": "sst2.bit-w1a2.attention-0.7",
    "4 bits": "sst2.bit-w1a4.attention-1",
}
accuracies = {
    title: [100 * looks[cell].metrics[f"accuracy_{name}"] for name in pieces.values()]
    for title, cell in shown.items()
}
for title, cell in shown.items():
    print(f"{title:18s} all 872 sentences: {looks[cell].metrics['accuracy']:.1%}")
plots.bars(list(pieces), accuracies, "length of the sentence (word pieces)", "accuracy (%)", ".0f")

# %% [markdown]
# A probability of attention is about 1 / length, and BiT rounds it to multiples of one α, whatever the length. What lies below α/2 becomes 0. This α was learned on
# short phrases; on long sentences it cuts off what the model would need. A slightly smaller one mends most of that in the 2-bit student without a single step of training,
# and does next to nothing for the others (`sst2.bit-w1a1.attention-0.85`, not shown). (The factor was chosen by looking at these same 872 sentences: as an explanation it will do, as a result it would need
# others.) BiViT cuts relative to the largest value of each row, and BiBERT cuts the scores at 0, before any softmax: neither knows the length. The fragile α seems to be a matter of luck in
# training rather than of bits: with it mended, four bits, two and one stand in the order that the paper has, and with seed 1 two bits do better from the start
# (`sst2.bit-w1a2`, seed 1).
#
# The two-step students do *not* get better by it (`sst2.bit-w1a1.two-step.attention-0.85`): why they trail is another question. They had half the steps.
# And their α started anew after the first of them. Let them keep the α of their 2-bit teacher (`sst2.bit-w1a1.two-step-alphas-kept`), and at the same
# budget they are level with one step, over three seeds, where they trailed before. The gain is within noise, and so is the lead: two steps are no
# worse than one then, and not shown to be better.
#
# ## 7. What is missing here
#
# - **Length.** Joining half of the training phrases in pairs, which the teacher can label, helps the 2-bit student (`sst2.bit-w1a2.joined`) and not the
#   1-bit one (`sst2.bit-w1a1.joined`).
# - **Budget.** The paper's students train for many epochs (passes over all examples); those here take a few hundred steps each. A second stage can only pay off when the first one
#   does not eat what the second needs. Cells `…two-step-long` and `…long` ask the same with three times the steps.
# - **Seeds.** One to three seeds a cell: McNemar's test knows the noise of the *examples*, not that of the training.
# - **Size.** The model here has 384 units, the paper's 768. What would twice as many do? There is no such pre-trained model of the same kind, but the
#   digits are cheap: a small ViT in several widths, each with a 1-bit student of its own (`binviz train images --width 32`).
#
# **Predict:** does the student's distance to its float model grow or shrink with the width?

# %%
sizes = [16, 32, 64, 128]
chains = {"float": "float", "1 bit": "float+bit-w1a1"}
wide = {
    title: [
        100 * runs.find("digits", f"digits-vit{'' if size == 64 else f'-{size}'}.{chain}").metrics["accuracy"]
        for size in sizes
    ]
    for title, chain in chains.items()
}
for size, whole, binary in zip(sizes, *wide.values(), strict=True):
    print(f"{size:3d} units: float {whole:.1f} %, 1 bit {binary:.1f} %, distance {whole - binary:.1f} points")
figure = plots.lines(sizes, wide, "width of the ViT (units)", "accuracy (% of 450 digits)", log="x")
figure.update_xaxes(tickvals=sizes, ticktext=sizes)

# %% [markdown]
# It shrinks: every doubling takes away about half of it. A 1-bit unit says little, and a wide net has many of them. (One seed; the float models are not
# equally good, and the widest one is no better than that of half its width.)
#
# To run what is missing, or all of it on your machine: `binviz reproduce bit --cell 'sst2.*'`. What is recorded is skipped; a run that was
# interrupted goes on.
#
# ## Three questions
#
# **Two students, same teacher, 80.1 and 79.4 %, 872 sentences. What else do you need to know?**
# <details><summary>Answer</summary>
# On how many sentences only one of the two is right. From that come p, an interval, and the smallest lead that would have been seen. And how many seeds.
# </details>
#
# **One claim in twenty *holds* at 5 %, nineteen fail. Is that one a finding?**
# <details><summary>Answer</summary>
# Not by itself. If there were nothing behind any of them, chance alone would make at least one of twenty hold in up to two of five such lists. Over many claims the level is corrected (Holm): the smallest p has to be below 5 % divided by their number.
# </details>
#
# **Two steps lose against one at 800 steps. May one say that the paper is wrong?**
# <details><summary>Answer</summary>
# No: the paper trains for many epochs on a larger model. One may say that at this budget the second step does not pay, which is what was measured.
# </details>
#
# ## Summary
#
# - A student learns from its teacher's probabilities; with a single logit that loss is silent.
# - A student with two-bit activations gets near its teacher in few steps. Whether it helps the 1-bit student depends on who pays for it: at equal
#   budgets the second stage has only half the steps. And on what it hands over: its weights alone, or its scales too.
# - A difference between two models is judged on the examples on which they differ, by a rule fixed before.
# - A claim can hold in its paper and fail at another budget. Both belong in the table.
# - One number can hide a cause: split it by what differs between training and test.
#
# **Claims and what we saw**
#
# | claim | where | here | same setting? |
# |---|---|---|---|
# | several steps of distillation are better than one | BiT, abstract | the verdict in section 5; with the teacher's α kept, section 6 | no: 6 layers for 12, a few hundred steps, few seeds |
# | two sets, elastic functions, ReLU each help | BiT, method | the verdicts in section 5 | the same |
# | BiT is better than BiBERT | BiT, results | the verdict in section 5 | the same |
#
# **Next:** [notebook 06](06_a_threshold_that_follows.ipynb): a threshold that follows each row of attention.
# In the dashboard: [all claims](http://localhost:8501/evidence).

# %% [markdown]
# ## References
#
# - Z. Liu and others: BiT, Robustly Binarized Multi-distilled Transformer, [2205.13016](https://arxiv.org/abs/2205.13016)
# - G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a Neural Network, [1503.02531](https://arxiv.org/abs/1503.02531)
# - H. Qin and others: BiBERT, [2203.06390](https://arxiv.org/abs/2203.06390)
# - Q. McNemar: Note on the sampling error of the difference between correlated proportions or percentages, Psychometrika 12, 1947
