"""What can shape a set beside its prompts: one module each, by the protocol of `base.Ingredient`.

Making a set, redoing one of its pictures and handing a batch to an engine walk this list, so a new ingredient is a
module and its line here. One that people choose parts of has a field of its name in `SetSpec`, `ImageSet` and
`engine.Unit`.
"""

from app.sets.ingredients import regions, structures, subjects
from app.sets.ingredients.base import Ingredient

INGREDIENTS: tuple[Ingredient, ...] = (structures, subjects, regions)
