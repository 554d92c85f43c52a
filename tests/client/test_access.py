"""TLS, client certificates and API keys, as companies and Temporal Cloud ask for them; and what is said without."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.client.access import configured, unreachable
from orchestrator.client.connection import connect
from orchestrator.client.server import ServerInfo
from orchestrator.domain.errors import PrerequisiteError
from tests.client.conftest import settings_at
from tests.client.tls import Authority, Issued, frontend

KEY = "012aceiost012aceiost"


class Papers:
    """What an installation was given: its own CA, and certificates of that one and another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.other = Authority(folder, "ours"), Authority(folder, "other")
        self.server, self.expired = self.ours.issue("server"), self.ours.issue("expired", expired=True)
        self.client, self.foreign = self.ours.issue("client"), self.other.issue("foreign")

    @property
    def trust(self) -> dict[str, str]:
        """Variables that make the server's certificate trusted."""
        return {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.ours.cert)}

    def shown(self, cert: Issued, key: Path | None = None) -> dict[str, str]:
        """Variables of a client that shows this certificate to a server that it trusts."""
        return self.trust | {
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(cert.cert),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(key or cert.key),
        }


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


async def connected(folder: Path, variables: Mapping[str, str]) -> str:
    """The namespace of a connection that was made, or the line that says why there is none."""
    try:
        client = await connect(settings_at(folder / "home", **variables), print, start_services=False)
    except PrerequisiteError as error:
        return str(error).partition(" cannot be reached: ")[2]
    await client.count_workflows()
    return client.namespace


def test_a_client_certificate_is_shown_and_a_wrong_one_explained(
    tmp_path: Path, papers: Papers, shared_server: ServerInfo
) -> None:
    garbage = tmp_path / "garbage.key"
    garbage.write_text("a-secret-that-is-no-key")
    mismatched = papers.shown(papers.client, papers.foreign.key)
    cases = [
        (papers.shown(papers.client), "default"),
        (papers.shown(papers.client) | {"TEMPORAL_TLS_SERVER_NAME": "cloud.example"}, "default"),
        (papers.trust, "it closed the connection: does it want a client certificate, or another one?"),
        (papers.shown(papers.foreign), "it closed the connection: does it want a client certificate, or another one?"),
        (mismatched, "the client certificate and its key do not belong together"),
        (papers.shown(papers.client, garbage), "the client key is no private key in PEM"),
        (
            papers.shown(papers.client) | {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(papers.other.cert)},
            "its certificate is of no CA that is trusted here; set TEMPORAL_TLS_SERVER_CA_CERT_PATH",
        ),
        (
            papers.shown(papers.client) | {"TEMPORAL_TLS_SERVER_NAME": "elsewhere.example"},
            "its certificate is for another name; set TEMPORAL_TLS_SERVER_NAME",
        ),
        ({}, "it closed the connection: does it want TLS (TEMPORAL_TLS=true, or an API key)?"),
    ]

    async def scenario() -> None:
        async with frontend(shared_server.address, papers.server, clients_of=papers.ours) as address:
            for variables, told in cases:
                assert await connected(tmp_path, {"TEMPORAL_ADDRESS": address, **variables}) == told
        async with frontend(shared_server.address, papers.expired) as address:
            told = await connected(tmp_path, {"TEMPORAL_ADDRESS": address, **papers.trust})
            assert told == "its certificate has expired"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "reason",
    [
        'Unknown, message: "transport error", source: Some(Error(Transport, hyper::Error(Io, BrokenPipe))',
        'Cancelled, message: "operation was canceled", source: Some(Error(Transport, hyper::Error(Canceled))',
    ],
)
def test_a_closed_connection_is_told_as_such_in_whatever_moment_it_ends(reason: str) -> None:
    told = str(unreachable({"target_host": "localhost:7233"}, RuntimeError(f"Status {{ code: {reason} }}")))
    assert told.endswith("it closed the connection: does it want TLS (TEMPORAL_TLS=true, or an API key)?")


def test_an_api_key_is_sent_and_is_in_no_message(tmp_path: Path, papers: Papers, shared_server: ServerInfo) -> None:
    refused = "it refused our credentials; check TEMPORAL_API_KEY or the profile's api_key"

    async def scenario() -> None:
        async with frontend(shared_server.address, papers.server, api_key=KEY) as address:
            reached = {"TEMPORAL_ADDRESS": address, **papers.trust}
            assert await connected(tmp_path, reached | {"TEMPORAL_API_KEY": KEY}) == "default"
            assert await connected(tmp_path, reached | {"TEMPORAL_API_KEY": f"{KEY}\n"}) == "default"
            assert await connected(tmp_path, reached | {"TEMPORAL_API_KEY": f"wrong{KEY}"}) == refused
            assert await connected(tmp_path, reached) == refused
            file = {"TEMPORAL_PROFILE": "cloud", "TEMPORAL_CONFIG_FILE": str(profile(tmp_path, address, papers))}
            assert await connected(tmp_path, file) == "default"
        plain = {"TEMPORAL_ADDRESS": shared_server.address, "TEMPORAL_API_KEY": KEY}
        told = await connected(tmp_path, plain)
        assert told == "it does not speak TLS, which an API key or TLS settings ask for"

    asyncio.run(scenario())


def profile(folder: Path, address: str, papers: Papers) -> Path:
    """A TOML file, as the `temporal` command writes it."""
    file = folder / "temporal.toml"
    file.write_text(
        f'[profile.cloud]\naddress = "{address}"\nnamespace = "default"\napi_key = "{KEY}"\n'
        f'[profile.cloud.tls]\nserver_ca_cert_path = "{papers.ours.cert}"\n'
    )
    return file


CLOUD = {"TEMPORAL_ADDRESS": "ns.acct.tmprl.cloud:7233", "TEMPORAL_NAMESPACE": "ns.acct", "TEMPORAL_API_KEY": KEY}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"TEMPORAL_NAMESPACE": ""}, "Temporal Cloud needs TEMPORAL_NAMESPACE, as <namespace>.<account>"),
        ({"TEMPORAL_API_KEY": ""}, "Temporal Cloud needs TEMPORAL_API_KEY, or a client certificate and its key"),
        ({"TEMPORAL_API_KEY": f"{KEY} {KEY}"}, "the API key has characters that no key has"),
        ({"TEMPORAL_API_KEY": f"{KEY}é"}, "the API key has characters that no key has"),
        ({"TEMPORAL_TLS_CLIENT_KEY_PATH": "/missing.key"}, "/missing.key: No such file or directory"),
        ({"TEMPORAL_PROFILE": "missing"}, "Profile 'missing' not found"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_sent(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        configured(settings_at(tmp_path, **(CLOUD | variables)))
    assert str(caught.value) == f"Temporal's client configuration: {told}"


def test_temporal_cloud_by_environment(tmp_path: Path) -> None:
    config = configured(settings_at(tmp_path, **CLOUD))
    assert (config["target_host"], config["namespace"]) == ("ns.acct.tmprl.cloud:7233", "ns.acct")
    assert config["api_key"] == KEY
    assert config["tls"], "an API key never travels without TLS"


def test_a_broken_file_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f'[profile.cloud]\napi_key = "{KEY}\n')
    with pytest.raises(PrerequisiteError) as caught:
        configured(settings_at(tmp_path, TEMPORAL_PROFILE="cloud", TEMPORAL_CONFIG_FILE=str(file)))
    assert str(caught.value) == "Temporal's client configuration: the configuration file is not valid TOML"
