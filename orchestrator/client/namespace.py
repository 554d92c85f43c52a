"""What we need of a namespace: our search attributes, and for the embedded one that runs are kept."""

from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator.client.rpc import core_runtime
from orchestrator.contracts.names import SEARCH_DOUBLES, SEARCH_INTS, SEARCH_KEYWORDS
from orchestrator.domain.errors import PrerequisiteError

EMBEDDED_NAMESPACE = "default"
RETENTION = timedelta(days=3653)  # ten years

_RPC_S = timedelta(seconds=10)
_WANTED: dict[str, "IndexedValueType.ValueType"] = {
    **dict.fromkeys(SEARCH_KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    **dict.fromkeys(SEARCH_DOUBLES, IndexedValueType.INDEXED_VALUE_TYPE_DOUBLE),
    **dict.fromkeys(SEARCH_INTS, IndexedValueType.INDEXED_VALUE_TYPE_INT),
}


async def set_up_embedded(address: str) -> None:
    """Makes the embedded server's namespace ours; again changes nothing. Raises PrerequisiteError."""
    try:
        client = await Client.connect(address, connect_timeout=_RPC_S, runtime=core_runtime())
        await _keep_runs(client)
        await _add_missing_attributes(client)
    except (RPCError, RuntimeError) as error:
        raise PrerequisiteError(f"the Temporal server at {address} cannot be set up: {error}") from error


async def has_search_attributes(client: Client) -> bool:
    """True where all our search attributes are registered with their types. Raises RPCError."""
    return not await missing_attributes(client)


async def _keep_runs(client: Client) -> None:
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), timeout=_RPC_S
    )
    if described.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION:
        return
    config = NamespaceConfig()
    config.workflow_execution_retention_ttl.FromTimedelta(RETENTION)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=config), timeout=_RPC_S
    )


async def _add_missing_attributes(client: Client) -> None:
    missing = await missing_attributes(client)
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing), timeout=_RPC_S
        )


async def missing_attributes(client: Client) -> dict[str, "IndexedValueType.ValueType"]:
    """Our search attributes that are not registered with their types. Raises RPCError."""
    listed = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace), timeout=_RPC_S
    )
    return {name: kind for name, kind in _WANTED.items() if listed.custom_attributes.get(name) != kind}
