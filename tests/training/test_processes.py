"""Two processes, each with batches of its own, train one model."""

from pathlib import Path

import pytest

SCRIPT = """
import sys
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
sys.path.insert(0, {convert!r})
import models
import binviz
from binviz.binarizers import unstarted

accelerator = Accelerator()
rank = accelerator.process_index

def batch(name, rank):
    torch.manual_seed(rank)
    words = {{"input_ids": torch.randint(1, 9, (4, 6))}}
    return words if name == "bert" else {{"pixel_values": 9 ** rank * models.inputs(name)["pixel_values"]}}

for name in ("bert", "vit", "swin"):
    model, alone = models.tiny(name), models.tiny(name)
    for each in (model, alone):
        binviz.binarize_(each, "bit-w1a1")
    assert unstarted(model)
    alone.train()(**batch(name, 0))
    net, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), 0.01))
    net.train()
    for step in range(3):
        logits = net(**batch(name, rank)).logits
        if step == 0:
            started = [v.detach().clone() for k, v in model.named_parameters() if k.endswith("alpha")]
        optimizer.zero_grad()
        accelerator.backward(logits.square().sum())
        optimizer.step()
    wanted = [v.detach() for k, v in alone.named_parameters() if k.endswith("alpha")]
    as_rank_0 = gather_object([len(wanted) > 9 and all(map(torch.equal, started, wanted))])
    states = gather_object([list(model.state_dict().values())])
    if rank == 0:
        print(name, *as_rank_0, all(map(torch.equal, *states)))
"""


@pytest.mark.slow
def test_scales_start_and_stay_alike(tmp_path, launch):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(convert=str(Path(__file__).parents[1] / "convert")), encoding="utf-8")
    assert launch(str(script)).splitlines() == [f"{name} True True True" for name in ("bert", "vit", "swin")]
