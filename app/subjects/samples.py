"""Sample pictures of a thing, to train a subject on: for the guide."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "static" / "samples" / "subject"

# By the name in addresses: /subjects/new?sample=toy
SAMPLES = {"toy": tuple(FOLDER / f"toy-{number}.webp" for number in range(1, 7))}
