"""An answer to a reading, whole, in memory or on disk, to be parsed as it is read."""

from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from membership.errors import Reason
from membership.providers import strict_json
from membership.providers.base import Json, RemoteAnswer
from membership.providers.errors import OutcomeUnknown

IN_MEMORY_BYTES = 1024 * 1024
SMALL_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024


def new_spool(spool_dir: str | None) -> BinaryIO:
    return cast("BinaryIO", SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=spool_dir))


class SpooledReader:
    """The `Reader` of `HttpDoor`. Close it, or use it as a context manager: its file goes with it."""

    def __init__(self, status: int, headers: Mapping[str, str], stream: BinaryIO) -> None:
        self.status = status
        self.headers = headers
        self.stream: BinaryIO = stream

    def items(self, prefix: str = "item") -> Iterator[Json]:
        try:
            yield from strict_json.items(self._chunks(), prefix)
        except strict_json.NotStrictJson as error:
            raise self._with_status(error) from None

    def json(self) -> Json:
        text = self._head(SMALL_BYTES + 1)
        if len(text) > SMALL_BYTES:
            raise OutcomeUnknown(Reason.ANSWER_TOO_LARGE, status=self.status)
        try:
            return strict_json.loads(text)
        except strict_json.NotStrictJson as error:
            raise self._with_status(error) from None

    def answer(self) -> RemoteAnswer:
        return RemoteAnswer(self.status, self.headers, self._head(SMALL_BYTES))

    def close(self) -> None:
        self.stream.close()

    def __enter__(self) -> "SpooledReader":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _with_status(self, error: strict_json.NotStrictJson) -> OutcomeUnknown:
        return OutcomeUnknown(error.reason, status=self.status, **error.params)

    def _head(self, size: int) -> bytes:
        self.stream.seek(0)
        return self.stream.read(size)

    def _chunks(self) -> Iterator[bytes]:
        # Its own position: another method may read in between.
        position = 0
        while True:
            self.stream.seek(position)
            chunk = self.stream.read(CHUNK_BYTES)
            if not chunk:
                return
            position += len(chunk)
            yield chunk
