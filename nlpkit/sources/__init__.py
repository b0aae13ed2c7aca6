"""Where a model or a data set comes from: a path, a hub, or a package index; verified, and cached.

`resolve` is the only door for weights and data.
"""

from nlpkit.sources.cache import cache_folder, is_cached
from nlpkit.sources.entries import catalogue, find
from nlpkit.sources.entry import Entry, Part, Terms, Wheel
from nlpkit.sources.fetching import fetch
from nlpkit.sources.refusal import refuse_pickles
from nlpkit.sources.resolution import Identity, hub_id, identity, resolve

__all__ = [
    "Entry",
    "Identity",
    "Part",
    "Terms",
    "Wheel",
    "cache_folder",
    "catalogue",
    "fetch",
    "find",
    "hub_id",
    "identity",
    "is_cached",
    "refuse_pickles",
    "resolve",
]
