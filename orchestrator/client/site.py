"""Where runs live: a Temporal namespace and an artifact store, started and mended where they are our own."""

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.artifacts.store import open_store
from orchestrator.client.connection import connect_embedded, ensure_services
from orchestrator.client.namespace import has_search_attributes
from orchestrator.client.polling import vendors_served
from orchestrator.client.processes import Say
from orchestrator.client.rpc import rpc_errors
from orchestrator.domain.model import ModelSpec
from orchestrator.settings import Settings

_EMBEDDED_TASK_TIMEOUT = timedelta(seconds=5)  # then another worker gets a dead one's task
_NO_OPERATOR = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED)


class Site:
    """A connected client and its store. `say` is told what the user should know.

    Every method raises PrerequisiteError, in one line, where Temporal or the worker is silent.
    """

    def __init__(self, settings: Settings, say: Say, client: Client) -> None:
        self.settings = settings
        self.say = say
        self.store = open_store(settings)
        self._client = client
        self._healing = asyncio.Lock()

    def client(self) -> Client:
        """The client of today: an embedded server that was started again may have another address."""
        return self._client

    @property
    def address(self) -> str:
        """Where Temporal is."""
        return self._client.service_client.config.target_host

    @property
    def task_timeout(self) -> timedelta | None:
        """Of workflow tasks; None: the server's."""
        return _EMBEDDED_TASK_TIMEOUT if self.settings.embedded else None

    async def ready(self) -> bool:
        """Starts what a new run needs, an embedded worker with our settings among it.

        True where the namespace has our search attributes.
        """
        if self.settings.embedded:
            await self._ensure_services(replace_worker=True)
            return True
        if self.settings.store_url.startswith("file:"):
            self.say("the artifact store is a local folder: only machines that share it can export")
        return await self._search_attributes()

    async def heal(self) -> None:
        """Starts the embedded server and worker again if they died. Cheap; for waiting loops."""
        if self.settings.embedded:
            await self._ensure_services(replace_worker=False)

    async def tell_unserved(self, models: tuple[ModelSpec, ...]) -> None:
        """One line where the workers of a cluster cannot ask every vendor that a run may use."""
        if self.settings.embedded:
            return
        vendors = await vendors_served(self._client, models)
        if not vendors.served:
            self.say("no worker asks models: start one with 'orch-cli worker run', or the run fails")
        elif vendors.unserved:
            self.say(f"workers ask {', '.join(vendors.served)}; none asks {', '.join(vendors.unserved)}")

    async def _ensure_services(self, *, replace_worker: bool) -> None:
        async with self._healing:
            server = await asyncio.to_thread(ensure_services, self.settings, self.say, replace_worker=replace_worker)
            if server.address != self.address:
                self._client = await connect_embedded(self.settings, server)

    async def _search_attributes(self) -> bool:
        """True where a configured namespace has ours; False where it has not, or does not tell."""
        with rpc_errors(self.address):
            try:
                registered = await has_search_attributes(self._client)
            except RPCError as error:
                if error.status not in _NO_OPERATOR:
                    raise
                registered = False
        if not registered:
            self.say("the namespace lacks our search attributes: 'orch-cli list' will show less")
        return registered
