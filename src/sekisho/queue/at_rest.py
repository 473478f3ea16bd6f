"""`AtRest`: the same store for a command, while the service is stopped.

Everything is done in the caller's thread, one transaction an operation.
"""

from collections.abc import Callable

import apsw

from sekisho.model.decision import Decision
from sekisho.model.message import Message
from sekisho.queue.bodies import BodyFiles
from sekisho.queue.errors import PutRefused, QueueError
from sekisho.queue.file import QueueFile
from sekisho.queue.operations import Act, Acted, Answer, Operation, Pause, Resume
from sekisho.queue.records import Action, Selection
from sekisho.queue.writer import Writer


class AtRest:
    """A queue whose writer thread was not started."""

    def __init__(
        self,
        file: QueueFile,
        writer: Writer,
        bodies: BodyFiles,
        has_room: Callable[[], bool],
        note_pause: Callable[[str, float | None], None],
    ) -> None:
        """Write to a file.

        Args:
            file: Ours.
            writer: Must not run.
            bodies: Bodies above 64 KiB.
            has_room: Whether new mail may be taken.
            note_pause: Told what is paused since when, or not any more.

        """
        self._file = file
        self._writer = writer
        self._bodies = bodies
        self._has_room = has_room
        self._note_pause = note_pause

    def apply(self, operation: Operation) -> Answer:
        """Do one operation in this thread, while the service is stopped.

        Returns:
            Its answer, or why it was not done.

        Raises:
            QueueError: The disk failed.

        """
        if self._writer.is_running:
            raise RuntimeError("the writer thread owns the file")
        try:
            answers, files = self._file.commit([operation])
        except apsw.Error as error:
            raise QueueError(
                f"the queue failed ({error})", "look at the disk"
            ) from error
        for file in files:
            self._bodies.remove_now(file)
        return answers[0]

    def act(self, action: Action, selection: Selection, now: float) -> int:
        """What `hold`, `retry` and `remove` do, while the service is stopped."""
        total, after = 0, -1
        while True:
            acted = self._applied(Act(action, selection, now, after))
            if not isinstance(acted, Acted) or acted.last < 0:
                return total
            total, after = total + acted.recipients, acted.last

    def pause(self, destination: str, now: float) -> None:
        """What `pause` does, while the service is stopped."""
        self._applied(Pause(destination, now))
        self._note_pause(destination, now)

    def resume(self, destination: str, now: float) -> int:
        """What `resume` does, while the service is stopped."""
        self._applied(Resume(destination))
        self._note_pause(destination, None)
        return self.act(Action.RETRY, Selection(destination=destination), now)

    def _applied(self, operation: Operation) -> Answer:
        answer = self.apply(operation)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def put(self, message: Message, decision: Decision) -> None:
        """What `put` does, while the service is stopped.

        Raises:
            PutRefused: There is no room on the disk.
            TypeError: The decision refuses, or is about another envelope.

        """
        operation = self._file.put(message, decision)
        if not self._has_room():
            raise PutRefused("free disk is below min_free_bytes")
        self._applied(operation)

    def release(self, message: Message, decision: Decision, now: float) -> int:
        """What `release` does, while the service is stopped.

        Raises:
            TypeError: The decision refuses, or is about another envelope.

        """
        acted = self._applied(self._file.release(message, decision, now))
        return acted.recipients if isinstance(acted, Acted) else 0
