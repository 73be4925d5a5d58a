"""The language of now, and what is said in it: messages from gettext catalogues, dates and numbers by Babel.

    from app.languages import gettext as _, ngettext

    raise Invalid("ids", _("Choose at most %(number)s pictures.", number=thin(MOST)))

A message is looked up where it is said, in the language of the person who reads it. What is stored or logged stays
English: nothing speaks another language unless a request, a live page or a command says so (`app.languages.now`).
"""

from app.languages.catalogues import ENGLISH as ENGLISH
from app.languages.catalogues import LANGUAGES as LANGUAGES
from app.languages.messages import N_ as N_
from app.languages.messages import gettext as gettext
from app.languages.messages import in_every_language as in_every_language
from app.languages.messages import ngettext as ngettext
from app.languages.messages import pgettext as pgettext
from app.languages.messages import translated as translated
from app.languages.now import current as current
from app.languages.now import prefer as prefer
from app.languages.now import speak as speak
from app.languages.now import speaking as speaking
