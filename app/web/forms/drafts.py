"""The fields that a form has for its draft, and the form that discards one."""

from fastapi import Request
from pydantic import Field

from app.web.forms.form import File, Form, Text, Ticked

OURS = "draft"  # prefix of a draft's own fields in a form


class DraftForm(Form):
    """The draft's own fields. The others are those of the form that it is of, whatever they are."""

    key: Text = Field(default="", alias="draft")
    place: Text = Field(default="", alias="draft-place")
    revision: Text = Field(default="", alias="draft-revision")
    tab: Text = Field(default="", alias="draft-tab")

    @classmethod
    def bounds(cls, request: Request) -> dict[str, int]:
        return {"files": 0, "fields": 300}


class DiscardForm(Form):
    """`draft` is its key and the address to return to, because one button sends both; `file` the same, for its file."""

    draft: Text = ""
    file: Text = ""

    @property
    def key(self) -> str:
        return (self.draft or self.file).partition(" ")[0]

    @property
    def place(self) -> str:
        return (self.draft or self.file).partition(" ")[2]


class FileForm(Form):
    """A form with one file, which is sent with it, or was uploaded to its draft before."""

    file: File = None
    kept_file: Text = ""  # the SHA-256 of the one in the draft
    keep: Ticked = Field(default=False, alias="draft-keep")  # upload the file to the draft, and send nothing yet
