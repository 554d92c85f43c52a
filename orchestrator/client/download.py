"""Program: fetch the Temporal CLI with the SDK's downloader into a folder.

The SDK offers the download only as a part of starting a server, so one is started and stopped at once. A
process of its own, since the SDK's download cannot be interrupted.
"""

import asyncio
import sys

from temporalio.testing import WorkflowEnvironment


async def download(folder: str, version: str) -> None:
    """Puts the binary into `folder` under the SDK's own name."""
    server = await WorkflowEnvironment.start_local(
        download_dest_dir=folder, dev_server_download_version=version, dev_server_log_level="never"
    )
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(download(sys.argv[1], sys.argv[2]))
