"""A claim of runs with scores: where its sides are farthest apart, and the code that looks there."""

from streamlit.testing.v1 import AppTest


def page():
    import numpy as np
    from binviz_dashboard import claims_tab

    from binviz.evidence.claims import Claim, judge
    from binviz.evidence.runs import Run, of_examples
    from binviz.experiments.ledger import Entry
    from binviz.experiments.questions import Side

    scores = {"camvid-unet.a": [0.5, 0.1, 0.3, 0.4], "camvid-unet.b": [0.2, 0.3, 0.3, 0.3]}
    records, sides = {}, []
    for cell, values in scores.items():
        of = of_examples(np.array(values))
        config = {"identity": {"task": "camvid"}}
        run = Run("bidense", cell, 0, config, "", {}, {"mean_iou": 0.3}, 1.0, **of)
        records[cell, 0] = run
        sides.append(Side(cell, "mean_iou", (run,), (0.3,)))
    claim = Claim("a beats b", "asked here", *scores, metric="mean_iou")
    entry = Entry("bidense", "CamVid", judge(claim, records), tuple(sides), None, "", "", 1.0)
    claims_tab.apart(entry, entry.runs(0))
    claims_tab.apart(entry, None)


def test_where_scores_are_farthest_apart():
    app = AppTest.from_function(page, default_timeout=120).run()
    assert not app.exception
    assert "a” is farthest ahead on 0, 3. " in app.markdown[0].value
    assert "b” is farthest ahead on 1. " in app.markdown[0].value
    (code,) = app.code
    assert "for i in [0, 3, 1]:" in code.value and "plots.segmentation(" in code.value
    assert "'camvid-unet.b': binviz.load('runs-out/camvid-unet.b.seed0')" in code.value
    assert app.caption[0].value == "The records of this task hold nothing of each example."
