"""A 250 is kept: what the store promises, on real SQLite files."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest
import pytest_asyncio

from queued_mail import NOW, decision, message
from replacing import replace
from sekisho.model.address import Address, parse_address
from sekisho.model.content import Content, InlineBody
from sekisho.model.decision import POLICY_SEAL, Decision, Verdict
from sekisho.model.envelope import (
    BodyKind,
    Envelope,
    Notify,
    Recipient,
    Ret,
)
from sekisho.model.message import Message
from sekisho.queue.errors import PutRefused, QueueError
from sekisho.queue.records import (
    Action,
    Cursor,
    Result,
    Selection,
    Settled,
    State,
)
from sekisho.queue.sqlite import connect
from sekisho.queue.store import Queue, QueueOptions

FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
DELIVERED = [Result(0, State.DELIVERED, "250 2.0.0 OK")]


@pytest_asyncio.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    opened = Queue.open(tmp_path / "queue", options=QueueOptions(min_free_bytes=0))
    failures: list[str] = []
    opened.start(asyncio.get_running_loop(), failures.append)
    yield opened
    await opened.close()
    assert failures == []


async def put(
    queue: Queue, *recipients: str, sender: str = "alice@example.com"
) -> Message:
    mail = message(*recipients, sender=sender)
    await queue.put(mail, decision(mail))
    return mail


class TestPut:
    @pytest.mark.asyncio
    async def test_what_comes_back_is_what_was_put(self, queue: Queue) -> None:
        bare = message()
        mail = replace(
            bare,
            envelope=Envelope(
                parse_address('"a b"@example.com'),
                (
                    Recipient(parse_address("bob@b.example")),
                    Recipient(
                        parse_address("受取@b.example"),
                        Notify.NEVER,
                        True,
                        "rfc822;x y",
                    ),
                    Recipient(Address("postmaster", "")),
                ),
                BodyKind.BINARY_MIME,
                True,
                Ret.HDRS,
                "envid+1",
                1234,
            ),
            content=Content(b"Received: x\r\n", InlineBody(b"\0\xff\r\n" * 100), 8),
        )
        await queue.put(mail, decision(mail))
        queued = await queue.get(mail.id)
        assert queued is not None
        assert queued.message == mail
        assert [one.state for one in queued.recipients] == [State.PENDING] * 3
        assert (queued.rule, queued.grant) == ("grant", "staff")
        assert queued.reason == "alice is of the staff"

    @pytest.mark.asyncio
    async def test_it_is_there_after_reopening(self, tmp_path: Path) -> None:
        first = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        first.start(asyncio.get_running_loop(), pytest.fail)
        mail = await put(first)
        await first.close()
        second = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        queued = await second.get(mail.id)
        await second.close()
        assert queued is not None
        assert queued.message == mail

    @pytest.mark.asyncio
    async def test_refused_mail_never_enters(self, queue: Queue) -> None:
        mail = message()
        with pytest.raises(TypeError, match="accepts"):
            queue.put(mail, decision(mail, Verdict.REFUSE))
        assert await queue.list() == []

    @pytest.mark.asyncio
    async def test_look_alike_of_a_decision_is_refused(self, queue: Queue) -> None:
        class Forged(Decision, frozen=True):
            def __post_init__(self) -> None:
                pass

        mail = message()
        real = decision(mail)
        forged = Forged(
            POLICY_SEAL, real.verdict, "", "", real.reply, "", real.reverse_path,
            real.rulings,
        )  # fmt: skip
        with pytest.raises(TypeError):
            queue.put(mail, forged)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "other",
        [
            message("bob@b.example", sender="mallory@example.com"),
            message("bob@b.example", sender=""),
            message("eve@b.example"),
            message("bob@b.example", "eve@b.example"),
        ],
        ids=["sender", "null sender", "recipient", "fewer recipients"],
    )
    async def test_decision_about_another_envelope_is_refused(
        self, queue: Queue, other: Message
    ) -> None:
        mail = message("bob@b.example")
        with pytest.raises(TypeError):
            queue.put(mail, decision(other))
        with pytest.raises(TypeError):
            queue.put(other, decision(mail))

    @pytest.mark.asyncio
    async def test_rulings_may_come_in_another_order(self, queue: Queue) -> None:
        mail = message("a@b.example", "b@b.example", "a@b.example")
        ruled = decision(mail)
        await queue.put(mail, replace(ruled, rulings=ruled.rulings[1::-1]))
        queued = await queue.get(mail.id)
        assert queued is not None
        assert len(queued.recipients) == 3

    @pytest.mark.asyncio
    async def test_hold_is_stored_held_and_never_due(self, queue: Queue) -> None:
        mail = message()
        await queue.put(mail, decision(mail, Verdict.HOLD))
        (listed,) = await queue.list()
        assert (listed.state, listed.recipients[0].state) == ("held", "held")
        assert (await queue.due(NOW + 1e9, 10)).messages == ()

    @pytest.mark.asyncio
    async def test_one_impossible_message_fails_alone(self, queue: Queue) -> None:
        mails = [message() for _ in range(5)]
        futures = [queue.put(mail, decision(mail)) for mail in [*mails, mails[2]]]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        assert [type(one) for one in answers[:5]].count(type(None)) == 5
        assert isinstance(answers[5], apsw.ConstraintError)
        assert (await queue.stats(NOW)).messages == 5

    @pytest.mark.asyncio
    async def test_below_min_free_bytes_outcomes_go_on(self, tmp_path: Path) -> None:
        free, now = 1000, 0.0
        queue = Queue.open(
            tmp_path,
            options=QueueOptions(
                min_free_bytes=500, measure=lambda _: free, clock=lambda: now
            ),
        )
        queue.start(asyncio.get_running_loop(), pytest.fail)
        mail = await put(queue)
        free = 499
        await put(queue)  # The kernel is asked once a second.
        now = 1.0
        assert not queue.has_room()
        with pytest.raises(PutRefused):
            await put(queue)
        with pytest.raises(PutRefused):
            queue.bodies.writer()
        assert await queue.settle(mail.id, DELIVERED) == Settled(0, 1, 0)
        free, now = 500, 2.0
        await put(queue)
        await queue.close()


class TestSettle:
    @pytest.mark.asyncio
    async def test_message_goes_with_its_last_recipient(self, queue: Queue) -> None:
        mail = await put(queue, "a@b.example", "b@b.example", "c@c.example")
        deferred = Result(2, State.DEFERRED, "450 later", NOW + 300)
        assert await queue.settle(
            mail.id, [Result(0, State.DELIVERED, "250"), deferred]
        ) == Settled(2, 1, 0)
        queued = await queue.get(mail.id)
        assert queued is not None
        assert [
            (one.state, one.attempts, one.next_attempt, one.last_reply)
            for one in queued.recipients
        ] == [
            (State.DELIVERED, 1, 0.0, "250"),
            (State.PENDING, 0, NOW, ""),
            (State.DEFERRED, 1, NOW + 300, "450 later"),
        ]
        first = queue.settle(mail.id, [Result(1, State.FAILED, "550")])
        second = queue.settle(mail.id, [Result(2, State.DELIVERED, "250")])
        assert await asyncio.gather(first, second) == [
            Settled(1, 1, 1),
            Settled(0, 2, 1),
        ]
        assert await queue.get(mail.id) is None
        assert (await queue.stats(NOW)).recipients == 0
        assert await queue.settle(mail.id, DELIVERED) == Settled(0, 0, 0)

    @pytest.mark.asyncio
    async def test_reports_enter_with_the_failure(self, queue: Queue) -> None:
        mail = await put(queue)
        bounce = message("alice@example.com", sender="")
        await queue.settle(
            mail.id, [Result(0, State.FAILED, "550")], [(bounce, decision(bounce))]
        )
        (listed,) = await queue.list()
        assert (listed.id, listed.reverse_path) == (str(bounce.id), "")

    @pytest.mark.asyncio
    async def test_report_without_a_decision_changes_nothing(
        self, queue: Queue
    ) -> None:
        mail, bounce = await put(queue), message("alice@example.com", sender="")
        with pytest.raises(TypeError):
            queue.settle(
                mail.id, [Result(0, State.FAILED, "")], [(bounce, decision(mail))]
            )
        assert (await queue.stats(NOW)).by_state["pending"] == 1

    @pytest.mark.asyncio
    async def test_final_stays_final_and_held_stays_held(self, queue: Queue) -> None:
        mail = await put(queue, "a@b.example", "b@b.example")
        await queue.settle(mail.id, [Result(0, State.DELIVERED, "250")])
        await queue.hold(Selection(ids=(mail.id,)), NOW)
        later = [Result(n, State.DEFERRED, "450", NOW + 1) for n in (0, 1)]
        await queue.settle(mail.id, later)
        queued = await queue.get(mail.id)
        assert queued is not None
        assert [one.state for one in queued.recipients] == [
            State.DELIVERED,
            State.HELD,
        ]


class TestDue:
    @pytest.mark.asyncio
    async def test_pages_are_ordered_and_complete(self, queue: Queue) -> None:
        mails = [await put(queue) for _ in range(25)]
        for count, mail in enumerate(mails[:12]):
            result = Result(0, State.DEFERRED, "450", NOW - 100 + count)
            await queue.settle(mail.id, [result])
        await queue.settle(mails[12].id, [Result(0, State.DEFERRED, "", NOW + 9)])
        seen: list[object] = []
        after: Cursor | None = None
        for _ in range(10):
            page = await queue.due(NOW, 5, after=after)
            seen += [one.message.id for one in page.messages]
            after = page.cursor
            if after is None:
                break
        assert seen == [mail.id for mail in [*mails[:12], *mails[13:]]]
        assert await queue.next_due_at(NOW) == NOW + 9
        assert await queue.next_due_at(NOW + 9) is None

    @pytest.mark.asyncio
    async def test_skipped_and_big_ones(self, queue: Queue) -> None:
        mails = [message(body=b"x" * 1000) for _ in range(4)]
        for mail in mails:
            await queue.put(mail, decision(mail))
        page = await queue.due(NOW, 100, skip=lambda one: one == mails[0].id)
        assert [one.message for one in page.messages] == mails[1:]
        page = await queue.due(NOW, 100, max_bytes=1500)
        assert [one.message for one in page.messages] == mails[:2]
        page = await queue.due(NOW, 100, after=page.cursor)
        assert [one.message for one in page.messages] == mails[2:]


class TestOperators:
    @pytest.mark.asyncio
    async def test_hold_and_release(self, queue: Queue) -> None:
        seen: list[tuple[Action, int]] = []
        queue.watch(lambda action, ids: seen.append((action, len(ids))))
        mail, other = await put(queue), await put(queue)
        assert await queue.hold(Selection(ids=(mail.id,)), NOW) == 1
        assert await queue.hold(Selection(ids=(mail.id,)), NOW) == 0
        due = await queue.due(NOW, 10)
        assert [one.message.id for one in due.messages] == [other.id]
        with pytest.raises(TypeError):
            await queue.release(mail, decision(other, Verdict.REFUSE), NOW)
        released = replace(decision(mail), rule="release", reason="released by ann")
        assert await queue.release(mail, released, NOW + 5) == 1
        queued = await queue.get(mail.id)
        assert queued is not None
        assert (queued.rule, queued.reason) == ("release", "released by ann")
        assert queued.recipients[0].state is State.PENDING
        assert queued.recipients[0].next_attempt == NOW + 5
        assert await queue.release(message(), decision(message()), NOW) == 0
        assert seen == [(Action.HOLD, 1), (Action.RELEASE, 1), (Action.RELEASE, 0)]

    @pytest.mark.asyncio
    async def test_dead_mail_is_released_as_deferred(self, queue: Queue) -> None:
        mail = await put(queue, sender="")
        await queue.settle(mail.id, [Result(0, State.DEAD, "550")])
        (listed,) = await queue.list(Selection(state=State.DEAD))
        assert (listed.state, listed.recipients[0].state) == ("dead", "failed")
        assert await queue.release(mail, decision(mail), NOW) == 1
        assert (await queue.stats(NOW)).by_state["deferred"] == 1

    @pytest.mark.asyncio
    async def test_retry_makes_due(self, queue: Queue) -> None:
        mail = await put(queue)
        await queue.settle(mail.id, [Result(0, State.DEFERRED, "450", NOW + 999)])
        assert await queue.retry(Selection(), NOW) == 1
        assert await queue.retry(Selection(), NOW) == 0
        assert len((await queue.due(NOW, 10)).messages) == 1

    @pytest.mark.asyncio
    async def test_selections_reach_only_what_they_mean(self, queue: Queue) -> None:
        one = await put(queue, "x@one.example", "x@two.example")
        two = await put(queue, "y@two.example", sender="carol@example.com")
        null = await put(queue, "z@two.example", sender="")
        assert await queue.hold(Selection(destination="one.example"), NOW) == 1
        assert await queue.hold(Selection(sender="carol@example.com"), NOW) == 1
        assert await queue.hold(Selection(sender="<>"), NOW) == 1
        assert await queue.remove(Selection(state=State.PENDING), NOW) == 1
        left = await queue.list()
        assert [item.id for item in left] == [str(i.id) for i in (one, two, null)]
        assert [len(item.recipients) for item in left] == [1, 1, 1]
        assert (
            await queue.remove(
                Selection(destination="two.example", sender="carol@example.com"), NOW
            )
            == 1
        )
        assert [item.id for item in await queue.list()] == [str(one.id), str(null.id)]
        assert await queue.remove(Selection(), NOW) == 2
        assert (await queue.stats(NOW)).messages == 0

    @pytest.mark.asyncio
    async def test_removed_recipients_leave_the_others_their_index(
        self, queue: Queue
    ) -> None:
        mail = await put(queue, "a@one.example", "b@two.example")
        await queue.remove(Selection(destination="one.example"), NOW)
        queued = await queue.get(mail.id)
        assert queued is not None
        assert [one.index for one in queued.recipients] == [1]
        assert len(queued.message.envelope.recipients) == 1
        settled = await queue.settle(mail.id, [Result(1, State.DELIVERED, "250")])
        assert settled == Settled(0, 1, 0)
        assert await queue.list() == []

    @pytest.mark.asyncio
    async def test_many_are_acted_on_page_by_page(self, queue: Queue) -> None:
        mails = [message() for _ in range(1203)]
        await asyncio.gather(*(queue.put(mail, decision(mail)) for mail in mails))
        assert await queue.hold(Selection(sender="alice@example.com"), NOW) == 1203
        ids = tuple(mail.id for mail in mails[:700])
        assert await queue.remove(Selection(ids=ids), NOW) == 700
        assert (await queue.stats(NOW)).by_state["held"] == 503


class TestList:
    @pytest.mark.asyncio
    async def test_pages_and_filters(self, queue: Queue) -> None:
        mails = [await put(queue, f"x@d{n % 3}.example") for n in range(9)]
        first = await queue.list(limit=4)
        rest = await queue.list(limit=100, after=mails[3].id)
        assert [one.id for one in [*first, *rest]] == [str(m.id) for m in mails]
        some = Selection(destination="d1.example")
        page = await queue.list(some, 2)
        assert [one.id for one in page] == [str(mails[1].id), str(mails[4].id)]
        page = await queue.list(some, 2, mails[4].id)
        assert [one.id for one in page] == [str(mails[7].id)]
        await queue.remove(Selection(ids=(mails[4].id,)), NOW)
        page = await queue.list(some, 2, mails[4].id)
        assert [one.id for one in page] == [str(mails[7].id)]
        assert await queue.list(Selection(sender="nobody@example.com")) == []
        assert len(await queue.list(Selection(ids=(mails[0].id,)))) == 1
        assert len(await queue.list(Selection(state=State.PENDING))) == 8

    @pytest.mark.asyncio
    async def test_shape_that_scripts_rest_on(self, queue: Queue) -> None:
        mail = await put(queue, "a@b.example", "b@b.example")
        await queue.settle(mail.id, [Result(0, State.DEFERRED, "450 x", NOW + 0.5)])
        await queue.settle(mail.id, [Result(1, State.DELIVERED, "250 y")])
        listed = msgspec.json.decode(msgspec.json.encode(await queue.list()))
        assert listed == [
            {
                "id": str(mail.id),
                "state": "deferred",
                "reverse_path": "alice@example.com",
                "recipients": [
                    {
                        "address": "a@b.example",
                        "state": "deferred",
                        "attempts": 1,
                        "next_attempt": "2027-01-15T08:00:00.500000Z",
                        "last_reply": "450 x",
                    },
                    {
                        "address": "b@b.example",
                        "state": "delivered",
                        "attempts": 1,
                        "next_attempt": None,
                        "last_reply": "250 y",
                    },
                ],
                "size_bytes": mail.content.size,
                "received_at": "2027-01-15T08:00:00Z",
            }
        ]
        stats = msgspec.json.decode(msgspec.json.encode(await queue.stats(NOW + 60)))
        assert stats["messages"] == 1
        assert stats["recipients"] == 2
        assert stats["by_state"]["deferred"] == stats["by_state"]["delivered"] == 1
        assert stats["oldest_age_seconds"] == 60.0

    @pytest.mark.asyncio
    async def test_destinations_are_named_from_outside(self, tmp_path: Path) -> None:
        queue = Queue.open(
            tmp_path,
            options=QueueOptions(
                min_free_bytes=0, destinations=lambda _a, _p: "smarthost:provider"
            ),
        )
        queue.start(asyncio.get_running_loop(), pytest.fail)
        await put(queue)
        assert len(await queue.list(Selection(destination="smarthost:provider"))) == 1
        await queue.close()


class TestFile:
    def test_second_owner_is_told_the_pid_of_the_first(self, tmp_path: Path) -> None:
        first = Queue.open(tmp_path)
        with pytest.raises(QueueError, match=f"process {os.getpid()}") as caught:
            Queue.open(tmp_path)
        assert caught.value.hint
        first.close_now()
        Queue.open(tmp_path).close_now()

    def test_newer_file_is_refused(self, tmp_path: Path) -> None:
        Queue.open(tmp_path).close_now()
        connection = connect(str(tmp_path / "queue.db"), FLAGS)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(QueueError, match="version 99"):
            Queue.open(tmp_path)

    def test_foreign_database_is_left_alone(self, tmp_path: Path) -> None:
        connection = connect(str(tmp_path / "queue.db"), FLAGS)
        connection.execute("CREATE TABLE mine(x)")
        connection.close()
        with pytest.raises(QueueError, match="none of Sekisho's"):
            Queue.open(tmp_path)
        connection = connect(str(tmp_path / "queue.db"), FLAGS)
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [
            ("mine",)
        ]
        connection.close()

    @pytest.mark.parametrize("garbage", [b"not a database " * 400, b"\0" * 5000])
    def test_damaged_file_is_named(self, tmp_path: Path, garbage: bytes) -> None:
        (tmp_path / "queue.db").write_bytes(garbage)
        with pytest.raises(QueueError, match=r"queue\.db is damaged"):
            Queue.open(tmp_path)
        # The lock was let go: whoever mends the file can go on.
        (tmp_path / "queue.db").unlink()
        Queue.open(tmp_path).close_now()

    def test_file_damaged_in_its_schema_is_named(self, tmp_path: Path) -> None:
        Queue.open(tmp_path).close_now()
        path = tmp_path / "queue.db"
        data = bytearray(path.read_bytes())
        data[100:4096] = b"\xff" * 3996
        path.write_bytes(data)
        with pytest.raises(QueueError, match="damaged"):
            Queue.open(tmp_path)

    @pytest.mark.asyncio
    async def test_failed_commit_answers_nobody_well(self, tmp_path: Path) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        failures: list[str] = []
        queue.start(asyncio.get_running_loop(), failures.append)

        def fail(_operations: object) -> object:
            raise apsw.IOError("fsync failed")

        queue._file.commit = fail  # type: ignore[method-assign, assignment]
        mails = [message() for _ in range(3)]
        answers = await asyncio.gather(
            *(queue.put(mail, decision(mail)) for mail in mails),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers] == [QueueError] * 3
        with pytest.raises(QueueError):
            await queue.put(mails[0], decision(mails[0]))
        assert len(failures) == 1
        assert "fsync failed" in failures[0]
        await queue.close()

    @pytest.mark.asyncio
    async def test_closed_queue_takes_nothing(self, tmp_path: Path) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        queue.start(asyncio.get_running_loop(), pytest.fail)
        waiting = [message() for _ in range(50)]
        futures = [queue.put(mail, decision(mail)) for mail in waiting]
        await queue.close()
        assert await asyncio.gather(*futures) == [None] * 50
        with pytest.raises(QueueError, match="closed"):
            await queue.put(waiting[0], decision(waiting[0]))

    @pytest.mark.asyncio
    async def test_wal_stays_bounded_while_mail_never_pauses(
        self, tmp_path: Path
    ) -> None:
        limit = 512 * 1024
        queue = Queue.open(
            tmp_path, options=QueueOptions(min_free_bytes=0, wal_bytes=limit)
        )
        queue.start(asyncio.get_running_loop(), pytest.fail)

        async def client() -> None:
            for _ in range(100):
                mail = message(body=b"x" * 8192)
                await queue.put(mail, decision(mail))
                await queue.settle(mail.id, DELIVERED)

        await asyncio.gather(*(client() for _ in range(10)))
        assert (tmp_path / "queue.db-wal").stat().st_size < 6 * limit
        await queue.close()

    def test_works_without_a_loop(self, tmp_path: Path) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        mail = message("a@one.example", "b@two.example")
        queue.put_now(mail, decision(mail))
        assert queue.act_now(Action.HOLD, Selection(), NOW) == 2
        assert queue.release_now(mail, decision(mail), NOW) == 2
        assert queue.act_now(Action.REMOVE, Selection(ids=(mail.id,)), NOW) == 2
        assert queue.reader.listed(Selection(), 10, None) == []
        queue.close_now()

    def test_offline_put_is_refused_without_room(self, tmp_path: Path) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(measure=lambda _: 0))
        mail = message()
        with pytest.raises(PutRefused):
            queue.put_now(mail, decision(mail))
        queue.close_now()


class TestBodies:
    @pytest.mark.asyncio
    async def test_large_body_comes_and_goes_with_its_message(
        self, queue: Queue
    ) -> None:
        data = bytes(range(256)) * 4096
        writer = queue.bodies.writer()
        for offset in range(0, len(data), 100_000):
            await writer.write(data[offset : offset + 100_000])
        body = await writer.finish()
        assert body.size == len(data)
        mail = replace(message(), content=Content(b"Received: x\r\n", body, 10))
        await queue.put(mail, decision(mail))
        queued = await queue.get(mail.id)
        assert queued is not None
        assert queued.message.content.body == body
        whole = b"".join([piece async for piece in queue.export(mail.id)])
        assert whole == b"Received: x\r\n" + data[10:]
        assert b"".join(queue.bodies.pages_now(mail.content)) == whole
        assert await queue.bodies.read(body, len(data) - 3, 10) == data[-3:]
        await queue.settle(mail.id, DELIVERED)
        for _ in range(100):
            if not (queue.bodies.folder / body.name).exists():
                break
            await asyncio.sleep(0.01)
        assert not (queue.bodies.folder / body.name).exists()
        with pytest.raises(KeyError):
            [piece async for piece in queue.export(mail.id)]

    @pytest.mark.asyncio
    async def test_small_body_is_exported_from_its_row(self, queue: Queue) -> None:
        mail = await put(queue)
        whole = b"".join([piece async for piece in queue.export(mail.id)])
        assert whole.startswith(b"Received: from a by b; now\r\nSubject: hello")

    @pytest.mark.asyncio
    async def test_orphans_are_swept_and_others_kept(self, tmp_path: Path) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        queue.start(asyncio.get_running_loop(), pytest.fail)
        names: list[str] = []
        for stored in (True, False):
            writer = queue.bodies.writer()
            await writer.write(b"x" * 70_000)
            body = await writer.finish()
            names.append(body.name)
            if stored:
                mail = replace(message(), content=Content(b"", body))
                await queue.put(mail, decision(mail))
        await queue.close()
        again = Queue.open(tmp_path)
        assert [one.name for one in again.bodies.folder.iterdir()] == names[:1]
        again.close_now()

    @pytest.mark.asyncio
    async def test_aborted_and_removed_bodies_leave_nothing(
        self, tmp_path: Path
    ) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        writer = queue.bodies.writer()
        writing = asyncio.ensure_future(writer.write(b"x" * 1_000_000))
        await asyncio.sleep(0)
        writing.cancel()
        writer.abort()
        other = queue.bodies.writer()
        await other.write(b"x" * 1_000_000)
        queue.bodies.remove(await other.finish())
        empty = queue.bodies.writer()
        body = await empty.finish()
        assert body.size == 0
        queue.bodies.remove(body)
        await queue.close()
        assert list((tmp_path / "bodies").iterdir()) == []

    @pytest.mark.asyncio
    async def test_disk_that_fails_otherwise_ends_the_service(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queue = Queue.open(tmp_path, options=QueueOptions(min_free_bytes=0))
        failures: list[str] = []
        queue.start(asyncio.get_running_loop(), failures.append)

        def fail(_descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        writer = queue.bodies.writer()
        await writer.write(b"x" * 70_000)
        monkeypatch.setattr("os.fsync", fail)
        with pytest.raises(QueueError, match="cannot be written"):
            await writer.finish()
        await asyncio.sleep(0)
        assert len(failures) == 1
        await queue.close()
