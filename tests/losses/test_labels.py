"""What the labels say, over logits of any rank, and only where there is a label."""

import numpy as np
import pytest
import torch

from binviz.losses.labels import NO_LABEL, label_loss
from binviz.training.observe import right_answers


def by_definition(logits, labels):
    """One position after the other."""
    found = []
    for row, label in zip(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), strict=True):
        if label != NO_LABEL:
            found.append(np.log(np.exp(row).sum()) - row[label])
    return np.mean(found)


def maps(logits):
    """Those of pictures have their classes on the second axis."""
    return logits.movedim(-1, 1) if logits.ndim == 4 else logits


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)], ids=str)
def test_positions_without_a_label_do_not_count(shape):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(*shape, 7, generator=generator)
    labels = torch.randint(7, shape, generator=generator)
    labels.view(-1)[1] = NO_LABEL
    wanted = by_definition(logits.double().numpy(), labels.numpy())
    assert label_loss(maps(logits), labels).item() == pytest.approx(wanted, rel=1e-5)
    logits.requires_grad_()
    label_loss(maps(logits), labels).backward()
    assert logits.grad.reshape(-1, 7)[1].eq(0).all() and logits.grad.reshape(-1, 7)[0].ne(0).all()


def test_a_batch_without_any_label_teaches_nothing():
    logits = torch.randn(2, 3, 4, requires_grad=True)
    loss = label_loss(logits, torch.full((2, 3), NO_LABEL))
    loss.backward()
    assert loss.item() == 0 and logits.grad.eq(0).all()


def test_right_answers_are_of_the_positions_that_have_a_label():
    """Counted by the batch's first axis, four right ones of two would be 200 %."""
    logits = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2], [2, 1, 0]]), 4).float()
    labels = torch.tensor([[0, 1, NO_LABEL], [2, 1, 1]])
    assert right_answers(logits, labels) == (4, 5)
    assert right_answers(logits, torch.full((2, 3), NO_LABEL)) == (0, 0)
    assert right_answers(logits, torch.tensor([1, 0])) == (0, 0)  # labels of something else
    assert right_answers(logits[..., None].movedim(2, 1), labels[..., None]) == (4, 5)  # maps
    assert right_answers(torch.randn(2, 1), torch.tensor([1.0, 0.0])) == (0, 0)
