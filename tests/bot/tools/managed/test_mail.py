"""Mail goes out encrypted and once to each, its headers are ours alone, and each failure has its sentence."""

from __future__ import annotations

import email
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from hypothesis import given
from hypothesis import strategies as st

from bot.core.errors import Refused, Told, Transient
from bot.managed import Smtp
from bot.sources import FromEnv
from bot.tools import mail as tool
from bot.tools.mail import SmtpMail, written
from playground import broken
from tests.certificates import certificate

BOT = "hivekeeper@example.com"


class Post:
    """What aiosmtpd asks, and what came. `refused`: recipient to what is said of it; `says`: to the message itself."""

    def __init__(self) -> None:
        self.password = ""
        self.refused: dict[str, str] = {}
        self.says = "250 kept"
        self.came: list[tuple[list[str], email.message.EmailMessage]] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.says.startswith("250"):
            message: Any = email.message_from_bytes(envelope.content, policy=default)
            self.came.append((envelope.rcpt_tos, message))
        return self.says

    def lets_in(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        right = (given.login, given.password) == (b"bot", self.password.encode())
        return AuthResult(success=right, handled=right)


class Quick(Controller):
    def factory(self) -> SMTP:
        """Does not ask the DNS who it is."""
        return SMTP(self.handler, hostname="127.0.0.1", **self.SMTP_kwargs)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("mail"), "post")


@pytest.fixture(scope="module")
def context(pair: tuple[Path, Path]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*pair)
    return made


