"""One action on many connections, as a job that can be watched, cancelled and gone on with."""
