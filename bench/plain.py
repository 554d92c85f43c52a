"""The yardstick: as many calls by a bare Temporal workflow and one vendor's SDK, and nothing else that we promise.

No plan, no prompts, no journal, no budget, no routing and no results: what a durable call costs on this machine, now.
"""

import argparse
import asyncio
import sys
import time
import uuid
from datetime import timedelta

from openai import AsyncOpenAI
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from orchestrator.testing.vendor_server import FakeVendorServer, environment

_TIMEOUT = timedelta(minutes=5)


@workflow.defn
class Plain:
    """Tasks of `stages` calls in a row, `concurrency` of them at once."""

    @workflow.run
    async def run(self, tasks: int, stages: int, concurrency: int) -> int:
        """The number of calls."""
        places = asyncio.Semaphore(concurrency)

        async def task(number: int) -> None:
            async with places:
                text = f"task {number}"
                for _ in range(stages):
                    text = await workflow.execute_activity("ask", text, start_to_close_timeout=_TIMEOUT)

        await asyncio.gather(*(task(number) for number in range(tasks)))
        return tasks * stages


async def plain_s(address: str, tasks: int, stages: int, concurrency: int) -> float:
    """Seconds that the calls take in a process of their own, at the Temporal server `address`."""
    with FakeVendorServer() as vendors:
        base_url = environment(vendors.port, ("openai",))["OPENAI_BASE_URL"]
        numbers = map(str, (tasks, stages, concurrency))
        command = (sys.executable, "-P", "-m", "bench.plain", address, base_url, *numbers)
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the yardstick ended with {process.returncode}")
    return float(printed)


async def _run(options: argparse.Namespace) -> float:
    vendor = AsyncOpenAI(api_key="none", base_url=options.base_url, max_retries=0)

    @activity.defn
    async def ask(text: str) -> str:
        answer = await vendor.chat.completions.create(model="any", messages=[{"role": "user", "content": text}])
        return answer.choices[0].message.content or ""

    client = await Client.connect(options.address)
    queue = f"plain-{uuid.uuid4().hex[:8]}"
    async with Worker(
        client, task_queue=queue, workflows=[Plain], activities=[ask], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        numbers = [options.tasks, options.stages, options.concurrency]
        await client.execute_workflow(Plain.run, args=[1, 1, 1], id=f"{queue}-first", task_queue=queue)
        began_s = time.monotonic()
        await client.execute_workflow(Plain.run, args=numbers, id=queue, task_queue=queue)
        return time.monotonic() - began_s


def main() -> None:
    """Print the seconds."""
    parser = argparse.ArgumentParser(prog="python -m bench.plain", description=__doc__)
    parser.add_argument("address", help="of the Temporal server, host:port")
    parser.add_argument("base_url", help="of the vendor")
    for name in ("tasks", "stages", "concurrency"):
        parser.add_argument(name, type=int)
    print(asyncio.run(_run(parser.parse_args())))


if __name__ == "__main__":
    main()
