"""The rulebook (规则库) as data: load it, hash it, find a row; the sources (来源) and what each may send.

Not for: deciding anything. Rows are ``draft`` or ``read`` in their files; only the deployment's sign-off file makes one
``signed``.
"""

from __future__ import annotations

from streamer.rulebook.errors import RulebookError
from streamer.rulebook.loader import SECTIONS, find, folder_of, load, rows, rulebook_hash
from streamer.rulebook.signoff import Signature, row_hash, sign, signatures
from streamer.rulebook.sources import ApprovalDomain, Source, approval_domains, open_domains, sources

__all__ = [
    "SECTIONS",
    "ApprovalDomain",
    "RulebookError",
    "Signature",
    "Source",
    "approval_domains",
    "find",
    "folder_of",
    "load",
    "open_domains",
    "row_hash",
    "rows",
    "rulebook_hash",
    "sign",
    "signatures",
    "sources",
]
