"""All settings, read once from the environment (`SOROE_*`) or `.env`. A test compares them with the README's table."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import days
from app.languages import ENGLISH, LANGUAGES
from app.quality.embedder import parsed

Network = IPv4Network | IPv6Network

LEAST_TOKEN = 20  # characters of a token that nobody can guess
MAP_KINDS = ("edges", "silhouette", "depth")
ROLES = ("designer", "reviewer", "manager", "admin")  # each can do everything that the ones before it can


def is_loopback(url: str) -> bool:
    """Whether an unencrypted address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SOROE_", env_file=".env", extra="ignore")

    data: Path = Field(default=Path("data"), description="Folder for the database, pictures and caches.")
    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the server listens on.")
    url: str = Field(
        default="", description="Public address, such as https://soroe.example.com; empty: http://host:port."
    )
    proxies: str = Field(
        default="",
        description="Proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted: addresses and networks, such as "
        "`127.0.0.1, 10.1.0.0/16`; empty: none.",
    )
    model: str = Field(
        default="demo",
        description="`demo`, a folder, a hub id such as `stabilityai/stable-diffusion-xl-base-1.0`, or a file.",
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(default="auto", description="Where the model runs.")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        default="auto", description="Number format of the model: bfloat16 on CUDA, float16 on MPS, float32 on a CPU."
    )
    controlnets: str = Field(
        default="",
        description="ControlNets by what their maps show (edges, silhouette, depth), such as "
        "`depth=diffusers/controlnet-depth-sdxl-1.0`; the model's own for the others.",
    )
    depth_model: str = Field(
        default="depth-anything/Depth-Anything-V2-Small-hf",
        description="Model that makes depth maps: a folder or a hub id.",
    )
    translation: str = Field(
        default="",
        description="Translates prompts in Japanese: a Marian model, as a folder or a hub id such as "
        "`Helsinki-NLP/opus-mt-ja-en`; `dictionary`, of what the demo model draws; or `off`. Empty: the dictionary for "
        "the demo model, nothing for others.",
    )
    measures: str = Field(
        default="",
        description="Models that measure how alike pictures look: `dino=facebook/dino-vitb8`, `clip=` and `csd=`, each "
        "a folder or a hub id, by commas; `off`: none. Empty: the bundled CLIP only.",
    )
    safety: str = Field(
        default="",
        description="Image classifier that flags finished pictures: a folder in transformers' format with "
        "safetensors, or a hub id. Empty: pictures are not checked.",
    )
    safety_labels: str = Field(
        default="nsfw, porn, hentai, sexy, unsafe",
        description="Its labels that flag a picture, by commas.",
    )
    safety_threshold: float = Field(
        default=0.5, gt=0, le=1, description="Probability of these labels together from which a picture is flagged."
    )
    unit_size: int = Field(default=4, ge=1, le=64, description="Images generated together in one batch.")
    upload_bytes: int = Field(default=32 * 2**20, ge=2**10, description="Largest upload, in bytes.")
    upload_pixels: int = Field(default=64_000_000, ge=2**12, description="Largest uploaded picture, in pixels.")
    lora_bytes: int = Field(default=512 * 2**20, ge=2**10, description="Largest LoRA file, in bytes.")
    session_days: int = Field(
        default=14, ge=1, le=365, description="Days until a signed-in browser must sign in again."
    )
    idle_minutes: int = Field(
        default=720,
        ge=0,
        le=525_600,
        description="Minutes without a page until a browser must sign in again; 0: never.",
    )
    confirm_minutes: int = Field(
        default=10,
        ge=1,
        le=1440,
        description="Minutes that a confirmation of who you are lasts, for acts that need one.",
    )
    time_zone: str = Field(
        default="UTC", description="Time zone for days and for times on pages and in files, such as Asia/Tokyo."
    )
    language: str = Field(
        default=ENGLISH,
        description="Language for browsers that ask for none of ours, and for the command line if the locale names "
        "none: `en` or `ja`.",
    )
    quota_sets: int = Field(default=200, ge=0, description="Sets that a person may make per day; 0: no limit.")
    quota_pictures: int = Field(
        default=5000, ge=0, description="Pictures that a person may make per day, including new versions; 0: no limit."
    )
    quota_trainings: int = Field(
        default=20, ge=0, description="Trainings that a person may start per day; 0: no limit."
    )
    quota_uploads: int = Field(default=500, ge=0, description="Files that a person may upload per day; 0: no limit.")
    quota_upload_bytes: int = Field(
        default=5 * 2**30, ge=0, description="Bytes that a person may upload per day; 0: no limit."
    )
    quota_exports: int = Field(default=200, ge=0, description="Exports that a person may make per day; 0: no limit.")
    quota_export_pictures: int = Field(
        default=100_000, ge=0, description="Pictures that a person may export per day; 0: no limit."
    )
    quota_storage: int = Field(
        default=20 * 2**30, ge=0, description="Bytes of uploaded files that a person may keep; 0: no limit."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="Format of log lines; auto: json unless the output is a terminal."
    )
    slow_request_seconds: float = Field(
        default=2.0, ge=0, description="A request that takes longer is logged; 0: none."
    )
    slow_transaction_seconds: float = Field(
        default=0.5, ge=0, description="A transaction that holds the write lock longer is logged; 0: none."
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="Token with which Prometheus reads `/metrics`, at least 20 characters; empty: no metrics.",
    )
    low_disk_bytes: int = Field(
        default=2 * 2**30,
        ge=0,
        description="Administrators are warned when less is free for the data folder, or less than a tenth of a small "
        "disk; 0: never.",
    )
    export_days: int = Field(
        default=30, ge=1, le=3650, description="Days that an export's files are kept; an open link keeps them longer."
    )
    link_days: int = Field(
        default=90, ge=30, le=3650, description="Days that invite and reset links are kept after they ended."
    )
    bin_days: int = Field(
        default=30, ge=1, le=3650, description="Days that deleted pictures can be restored from the bin."
    )
    inversion_bytes: int = Field(
        default=2 * 2**30,
        ge=0,
        description="Bytes of inverted references (method DDIM inversion) that are kept, so that the next sets of a "
        "style start sooner; 0: for a day.",
    )
    training_days: int = Field(
        default=30, ge=1, le=3650, description="Days that an interrupted training can resume where it stopped."
    )
    signing_certificate: str = Field(
        default="",
        description="PEM file with the certificate that signs delivered pictures, then its issuers; "
        "empty: one issued by this server's own authority.",
    )
    signing_key: str = Field(default="", validate_default=True, description="PEM file with that certificate's key.")

    oidc_issuer: str = Field(
        default="",
        description="OpenID Connect provider that people sign in with, such as "
        "https://login.microsoftonline.com/TENANT/v2.0; empty: none.",
    )
    oidc_client_id: str = Field(
        default="", validate_default=True, description="Client id that the provider issued to Soroe."
    )
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Its secret; empty for a public client.")
    oidc_name: str = Field(
        default="your company account",
        min_length=1,
        max_length=60,
        description="Name on the button, after `Sign in with`.",
    )
    oidc_scopes: str = Field(
        default="openid profile email", description="Scopes that Soroe requests from the provider."
    )
    oidc_groups_claim: str = Field(default="groups", description="Claim that lists a person's groups.")
    oidc_roles: str = Field(
        default="",
        description="Roles by group, such as `soroe-admins=admin,designers=designer`: people in one get an "
        "account and its role at every sign-in. Empty: only people with an account come in, and roles are given in "
        "Soroe.",
    )
    oidc_verified_claim: str = Field(
        default="email_verified", description="Claim by which the provider vouches for the e-mail address."
    )
    password_sign_in: bool = Field(
        default=True,
        description="Whether people can sign in with passwords; `false` leaves only the provider and passkeys.",
    )

    @field_validator("proxies")
    @classmethod
    def _proxies_known(cls, names: str) -> str:
        networks(names)
        return names

    @field_validator("metrics_token")
    @classmethod
    def _metrics_token_is_no_guess(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if text and not (len(text) >= LEAST_TOKEN and text.isascii() and text.isprintable() and " " not in text):
            raise ValueError(f"it has at least {LEAST_TOKEN} letters, digits and signs, without spaces")
        return token

    @field_validator("time_zone")
    @classmethod
    def _time_zone_known(cls, name: str) -> str:
        days.named(name)
        return name

    @field_validator("language")
    @classmethod
    def _language_known(cls, name: str) -> str:
        if name not in LANGUAGES:
            raise ValueError(f"it is one of {', '.join(LANGUAGES)}; {name!r} was given")
        return name

    @field_validator("controlnets")
    @classmethod
    def _controlnets_named(cls, text: str) -> str:
        for part in filter(None, map(str.strip, text.split(","))):
            kind, _, name = part.partition("=")
            if kind.strip() not in MAP_KINDS or not name.strip():
                raise ValueError(f"it is a list such as edges=owner/name,depth=folder; {part!r} was given")
        return text

    @field_validator("measures")
    @classmethod
    def _measures_named(cls, text: str) -> str:
        parsed(text)
        return text

    @field_validator("signing_key")
    @classmethod
    def _signing_is_a_pair(cls, key: str, info: ValidationInfo) -> str:
        if bool(key) != bool(info.data.get("signing_certificate")):
            raise ValueError("SOROE_SIGNING_CERTIFICATE and SOROE_SIGNING_KEY belong together; one is missing")
        return key

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_is_encrypted(cls, url: str) -> str:
        parts = urlsplit(url)
        fine = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
        if url and not (fine and parts.hostname and not parts.query and not parts.fragment):
            raise ValueError(f"it is an address that begins with https://, without a question mark; {url!r} was given")
        return url

    @field_validator("oidc_client_id")
    @classmethod
    def _client_has_a_provider(cls, client: str, info: ValidationInfo) -> str:
        if bool(client) != bool(info.data.get("oidc_issuer")):
            raise ValueError("SOROE_OIDC_ISSUER and SOROE_OIDC_CLIENT_ID belong together; one is missing or wrong")
        return client

    @field_validator("oidc_scopes")
    @classmethod
    def _scopes_ask_who_it_is(cls, text: str) -> str:
        if "openid" not in text.split():
            raise ValueError("`openid` must be among them")
        return text

    @field_validator("oidc_roles")
    @classmethod
    def _roles_are_named(cls, text: str) -> str:
        for part in filter(None, map(str.strip, text.split(","))):
            group, _, role = part.rpartition("=")
            if not group.strip() or role.strip() not in ROLES:
                raise ValueError(
                    f"it is a list such as group=role, a role being one of {', '.join(ROLES)}; {part!r} was given"
                )
        return text

    @field_validator("password_sign_in")
    @classmethod
    def _some_way_in(cls, on: bool, info: ValidationInfo) -> bool:
        if not on and not info.data.get("oidc_issuer"):
            raise ValueError("without passwords people need SOROE_OIDC_ISSUER to sign in")
        return on

    @property
    def oidc_role_of(self) -> dict[str, str]:
        """Roles by group."""
        parts = (part.rpartition("=") for part in self.oidc_roles.split(",") if part.strip())
        return {group.strip(): role.strip() for group, _, role in parts}

    @property
    def quotas(self) -> dict[str, int]:
        """The quotas by what they count (`app.models.What`)."""
        names = (name for name in type(self).model_fields if name.startswith("quota_"))
        return {name.removeprefix("quota_"): getattr(self, name) for name in names}

    @property
    def proxy_networks(self) -> tuple[Network, ...]:
        return networks(self.proxies)

    @property
    def controlnet_names(self) -> dict[str, str]:
        """Folders or hub ids of ControlNets by kind of map."""
        parts = (part.partition("=") for part in self.controlnets.split(",") if part.strip())
        return {kind.strip(): name.strip() for kind, _, name in parts}

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database_path}"

    @property
    def database_path(self) -> Path:
        return self.data / "soroe.sqlite3"

    @property
    def public_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.url.rstrip("/") or f"http://{host}:{self.port}"


def networks(names: str) -> tuple[Network, ...]:
    """The networks in a list such as "127.0.0.1, 10.1.0.0/16". Raises ValueError."""
    found = []
    for name in filter(None, map(str.strip, names.split(","))):
        try:
            found.append(ip_network(name))
        except ValueError:
            raise ValueError(
                f"it is a list of addresses and networks, such as 127.0.0.1, 10.1.0.0/16; {name!r} is neither"
            ) from None
    return tuple(found)
