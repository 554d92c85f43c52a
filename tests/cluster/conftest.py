"""Installations of the cluster for single tests."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.installation import ClusterInstallation
from tests.cluster.server import Cluster

Teams = Callable[..., ClusterInstallation]


@pytest.fixture
def teams(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Teams]:
    """Makes installations with a namespace of their own: `teams(extra, workers=...)`."""
    made: list[ClusterInstallation] = []

    def make(extra: Mapping[str, str], workers: int = 1) -> ClusterInstallation:
        namespace = f"{request.node.originalname.removeprefix('test_').replace('_', '-')[:40]}-{len(made)}"
        installation = ClusterInstallation(cluster, namespace, tmp_path, extra, workers)
        made.append(installation)
        return installation

    yield make
    for installation in made:
        installation.close()
