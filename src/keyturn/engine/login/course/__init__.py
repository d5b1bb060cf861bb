"""What lies between a login's requests: challenges, codes, and how a login is put to rest and taken up again."""
