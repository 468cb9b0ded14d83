"""The misfortunes, one module each (``tests.faults.catalog`` names them). Not for: judging."""
