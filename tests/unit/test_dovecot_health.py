"""What balancers and keepalived hear of Dovecot's health: dovecot-health of role dovecot, against a Dovecot that answers, fails and hangs."""

import asyncio
import pathlib

import pytest

MEMORY = 0.5  # seconds for which a success counts


@pytest.fixture(name="program")
def fixture_program(load, monkeypatch, tmp_path):
    module = load("roles/dovecot/files/dovecot-health")
    monkeypatch.setattr(module, "DEADLINE", 0.5)
    monkeypatch.setattr(module, "CHECK", str(tmp_path / "health-check"))
    monkeypatch.setattr(module, "AUTH", str(tmp_path / "auth-health"))
    return module


class Dovecot:
    """Starts a process for whoever connects, looks accounts up, and counts both."""

    def __init__(self):
        self.word, self.takes, self.started = b"PONG", 0.0, 0
        self.answers, self.hangs, self.lookups, self.left_early = [b"NOTFOUND\t1\n"], 0.0, 0, 0

    async def start(self, _reader, writer):
        self.started += 1
        await asyncio.sleep(self.takes)
        writer.write(self.word)
        writer.close()

    async def auth(self, reader, writer):
        self.lookups += 1
        answers = list(self.answers)
        writer.write(b"VERSION\t1\t0\nSPID\t7\n")
        while line := await reader.readline():
            if line.startswith(b"USER\t"):
                assert line == b"USER\t1\tnobody@health.invalid\tprotocol=health\n"
                await asyncio.sleep(self.hangs)
                self.left_early += reader.at_eof()
                if not answers:
                    break
                writer.write(answers.pop(0))
        writer.close()


def run(program, scene):
    """Play a scene: a coroutine that gets Dovecot and a function to ask with."""
    async def play():
        dovecot = Dovecot()
        health = program.Health(MEMORY)
        server = await asyncio.start_server(health.serve, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]

        async def ask(question=b"PING\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question)
            answer = await reader.read()
            writer.close()
            return answer

        async with server, await asyncio.start_unix_server(dovecot.start, program.CHECK), await asyncio.start_unix_server(dovecot.auth, program.AUTH):
            await scene(dovecot, ask)
    asyncio.run(play())


def test_many_questions_and_one_check(program):
    async def scene(dovecot, ask):
        dovecot.takes = 0.1
        assert set(await asyncio.gather(*(ask() for _ in range(20)))) == {b"PONG\n"}
        assert await ask() == b"PONG\n" and (dovecot.started, dovecot.lookups) == (1, 1)
        await asyncio.sleep(MEMORY)
        assert await ask() == b"PONG\n" and (dovecot.started, dovecot.lookups) == (2, 2)
    run(program, scene)


def test_a_failure_is_not_remembered(program, capfd):
    async def scene(dovecot, ask):
        dovecot.answers = [b"FAIL\t1\n"] * 5
        assert await ask() == b"directory lookups fail\n"
        assert await ask() == b"directory lookups fail\n" and dovecot.lookups == 2
        dovecot.answers = [b"FAIL\t1\n", b"NOTFOUND\t1\n"]  # a worker whose database has gone
        assert await ask() == b"PONG\n"
    run(program, scene)
    assert capfd.readouterr().err.splitlines() == ["<4>Dovecot is of no use here: directory lookups fail", "<5>Dovecot is of use again"]


@pytest.mark.parametrize(("change", "reason"), [
    ({"word": b""}, "a process that was started ended without a word"),
    ({"takes": 5}, "no process started within 0.5 s"),
    ({"hangs": 1}, "no answer from the auth service within 0.5 s"),
    ({"answers": []}, "the auth service closed the connection"),
    ({"answers": [b"USER\t1\tuid=5000\n"]}, "the directory knows nobody@health.invalid"),
])
def test_half_of_it_is_not_enough(program, capfd, change, reason):
    async def scene(dovecot, ask):
        vars(dovecot).update(change)
        assert await ask() == f"{reason}\n".encode()
    run(program, scene)
    assert f"<4>Dovecot is of no use here: {reason}\n" in capfd.readouterr().err


def test_no_dovecot(program):
    async def scene(_dovecot, ask):
        pathlib.Path(program.CHECK).unlink()
        pathlib.Path(program.AUTH).unlink()
        assert await ask() == (b"no process can be started (No such file or directory), the auth service does not answer (No such file or directory)\n")
    run(program, scene)


def test_a_late_answer_is_waited_for_and_counts_for_nothing(program):
    async def scene(dovecot, ask):
        dovecot.hangs = 1.2
        assert await ask() == b"no answer from the auth service within 0.5 s\n"
        assert await ask() == b"no answer from the auth service within 0.5 s\n" and dovecot.lookups == 1
        dovecot.hangs = 0
        # Waits for that one first, whose answer is older than the question.
        assert await ask() == b"PONG\n" and dovecot.lookups == 2
        assert dovecot.left_early == 0
    run(program, scene)


def test_whoever_leaves_takes_no_check_with_him(program):
    async def scene(dovecot, ask):
        dovecot.takes = 0.2
        impatient = asyncio.ensure_future(ask())
        await asyncio.sleep(0.05)
        patient = asyncio.ensure_future(ask())
        await asyncio.sleep(0.05)
        impatient.cancel()
        assert await patient == b"PONG\n" and dovecot.started == 1
    run(program, scene)


def test_only_that_question_has_an_answer(program):
    async def scene(dovecot, ask):
        # The last one says nothing, and stays.
        for question in (b"PONG\n", b"\n", b"PING" * 30000 + b"\n", b""):
            assert await asyncio.wait_for(ask(question), 5) == b""
        assert dovecot.started == 0
    run(program, scene)
