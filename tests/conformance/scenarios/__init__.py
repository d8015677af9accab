"""Scenarios played against a live server (server-core.md 22).

Made of plain libraries on purpose: what judges the server shares no code with it.
"""
