"""The calls of the gRPC port, which are counted and timed from their headers on.

gRPC itself limits connections, but not those of one address, and waits for the rest of a message without end.
So methods are registered as if they took a stream of messages, of which they read the first: then they are
called when the header of a call is there, and not when its message is.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import unquote

import grpc

from kind.serving.server.calls import Call, Calls, sender_of
from kind.serving.server.errors import ServingError, bad_request

Answer = Callable[[bytes, Call], Awaitable]


def handler_of(answer: Answer, calls: Calls, counted_as: str = "") -> grpc.RpcMethodHandler:
    """A method that takes one message and gives one.

    Args:
        answer: from the bytes of the message and the call to the answer, a message or its bytes. Its
            exceptions become a status; a bug becomes INTERNAL and is traced on stderr.
        calls: among which its calls are counted.
        counted_as: see `Calls.open`.
    """

    async def answered(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext):
        sender, seconds = sender_of(address_of(context.peer())), context.time_remaining()
        try:
            with calls.open(sender, "GRPC", counted_as, seconds=seconds) as call:
                message = await answer(await _received(messages, call), call)
                return message if isinstance(message, bytes) else message.SerializeToString()
        except ServingError as error:
            code, message = error.code, error.message
        except Exception:
            traceback.print_exc()
            code, message = "INTERNAL", "internal error; the server's log says more"
        # Without the message: an abort stays in memory, with all that it interrupts, until a garbage
        # collection.
        del messages
        await context.abort(grpc.StatusCode[code], message)

    return grpc.stream_unary_rpc_method_handler(answered)


async def _received(messages: AsyncIterator[bytes], call: Call) -> bytes:
    call.is_arriving = True
    try:
        message = await call.in_time(messages.__anext__(), "the message did not arrive")
    except StopAsyncIteration:
        raise bad_request("expected a message, received none") from None
    call.hold(len(message))
    call.is_arriving = False
    return message


def address_of(peer: str) -> str:
    """The sender's address as the HTTP port has it: "::1" of "ipv6:%5B::1%5D:4242"; a socket's file."""
    kind, _, rest = peer.partition(":")
    return unquote(rest.rpartition(":")[0]).strip("[]") if kind in ("ipv4", "ipv6") else peer
