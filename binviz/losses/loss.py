"""What a loss is: a module of its own, with frozen options, called with a student and a batch.

A method that does more than add a loss does it here, too: around each step of the loop its loss may change the
gradients, and then the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from binviz.errors import UserError
from binviz.registry import Registry

Batch = Mapping[str, Any]


def inputs_of(batch: Batch, targets: tuple[str, ...]) -> dict[str, Any]:
    """What of a batch the model is given.

    >>> inputs_of({"input_ids": 1, "labels": 2}, ("labels",))
    {'input_ids': 1}
    """
    return {name: value for name, value in batch.items() if name not in targets}


class Loss(nn.Module):
    """A scalar of (student, batch). Parameters of its own are trained and check-pointed with the student.

    Args:
        options: of the class's own `Options`, a frozen dataclass.
        teacher: a model of the student's shape, another object, for this use alone; put in eval mode. It is no part
            of the module: its parameters are not this loss's own.
        targets: entries of a batch that no model is given.

    Raises:
        UserError: the loss learns from a teacher, and there is none.
    """

    @dataclass(frozen=True)
    class Options:
        """None."""

    #: Whether it cannot do without a teacher.
    needs_teacher = False

    def __init__(
        self, options: Any, teacher: nn.Module | None = None, targets: tuple[str, ...] = ("labels",)
    ) -> None:
        super().__init__()
        if self.needs_teacher and teacher is None:
            raise UserError(f"{type(self).__name__} learns from a teacher; give it one")
        self.options, self.targets = options, targets
        self._teacher = (teacher and teacher.eval(),)

    @property
    def teacher(self) -> nn.Module:
        """The teacher of a loss that has one."""
        (teacher,) = self._teacher
        assert teacher is not None
        return teacher

    def forward(self, student: nn.Module, batch: Batch) -> Tensor:
        """The scalar."""
        raise NotImplementedError

    def before_step(self, student: nn.Module) -> None:
        """Change gradients in place, clipped ones, between the backward pass and the optimizer's step."""

    def after_step(self, student: nn.Module) -> None:
        """Change weights in place, under `torch.no_grad`, behind the optimizer's step."""


REGISTRY: Registry[type[Loss]] = Registry("loss")
register, names = REGISTRY.register, REGISTRY.names


@dataclass(frozen=True)
class LossChoice:
    """A loss by name, with options; those that are left out have the class's defaults.

    Raises:
        UserError: unknown name or option.

    >>> LossChoice("bit", {"hidden_weight": 0.5}).to_dict()
    {'name': 'bit', 'hidden_weight': 0.5, 'label_weight': 0.0}
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._filled()

    def _filled(self) -> Any:
        try:
            return REGISTRY.get(self.name).Options(**self.options)
        except TypeError as error:
            raise UserError(f"the loss {self.name!r} does not take these options: {error}") from error

    @property
    def needs_teacher(self) -> bool:
        """Whether it cannot do without a teacher.

        >>> LossChoice("labels").needs_teacher, LossChoice("bit").needs_teacher
        (False, True)
        """
        return REGISTRY.get(self.name).needs_teacher

    def make(self, teacher: nn.Module | None = None, targets: tuple[str, ...] = ("labels",)) -> Loss:
        """A new loss; arguments as `Loss`."""
        return REGISTRY.get(self.name)(self._filled(), teacher, targets)

    def to_dict(self) -> dict[str, Any]:
        """Name and every option, for a record.

        >>> LossChoice("bit", {"label_weight": 1.0}).to_dict()
        {'name': 'bit', 'hidden_weight': 1.0, 'label_weight': 1.0}
        """
        return {"name": self.name, **asdict(self._filled())}


def get(name: str, teacher: nn.Module | None = None, **options: Any) -> Loss:
    """A new loss by name; its teacher and options.

    Raises:
        UserError: unknown name or option, or a teacher is missing.

    >>> get("bit", nn.Linear(2, 2), label_weight=0.5).options
    BitLoss.Options(hidden_weight=1.0, label_weight=0.5)
    """
    return LossChoice(name, options).make(teacher)
