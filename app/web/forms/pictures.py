"""Forms of exports and of the gallery, whose ticked pictures can be more fields than other forms may have."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BeforeValidator, Field

from app.gallery import service
from app.gallery.search import PictureFilter
from app.languages import N_
from app.web.forms.form import Form, Number, Numbers, Text, Texts, Ticked


class PickedForm(Form):
    """Ticked pictures, or all that match a search."""

    ids: Numbers = ()
    all: Ticked = False
    query: Text = ""

    @classmethod
    def bounds(cls, request: Request) -> dict[str, int]:
        return {"files": 0, "fields": 2 * service.MOST}

    @property
    def wanted(self) -> PictureFilter:
        """The filter of the page."""
        return PictureFilter.of_query(self.query)


class ActForm(PickedForm):
    """An act on the pictures: the page showed `seen` matches, up to the picture `upto`."""

    seen: Number = None
    upto: Number = None


class DecideForm(ActForm):
    verdict: Text = ""
    newest: Number = None  # the latest decision that the page knew


class RejectForm(ActForm):
    reason: Text = ""
    newest: Number = None


class MoveForm(ActForm):
    campaign_name: Text = Field(default="", title=N_("Campaign"))


class TagForm(ActForm):
    tag_name: Text = Field(default="", title=N_("Tag"))


class StarForm(ActForm):
    on: Text = ""


class SearchForm(Form):
    """A saved search, and the query of the page to return to."""

    name: Text = ""
    query: Text = ""
    shared: Ticked = False

    @property
    def wanted(self) -> PictureFilter:
        return PictureFilter.of_query(self.query)


Present = Annotated[bool, BeforeValidator(lambda _: True)]


class ExportForm(PickedForm):
    """What to export, and how: a set, a campaign, or pictures of the gallery."""

    set_id: Number = None
    campaign_id: Number = None
    format: Text = ""
    quality: Text = ""
    sizes: Texts = ()
    own_sizes: Text = ""  # separated by commas
    fit: Text = ""
    template: Text = ""
    manifests: Present = False
    certificate: Present = False
    prompts: Present = False

    @property
    def options(self) -> dict[str, Any]:
        """For `ExportOptions`."""
        own = [part for part in self.own_sizes.replace("、", ",").split(",") if part.strip()]
        sent = self.model_dump(include={"format", "quality", "fit"} & self.model_fields_set)
        always = self.model_dump(include={"template", "manifests", "certificate", "prompts"})
        return {**sent, **always, "sizes": (*self.sizes, *own)}


class ShareForm(Form):
    """A new link to an export."""

    days: Text = ""
    password: Text = ""
    note: Text = ""


class RevokeForm(Form):
    back: Text = ""  # "list" if requested from the list of exports


class UnlockForm(Form):
    """The password of a shared link."""

    password: Text = ""
