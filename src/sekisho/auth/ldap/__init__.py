"""A directory as authenticator: LDAP with bind, or with search and bind.

`authenticator` answers the chain; `directory` asks what it needs to know; `pool` finds
a server that answers; `connection` speaks to one; `wire` cuts its octets into messages.
`entries` reads what an entry says, `looks` remembers it for a short while, `names`
spells names into filters and DNs so that no name is ever a query.
"""
