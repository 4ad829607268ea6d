"""What every paged reading watches: pages that come twice, and readings without end."""

from collections.abc import Iterable

from membership.errors import Reason
from membership.providers.errors import Incomplete

MAX_PAGES = 10_000


class Seen:
    """The row ids of one reading."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._pages = 0

    def __len__(self) -> int:
        return len(self._ids)

    def page(self, ids: Iterable[str]) -> None:
        """Take in a page. Raises `Incomplete` when one of its rows came before: the list moved, or a page came twice."""
        self._pages += 1
        if self._pages > MAX_PAGES:
            raise Incomplete(Reason.TOO_MANY_PAGES, pages=MAX_PAGES)
        for each in ids:
            if each in self._ids:
                raise Incomplete(Reason.PAGE_REPEATED, page=self._pages)
            self._ids.add(each)

    def page_of_moving_list(self, ids: Iterable[str]) -> set[str]:
        """Like `page`, for a list whose order follows activity: the new ids. Only a page without any new id is repeated."""
        self._pages += 1
        given = set(ids)
        if self._pages > MAX_PAGES:
            raise Incomplete(Reason.TOO_MANY_PAGES, pages=MAX_PAGES)
        new = given - self._ids
        if given and not new:
            raise Incomplete(Reason.PAGE_REPEATED, page=self._pages)
        self._ids |= new
        return new
