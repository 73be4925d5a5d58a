"""Write .env.example from the settings: `make .env.example`. Every line is a comment until someone changes it."""

from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.settings import Settings

FILE = Path(__file__).parents[1] / ".env.example"
HEAD = """\
# Settings of Soroe. Copy this file to .env, and remove the # from the lines that you change.
# Made from app/settings.py by `make .env.example`.

# For `docker compose` alone: files that it reads, such as the one for an NVIDIA GPU; and the address on this machine
# that the container can be reached at. It sets SOROE_DATA, SOROE_HOST and SOROE_PORT itself.
#COMPOSE_FILE=docker-compose.yml:docker-compose.cuda.yml
#SOROE_PUBLISH=127.0.0.1:8000
"""


def text() -> str:
    """The file for the current settings."""
    return "\n".join([HEAD, *(entry(name, field) for name, field in Settings.model_fields.items())])


def entry(name: str, field: FieldInfo) -> str:
    """A setting: its description as a comment, and its default."""
    about = "\n".join(f"# {line}" for line in wrap(field.description or "", 118))
    return f"{about}\n#SOROE_{name.upper()}={written(field.default)}\n"


def written(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


if __name__ == "__main__":
    FILE.write_text(text())
