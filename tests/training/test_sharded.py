"""Two processes with a part of the model each (torch's `fully_shard`) train it as one process would."""

from pathlib import Path

import pytest

SCRIPT = """
import sys
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
sys.path.insert(0, {convert!r})
import models
import binviz

def batch(seed):
    pick = torch.Generator().manual_seed(seed)
    words = torch.randint(5, 40, (2, 7), generator=pick)
    return {{"input_ids": words, "labels": torch.randint(0, 3, (2,), generator=pick)}}

def made(recipe):
    model = models.tiny("bert")
    binviz.binarize_(model, recipe)
    model(**batch(0))  # starts its scales
    return model.train()

torch.set_num_threads(1)
dist.init_process_group("gloo")
rank, mesh = dist.get_rank(), init_device_mesh("cpu", (2,))
for recipe in ("bit-w1a1", "bibert"):
    model, alone = made(recipe), made(recipe)
    # Learned single numbers, which torch does not split
    single = [value for value in model.parameters() if value.ndim == 0]
    for part in (*model.bert.encoder.layer, model):
        fully_shard(part, mesh=mesh, ignored_params=set(single))
    optimizers = [torch.optim.SGD(each.parameters(), 0.1) for each in (model, alone)]
    for step in range(3):
        model(**batch(10 * step + rank)).loss.backward()
        sum(alone(**batch(10 * step + other)).loss / 2 for other in (0, 1)).backward()
        for value in single:
            dist.all_reduce(value.grad)
            value.grad /= 2
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    refused = 0
    for use in (lambda: binviz.save(model, {folder!r}), lambda: binviz.pack(model),
                lambda: binviz.save_packed(model, {folder!r}), lambda: binviz.binarize_(model, "bnn")):
        try:
            use()
        except binviz.UserError as error:
            refused += "has a part of the model" in str(error)
    whole = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))
    if rank == 0:
        wanted, start = alone.state_dict(), made(recipe).state_dict()
        moved = sum(not torch.equal(value, start[name]) for name, value in wanted.items())
        same = all(torch.allclose(whole[name], value, atol=1e-6) for name, value in wanted.items())
        print(recipe, same, moved > 20, refused)
    dist.barrier()  # neither leaves while the other still works
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_it_learns_the_same_and_is_gathered_before_it_is_saved(tmp_path, launch):
    script = tmp_path / "script.py"
    convert = str(Path(__file__).parents[1] / "convert")
    script.write_text(SCRIPT.format(convert=convert, folder=str(tmp_path / "model")), encoding="utf-8")
    assert launch(str(script)).splitlines() == ["bit-w1a1 True True 4", "bibert True True 4"]
