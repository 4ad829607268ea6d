"""Small questions to the database, asked side by side in one statement."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from django.db import connections, router
from django.db.models import QuerySet

from membership.models import Connection

_COUNT, _FIRST = "(SELECT COUNT(*) FROM (%s) counted)", "(%s)"


class _Question:
    """One of them, as text, and how its answer is read."""

    def __init__(self, template: str, rows: "QuerySet[Any]", connection: Any) -> None:
        self._compiler = rows.query.get_compiler(connection=connection, elide_empty=False)
        sql, self.values = self._compiler.as_sql()
        self.sql = template % sql
        self._is_count = template is _COUNT

    def read(self, value: Any) -> Any:
        if self._is_count:
            return value
        converters = self._compiler.get_converters([column[0] for column in self._compiler.select or ()])
        ((read,),) = self._compiler.apply_converters([[value]], converters)
        return read


def ask(*, counted: Mapping[str, "QuerySet[Any]"], first: Mapping[str, "QuerySet[Any]"]) -> dict[str, Any]:
    """How many rows each query of `counted` finds, and the first value of each of `first`; None: it finds none.

    Joined as text: as subqueries of one query the same questions keep Django busy for far longer than the database.
    """
    connection = connections[router.db_for_read(Connection)]
    asked = [_Question(_COUNT, rows.order_by().values("pk"), connection) for rows in counted.values()]
    asked += [_Question(_FIRST, rows[:1], connection) for rows in first.values()]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(each.sql for each in asked)}", [*chain(*(each.values for each in asked))])
        found = cursor.fetchone()
    return {name: each.read(value) for name, each, value in zip([*counted, *first], asked, found, strict=True)}
