"""The audit log's chain in the database: keys, writing, reading and checking, cutting, erasing a name."""
