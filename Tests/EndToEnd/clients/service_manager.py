"""Listens as systemd does for what a service tells it (sd_notify(3)): prints each message as one line, and each second without any."""

import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
listener.settimeout(1)
print("listening", flush=True)
while True:
    try:
        print(listener.recv(4096).decode().replace("\n", " "), flush=True)
    except TimeoutError:
        print("silence", flush=True)
