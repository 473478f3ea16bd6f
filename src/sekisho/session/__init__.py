"""The SMTP machines, server and client: states, events, extensions."""
