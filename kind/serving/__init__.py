"""The embedded server for exported models, and a client for it and for TensorFlow Serving."""


def __getattr__(name: str):
    """Imports `Client` and `ServerError` on first use: whoever needs one part must not pay for the others."""
    if name == "Client":
        from kind.serving.client import Client

        return Client
    if name == "ServerError":
        from kind.serving.errors import ServerError

        return ServerError
    raise AttributeError(f"module 'kind.serving' has no attribute {name!r}")
