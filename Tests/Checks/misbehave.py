"""Servers that misbehave, for Tests/Checks/checks.sh: ADDRESS:PORT/HOW..., each a listener of its own.

HOW is tcp-, http-, smtp- or dns-, and what is wrong: silent (takes connections and says nothing), slow (answers when nobody waits
any more), wrong, endless, garbage, and for UDP well: an echo.
"""

import os
import selectors
import socket
import sys
import time

GREETING = {"http": b"HTTP/1.0 500 No\r\n\r\nbroken\n", "smtp": b"554 no mail here\r\n"}
ENDLESS = {"http": b"HTTP/1.0 200 OK\r\n\r\n", "smtp": b""}
LINE = {"http": b"a" * 65536, "smtp": b"220-and one more line\r\n" * 1000}

selector = selectors.DefaultSelector()
# What is still to be sent: (time, socket, bytes).
later = []
endless = set()


def accept(listener, protocol, how):
    connection, _ = listener.accept()
    connection.setblocking(False)
    try:
        if how == "wrong" and protocol == "smtp" or how == "garbage":
            connection.send(GREETING["smtp"] if how == "wrong" else os.urandom(4096))
        if how == "endless":
            connection.send(ENDLESS[protocol])
            endless.add((connection, protocol))
        if how == "slow":
            later.append((time.monotonic() + 8, connection, b"HTTP/1.0 200 OK\r\n\r\nwell\n"))
    except OSError:
        pass
    selector.register(connection, selectors.EVENT_READ, lambda: receive(connection, protocol, how))


def receive(connection, protocol, how):
    try:
        data = connection.recv(65536)
        if data and protocol == "http" and how == "wrong":
            connection.sendall(GREETING["http"])
            connection.shutdown(socket.SHUT_WR)
        if data:
            return
    except OSError:
        pass
    selector.unregister(connection)
    for one in [one for one in endless if one[0] is connection]:
        endless.discard(one)
    connection.close()


def answer(listener, how):
    data, address = listener.recvfrom(65536)
    if how == "wrong":
        # The question again, as an answer: there is no such name.
        listener.sendto(data[:2] + b"\x81\x83" + data[4:], address)
    elif how == "garbage":
        listener.sendto(os.urandom(100), address)
    elif how == "well":
        listener.sendto(data, address)


def listen(word):
    place, name = word.split("/")
    address, port = place.rsplit(":", 1)
    protocol, how = name.split("-")
    isDatagram = protocol in ("dns", "udp")
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if isDatagram else socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    listener.setblocking(False)
    if isDatagram:
        selector.register(listener, selectors.EVENT_READ, lambda: answer(listener, how))
    else:
        listener.listen(128)
        selector.register(listener, selectors.EVENT_READ, lambda: accept(listener, protocol, how))


for word in sys.argv[1:]:
    listen(word)
while True:
    for key, _ in selector.select(0.05):
        key.data()
    for connection, protocol in list(endless):
        try:
            connection.send(LINE[protocol])
        except OSError:
            pass
    now = time.monotonic()
    for item in [item for item in later if item[0] <= now]:
        later.remove(item)
        try:
            item[1].send(item[2])
        except OSError:
            pass
