"""All settings, read once from the environment (`SOROE_*`) or `.env`. The README's table is checked against them."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SOROE_", env_file=".env", extra="ignore")

    data: Path = Field(default=Path("data"), description="Folder for the database, pictures and caches.")
    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the server listens on.")
    url: str = Field(
        default="", description="Public address, such as https://soroe.example.com; empty: http://host:port."
    )
    model: str = Field(
        default="demo",
        description="`demo`, a folder, a hub id such as `stabilityai/stable-diffusion-xl-base-1.0`, or a file.",
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(default="auto", description="Where the model runs.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="Number format of the model: bfloat16 on CUDA, float16 on MPS, float32 on a CPU."
    )
    unit_size: int = Field(default=4, ge=1, le=64, description="Images generated together in one batch.")
    upload_bytes: int = Field(default=32 * 2**20, ge=2**10, description="Largest upload, in bytes.")
    upload_pixels: int = Field(default=64_000_000, ge=2**12, description="Largest uploaded picture, in pixels.")
    session_days: int = Field(
        default=14, ge=1, le=365, description="Days until a signed-in browser must sign in again."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Log lines; auto: json off a terminal."
    )

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.data / 'soroe.sqlite3'}"

    @property
    def public_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.url.rstrip("/") or f"http://{host}:{self.port}"
