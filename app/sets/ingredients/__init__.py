"""What can shape a set besides its prompts: one module each, by the protocol `base.Ingredient`.

Making a set, redoing one of its pictures and handing a batch to an engine all walk this list, so a new ingredient is a
module and a line here. An ingredient whose parts people choose has a field of its name in `SetSpec`, `ImageSet` and
`engine.Unit`.
"""

from app.sets.ingredients import regions, structures, subjects
from app.sets.ingredients.base import Ingredient

INGREDIENTS: tuple[Ingredient, ...] = (structures, subjects, regions)
