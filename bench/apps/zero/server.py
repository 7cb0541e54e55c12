"""(f) Python, standard library only, a thread for each connection.

Serves the socket of systemd's protocol (LISTEN_FDS) where there is one, else PORT with SO_REUSEPORT. On SIGTERM and
SIGINT it accepts no more, answers what comes on open connections with Connection: close, and ends when they are gone;
idle ones are closed after IDLE_S.
"""
import os, select, signal, socket, threading, time

VERSION = os.environ.get("VERSION", "1").encode()
WORK_S = float(os.environ.get("WORK_MS", "5")) / 1000
IDLE_S = 1.0
FIRST_FD = 3

ending = threading.Event()
wake_read, wake_write = os.pipe()


def listening():
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and int(os.environ.get("LISTEN_FDS", "0")) > 0:
        server = socket.socket(fileno=FIRST_FD)
    else:
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", int(os.environ["PORT"])))
    server.listen(511)
    server.setblocking(False)
    return server


def wait_readable(connection):
    """False when there is nothing to come: the server is ending, and nothing came for IDLE_S."""
    idle_since = None
    while not select.select([connection], [], [], 0.1)[0]:
        if not ending.is_set():
            continue
        idle_since = idle_since or time.monotonic()
        if time.monotonic() - idle_since > IDLE_S:
            return False
    return True


def serve(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    received = b""
    try:
        while True:
            while b"\r\n\r\n" not in received:
                if not wait_readable(connection):
                    return
                chunk = connection.recv(65536)
                if not chunk:
                    return
                received += chunk
            head, received = received.split(b"\r\n\r\n", 1)
            if not head.startswith(b"GET /healthz"):
                time.sleep(WORK_S)
            close = ending.is_set() or b"connection: close" in head.lower()
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s"
                % (len(VERSION), b"close" if close else b"keep-alive", VERSION)
            )
            if close:
                return
    except OSError:
        pass
    finally:
        connection.close()


def end(*_):
    ending.set()
    os.write(wake_write, b"x")


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
server = listening()
print("listening", flush=True)
threads = set()
while not ending.is_set():
    if server not in select.select([server, wake_read], [], [])[0]:
        continue
    try:
        connection, _ = server.accept()
    except BlockingIOError:
        continue  # another instance was quicker
    connection.setblocking(True)
    thread = threading.Thread(target=serve, args=(connection,), daemon=True)
    threads = {it for it in threads if it.is_alive()} if len(threads) > 256 else threads
    threads.add(thread)
    thread.start()
server.close()
for thread in threads:
    thread.join()
