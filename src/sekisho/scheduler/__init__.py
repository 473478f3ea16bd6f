"""What is due, to where, how many at a time.

| file | what it holds |
| --- | --- |
| ``scheduler.py`` | `Scheduler`, what the service uses: takes mail, loads what is due |
| ``carriers.py`` | the tasks that carry: one task a connection, looping over a lane |
| ``lane.py`` | one destination: its jobs, its carriers, whether it is down |
| ``flight.py`` | a message in memory, and the jobs it is made of |
| ``judge.py`` | outcomes → what is stored, tried again, bounced and told |
| ``schedule.py`` | why it was not delivered → how long it waits |
| ``options.py`` | schedules, bounds, and what is injected |
"""
