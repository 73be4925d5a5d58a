"""What a campaign is called: that of the sets without one is in everybody's language."""

from app.languages import N_, in_every_language, translated

NO_CAMPAIGN = N_("Unsorted")


def folder(name: str) -> str:
    """A stored campaign's name, for the person who reads it."""
    return translated(NO_CAMPAIGN) if name in in_every_language(NO_CAMPAIGN) else name
