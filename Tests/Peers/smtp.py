"""Mail servers for the tests: aiosmtpd in several settings, and servers that answer badly.

Letters that were taken are files under the folder given, NAME-OF-THE-SERVER/NUMBER.eml, byte for byte. Prints one line
of JSON that says where everything is, and ends when its standard input does; then the folder goes too.
"""

import asyncio
import datetime
import functools
import ipaddress
import json
import logging
import pathlib
import shutil
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

FOLDER = pathlib.Path(sys.argv[1])
# What goes wrong on purpose is no news.
logging.disable(logging.ERROR)
USER, PASSWORD = b"souk@example.com", b"p@ss:w/rd%"


def keep(server, content):
    folder = FOLDER / server
    folder.mkdir(exist_ok=True)
    number = len(list(folder.iterdir()))
    (folder / f"{number}.eml").write_bytes(content)


class Handler:
    """Refuses by the recipient's name, once or for ever."""

    def __init__(self, server):
        self.server = server
        self.postponed = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name.startswith("refused"):
            return "550 5.1.1 no such user"
        if name.startswith("later") and address not in self.postponed:
            self.postponed.add(address)
            return "450 4.2.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("spam"):
            return "554 5.7.1 we do not like this letter"
        keep(self.server, envelope.content)
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == USER and data.password == PASSWORD, handled=False)


def certificates():
    """An authority, and a server's certificate for localhost and 127.0.0.1, and one for another host."""
    now = datetime.datetime.now(datetime.UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Souk test authority")])

    def sign(subject, key, extensions):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(authority)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def server(name, alternatives):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        file = FOLDER / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + sign(subject, key, [x509.SubjectAlternativeName(alternatives)]))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    basic = x509.BasicConstraints(ca=True, path_length=None)
    (FOLDER / "ca.pem").write_bytes(sign(authority, authority_key, [basic]))
    local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return server("localhost", local), server("other.example", [x509.DNSName("other.example")])


class Script:
    """A server that speaks just enough SMTP to be wrong in one way."""

    def __init__(self, name):
        self.name = name
        self.connections = 0

    async def __call__(self, reader, writer):
        self.connections += 1
        try:
            await getattr(self, self.name.replace("-", "_"))(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def silent(self, reader, writer):
        await reader.read()

    async def garbage(self, reader, writer):
        writer.write(b"\x00\x01 hello?\r\n")
        await reader.read()

    async def half(self, reader, writer):
        writer.write(b"220-souk test\r\n220 rea")
        await writer.drain()

    async def closed(self, reader, writer):
        writer.write(b"554 5.3.2 no mail today\r\n")
        await reader.read()

    async def endless(self, reader, writer):
        while True:
            writer.write(b"220-and more\r\n" * 100)
            await writer.drain()

    async def injecting(self, reader, writer):
        """Somebody on the way says something between the consent to STARTTLS and TLS."""
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.write(b"250-test\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go ahead\r\n250-test\r\n250 AUTH PLAIN\r\n")
        await reader.read()

    async def one_letter(self, reader, writer):
        """Takes one letter a connection, and then hangs up without a word."""
        await self.dialogue(reader, writer, letters=1)

    async def tired(self, reader, writer):
        """Takes one letter a connection, and then says that it is enough."""
        await self.dialogue(reader, writer, letters=1, farewell=b"421 4.7.0 enough\r\n")

    async def forgetful(self, reader, writer):
        """The first connection is lost behind the letter, before the answer."""
        await self.dialogue(reader, writer, is_answering=self.connections > 1)

    async def pipelining(self, reader, writer):
        await self.dialogue(reader, writer, offers=[b"PIPELINING", b"SIZE 100000"])

    async def dialogue(self, reader, writer, letters=1_000, farewell=b"", offers=(), is_answering=True):
        writer.write(b"220 ready\r\n")
        is_wanted = True
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                lines = [b"test", *offers]
                writer.write(b"".join(b"250-" + offer + b"\r\n" for offer in lines) + b"250 HELP\r\n")
            elif verb == b"MAIL" and letters == 0:
                writer.write(farewell)
                return
            elif verb == b"RCPT":
                is_wanted = b"refused" not in line
                writer.write(b"250 OK\r\n" if is_wanted else b"550 5.1.1 no such user\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                content = await reader.readuntil(b"\r\n.\r\n") if is_wanted else await reader.readuntil(b".\r\n")
                if not is_answering:
                    return
                letters -= 1
                if is_wanted:
                    keep(self.name, content[:-3].replace(b"\r\n..", b"\r\n."))
                writer.write(b"250 OK\r\n" if is_wanted else b"554 5.5.1 nobody to send this to\r\n")
            elif verb == b"QUIT":
                return
            else:
                writer.write(b"250 OK\r\n")


async def main():
    local, other = certificates()
    login = {"auth_required": True, "authenticator": authenticate}
    servers = {
        "plain": {},
        "small": {"data_size_limit": 2_000},
        "starttls": {"tls_context": local, "require_starttls": True, **login},
        "smtps": {"auth_require_tls": False, **login},
        "login-only": {"tls_context": local, "require_starttls": True, "auth_exclude_mechanism": ["PLAIN"], **login},
        "offering": {"tls_context": local},
        "other-name": {"tls_context": other},
    }
    facts = {"ca": str(FOLDER / "ca.pem")}
    loop = asyncio.get_running_loop()
    for name, options in servers.items():
        factory = functools.partial(SMTP, Handler(name), hostname="test", enable_SMTPUTF8=False, **options)
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=local if name == "smtps" else None)
        facts[name] = server.sockets[0].getsockname()[1]
    names = "silent garbage half closed endless injecting one-letter tired forgetful pipelining"
    for name in names.split():
        server = await asyncio.start_server(Script(name), "127.0.0.1", 0, limit=1 << 22)
        facts[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(facts), flush=True)
    ended = asyncio.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await ended.wait()
    shutil.rmtree(FOLDER)


asyncio.run(main())
