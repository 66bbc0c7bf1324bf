"""Hands connections from 127.0.0.1 on the machine to what serves inside a private network.

Neither a veth pair nor a route is needed: the listening socket was opened outside and inherited, and a socket
belongs for ever to the network it was opened in; what this process connects, it connects inside.
"""

import asyncio
import socket
import sys

CHUNK = 1 << 16


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the sender has finished, and say so to the receiver: the other direction may go on. A sender that
    has vanished ends both directions, or the API server would go on serving its watches."""
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(listening: socket.socket, port: int) -> None:
    """Forward for ever; a refused connection inside is a closed one outside."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside = None
        try:
            answers, inside = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(pump(reader, inside), pump(answers, writer))
        except OSError:
            pass
        finally:
            writer.close()
            if inside:
                inside.close()

    async with await asyncio.start_server(connected, sock=listening) as server:
        await server.serve_forever()


async def main(arguments: list[str]) -> None:
    """Pairs of a listening socket's number and a port inside."""
    pairs = zip(map(int, arguments[::2]), map(int, arguments[1::2]), strict=True)
    await asyncio.gather(*(serve(socket.socket(fileno=number), port) for number, port in pairs))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
