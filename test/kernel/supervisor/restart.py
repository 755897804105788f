"""A kernel that dies under jupyter_client, and its restarter as a Jupyter server has it. Prints what a client sees."""

import asyncio
import json
import sys
import time

from jupyter_client.ioloop import AsyncIOLoopKernelManager

CELLS = json.loads(sys.argv[1])


async def answer(client, code):
    """The stream texts, the error and the reply of a cell."""
    request = client.execute(code)
    streams, error, state = [], None, None
    while state != "idle":
        message = await client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") != request:
            continue
        content = message["content"]
        if message["msg_type"] == "stream":
            streams.append([content["name"], content["text"]])
        elif message["msg_type"] == "error":
            error = content["ename"]
        elif message["msg_type"] == "status":
            state = content["execution_state"]
    while True:
        reply = await client.get_shell_msg(timeout=30)
        if reply["parent_header"].get("msg_id") == request:
            return {"streams": streams, "error": error, "reply": reply["content"]}


async def main():
    manager = AsyncIOLoopKernelManager(kernel_name="arclab", autorestart=True)
    restarted = asyncio.Event()
    await manager.start_kernel()
    manager.add_restart_callback(restarted.set, "restart")
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    answers = []
    for code in CELLS:
        restarted.clear()
        answers.append(await answer(client, code))
        begin = time.time()
        await asyncio.wait_for(restarted.wait(), 30)
        answers[-1]["restartSeconds"] = time.time() - begin
        await client.wait_for_ready(timeout=60)
        answers.append(await answer(client, "console.log(typeof kept)"))
    client.stop_channels()
    await manager.shutdown_kernel(now=True)
    print(json.dumps(answers))


asyncio.run(main())
