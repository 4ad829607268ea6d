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
        """Raises `Incomplete` when one of its rows came before: a page came twice, or the list moved."""
        self._count_page()
        for each in ids:
            self.row(each)

    def row(self, row_id: str) -> None:
        """Take in one row of a list that comes whole. Raises `Incomplete` when it came before."""
        if row_id in self._ids:
            raise Incomplete(Reason.PAGE_REPEATED, page=self._pages)
        self._ids.add(row_id)

    def page_of_moving_list(self, ids: Iterable[str]) -> set[str]:
        """The new ids of a page of a list whose order follows activity: only a page without any is refused."""
        self._count_page()
        given = set(ids)
        new = given - self._ids
        if given and not new:
            raise Incomplete(Reason.PAGE_REPEATED, page=self._pages)
        self._ids |= new
        return new

    def _count_page(self) -> None:
        self._pages += 1
        if self._pages > MAX_PAGES:
            raise Incomplete(Reason.TOO_MANY_PAGES, pages=MAX_PAGES)
