"""Operations and bytes, layer by layer, each figure under a named rule.

of       a model or a configuration -> Costs, which prints as a table
rules    whose counting it is: `rules.names()`, `rules.get(name)`, `rules.register`
om_comp  BiBench's metric over several results
"""

from binviz.costs import rules as rules
from binviz.costs.count import of
from binviz.costs.report import Costs, Row
from binviz.costs.rules import om_comp

__all__ = ["Costs", "Row", "of", "om_comp", "rules"]
