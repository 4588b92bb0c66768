"""Low-rank mimicking: scikit-learn's directions, the sum by hand, levels one by one, and a checkpoint."""

import pytest
import torch
from sklearn.decomposition import PCA

import binviz
from binviz import losses
from binviz.errors import UserError
from binviz.losses.low_rank import noted, principal_directions, rows_of
from binviz.networks import DigitsCNN, DigitsCNNConfig, UNet, UNetConfig
from binviz.training.loop import fit
from binviz.training.settings import TrainConfig


def pair():
    """A float U-Net, its binary student, and a batch."""
    torch.manual_seed(0)
    teacher, student = (UNet(UNetConfig(widths=(8, 16), head_size=8, norm_groups=4)) for _ in range(2))
    student.load_state_dict(teacher.state_dict())
    binviz.binarize_(student, "binarydm-w1a8")
    batch = {"noisy": torch.randn(4, 1, 8, 8), "timesteps": torch.tensor([1, 50, 500, 999])}
    return teacher, student, batch | {"labels": torch.randn(4, 1, 8, 8)}


def test_directions_are_those_of_a_centred_pca():
    for size, kept in ((16, 4), (5, 2), (9, 2)):
        rows = torch.randn(200, size) @ torch.randn(size, size) + 3
        found, wanted = principal_directions(rows), PCA(kept).fit(rows.numpy()).components_.T
        assert found.shape == (size, kept)
        overlap = (found * torch.as_tensor(wanted)).sum(0).abs()
        torch.testing.assert_close(overlap, torch.ones(kept), atol=1e-3, rtol=0)


@pytest.mark.parametrize("axis", ["channels", "width"])
def test_it_is_the_sum_that_is_written(axis):
    teacher, student, batch = pair()
    loss = losses.get("low-rank-mimicking", teacher, weight=0.5, axis=axis)
    first = loss(student, batch)
    given = {name: batch[name] for name in ("noisy", "timesteps")}
    paths = teacher.feature_paths()
    with noted(teacher, paths) as wanted:
        teacher(**given)
    with noted(student, paths) as got:
        noise = student(**given).logits[..., 0]
    assert len(got) == len(paths) == 8
    distances = []
    for s, t in zip(got, wanted, strict=True):
        s, t = (x.movedim(1, -1) if axis == "channels" else x for x in (s, t))
        k = principal_directions(t.reshape(-1, t.shape[-1]))
        distances.append((s @ k - t @ k).square().mean())
    by_hand = (noise - batch["labels"]).square().mean() + 0.5 * sum(distances) / 8
    torch.testing.assert_close(first, by_hand)
    # The directions are those of the first batch
    before = [loss.get_buffer(f"directions_{i}").clone() for i in range(8)]
    loss(student, batch | {"noisy": torch.randn(4, 1, 8, 8)})
    assert all(torch.equal(was, loss.get_buffer(f"directions_{i}")) for i, was in enumerate(before))
    assert rows_of(got[0], axis).shape[1] == 8


def test_levels_become_binary_from_the_middle_outwards():
    teacher, student, batch = pair()
    loss = losses.get("low-rank-mimicking", teacher, every=2)
    levels = []
    for _ in range(6):
        loss(student, batch)
        still = {id(layer) for layer in loss.still_float(student)}
        binary = {
            student.level_of(path)
            for path, layer in student.named_modules()
            if hasattr(layer, "weight_binarizer") and id(layer) not in still
        }
        levels.append(binary)
        loss.after_step(student)
    assert levels == [{2}, {2}, {1, 2}, {1, 2}, {0, 1, 2}, {0, 1, 2}]
    # A level that is still float sees the weights themselves, and afterwards they are signs again
    layer = student.unet.down_blocks[0].resnets[0].conv1
    loss.step.zero_()
    student.zero_grad()
    loss(student, batch).backward()
    assert layer.weight.grad.any() and layer.weight_binarizer.sigma_1.grad is None
    assert "forward" not in vars(layer)
    student.zero_grad()
    loss.step += 9
    loss(student, batch).backward()
    assert layer.weight_binarizer.sigma_1.grad.any()


@pytest.mark.slow
def test_a_run_that_is_cut_goes_on_as_if_it_were_not(tmp_path):
    """With its directions and its place among the levels."""
    config = TrainConfig(4, 1e-3, checkpoint_every=2)

    def run(resume, stop=False):
        teacher, student, batch = pair()
        loss = losses.get("low-rank-mimicking", teacher, weight=1.0, every=1)

        def batch_of(step):
            if stop and step == 3:
                raise RuntimeError("cut")
            return batch | {"noisy": batch["noisy"] + step}

        fit(student, batch_of, loss, config, resume)
        return student, loss

    whole, _ = run(None)
    with pytest.raises(RuntimeError, match="cut"):
        run(tmp_path / "run.checkpoint", stop=True)
    again, loss = run(tmp_path / "run.checkpoint")
    assert int(loss.step) == 4
    assert all(map(torch.equal, whole.state_dict().values(), again.state_dict().values()))


def test_what_it_cannot_do():
    teacher, *_ = pair()
    with pytest.raises(UserError, match="axis is 'channels' or 'width', not 'height'"):
        losses.get("low-rank-mimicking", teacher, axis="height")
    with pytest.raises(UserError, match="a DigitsCNN names no features to mimic; take a UNet"):
        losses.get("low-rank-mimicking", DigitsCNN(DigitsCNNConfig(width=4, depth=1)))
