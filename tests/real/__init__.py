"""The running service against real programs and octets from a socket."""
