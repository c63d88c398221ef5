"""What is sent for one server goes to no other, whatever happens to the first of two."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from digest.config import Smtp
from digest.errors import TransportError
from digest.model import Outcome, OutcomeKind
from digest.ports import Transport
from tests.relaying import Heard, make, message
from tests.smtp_server import Fault, SmtpServer

Kind = OutcomeKind


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def name(port: int) -> str:
    return f"127.0.0.1:{port}"


def second(server: SmtpServer, **settings: object) -> Smtp:
    values = {"host": "127.0.0.1", "port": server.port, "connections": 1, "timeout": 5.0}
    return Smtp.model_validate(values | settings)


def run(transport: Transport, steps: Callable[[Transport], Awaitable[list[Outcome]]]) -> list[Outcome]:
    async def all_of_it() -> list[Outcome]:
        try:
            return await steps(transport)
        finally:
            await transport.close()

    return asyncio.run(all_of_it())


async def told(transport: Transport, server: str, *numbers: int) -> list[Outcome]:
    heard = Heard()
    transport.send([message(number) for number in numbers], heard, server)
    return await heard.all(len(numbers))


def test_a_copy_for_one_server_waits_for_it_and_others_do_not() -> None:
    down = closed_port()
    with SmtpServer() as spare:

        async def steps(transport: Transport) -> list[Outcome]:
            assert transport.server == name(down)
            waited = await told(transport, name(down), 1)
            assert transport.server == name(spare.port)
            any_server = await told(transport, "", 2)
            return [*waited, *any_server, *await told(transport, name(spare.port), 3)]

        outcomes = run(make(port=down, fallback=second(spare)), steps)
    assert [o.kind for o in outcomes] == [Kind.unsent, Kind.accepted, Kind.accepted]
    assert name(down) in outcomes[0].reply
    assert spare.addresses == ["reader2@example.test", "reader3@example.test"]


def test_what_comes_too_late_for_the_first_server_is_unsent_at_once() -> None:
    down = closed_port()
    with SmtpServer() as spare:

        async def steps(transport: Transport) -> list[Outcome]:
            await transport.open()
            heard = Heard()
            transport.send([message(1)], heard, name(down))
            assert list(heard.outcomes) == [1]
            return await heard.all(1)

        (outcome,) = run(make(port=down, fallback=second(spare)), steps)
    assert (outcome.kind, spare.received) == (Kind.unsent, [])


def test_when_the_first_server_dies_the_second_is_given_nothing_that_was_for_it() -> None:
    with SmtpServer() as spare:
        server = SmtpServer(Fault("dot", who="reader3@example.test", reply=b"", then="close", taken=True))
        with server:
            server.faults[0].hook = server.stop

            async def steps(transport: Transport) -> list[Outcome]:
                outcomes = await told(transport, name(server.port), *range(1, 9))
                back = [o.delivery for o in outcomes if o.kind is Kind.unsent]
                assert transport.server == name(spare.port)
                anew = await told(transport, transport.server, *back)
                return [*[o for o in outcomes if o.kind is not Kind.unsent], *anew]

            outcomes = run(make(server, fallback=second(spare)), steps)
    doubtful = {o.delivery for o in outcomes if o.kind is Kind.uncertain}
    assert 3 in doubtful
    assert {o.delivery for o in outcomes if o.kind is Kind.accepted} == {*range(1, 9)} - doubtful
    assert not {f"reader{n}@example.test" for n in doubtful} & set(spare.addresses)


def test_a_connection_to_the_first_server_that_opens_too_late_is_given_nothing() -> None:
    """Two are on their way when the last open one ends: one is refused for good, the other greets later."""
    with SmtpServer() as spare, SmtpServer() as server:

        async def steps(transport: Transport) -> list[Outcome]:
            await transport.open()
            server.faults += [
                Fault("mail", reply=b"", then="close"),
                Fault("greeting", delay=0.6),
                Fault("greeting", reply=b"554 5.7.1 not you", delay=0.2),
            ]
            outcomes = await told(transport, name(server.port), *range(1, 31))
            assert {o.kind for o in outcomes} == {Kind.unsent}
            assert transport.server == name(spare.port)
            first_half = await told(transport, name(spare.port), *range(1, 16))
            await asyncio.sleep(0.7)
            return [*first_half, *await told(transport, name(spare.port), *range(16, 31))]

        outcomes = run(make(server, connections=3, fallback=second(spare)), steps)
    assert {o.kind for o in outcomes} == {Kind.accepted}
    assert (len(spare.received), server.received) == (30, [])


def test_the_second_server_stays_in_use_while_a_connection_to_it_stands() -> None:
    """It refuses a second connection for good: that ends a run, and the first one still leads there."""
    down = closed_port()
    with SmtpServer() as spare:

        async def steps(transport: Transport) -> list[Outcome]:
            await transport.open()
            spare.faults += [
                Fault("dot", delay=0.5),
                Fault("greeting", reply=b"554 5.7.1 one is enough", times=-1),
            ]
            heard = Heard()
            transport.send([message(n) for n in range(1, 31)], heard, name(spare.port))
            try:
                outcomes = await heard.all(30)
            except TransportError:
                outcomes = list(heard.outcomes.values())
            assert heard.errors
            assert transport.server == name(spare.port)
            assert {o.kind for o in outcomes} <= {Kind.accepted, Kind.unsent}
            return await told(transport, name(spare.port), 31)

        (outcome,) = run(make(port=down, fallback=second(spare, connections=2)), steps)
    assert outcome.kind is Kind.accepted


def test_when_neither_can_be_used_the_first_one_is_tried_first_again() -> None:
    with (
        SmtpServer(Fault("greeting", reply=b"421 4.3.2 not now", times=1)) as server,
        SmtpServer(Fault("greeting", reply=b"421 4.3.2 not now", times=1)) as spare,
    ):

        async def steps(transport: Transport) -> list[Outcome]:
            heard = Heard()
            transport.send([message(1)], heard, name(server.port))
            while not heard.outcomes:  # noqa: ASYNC110 - `Heard.all` would raise
                await asyncio.sleep(0.01)
            assert heard.outcomes[1].kind is Kind.unsent
            assert transport.server == name(server.port)
            return await told(transport, name(server.port), 2)

        (outcome,) = run(make(server, fallback=second(spare)), steps)
    assert (outcome.kind, spare.received) == (Kind.accepted, [])
