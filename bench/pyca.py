"""Fernet of pyca/cryptography for the benchmark; reads and answers the commands that openssl.c describes."""

import platform
import sys
import time

import cryptography
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

key = sys.argv[1]
fernet = Fernet(key)
multi = MultiFernet([fernet])
print(f"{cryptography.__version__}, Python {platform.python_version()}", flush=True)

for line in sys.stdin:
    verb, rest = line.rstrip("\n").split(" ", 1)
    if verb == "seal":
        print(fernet.encrypt(rest.encode()).decode(), flush=True)
    elif verb == "open":
        try:
            print(fernet.decrypt(rest).decode(), flush=True)
        except InvalidToken:
            print("refused", flush=True)
    else:
        size, calls = map(int, rest.split())
        text = "x" * size
        tokens = [fernet.encrypt(text.encode()) for _ in range(8)]
        work = {
            "encrypt": lambda i: fernet.encrypt(text.encode()),
            "decrypt": lambda i: fernet.decrypt(tokens[i % 8]).decode(),
            "rotate": lambda i: multi.rotate(tokens[i % 8]),
        }[verb]
        start = time.process_time_ns()
        for i in range(calls):
            work(i)
        print((time.process_time_ns() - start) / calls, flush=True)
