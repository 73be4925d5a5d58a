"""Forms for signing in, for one's own account, and for the administrators' list of people."""

from typing import Self

from pydantic import Field, PrivateAttr
from starlette.datastructures import FormData, QueryParams

from app.web.forms.form import Form, Text, own_fields


class SetupForm(Form):
    name: Text = ""
    email: Text = ""
    password: Text = ""


class SignInForm(Form):
    email: Text = ""
    password: Text = ""
    next: Text = ""


class PasskeySignInForm(Form):
    passkey: Text = ""  # the device's answer, as JSON
    next: Text = ""


class NewPasswordForm(Form):
    """From a reset link."""

    password: Text = ""


class OwnNameForm(Form):
    name: Text = ""


class PasswordForm(Form):
    current: Text = ""
    password: Text = ""


class CodeForm(Form):
    """A code of an authenticator app, or a recovery code."""

    code: Text = ""


class PasskeyForm(Form):
    """A new passkey."""

    passkey: Text = ""
    name: Text = ""


class ConfirmForm(Form):
    """The confirm page's own fields, and those of the waiting form."""

    password: Text = Field(default="", alias="confirm-password")
    passkey: Text = Field(default="", alias="confirm-passkey")
    next: Text = Field(default="", alias="confirm-next")
    method: Text = Field(default="", alias="confirm-method")
    back: Text = Field(default="", alias="confirm-back")
    _waiting: list[tuple[str, str]] = PrivateAttr(default_factory=list)

    @classmethod
    def of(cls, sent: FormData | QueryParams) -> Self:
        form = super().of(sent)
        form._waiting = own_fields(sent)
        return form

    @property
    def waiting(self) -> list[tuple[str, str]]:
        """Names and texts of the waiting form."""
        return self._waiting


class InviteForm(Form):
    role: Text = ""
    email: Text = ""


class PersonForm(Form):
    """A new role, or open and closed."""

    role: Text = ""
    active: Text = ""
    back: Text = ""  # the filters of the page


class DemandForm(Form):
    """Whether a role must have a second step."""

    role: Text = ""
    on: Text = ""  # "1" or ""


class TransferForm(Form):
    """To whom a person's work goes."""

    to: Text = ""  # an e-mail address


class LanguageForm(Form):
    language: Text = ""  # "": that of the browser
    back: Text = ""  # the page with the form


class UndoForm(Form):
    back: Text = ""  # the page with the toast
