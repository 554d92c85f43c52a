"""Access to a configured Temporal: address, TLS and API key, and in one line why a connection was not made.

Address and credentials come from the environment and the TOML file, as the `temporal` command reads them.
"""

import re

from temporalio.envconfig import ClientConfig, ClientConnectConfig

from orchestrator.domain.errors import PrerequisiteError
from orchestrator.domain.text import one_line
from orchestrator.settings import Settings

_CLOUD = re.compile(r"\.(tmprl\.cloud|api\.temporal\.io)(:\d+)?$")
# A connection that ends in the handshake is told in either way: it depends on whether the request was on its way.
_CLOSED = ("transport error", "hyper::Error(")
# What the SDK's core says, which has no codes for it, and what that means; the first that fits.
_MEANINGS = (
    ("NotValidForName", "its certificate is for another name; set TEMPORAL_TLS_SERVER_NAME"),
    ("InvalidCertificate(Expired", "its certificate has expired"),
    ("InvalidCertificate(NotValidYet", "its certificate is not valid yet; is the clock right?"),
    (
        "InvalidCertificate(UnknownIssuer",
        "its certificate is of no CA that is trusted here; set TEMPORAL_TLS_SERVER_CA_CERT_PATH",
    ),
    ("InvalidCertificate(", "its certificate cannot be used"),
    ("KeyMismatch", "the client certificate and its key do not belong together"),
    ("PrivateKeyParseError", "the client key is no private key in PEM"),
    ("CertificateParseError", "the client certificate is no certificate in PEM"),
    ("AlertReceived(", "it does not accept our client certificate, or wants one; check TEMPORAL_TLS_CLIENT_CERT_PATH"),
    ("InvalidMessage(", "it does not speak TLS, which an API key or TLS settings ask for"),
    ("code: Unauthenticated", "it refused our credentials; check TEMPORAL_API_KEY or the profile's api_key"),
    ("code: PermissionDenied", "it refused us; check API key, certificate and namespace"),
    ("ConnectionRefused", "nothing listens there"),
    ("failed to lookup address", "its name is not known"),
)


def configured(settings: Settings) -> ClientConnectConfig:
    """Where to connect, and with what. Raises PrerequisiteError, whose message quotes no key and no file."""
    try:
        # A variable that is set to nothing, as deployments like to do, is none: an empty key would ask for TLS.
        config = ClientConfig.load_client_connect_config(
            profile=settings.temporal_profile or None,
            override_env_vars={name: value for name, value in settings.environment.items() if value},
        )
    except RuntimeError as error:
        # Of the reason only this much: a syntax error quotes the file, which may hold a key.
        reason = one_line(str(error)) if "not found" in str(error) else "the configuration file is not valid TOML"
        raise _misconfigured(reason) from None
    except OSError as error:
        raise _misconfigured(f"{error.filename}: {error.strerror}") from None
    if "target_host" not in config:
        raise PrerequisiteError(
            f"Temporal profile {settings.temporal_profile!r} has no address; set it, or TEMPORAL_ADDRESS"
        )
    if "api_key" in config:
        config["api_key"] = _key(config["api_key"])
    if _CLOUD.search(config["target_host"]):
        _check_cloud(config)
    return config


def unreachable(config: ClientConnectConfig, error: Exception) -> PrerequisiteError:
    """Why the SDK made no connection, as one line that holds no key."""
    told = str(error)
    meaning = next((meaning for words, meaning in _MEANINGS if words in told), "")
    if not meaning and any(words in told for words in _CLOSED):
        meaning = (
            "it closed the connection: does it want a client certificate, or another one?"
            if config.get("tls")
            else "it closed the connection: does it want TLS (TEMPORAL_TLS=true, or an API key)?"
        )
    return PrerequisiteError(f"Temporal at {config['target_host']} cannot be reached: {meaning or one_line(told)}")


def _key(given: str) -> str:
    key = given.strip()  # a key from a file ends with a line break, which no header may hold
    if not key.isascii() or not key.isprintable() or " " in key:
        raise _misconfigured("the API key has characters that no key has")
    return key


def _check_cloud(config: ClientConnectConfig) -> None:
    """Temporal Cloud would answer what is missing with a riddle."""
    if not config.get("namespace"):
        raise _misconfigured("Temporal Cloud needs TEMPORAL_NAMESPACE, as <namespace>.<account>")
    if not config.get("tls"):
        raise _misconfigured("Temporal Cloud needs TEMPORAL_API_KEY, or a client certificate and its key")


def _misconfigured(reason: str) -> PrerequisiteError:
    return PrerequisiteError(f"Temporal's client configuration: {reason}")
