"""The command line of somebody who uses a cluster: a namespace of its own, and workers that are kept running."""

import itertools
import sys
from collections.abc import Mapping
from pathlib import Path

from orchestrator.client.processes import wait_until
from orchestrator.testing.installation import Installation, Installed
from tests.cluster.kept import Kept, Program
from tests.cluster.server import Cluster

WORKER = (sys.executable, "-P", "-m", "cli.main", "worker", "run")
POLLING_S = 180.0
_NEXT_CALL_S = 45.0  # a worker's death is noticed after its heartbeat's 30 s


class ClusterInstallation(Installation):
    """Commands and workers with one artifact folder, as machines that share one have it."""

    next_call_s = _NEXT_CALL_S

    def __init__(
        self, cluster: Cluster, namespace: str, folder: Path, extra: Mapping[str, str] | None = None, workers: int = 1
    ) -> None:
        """Returns when the first worker polls."""
        self.cluster = cluster
        self.namespace = namespace
        cluster.add_namespace(namespace)
        where = {"TEMPORAL_ADDRESS": cluster.address, "TEMPORAL_NAMESPACE": namespace}
        super().__init__(folder, {**where, **(extra or {})})
        self.workers: list[Kept] = []
        self.scale(workers)
        if workers and not wait_until(lambda: all(self._polls(n) for n in range(workers)), POLLING_S):
            log = self.worker_log(0).read_text(encoding="utf-8", errors="replace")
            self.close()
            raise TimeoutError(f"no worker polls: {log[-2000:]}")

    def scale(self, workers: int) -> None:
        """This many workers; what is too many finishes its calls and ends, what is new is not waited for."""
        while len(self.workers) > workers:
            self.workers.pop().close()
        while len(self.workers) < workers:
            number = len(self.workers)
            self.workers.append(Kept(Program(WORKER, self.folder, self.worker_log(number), self.environment)))

    def worker_log(self, number: int) -> Path:
        """What a worker logged, all its lives together."""
        return self.folder / f"worker-{number}.log"

    def worker_pid(self) -> int | None:
        """The first worker."""
        return self.workers[0].pid if self.workers else None

    def server_pid(self) -> int | None:
        """The cluster's server."""
        return self.cluster.temporal.pid

    def temporal_address(self) -> str:
        """The cluster's frontend."""
        return self.cluster.address

    def restarted_s(self, victim: str) -> float:
        """When the last of the killed processes was started again."""
        killed = {"worker": self.workers, "server": [self.cluster.temporal]}
        return max(kept.started_s for kept in killed.get(victim, [*self.workers, self.cluster.temporal]))

    def close(self) -> None:
        """End the workers at once; the cluster goes on."""
        for kept in self.workers:
            kept.close(patience_s=0.0)
        self.workers.clear()

    def _polls(self, number: int) -> bool:
        log = self.worker_log(number)
        return log.exists() and b"polling " in log.read_bytes()


def installations(cluster: Cluster) -> Installed:
    """Makes installations of the cluster, one after another."""
    numbers = itertools.count(1)

    def installed(folder: Path, extra: Mapping[str, str]) -> Installation:
        return ClusterInstallation(cluster, f"team-{next(numbers)}", folder, extra)

    return installed
