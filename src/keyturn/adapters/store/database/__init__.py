"""The database itself: tables, connections to it, migrations, and what it says about itself."""
