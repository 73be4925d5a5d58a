"""Forms of blind tests."""

from app.web.forms.form import Form, Numbers, Text


class BlindForm(Form):
    name: Text = ""
    a: Text = ""
    b: Text = ""
    question: Text = "use"
    own_question: Text = ""
    people: Numbers = ()
    planned: Text = ""


class AnswerForm(Form):
    """The answer to a turn: "left", "right" or "tie"."""

    number: Text = ""
    answer: Text = ""


class JudgesForm(Form):
    people: Numbers = ()


class StopForm(Form):
    why: Text = ""
