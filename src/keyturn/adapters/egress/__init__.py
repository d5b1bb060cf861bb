"""The only way out of keyturn: what is dialled here is checked here.

`dialling` connects to checked addresses only, for both clients; `client` sends one request once, for token, refresh,
revoke, test and webhooks; `upstream` carries the proxy's calls; `resolver` looks names up without starving anybody.
"""
