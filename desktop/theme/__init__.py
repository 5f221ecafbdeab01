"""Looks as data: colours, fonts, icons, and how they become a Qt palette and style. Knows no widget of ours."""
