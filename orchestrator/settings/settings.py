"""The only reader of the environment: everything that can be configured from outside, in one value."""

import os
import shlex
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from orchestrator.domain.errors import UserInputError
from orchestrator.settings.access import Access, VendorSettings, find_access
from orchestrator.settings.declared import VENDORS_FILE, declared_vendors
from orchestrator.settings.delivery import DeliverySettings, find_delivery
from orchestrator.settings.encryption import (
    CODEC_TOKEN,
    ENCRYPTION_KEYS,
    EncryptionKeys,
    parse_codec_token,
    parse_encryption_keys,
)
from orchestrator.settings.keys import KEY_COMMAND
from orchestrator.settings.limits import RATE_LIMITS, parse_rate_limits
from orchestrator.settings.observation import ObservationSettings, find_observation
from orchestrator.settings.vendors import VENDORS, VendorDefinition
from orchestrator.settings.vendors.definition import CA_BUNDLE_SUFFIX


class SimulationSettings(BaseModel):
    """How the simulated models behave."""

    model_config = ConfigDict(frozen=True)

    seed: int = 0
    latency_ms: float = Field(default=150.0, ge=0)  # per answer of the fastest model; others are slower
    defect_rate: float = Field(default=0.5, ge=0, le=1)  # share of first drafts with a real defect
    error_rate: float = Field(default=0.0, ge=0, le=1)  # share of requests that fail like a busy vendor
    price_scale: float = Field(default=0.0, ge=0)  # 0: free; 1: the list prices of comparable models


class Settings(BaseModel):
    """All settings. `environment` is the merged environment that a child process (the worker) gets.

    The vendors are looked up when they are first asked for: only then a key command runs, Ollama is asked and the
    file of declared endpoints is read, and only then UserInputError says what is wrong there.
    """

    model_config = ConfigDict(frozen=True)

    home: Path
    cache_dir: Path
    log_level: str = "INFO"
    artifacts_url: str = ""  # empty: a folder under `home`
    encryption: EncryptionKeys = EncryptionKeys()
    codec_token: SecretStr = SecretStr("")
    temporal_address: str = ""
    temporal_profile: str = ""
    temporal_bin: str = ""
    sandbox: str = ""  # "unsafe": run generated code without a sandbox
    simulation: SimulationSettings = SimulationSettings()
    rate_limits: dict[str, float] = Field(default_factory=dict)  # requests per second by vendor, of all workers
    delivery: DeliverySettings = DeliverySettings()
    observation: ObservationSettings = ObservationSettings()
    environment: dict[str, str] = Field(default_factory=dict, repr=False)

    @cached_property
    def definitions(self) -> dict[str, VendorDefinition]:
        """Every vendor that could be used: the built-in ones and the declared endpoints."""
        return {**VENDORS, **declared_vendors(self.environment, self.home)}

    @property
    def vendors(self) -> dict[str, VendorSettings]:
        """The vendors that can be used."""
        return self._access.vendors

    @property
    def unusable(self) -> dict[str, str]:
        """The other ones, and why not."""
        return self._access.unusable

    @cached_property
    def _access(self) -> Access:
        return find_access(self.environment, self.definitions)

    @property
    def embedded(self) -> bool:
        """True where no Temporal is configured, so that the CLI runs its own."""
        return not (self.temporal_address or self.temporal_profile)

    @property
    def store_url(self) -> str:
        """Address of the artifact store."""
        return self.artifacts_url or (self.home / "artifacts").as_uri()

    @property
    def readable_ids(self) -> bool:
        """Whether ids may hold words of a project: they are never sealed."""
        return not self.encryption


_SIMULATION_NAMES = {
    "seed": "ORCH_SIM_SEED",
    "latency_ms": "ORCH_SIM_LATENCY_MS",
    "defect_rate": "ORCH_SIM_DEFECT_RATE",
    "error_rate": "ORCH_SIM_ERROR_RATE",
    "price_scale": "ORCH_SIM_PRICE_SCALE",
}


def load_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Settings from `environment` (default: the process's), completed by `.env` in `folder`, which never overrides.

    Raises UserInputError where a variable has a value that cannot be used.
    """
    env = dict(os.environ if environment is None else environment)
    folder = folder or Path.cwd()
    env = _from_anywhere({**_dotenv(folder / ".env"), **env}, folder)
    user_home = Path(env.get("HOME") or Path.home())
    state = Path(env.get("XDG_STATE_HOME") or user_home / ".local" / "state")
    cache = Path(env.get("XDG_CACHE_HOME") or user_home / ".cache")
    sandbox = env.get("ORCH_SANDBOX", "")
    if sandbox not in ("", "unsafe"):
        raise UserInputError(f"ORCH_SANDBOX={sandbox!r}: unset it, or set it to 'unsafe'")
    return Settings(
        home=_absolute(env.get("ORCH_HOME"), state / "orch"),
        cache_dir=_absolute(env.get("ORCHESTRATOR_CACHE_DIR"), cache / "orch"),
        log_level=env.get("ORCHESTRATOR_LOG_LEVEL", "INFO").upper(),
        artifacts_url=env.get("ORCH_ARTIFACTS_URL", ""),
        encryption=parse_encryption_keys(env.get(ENCRYPTION_KEYS, "")),
        codec_token=parse_codec_token(env.get(CODEC_TOKEN, "")),
        temporal_address=env.get("TEMPORAL_ADDRESS", ""),
        temporal_profile=env.get("TEMPORAL_PROFILE", ""),
        temporal_bin=env.get("ORCH_TEMPORAL_BIN", ""),
        sandbox=sandbox,
        simulation=_simulation(env),
        rate_limits=parse_rate_limits(env.get(RATE_LIMITS, "")),
        delivery=find_delivery(env),
        observation=find_observation(env),
        environment=env,
    )


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _from_anywhere(env: dict[str, str], folder: Path) -> dict[str, str]:
    """`env` with the files that it names in full: the worker, which gets it too, runs in another folder."""
    paths = (name for name in env if name == VENDORS_FILE or name.endswith(CA_BUNDLE_SUFFIX))
    named = {name: str(folder / Path(env[name]).expanduser()) for name in paths if env[name]}
    program, *arguments = env.get(KEY_COMMAND, "").split(" ", 1)
    if program.startswith(("./", "../", "~")):
        named[KEY_COMMAND] = " ".join((shlex.quote(str(folder / Path(program).expanduser())), *arguments))
    return {**env, **named}


def _absolute(value: str | None, default: Path) -> Path:
    return Path(value).expanduser().absolute() if value else default


def _simulation(env: Mapping[str, str]) -> SimulationSettings:
    given = {field: env[name] for field, name in _SIMULATION_NAMES.items() if env.get(name)}
    try:
        return SimulationSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = _SIMULATION_NAMES[str(first["loc"][0])]
        raise UserInputError(f"{name}={env[name]!r}: {first['msg']}") from None
