"""Whatever is done to the store in whatever order: every recipient is in one state."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from queued_mail import NOW, decision, message
from replacing import replace
from sekisho.model.content import Content, FileBody
from sekisho.model.decision import Verdict
from sekisho.model.message import Message
from sekisho.queue.records import (
    UNFINISHED,
    WAITING,
    Action,
    Cursor,
    Result,
    Selection,
    State,
)
from sekisho.queue.store import Queue, QueueOptions

ATTEMPT = st.sampled_from([State.DEFERRED, State.DEAD, State.DELIVERED, State.FAILED])
SELECTIONS = st.builds(
    Selection,
    destination=st.sampled_from(["", "d0.example", "d1.example"]),
    sender=st.sampled_from(["", "<>", "alice@example.com"]),
    state=st.sampled_from([None, *State]),
)


class Model:
    """One message as it should be."""

    def __init__(self, mail: Message, state: State, file: str) -> None:
        self.mail = mail
        self.file = file
        self.states = dict.fromkeys(range(len(mail.envelope.recipients)), state)

    def means(self, selection: Selection, index: int) -> bool:
        envelope = self.mail.envelope
        sender = str(envelope.reverse_path) or "<>"
        return (
            selection.sender in ("", sender)
            and selection.destination in ("", envelope.recipients[index].address.domain)
            and selection.state in (None, self.states[index])
        )


class StoreMachine(RuleBasedStateMachine):
    mails = Bundle("mails")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.model: dict[str, Model] = {}
        self._open()

    def _open(self) -> None:
        options = QueueOptions(min_free_bytes=0)
        self.queue = Queue.open(Path(self.folder.name), options=options)

    def teardown(self) -> None:
        self.queue.close_now()
        self.folder.cleanup()

    @rule(
        target=mails,
        count=st.integers(1, 3),
        null=st.booleans(),
        hold=st.booleans(),
        in_file=st.booleans(),
    )
    def put(self, count: int, null: bool, hold: bool, in_file: bool) -> str:
        mail = message(
            *(f"r{n}@d{n % 2}.example" for n in range(count)),
            sender="" if null else "alice@example.com",
        )
        file = ""
        if in_file:
            writer = self.queue.bodies.writer()
            writer._pieces.append(b"x" * 70_000)
            writer._finish()
            file = writer._path.name
            mail = replace(mail, content=Content(b"", FileBody(file, 70_000)))
        verdict = Verdict.HOLD if hold else Verdict.ACCEPT
        self.queue.put_now(mail, decision(mail, verdict))
        state = State.HELD if hold else State.PENDING
        self.model[str(mail.id)] = Model(mail, state, file)
        return str(mail.id)

    @rule(name=mails, states=st.lists(ATTEMPT, min_size=3, max_size=3))
    def settle(self, name: str, states: list[State]) -> None:
        model = self.model.get(name)
        if model is None:
            return
        results = [Result(n, states[n], "said", NOW + 300) for n in model.states]
        self.queue.apply(self.queue._file.settle(model.mail.id, results[:2]))
        for result in results[:2]:
            old = model.states[result.index]
            if old in UNFINISHED and not (
                old is State.HELD and result.state is State.DEFERRED
            ):
                model.states[result.index] = result.state
        self._forget_finished()

    @rule(action=st.sampled_from([Action.HOLD, Action.RETRY]), wanted=SELECTIONS)
    def act(self, action: Action, wanted: Selection) -> None:
        count = self.queue.act_now(action, wanted, NOW)
        meant = [
            (model, index)
            for model in self.model.values()
            for index, state in model.states.items()
            if state in WAITING and model.means(wanted, index)
        ]
        if action is Action.HOLD:
            assert count == len(meant)
            for model, index in meant:
                model.states[index] = State.HELD

    @rule(wanted=SELECTIONS)
    def remove(self, wanted: Selection) -> None:
        meant = [
            (model, index)
            for model in self.model.values()
            for index, state in model.states.items()
            if state in UNFINISHED and model.means(wanted, index)
        ]
        assert self.queue.act_now(Action.REMOVE, wanted, NOW) == len(meant)
        for model, index in meant:
            del model.states[index]
        self._forget_finished()

    @rule(name=mails)
    def release(self, name: str) -> None:
        model = self.model.get(name)
        queued = model and self.queue.reader.get(model.mail.id)
        if model is None or queued is None:
            return
        mail = queued.message
        self.queue.release_now(mail, decision(mail), NOW)
        for one in queued.recipients:
            if one.state in (State.HELD, State.DEAD):
                state = State.DEFERRED if one.attempts else State.PENDING
                model.states[one.index] = state

    @rule(name=consumes(mails))
    def remove_one(self, name: str) -> None:
        model = self.model.pop(name, None)
        if model is not None:
            selection = Selection(ids=(model.mail.id,))
            self.queue.act_now(Action.REMOVE, selection, NOW)

    @rule()
    def reopen(self) -> None:
        self.queue.close_now()
        self._open()

    @invariant()
    def every_recipient_is_in_its_one_state(self) -> None:
        reader = self.queue.reader
        for model in self.model.values():
            queued = reader.get(model.mail.id)
            assert queued is not None
            assert {one.index: one.state for one in queued.recipients} == model.states
        stats = reader.stats(NOW)
        assert stats.messages == len(self.model)
        states = [s for model in self.model.values() for s in model.states.values()]
        assert stats.by_state == {one.label: states.count(one) for one in State}

    @invariant()
    def finished_messages_are_gone_with_their_bodies(self) -> None:
        files = {model.file for model in self.model.values() if model.file}
        assert {one.name for one in self.queue.bodies.folder.iterdir()} == files
        count = self.queue._file._connection.execute("SELECT count(*) FROM body")
        assert count.fetchall() == [(len(self.model),)]

    @invariant()
    def what_waits_is_due_and_nothing_else(self) -> None:
        after: Cursor | None = None
        due: set[str] = set()
        while True:
            page = self.queue.reader.due(
                NOW + 1000, 2, after=after, max_bytes=1 << 20, skip=lambda _: False
            )
            due.update(str(one.message.id) for one in page.messages)
            after = page.cursor
            if after is None:
                break
        assert due == {
            name
            for name, model in self.model.items()
            if any(state in WAITING for state in model.states.values())
        }

    def _forget_finished(self) -> None:
        for name, model in list(self.model.items()):
            if not any(state in UNFINISHED for state in model.states.values()):
                del self.model[name]


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
