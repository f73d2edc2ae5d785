"""The pipeline for others to call: SavedModel export, an embedded server, and a client."""


def __getattr__(name: str):
    """Imports `Client` on first use: a package that is imported for one part must not pay for the others."""
    if name == "Client":
        from kind.serving.client import Client

        return Client
    raise AttributeError(f"module 'kind.serving' has no attribute {name!r}")
