"""The store: messages on disk before a 250, their bodies, their next attempts.

| file | what it holds |
| --- | --- |
| ``store.py`` | `Queue`, what the service uses |
| ``reads.py``, ``at_rest.py`` | what it asks; what a command does to it by itself |
| ``options.py`` | what it is told from outside |
| ``writer.py`` | the one thread that writes, and its groups |
| ``file.py`` | `QueueFile`, the synchronous core: one owner, one transaction a group |
| ``operations.py``, ``group.py`` | what a transaction is made of, and does |
| ``moving.py``, ``adoption.py`` | taking over what a worker that is no more has left |
| ``backup.py`` | a snapshot of a running queue, and a queue made from one |
| ``reader.py`` | `QueueReader`: pages read over a connection of its own |
| ``sqlite.py`` | the part of apsw that we use, with types |
| ``schema.py`` | tables, versions, and how a connection is opened |
| ``rows.py`` | values of the model ↔ rows |
| ``records.py`` | what callers see of the store |
| ``bodies.py`` | bodies above 64 KiB, as files |
| ``upkeep.py`` | checkpoints and the removal of files, off the commit path |
| ``salvage.py``, ``set_aside.py`` | a sound file made of a damaged one; what is left |
| ``wreck.py``, ``walk.py``, ``wal.py`` | reading a damaged file, and a damaged WAL |
| ``lock.py``, ``space.py`` | one owner a folder; is there room on the disk |
"""
