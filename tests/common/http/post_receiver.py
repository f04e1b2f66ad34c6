#!/usr/bin/env python3
"""A server that keeps what is posted to it, and answers as it is told.
    post_receiver.py LOG PLAN [PORT]
Prints its port. PLAN: what becomes of the first requests, separated by commas; all others get 200:
    503 410 ...   that status, with a body of two words      503@2   with Retry-After: 2
    302           a redirection to /elsewhere                cut     half a response
    slow          nothing for a minute                       long    a body of 100,000 bytes
LOG gets a line of JSON for each request: path, headers (names in lower case), body, step, time."""
import http.server
import json
import sys
import threading
import time

LOG, PLAN = sys.argv[1], [step for step in sys.argv[2].split(",") if step]
PORT = int(sys.argv[3]) if len(sys.argv) > 3 else 0
LOCK = threading.Lock()


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.receive(b"")

    def do_POST(self):
        self.receive(self.rfile.read(int(self.headers["Content-Length"])))

    def receive(self, body):
        with LOCK:
            step = PLAN.pop(0) if PLAN else "200"
            with open(LOG, "a", encoding="utf-8") as log:
                headers = {name.lower(): value for name, value in self.headers.items()}
                log.write(json.dumps({"method": self.command, "path": self.path, "headers": headers, "body": body.decode(),
                                      "step": step, "time": time.time()}) + "\n")
        if step == "slow":
            threading.Event().wait(60)
        status, _, wait = step.partition("@")
        answer = b"x" * 100000 if step == "long" else b"two words"
        self.send_response(int(status) if status.isdigit() else 200)
        self.send_header("Content-Length", str(len(answer)))
        if wait:
            self.send_header("Retry-After", wait)
        if status == "302":
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(answer[: len(answer) // 2] if step == "cut" else answer)
        if step == "cut":
            self.close_connection = True


def main():
    open(LOG, "a", encoding="utf-8").close()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
