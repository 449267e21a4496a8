"""Assent's catalogue from Python.

async with catalog("https://catalog.example.com", token=token) as client:
    async for version in client.each_model_versions(status=["accepted"]):
        print(version["urn"])
"""

from assent_client.answers import Answer, Changed
from assent_client.catalog import Catalog
from assent_client.connection import Connection, catalog
from assent_client.problems import Conflict, NotFound, Refused, Stale, Unreachable

__all__ = [
    "Answer",
    "Catalog",
    "Changed",
    "Conflict",
    "Connection",
    "NotFound",
    "Refused",
    "Stale",
    "Unreachable",
    "catalog",
]
