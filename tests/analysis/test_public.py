import subprocess
import sys

from binviz import analysis

HEAVY = ("transformers", "datasets", "pandas", "plotly", "sklearn", "scipy", "PIL")


def test_public_names():
    assert sorted(analysis.__all__) == [
        "Attention",
        "Attribution",
        "CAUSES",
        "Captured",
        "LayerAttention",
        "MEASURES",
        "Map",
        "Margin",
        "Measure",
        "Polynomial",
        "Polynomials",
        "Readout",
        "Steps",
        "Summary",
        "ablation",
        "attention",
        "capture",
        "causes",
        "contents",
        "errors",
        "integrated_gradients",
        "margins",
        "masked",
        "metrics",
        "names",
        "occlusion",
        "rank_agreement",
        "read_out",
        "readers",
        "residual_polynomial",
        "scan",
        "sensitivity",
        "steps",
        "stream",
        "turning_flips",
    ]
    assert all(hasattr(analysis, name) for name in analysis.__all__)


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, binviz.analysis, binviz.costs\n"
        "from binviz.data import validate, digits, generated, photos, sentences\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
