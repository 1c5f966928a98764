"""A module that only another local module imports."""

ACCENT = "#ffaa00"
