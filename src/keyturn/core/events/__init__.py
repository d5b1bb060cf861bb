"""What happened, as others are told of it: the catalogue, what follows from a record, bodies and signatures."""
