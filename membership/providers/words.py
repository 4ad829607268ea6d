"""A remote's answer without our own secrets in it, before any of its words are kept."""

import dataclasses
from collections.abc import Iterable

from membership.providers.base import RemoteAnswer

HIDDEN = "[…]".encode()
SHORTEST_SECRET = 4  # shorter ones would blank out ordinary words


def without_secrets(answer: RemoteAnswer, secrets: Iterable[str]) -> RemoteAnswer:
    """The same answer; a remote that repeats a password or token in its message repeats nothing here."""
    body = answer.body
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            body = body.replace(secret.encode("utf-8", "surrogatepass"), HIDDEN)
    return answer if body is answer.body else dataclasses.replace(answer, body=body)
