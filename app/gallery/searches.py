"""Save the filters of the gallery under a name, for oneself or for the team."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import undo
from app.accounts.service import need_active
from app.audit.service import record
from app.errors import Forbidden, Invalid, NotFound
from app.gallery import queries
from app.gallery.search import PictureFilter
from app.languages import N_, translated
from app.languages import gettext as _
from app.models import Act, Role, SavedSearch, User
from app.text import clean_line

NAME_LENGTH = 60
QUERY_LENGTH = 2000


def save(session: Session, user: User, name: str, query: str, shared: bool = False) -> SavedSearch:
    """Save a search under a name; replaces one's own of the same name. Raises Invalid."""
    need_active(user)
    kept = PictureFilter.of_query(query).query
    Invalid.check(
        {
            "query": None if kept and len(kept) <= QUERY_LENGTH else _no_search(kept),
            "name": _name_problem(name),
        }
    )
    name = clean_line(name)
    there = _own(session, user, name)
    search, before = there or SavedSearch(owner_id=user.id, name=name), queries.values_of(there)
    was_shared = bool(search.shared)
    search.query, search.shared = kept, shared
    session.add(search)
    session.flush()
    if shared or was_shared:  # private searches concern nobody else
        record(session, user, Act.SEARCH_SAVE if shared else Act.SEARCH_DELETE, search, name=name, search=kept)
    undo.offer(session, user, "search", search=search.id, before=before, after=queries.values_of(search))
    return search


def rename(session: Session, user: User, search_id: int, name: str) -> SavedSearch:
    """Rename a search. Raises NotFound, Forbidden and Invalid."""
    search = _search(session, user, search_id, N_("Only %(name)s or a manager can rename this search."))
    Invalid.check({"name": _name_problem(name)})
    name = clean_line(name)
    other = _own(session, search.owner, name)
    if other and other.id != search.id:
        raise Invalid("name", _("There is already a search '%(name)s'. Choose another name.", name=name))
    if search.shared and search.name != name:
        record(session, user, Act.SEARCH_RENAME, search, before=search.name)
    before = queries.values_of(search)
    search.name = name
    undo.offer(session, user, "search", search=search.id, before=before, after=queries.values_of(search))
    return search


def delete(session: Session, user: User, search_id: int) -> SavedSearch:
    """Delete one's own search; managers also shared ones. Raises NotFound and Forbidden."""
    search = _search(session, user, search_id, N_("Only %(name)s or a manager can delete this search."))
    if search.shared:
        record(session, user, Act.SEARCH_DELETE, search, name=search.name, search=search.query)
    undo.offer(session, user, "search", search=search.id, before=queries.values_of(search), after=None)
    session.delete(search)
    return search


def _search(session: Session, user: User, search_id: int, refusal: str) -> SavedSearch:
    search = session.get(SavedSearch, search_id)
    if not search or not (search.shared or search.owner_id == user.id):
        raise NotFound(_("This search does not exist; it may have been deleted."))
    if search.owner_id != user.id and not user.can(Role.MANAGER):
        raise Forbidden(translated(refusal) % {"name": search.owner.name})
    return search


def _own(session: Session, user: User, name: str) -> SavedSearch | None:
    return session.scalar(select(SavedSearch).where(SavedSearch.owner_id == user.id, SavedSearch.name == name))


def _name_problem(name: str) -> str | None:
    name = clean_line(name)
    if not name:
        return _("Enter a name for the search.")
    if len(name) > NAME_LENGTH:
        return _("The name has %(number)s characters; at most %(most)s fit.", number=len(name), most=NAME_LENGTH)
    return None


def _no_search(query: str) -> str:
    if not query:
        return _("There is nothing to save. Add a filter first.")
    return _("This search has too many filters to save. Use fewer.")
