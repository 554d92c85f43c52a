"""The Temporal SDK's own metrics: served where a worker's settings say so, under Prometheus' names."""

import asyncio
import logging
import socket
import urllib.request
from datetime import timedelta

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from orchestrator.client.rpc import core_runtime, worker_runtime


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_the_sdk_tells_times_in_seconds_and_totals_by_name() -> None:
    port = free_port()
    runtime = worker_runtime(f"127.0.0.1:{port}")

    async def ask() -> None:
        with pytest.raises((RuntimeError, RPCError)):
            await Client.connect("127.0.0.1:9", runtime=runtime)

    asyncio.run(ask())
    runtime.metric_meter.create_counter("asked").add(1)
    runtime.metric_meter.create_histogram_timedelta("took").record(timedelta(seconds=2))
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    assert "asked_total{" in text
    assert 'took_seconds_bucket{service_name="temporal-core-sdk",le="' in text


def test_a_worker_works_without_an_address_and_with_one_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    assert worker_runtime("") is core_runtime()
    with socket.create_server(("127.0.0.1", 0)) as holder, caplog.at_level(logging.ERROR, "orch.worker"):
        assert worker_runtime(f"127.0.0.1:{holder.getsockname()[1]}") is core_runtime()
    assert "in use" in caplog.text
