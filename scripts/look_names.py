"""Write app/demo_model/clip/looks.json, the vectors of the names of the bundled model's looks, after it was trained:
`python -m scripts.look_names`."""

import json

from app.quality.embeddings import BUNDLED, Clip
from app.quality.looks import FOLDER
from training.data.looks import LOOKS


def kept() -> str:
    """What the file holds: each look's words, as in prompts, with its vector; and how much a cosine counts."""
    clip = Clip(FOLDER, BUNDLED)
    looks = {}
    for look in LOOKS.values():
        vector = clip.text(look.phrases[0])
        looks[look.phrases[0]] = [] if vector is None else [round(float(number), 4) for number in vector]
    return json.dumps({"scale": round(float(clip.model.logit_scale.exp()), 3), "looks": looks}) + "\n"


if __name__ == "__main__":
    (FOLDER / "looks.json").write_text(kept())
