"""One-line changes to the declared science, each with the tests that must notice it; see `binviz.bench.science`.

`old` is a piece of text that stands once in its file.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """What is changed, where, from what to what, and the arguments for pytest of the tests that must fail."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


DECLARED = ("tests/experiments/test_declared.py", "tests/experiments/test_records.py")

MUTANTS = (
    # What recipes and experiments declare
    Mutant(
        "bivit's attention is cut at half the maximum",
        "binviz/recipes/bivit.py",
        'attention=Choice("bivit-attention")',
        'attention=Choice("row-threshold")',
        ("tests/convert/test_recipes.py",),
    ),
    Mutant(
        "recu has Bi-Real's activations",
        "binviz/recipes/bibench.py",
        'Choice("recu-activation")',
        'Choice("bireal-activation")',
        ("tests/convert/test_recipes.py",),
    ),
    Mutant(
        "bibert's queries pass the gradient at 1",
        "binviz/recipes/bibert.py",
        'SIGN = Choice("bnn", {"edge": "blocks"})',
        'SIGN = Choice("bnn", {"edge": "passes"})',
        ("tests/convert/test_recipes.py",),
    ),
    Mutant(
        "mrpc's learning rate times 10",
        "binviz/experiments/bit.py",
        "Budget(600, 8, 5e-4, float_steps=1374",
        "Budget(600, 8, 5e-3, float_steps=1374",
        DECLARED,
    ),
    Mutant(
        "the claim on BiBERT and plain signs turned round",
        "binviz/experiments/bit.py",
        '"bibert", "bnn-threshold"),',
        '"bnn-threshold", "bibert"),',
        DECLARED,
    ),
    Mutant(
        "one set keeps {0, 1} behind GELU",
        "binviz/experiments/bit.py",
        '    "bit-w1a1-one-set",\n    nonneg_activation=None,',
        '    "bit-w1a1-one-set",',
        DECLARED,
    ),
    Mutant(
        "twice the steps in the experiment on edges",
        "binviz/experiments/edge.py",
        "STEPS = 1000",
        "STEPS = 2000",
        DECLARED,
    ),
    Mutant(
        "a published score",
        "binviz/evidence/papers/glue.json",
        '"sst2": 93.2, "cola": 59.7',
        '"sst2": 93.9, "cola": 59.7',
        ("tests/evidence/test_papers.py",),
    ),
    # What makes a run another one
    Mutant(
        "the teacher is left out of a run's identity",
        "binviz/experiments/cells.py",
        '"teacher", "start", "augment")',
        '"start", "augment")',
        ("tests/experiments",),
    ),
    Mutant(
        "its other batches are left out of it",
        "binviz/experiments/cells.py",
        '"start", "augment")',
        '"start")',
        ("tests/experiments",),
    ),
    # How a student is trained
    Mutant(
        "no calibration",
        "binviz/training/stages.py",
        "    calibrate(model, problem.calibration, problem.targets)\n",
        "",
        ("tests/training/test_stages.py",),
    ),
    Mutant(
        "a binary student keeps its teacher's dropout",
        "binviz/training/stages.py",
        "module.p = stage.dropout",
        "pass",
        ("tests/training/test_stages.py",),
    ),
    Mutant(
        "no warm-up",
        "binviz/training/settings.py",
        "rising = max(1, round(config.warmup * config.steps))",
        "rising = 1",
        ("binviz/training/settings.py", "tests/training/test_loop.py"),
    ),
    Mutant(
        "BiT's loss counts padding",
        "binviz/losses/bit.py",
        'mask = batch.get("attention_mask")',
        "mask = None",
        ("tests/losses/test_bit.py",),
    ),
    Mutant(
        "BiBERT's loss counts padding",
        "binviz/losses/bibert.py",
        "x = x.float() if mask is None else x.float() * mask[:, None, :, None]",
        "x = x.float()",
        ("binviz/losses/bibert.py", "tests/losses/test_bibert.py"),
    ),
    Mutant(
        "joined texts keep the second's first piece",
        "binviz/training/augment.py",
        "other[1:-1]",
        "other[:-1]",
        ("tests/training/test_augment.py",),
    ),
    Mutant(
        "flips of latent signs in place of codes",
        "binviz/training/observe.py",
        "torch.stack([code.q > 0 for code in module.weight_binarizer.bases(module.weight)])",
        "module.weight > 0",
        ("tests/training/test_observe.py",),
    ),
    # What a model computes
    Mutant(
        "-100 does not forbid",
        "binviz/layers/attention.py",
        "FORBIDDEN = -50.0",
        "FORBIDDEN = -150.0",
        ("tests/layers/test_attention.py",),
    ),
    Mutant(
        "a shift is lost when a student is binarized again",
        "binviz/convert/layers.py",
        "place.detach().copy_(shift.detach())",
        "pass",
        ("tests/convert/test_convert.py",),
    ),
    Mutant(
        "BiT's mean is taken row by row",
        "binviz/binarizers/bit.py",
        "bit_weight_code(x, x.detach().mean(), ",
        "bit_weight_code(x, x.detach().mean(self._row_axes(x), keepdim=True), ",
        ("tests/binarizers", "binviz/binarizers/bit.py"),
    ),
    Mutant(
        "ties are folded",
        "binviz/packed/fold.py",
        "TIE = 1e-5",
        "TIE = 0.0",
        ("tests/packed/test_fold.py",),
    ),
    Mutant(
        "a layer's own error behind the hook of the estimators",
        "binviz/analysis/errors.py",
        "prepend=True)",
        "prepend=False)",
        ("tests/analysis/test_errors.py",),
    ),
    Mutant(
        "an estimator's products are not counted",
        "binviz/costs/inventory.py",
        "(3 * rank + heads.heads)",
        "(2 * rank + heads.heads)",
        ("tests/costs/test_counts.py",),
    ),
    # What is measured, kept and judged
    Mutant(
        "a score is the squared error, not minus it",
        "binviz/tasks/glue.py",
        "else -((logits[:, 0] - labels) ** 2)",
        "else ((logits[:, 0] - labels) ** 2)",
        ("tests/training/test_glue.py", "-k", "regression"),
    ),
    Mutant(
        "a margin's bound is two-sided",
        "binviz/evidence/noise.py",
        "_quantile(1 - LEVEL, ahead, kind)",
        "_quantile(1 - LEVEL / 2, ahead, kind)",
        ("tests/evidence", "tests/experiments/test_declared.py"),
    ),
    Mutant(
        "few seeds are enough",
        "binviz/evidence/claims.py",
        'if verdict == "holds" and np.isnan(p):',
        "if False:",
        ("tests/evidence",),
    ),
    Mutant(
        "what would be seen is seen every second time",
        "binviz/evidence/noise.py",
        "POWER = 0.05, 0.8",
        "POWER = 0.05, 0.5",
        ("tests/evidence",),
    ),
    Mutant(
        "a bundled file's checksum is not compared",
        "binviz/zoo/__init__.py",
        " or hashlib.sha256(entry.path.read_bytes()).hexdigest() != entry.sha256",
        "",
        ("tests/saving/test_zoo.py",),
    ),
    Mutant(
        "a file may describe a larger model than it holds",
        "binviz/saving/build.py",
        "if count > parameters:",
        "if False:",
        ("tests/saving/test_saving.py", "tests/saving/test_packed.py", "-k", "endless"),
    ),
)
