"""The fields that a form has for its draft, and the form that discards one."""

from hashlib import sha256

from fastapi import Request
from pydantic import Field
from starlette.datastructures import FormData, UploadFile

from app.web.forms.form import File, Form, Text, Ticked

OURS = "draft"  # prefix of a draft's own fields in a form
HEAD = 2**16  # bytes of a file that tell it from another one of its name and size


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


def key_of(request: Request, browser: str, form: FormData) -> bytes:
    """The same for a form of the same page of a `browser`, sent to the same address with the same fields and files."""
    key = sha256(f"{browser}\0{request.url}".encode(errors="replace"))
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            key.update(f"\0{name}\0{value.filename}\0{value.size}\0".encode(errors="replace"))
            key.update(value.file.read(HEAD))
            value.file.seek(0)
        else:
            key.update(f"\0{name}\0{value}".encode(errors="replace"))
    return key.digest()
