"""What the window knows, as QObjects with signals and no widgets. Panels watch it and ask it, never each other.

All methods belong to the window's thread. What takes time is async and goes through `desktop.tasks`.
"""
