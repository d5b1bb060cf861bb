"""The stores on SQLite: `opening.open_store` gives all of them."""
