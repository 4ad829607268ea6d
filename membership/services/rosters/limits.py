"""How much of anything a list may hold: beyond it is no list of people, or an attack."""

LONGEST_CELL = 32_767
"""Characters: what a spreadsheet itself allows."""
MOST_COLUMNS = 100
MOST_UNPACKED = 256 * 1024 * 1024
"""Bytes that an XLSX file may hold unpacked."""
MOST_RATIO = 200
"""Times that its contents may be larger than the file: ordinary ones are ten to fifty times larger."""
MOST_TEXT = 48 * 1024 * 1024
"""Characters of all different texts of a workbook together: they are held in memory while it is read."""

Row = tuple[int, list[str]]
"""The number of a line in the file, and its cells."""
