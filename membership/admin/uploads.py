"""Files that are sent to the panel: never more of one is kept than the largest that any page takes."""

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from membership import conf

_MB = 1024 * 1024


class Quota(FileUploadHandler):
    """Stands before the handlers that store: what goes beyond the limit is read off the wire and dropped.

    A page then finds no file, and `was_too_large(request)`.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start + len(raw_data) > conf.roster_max_mb() * _MB:
            if self.request is not None:
                self.request._file_was_too_large = True  # type: ignore[attr-defined]
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile | None:
        return None  # the next handler has it


def was_too_large(request: object) -> bool:
    """Whether a file of this request was dropped for its size."""
    return bool(getattr(request, "_file_was_too_large", False))
