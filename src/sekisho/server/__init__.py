"""Listeners and connections: sockets to session, facts gathered, decisions done."""
