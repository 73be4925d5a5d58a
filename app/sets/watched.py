"""Which sets' pages show an act."""

from collections import defaultdict
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.effects import Happened
from app.models import Campaign, Image, ImageSet
from app.sets.queries import topic
from app.work.notifier import Changed


def of_images(_: Session, event: Happened) -> Changed:
    """The sets of pictures that an act changed."""
    changed = defaultdict(list)
    for image in cast(list[Image], event.rows):
        changed[topic(image.set_id)].append(image.id)
    return changed


def of_sets(_: Session, event: Happened) -> Changed:
    """Sets that an act changed, with any of their pictures."""
    return dict.fromkeys(topic(image_set.id) for image_set in cast(list[ImageSet], event.rows))


def of_places(session: Session, event: Happened) -> Changed:
    """A set that an act changed at some positions, which the audit log has as `pictures`."""
    (image_set,) = cast(list[ImageSet], event.rows)
    at_places = Image.set_id == image_set.id, Image.position.in_(event.details["pictures"])
    return {topic(image_set.id): list(session.scalars(select(Image.id).where(*at_places)))}


def of_campaigns(session: Session, event: Happened) -> Changed:
    """The sets with pictures in campaigns that an act changed, with those pictures."""
    changed = defaultdict(list)
    shown = Image.shown, Image.campaign_id.in_([campaign.id for campaign in cast(list[Campaign], event.rows)])
    for set_id, image_id in session.execute(select(Image.set_id, Image.id).where(*shown)):
        changed[topic(set_id)].append(image_id)
    return changed


def of_units(_: Session, event: Happened) -> Changed:
    """The set of a failed unit. The dispatcher reports the changed pictures when it is done with the unit."""
    return {topic(image_set.id): () for image_set in cast(list[ImageSet], event.rows)}
