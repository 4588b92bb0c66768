"""A recipe says which binarizer stands where in a transformer; one paper, one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

from binviz import binarizers
from binviz.binarizers.bnn import Edge, check_edge
from binviz.binarizers.groups import check_group
from binviz.errors import UserError, near

ROLES = (
    "weight",
    "embedding",
    "activation",
    "nonneg_activation",
    "query",
    "key",
    "value",
    "attention",
    "input",
)
#: Those that a layer may have another binarizer for, see `Recipe.overrides`.
OF_LAYERS = ("weight", "activation", "nonneg_activation", "input")


@dataclass(frozen=True)
class Choice:
    """A binarizer by name, with options (all but `features` and `channel_axis`, which the layer knows).

    The option "group" of a weight's is that of `binviz.binarizers.InGroups`.
    """

    binarizer: str
    options: dict[str, Any] = field(default_factory=dict)

    def make(self, features: int, channel_axis: int = -1, inputs: int = 0) -> binarizers.Binarizer:
        """A new binarizer for a tensor with `features` channels on that axis.

        Args:
            features: of the tensor.
            channel_axis: theirs.
            inputs: how many numbers a row of a linear's weight has; where they are whole groups, it has a scale for
                each, else one.

        >>> Choice("elastic-signed", {"bits": 2}).make(features=4).levels
        (-2, -1, 0, 1)
        >>> in_groups = Choice("fdb-weight", {"group": 64})
        >>> [in_groups.make(4, channel_axis=0, inputs=inputs).scale_kind for inputs in (128, 100)]
        ['per_group', 'per_row']
        """
        options = dict(self.options)
        group = options.pop("group", None)
        if group is None or not inputs or inputs % check_group(group):
            return binarizers.get(self.binarizer, features=features, channel_axis=channel_axis, **options)
        rows = features * (inputs // group)
        return binarizers.InGroups(
            binarizers.get(self.binarizer, features=rows, channel_axis=0, **options), group
        )


@dataclass(frozen=True)
class Recipe:
    """Which binarizer stands where; None keeps that tensor float.

    Args:
        name: the recipe's name.
        weight: of every linear and convolution that is converted.
        embedding: of word embeddings, one row a token.
        activation: of linear inputs that can have both signs.
        nonneg_activation: of linear inputs that cannot be negative, such as a ReLU's output; where
            None, `activation` is used there too.
        query, key, value: of the projections, before the two products of attention.
        attention: of the attention map.
        attention_on: whether that map is the softmax's "probs" or the "scores" before it.
        ffn_activation: replaces the feed-forward activation ("relu"); None leaves the model's own.
        output_scale: a learned factor per output channel of every binary layer (XNOR-Net++).
        estimator_rank: BiPFT's low-rank residual estimators, 0 = none.
        float_activations: patterns of layers whose weights are binary and inputs stay float.
        keep_float: patterns of layers left alone. Patterns match canonical names ("layers.0.fc1") and
            module paths.
        version: of this format.
        input: of pictures, in the layers that see them; None leaves these layers float.
        overrides: patterns of layers, each with roles of `OF_LAYERS` that have another binarizer there, or None; where
            several match, the last one counts.

    Raises:
        UserError: unknown binarizer or field value.
    """

    name: str
    weight: Choice
    embedding: Choice | None = None
    activation: Choice | None = None
    nonneg_activation: Choice | None = None
    query: Choice | None = None
    key: Choice | None = None
    value: Choice | None = None
    attention: Choice | None = None
    attention_on: Literal["probs", "scores"] = "probs"
    ffn_activation: str | None = None
    output_scale: bool = False
    estimator_rank: int = 0
    float_activations: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()
    version: int = 1
    input: Choice | None = None
    overrides: tuple[tuple[str, dict[str, Choice | None]], ...] = ()

    def __post_init__(self) -> None:
        if self.version != 1:
            raise UserError(f"recipe version {self.version!r} is unknown; this binviz reads version 1")
        for role in ROLES:
            choice = getattr(self, role)
            if choice is not None or role == "weight":
                _require(isinstance(choice, Choice), self, f"{role} names a binarizer, it is not {choice!r}")
                choice.make(features=1)
                if "group" in choice.options:
                    _require(role == "weight", self, f"{role} has a group; only rows of weights have groups")
                    choice.make(features=1, inputs=check_group(choice.options["group"]))
        for each in self.overrides:
            _check_override(self, each)
        for role in ("float_activations", "keep_float"):
            patterns = getattr(self, role)
            known = isinstance(patterns, tuple) and all(isinstance(pattern, str) for pattern in patterns)
            _require(known, self, f"{role} is a tuple of patterns, not {patterns!r}")
        rank = self.estimator_rank
        _require(isinstance(rank, int) and rank >= 0, self, f"estimator_rank is 0 or more, not {rank!r}")
        if self.attention_on not in ("probs", "scores"):
            raise UserError(
                f"recipe {self.name!r}: attention_on is 'probs' or 'scores', not {self.attention_on!r}"
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable; `from_dict` brings it back. `input` and `overrides` are in it where there are any."""
        return {
            name: value for name, value in asdict(self).items() if name not in ("input", "overrides") or value
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The recipe that `to_dict` wrote.

        Args:
            values: of the fields, as JSON has them.

        Raises:
            UserError: unknown or missing fields, values of another kind, another version.

        >>> Recipe.from_dict({"name": "mine", "weight": {"binarizer": "bnn"}}).weight
        Choice(binarizer='bnn', options={})
        """
        try:
            values = dict(values)
            if values.get("version", 1) != 1:
                raise UserError(
                    f"recipe version {values['version']!r} is unknown; this binviz reads version 1"
                )
            for role in ROLES:
                if values.get(role) is not None:
                    values[role] = Choice(**values[role])
            if values.get("overrides"):
                values["overrides"] = tuple(
                    (pattern, {role: choice and Choice(**choice) for role, choice in changes.items()})
                    for pattern, changes in values["overrides"]
                )
            for patterns in ("float_activations", "keep_float"):
                if isinstance(values.get(patterns, []), list):
                    values[patterns] = tuple(values.get(patterns, []))
            return cls(**values)
        except (TypeError, ValueError, AttributeError) as error:
            known = ", ".join(f.name for f in fields(cls))
            raise UserError(f"not a recipe ({error}); its fields are: {known}") from error

    def but(self, name: str, **changes: Any) -> Recipe:
        """A copy under another name, with some fields changed.

        >>> from binviz import recipes
        >>> other = recipes.get("bit-w1a1").but("own", output_scale=True)
        >>> other.name, other.output_scale
        ('own', True)
        """
        return replace(self, name=name, **changes)

    def at(self, *names: str) -> Recipe:
        """The recipe of a layer: this one with the overrides of its names.

        >>> from binviz import recipes
        >>> recipe = recipes.get("binarydm-w1a8")
        >>> [recipe.at(name).weight.options["bases"] for name in ("outer.0.conv", "inner.1.conv")]
        [2, 1]
        """
        changes: dict[str, Any] = {}
        for pattern, roles in self.overrides:
            if any(fnmatchcase(name, pattern) for name in names):
                changes |= roles
        return replace(self, overrides=(), **changes) if self.overrides else self

    def with_edge(self, edge: Edge) -> Recipe:
        r"""The same recipe with every window's edge one way, "<name>-edge-<edge>".

        Args:
            edge: what the gradient does at exactly \|x\| = 1, see `binviz.binarizers.bnn.clipped`; binarizers
                whose gradient has no window stay as they are.

        >>> get("bivit-w1a1").with_edge("passes").activation
        Choice(binarizer='bnn', options={'edge': 'passes'})
        """

        def other(choice: Choice | None) -> Choice | None:
            if choice is None or not hasattr(choice.make(features=1), "edge"):
                return choice
            return replace(choice, options=choice.options | {"edge": edge})

        overrides = tuple(
            (pattern, {role: other(choice) for role, choice in changes.items()})
            for pattern, changes in self.overrides
        )
        windowed = {role: other(getattr(self, role)) for role in ROLES}
        return self.but(f"{self.name}-edge-{edge}", overrides=overrides, **windowed)


def _require(holds: bool, recipe: Recipe, message: str) -> None:
    if not holds:
        raise UserError(f"recipe {recipe.name!r}: {message}")


def _check_override(recipe: Recipe, override: Any) -> None:
    pair = isinstance(override, tuple) and len(override) == 2
    known = pair and isinstance(override[0], str) and isinstance(override[1], dict)
    _require(known, recipe, f"an override is a pattern and its roles, not {override!r}")
    for role, choice in override[1].items():
        _require(role in OF_LAYERS, recipe, f"an override is of {', '.join(OF_LAYERS)}, not of {role!r}")
        needed = choice is not None or role == "weight"
        _require(
            not needed or isinstance(choice, Choice),
            recipe,
            f"{role} names a binarizer, it is not {choice!r}",
        )
        if choice is not None:
            choice.make(features=1)


_REGISTRY: dict[str, Recipe] = {}


def register(recipe: Recipe) -> Recipe:
    """Make a recipe available by its name.

    Raises:
        UserError: the name belongs to another recipe.
    """
    if _REGISTRY.get(recipe.name, recipe) != recipe:
        raise UserError(f"a recipe named {recipe.name!r} exists already; choose another name")
    _REGISTRY[recipe.name] = recipe
    return recipe


def names(pattern: str = "*") -> list[str]:
    """Names of recipes that match a shell-style pattern, sorted.

    >>> from binviz import recipes
    >>> recipes.names("bit-*")
    ['bit-w1a1', 'bit-w1a2', 'bit-w1a4']
    """
    return sorted(name for name in _REGISTRY if fnmatchcase(name, pattern))


def get(name: str | Recipe) -> Recipe:
    """A recipe by name; a Recipe is returned as it is.

    "<name>-edge-passes" and "<name>-edge-blocks" are the variants that `Recipe.with_edge` makes.

    Raises:
        UserError: unknown name.

    >>> get("bit-w1a1").ffn_activation
    'relu'
    """
    if isinstance(name, Recipe):
        return name
    base, _, edge = str(name).rpartition("-edge-")
    if base in _REGISTRY and edge in get_args(Edge):
        return _REGISTRY[base].with_edge(check_edge(edge))
    if name not in _REGISTRY:
        raise UserError(f"no recipe named {name!r}; {near(name, names())}")
    return _REGISTRY[name]
