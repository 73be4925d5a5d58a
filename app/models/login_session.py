"""Login sessions: the browsers in which people are signed in."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, and_, exists, func, select
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from app.models.authenticator import Authenticator
from app.models.base import Base, now
from app.models.factor_demand import FactorDemand
from app.models.passkey import Passkey
from app.models.policy import PolicyAcceptance, PolicyVersion
from app.models.user import User

_asking = select(func.max(PolicyVersion.id)).where(PolicyVersion.asks).scalar_subquery()
_person = User.__table__.alias("person_of_session")  # apart from the one that a query may join


class LoginSession(Base):
    """One signed-in browser. The cookie holds the token, the table its SHA-256: a stolen database opens nothing.

    Each confirmation changes the token; the row and its id stay.
    """

    __tablename__ = "login_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str] = mapped_column(String(64), default="")  # where it was last seen
    created_at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime] = mapped_column(default=now)  # to the minute
    confirmed_at: Mapped[datetime | None]  # when the person last confirmed who they are; None: they must confirm first
    expires_at: Mapped[datetime]
    by_provider: Mapped[bool] = mapped_column(default=False)  # it began at the sign-in provider

    # Whether the role demands a second factor today that this person lacks. The provider sees to its own. Read with
    # every session, so that it is never out of date.
    needs_factor: Mapped[bool] = column_property(
        and_(
            by_provider.is_(False),
            exists(
                select(FactorDemand.id)
                .join(_person, _person.c.role == FactorDemand.role)
                .where(_person.c.id == user_id)
                .correlate_except(FactorDemand, _person)
            ),
            ~exists(select(Authenticator.id).where(Authenticator.user_id == user_id).correlate_except(Authenticator)),
            ~exists(select(Passkey.id).where(Passkey.user_id == user_id).correlate_except(Passkey)),
        )
    )

    # Whether the person has not accepted the newest version of the policy that everyone must accept.
    needs_policy: Mapped[bool] = column_property(
        and_(
            exists(
                select(PolicyVersion.id)
                .where(PolicyVersion.id == _asking, PolicyVersion.ended.is_(False))
                .correlate_except(PolicyVersion)
            ),
            ~exists(
                select(PolicyAcceptance.id)
                .where(PolicyAcceptance.user_id == user_id, PolicyAcceptance.version_id >= _asking)
                .correlate_except(PolicyAcceptance)
            ),
        )
    )

    user: Mapped[User] = relationship(lazy="joined")
