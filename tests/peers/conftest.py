"""`make test` starts the quick servers only; the suite for all of them is `make test-peers`."""

collect_ignore = ["suite"]  # unless it is named: `pytest tests/peers/suite`
