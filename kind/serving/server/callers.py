"""The calls of the gRPC port: how many one address may have open, and how long its message may take.

gRPC itself limits connections, but not those of one address, and waits for the rest of a message without end.
So methods are registered as if they took a stream of messages, of which they read the first: then they are
called when the header of a call is there, and not when its message is.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from kind.serving.limits import Limits
from kind.serving.server.errors import ServingError, bad_request

Answer = Callable[[bytes, grpc.aio.ServicerContext], Awaitable]


class Callers:
    """Counts the open calls of each address."""

    def __init__(self, limits: Limits) -> None:
        """Allows an address half of the connections, and a message the time of a request."""
        self._most, self._seconds = max(limits.connections // 2, 1), limits.seconds
        self._open: Counter[str] = Counter()

    def handler(self, answer: Answer) -> grpc.RpcMethodHandler:
        """A method that takes one message and gives one.

        Args:
            answer: from the bytes of the message and the context to the answer. Its exceptions become a
                status; a bug becomes INTERNAL and is traced on stderr.
        """

        async def answered(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext):
            address = address_of(context.peer())
            if self._open[address] >= self._most:
                await context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"an address may have {self._most} calls open at a time",
                )
            self._open[address] += 1
            try:
                return await answer(await self._first(messages), context)
            except ServingError as error:
                code, message = error.code, error.message
            except Exception:
                traceback.print_exc(file=sys.stderr)
                code, message = "INTERNAL", "internal error; the server's log says more"
            finally:
                self._open[address] -= 1
                self._open += Counter()  # forgets who has none
            # Without the message: an abort stays in memory, with all that it interrupts, until a garbage
            # collection.
            del messages
            await context.abort(grpc.StatusCode[code], message)

        return grpc.stream_unary_rpc_method_handler(
            answered, response_serializer=lambda message: message.SerializeToString()
        )

    async def _first(self, messages: AsyncIterator[bytes]) -> bytes:
        try:
            return await asyncio.wait_for(messages.__anext__(), self._seconds)
        except StopAsyncIteration:
            raise bad_request("expected a message, received none") from None
        except asyncio.TimeoutError:
            late = f"the message did not arrive within {self._seconds:g} s"
            raise ServingError("DEADLINE_EXCEEDED", late) from None


def address_of(peer: str) -> str:
    """Without the port: "ipv4:127.0.0.1" of "ipv4:127.0.0.1:4242"; a socket's file as it is."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
