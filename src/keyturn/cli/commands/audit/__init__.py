"""`keyturn audit …` and `keyturn owner …`."""