Serve = Callable[..., int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(post, …)`: aiosmtpd with these options, on a free port."""
    running: list[Controller] = []

    def made(post: Post, **options: Any) -> int:
        port = broken.unused_port()
        controller = Quick(post, hostname="127.0.0.1", port=port, **options)
        controller.start()
        running.append(controller)
        return port

    yield made
    for controller in running:
        controller.stop()


@pytest.fixture
def post(kept: dict[str, str], canary: Any) -> Post:
    made = Post()
    made.password = kept["SMTP_PASSWORD"] = canary("password")
    return made


@pytest.fixture
def strict(post: Post, serve: Serve, context: ssl.SSLContext) -> int:
    """A server that takes mail only encrypted and after a login."""
    return serve(post, tls_context=context, require_starttls=True, authenticator=post.lets_in, auth_required=True)


@pytest.fixture
def mail(strict: int, pair: tuple[Path, Path], resolve: Any) -> Callable[..., SmtpMail]:
    def made(**changed: Any) -> SmtpMail:
        login = {"username": "bot", "password": FromEnv(env="SMTP_PASSWORD")}
        given = {"host": "127.0.0.1", "port": strict, "sender": BOT, "ca_file": pair[0], "timeout": 60, **login}
        return SmtpMail(Smtp(**{**given, **changed}), resolve)

    return made


def test_a_message_arrives(mail: Any, post: Post) -> None:
    """Encrypted and after the login, with its sender, recipients, subject and every letter of its text."""
    text = "Grüße,\n.\n" + "a long line " * 200
    mail().send(("a@example.com", "b@example.com"), "dune: 2 nodes — failed", text, key="run-1")
    ((to, message),) = post.came
    assert to == ["a@example.com", "b@example.com"]
    assert (message["From"], message["To"]) == (BOT, "a@example.com, b@example.com")
    assert message["Subject"] == "dune: 2 nodes — failed"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().splitlines() == text.splitlines()


def test_the_same_key_is_sent_once(mail: Any, post: Post) -> None:
    """And another process would give it the same Message-ID."""
    one = mail()
    one.send(("a@example.com",), "s", "t", key="k")
    one.send(("a@example.com",), "s", "t", key="k")
    assert len(post.came) == 1
    mail().send(("a@example.com",), "s", "t", key="k")
    one.send(("a@example.com",), "s", "t", key="other")
    numbers = [message["Message-ID"] for _, message in post.came]
    assert numbers[0] == numbers[1] != numbers[2]


def test_who_was_put_off_gets_it_later(mail: Any, post: Post) -> None:
    """A second try goes to those alone who have not got it; who never will is told in the end."""
    post.refused = {"late@example.com": "451 4.7.1 gobbledygook", "never@example.com": "550 gobbledygook"}
    to = ("a@example.com", "late@example.com", "never@example.com")
    one = mail()
    with pytest.raises(Transient, match=r"late@example\.com"):
        one.send(to, "s", "t", key="k")
    del post.refused["late@example.com"]
    with pytest.raises(Refused, match=r"never@example\.com"):
        one.send(to, "s", "t", key="k")
    assert [to for to, _ in post.came] == [["a@example.com"], ["late@example.com"]]


@pytest.mark.parametrize(
    ("says", "kind"), [("451 gobbledygook", Transient), ("554 gobbledygook", Refused), ("421 gobbledygook", Transient)]
)
def test_a_message_that_is_not_taken(mail: Any, post: Post, clean: Any, says: str, kind: type[Told]) -> None:
    """It is sent again by the next call, whatever the server said."""
    post.says = says
    one = mail()
    with pytest.raises(kind) as problem:
        one.send(("a@example.com",), "s", "t", key="k")
    clean(problem.value)
    post.says = "250 kept"
    one.send(("a@example.com",), "s", "t", key="k")
    assert len(post.came) == 1


def test_a_server_that_hangs_up_among_the_recipients(mail: Any, post: Post, clean: Any) -> None:
    """Nobody has got the message then, also those that it had said yes to: the next call is for all of them."""
    to = ("a@example.com", "b@example.com", "c@example.com")
    post.refused = {"b@example.com": "421 gobbledygook"}
    one = mail()
    with pytest.raises(Transient, match=r"a@example\.com, b@example\.com, c@example\.com") as problem:
        one.send(to, "s", "t", key="k")
    clean(problem.value)
    assert post.came == []
    post.refused = {}
    one.send(to, "s", "t", key="k")
    assert [sorted(whom) for whom, _ in post.came] == [sorted(to)]


def test_all_are_refused(mail: Any, post: Post, clean: Any) -> None:
    """That is no connection problem."""
    post.refused = {"a@example.com": "550 gobbledygook"}
    with pytest.raises(Refused, match="takes no mail for a@example") as problem:
        mail().send(("a@example.com",), "s", "t", key="k")
    clean(problem.value)


def test_ways_in_that_fail(mail: Any, post: Post, clean: Any, tmp_path: Path) -> None:
    """A wrong password, a foreign certificate, TLS of the wrong kind, a missing CA file, nobody there."""
    (tmp_path / "empty.pem").write_text("")
    wrong = [
        ({"ca_file": None}, Refused, "certificate that the bot does not trust"),
        ({"tls": "implicit"}, Refused, "No TLS connection"),
        ({"ca_file": tmp_path / "none.pem"}, Refused, "CA file for mail"),
        ({"port": broken.unused_port()}, Transient, "does not accept connections"),
    ]
    for changed, kind, told in wrong:
        with pytest.raises(kind, match=told) as problem:
            mail(**changed).send(("a@example.com",), "s", "t", key="k")
        clean(problem.value)
    post.password = "another"
    with pytest.raises(Refused, match="does not accept the bot's login") as refused:
        mail().send(("a@example.com",), "s", "t", key="k")
    clean(refused.value)


def test_tls_from_the_start(post: Post, serve: Serve, context: ssl.SSLContext, pair: Any, resolve: Any) -> None:
    """As on port 465."""
    port = serve(post, ssl_context=context)
    settings = Smtp(host="127.0.0.1", port=port, tls="implicit", sender=BOT, ca_file=pair[0])
    SmtpMail(settings, resolve).send(("a@example.com",), "s", "t", key="k")
    assert len(post.came) == 1


def test_no_encryption_is_never_fallen_back_to(post: Post, serve: Serve, pair: Any, resolve: Any) -> None:
    """A server without STARTTLS gets no mail and no login when that was asked for."""
    plain = {"host": "127.0.0.1", "port": serve(post), "sender": BOT, "ca_file": pair[0]}
    with pytest.raises(Refused, match="offers no STARTTLS"):
        SmtpMail(Smtp(**plain), resolve).send(("a@example.com",), "s", "t", key="k")
    assert post.came == []
    SmtpMail(Smtp(**plain, tls="none"), resolve).send(("a@example.com",), "s", "t", key="k")
    assert len(post.came) == 1


def test_a_server_that_says_a_byte_at_a_time(dripping: int, resolve: Any) -> None:
    """The whole message has its time, not each byte."""
    settings = Smtp(host="127.0.0.1", port=dripping, tls="none", sender=BOT, timeout=0.25)
    with pytest.raises(Transient, match="did not answer within"):
        SmtpMail(settings, resolve).send(("a@example.com",), "s", "t", key="k")


@pytest.fixture
def dripping() -> Iterator[int]:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not stop.wait(0.05):
            connection.sendall(b"2")

    with talking(drip) as port:
        yield port
        stop.set()


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that talks to who comes, until it is hung up on."""

    def serve() -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)
    assert not thread.is_alive()


def test_a_server_that_talks_without_end(resolve: Any) -> None:
    """It is hung up on before its greeting has cost memory, and long before the time is over."""

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"220-welcome, and\r\n" * 1000)

    with talking(talk) as port:
        mail = SmtpMail(Smtp(host="127.0.0.1", port=port, tls="none", sender=BOT, timeout=120), resolve)
        with pytest.raises(Transient, match="broke off"):
            mail.send(("a@example.com",), "s", "t", key="k")


def test_the_check(mail: Any, post: Post) -> None:
    """It logs in and sends nothing."""
    assert "lets the bot in" in tool.check(mail()._settings, mail()._resolve)
    assert post.came == []


@pytest.mark.parametrize(
    "address", ["a@b\r\nBcc: c@example.com", "a b@example.com", "<a@example.com>", "", "a", "ä@example.com"]
)
def test_an_address_that_is_none(mail: Any, post: Post, address: str) -> None:
    """It is refused by its number, before anything is sent."""
    with pytest.raises(Refused, match="Recipient 2"):
        mail().send(("a@example.com", address), "s", "t", key="k")
    assert post.came == []


def test_no_login_in_clear() -> None:
    """The settings do not allow it but on loopback."""
    login = {"username": "bot", "password": FromEnv(env="X"), "sender": BOT, "tls": "none"}
    with pytest.raises(ValueError, match="starttls or implicit"):
        Smtp(host="mail.example.com", **login)
    assert Smtp(host="127.0.0.1", **login).tls == "none"


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=30))
def test_any_text_is_one_message(subject: str, body: str, key: str) -> None:
    """Whatever subject and text hold, there is no header but ours, every line is short, and all of it is ASCII."""
    raw = written(BOT, ("a@example.com",), subject, body, key)
    message = email.message_from_bytes(raw, policy=default)
    ours = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    }
    assert set(message.keys()) == ours
    assert len(message.keys()) == len(ours)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert not message.defects
