"""A small OAuth 2.0 server with the password grant, to try keyturn against.

Not part of the product: it imports nothing of keyturn, keeps everything in memory, has made-up
accounts and listens on the loopback interface only. Rules of the package:

- Tokens are kept as digests; a page, a log line or an error shows a fingerprint and never a token.
- What the RFCs say comes first; what is this server's own choice is said in the README.
"""
