"""What balancers and keepalived hear of Dovecot's health: dovecot-health of role dovecot, against checks that answer, fail and hang."""

import asyncio
import pathlib

import pytest

MEMORY = 0.5  # seconds for which a success counts


@pytest.fixture(name="program")
def fixture_program(load, monkeypatch):
    module = load("roles/dovecot/files/dovecot-health")
    monkeypatch.setattr(module, "DEADLINE", 0.5)
    return module


class Dovecot:
    """Starts a check for whoever connects, and counts them."""

    def __init__(self, path):
        self.path, self.answer, self.takes, self.checks = path, b"PONG\n", 0.0, 0

    async def check(self, _reader, writer):
        self.checks += 1
        await asyncio.sleep(self.takes)
        writer.write(self.answer)
        writer.close()


def run(program, tmp_path, scene):
    """Play a scene: a coroutine that gets Dovecot and a function to ask with."""
    async def play():
        dovecot = Dovecot(str(tmp_path / "health-check"))
        health = program.Health(MEMORY, dovecot.path)
        server = await asyncio.start_server(health.serve, "127.0.0.1")
        port = server.sockets[0].getsockname()[1]

        async def ask(question=b"PING\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question)
            answer = await reader.read()
            writer.close()
            return answer

        async with server, await asyncio.start_unix_server(dovecot.check, dovecot.path):
            await scene(dovecot, ask)
    asyncio.run(play())


def test_many_questions_and_one_check(program, tmp_path):
    async def scene(dovecot, ask):
        dovecot.takes = 0.1
        assert set(await asyncio.gather(*(ask() for _ in range(20)))) == {b"PONG\n"}
        assert await ask() == b"PONG\n" and dovecot.checks == 1
        await asyncio.sleep(MEMORY)
        assert await ask() == b"PONG\n" and dovecot.checks == 2
    run(program, tmp_path, scene)


def test_a_failure_is_not_remembered(program, tmp_path, capfd):
    async def scene(dovecot, ask):
        dovecot.answer = b"directory lookups fail\n"
        assert await ask() == b""
        assert await ask() == b"" and dovecot.checks == 2
        dovecot.answer = b"PONG\n"
        assert await ask() == b"PONG\n"
    run(program, tmp_path, scene)
    assert capfd.readouterr().err.splitlines() == ["<4>Dovecot is of no use here: directory lookups fail", "<5>Dovecot is of use again"]


@pytest.mark.parametrize(("answer", "takes", "reason"), [(b"", 0, "its check ended without an answer"), (b"PONG\n", 5, "it has not started its check within 0.5 s")])
def test_no_check_no_answer(program, tmp_path, capfd, answer, takes, reason):
    async def scene(dovecot, ask):
        dovecot.answer, dovecot.takes = answer, takes
        assert await ask() == b""
    run(program, tmp_path, scene)
    assert reason in capfd.readouterr().err


def test_no_dovecot(program, tmp_path, capfd):
    async def scene(dovecot, ask):
        pathlib.Path(dovecot.path).unlink()
        assert await ask() == b""
    run(program, tmp_path, scene)
    assert "it does not answer (No such file or directory)" in capfd.readouterr().err


def test_whoever_leaves_takes_no_check_with_him(program, tmp_path):
    async def scene(dovecot, ask):
        dovecot.takes = 0.2
        impatient = asyncio.ensure_future(ask())
        await asyncio.sleep(0.05)
        patient = asyncio.ensure_future(ask())
        await asyncio.sleep(0.05)
        impatient.cancel()
        assert await patient == b"PONG\n" and dovecot.checks == 1
    run(program, tmp_path, scene)


def test_only_that_question_has_an_answer(program, tmp_path):
    async def scene(dovecot, ask):
        # The last one says nothing, and stays.
        for question in (b"PONG\n", b"\n", b"PING" * 30000 + b"\n", b""):
            assert await asyncio.wait_for(ask(question), 5) == b""
        assert dovecot.checks == 0
    run(program, tmp_path, scene)
