"""The form with a style's bounds."""

from pydantic import Field

from app.web.forms.form import Form, Number, Texts, Ticked


class BoundsForm(Form):
    """Bounds by measure, in the same order; `seen` is what the page showed as saved last."""

    measures: Texts = Field(default=(), alias="measure")
    amounts: Texts = Field(default=(), alias="bound")
    seen: Number = None
    fitted: Ticked = False  # proposed from decisions

    @property
    def typed(self) -> dict[str, str]:
        return dict(zip(self.measures, self.amounts, strict=False))
