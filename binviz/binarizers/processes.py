"""Of several processes that each see a batch of their own, all start a scale as rank 0 does."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel


def share_start(tensors: Iterable[Tensor]) -> None:
    """Give all processes rank 0's values, in a pass of DistributedDataParallel, which all of them make.

    Elsewhere a process may run alone, so nothing is sent; whoever wraps a model later gives everyone rank 0's.

    Args:
        tensors: changed in place, in the same order in every process.
    """
    running = DistributedDataParallel._get_active_ddp_module()
    for tensor in tensors if running is not None else ():
        distributed.broadcast(tensor.detach(), group=running.process_group, group_src=0)
