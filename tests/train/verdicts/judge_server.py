#!/usr/bin/env python3
"""A chat server that judges for the tests, and misbehaves as it is told.
    judge_server.py LOG PLAN [CERTIFICATE KEY]
Prints its port. PLAN: what becomes of the first requests, separated by commas, then all are answered well:
    429 500 401 ...   that status          429@2   with Retry-After: 2
    cut               half a response      malformed   a body that is no JSON
    schema            JSON without choices slow        nothing for a minute
    words             no log-probabilities mute        words that name no answer
LOG gets a line of JSON for each request. The longer answer wins; asked for a grade, much when it is twice as long; a rating is the number of
words, from 1 to 10."""
import http.server
import json
import math
import ssl
import sys
import threading
import time

LOG, PLAN = sys.argv[1], [step for step in sys.argv[2].split(",") if step]
LOCK = threading.Lock()
ACTIVE = 0
ENDED = threading.Event()


def verdict(text):
    a = text.split("Answer A:\n")[1].split("\n\nAnswer B:\n")[0]
    b = text.split("\n\nAnswer B:\n")[1].split("\n\nJudge whether")[0]
    return 1 / (1 + math.exp(min(max((len(b) - len(a)) / 10, -20), 20)))


def reasoned(text):
    """What is said where words are asked for; None where a letter is."""
    if "the rating, a number from 1" in text:
        answer = text.split("nswer:\n")[-1].split("\n\nGive your reasons")[0]
        return f"It has reasons. Rating: [[{min(max(len(answer.split()), 1), 10)}]]"
    if "[[A>>B]]" in text:
        a = len(text.split("Answer A:\n")[1].split("\n\nAnswer B:\n")[0])
        b = len(text.split("\n\nAnswer B:\n")[1].split("\n\nGive your reasons")[0])
        sign = "=" if a == b else ">>" if max(a, b) >= 2 * min(a, b) else ">"
        return f"It has reasons.\n[[{'A' if a >= b else 'B'}{sign}{'B' if a >= b else 'A'}]]"
    return None


def completion(body, step):
    said = reasoned(body["messages"][-1]["content"])
    if said is not None:
        said = "Well." if step == "mute" else said
        return {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": said}}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20}}
    share = verdict(body["messages"][-1]["content"])
    words = "A" if share > 0.5 else "B"
    choice = {"index": 0, "message": {"role": "assistant", "content": "Well." if step == "mute" else words}}
    if step not in ("words", "mute"):
        top = [{"token": "A", "logprob": math.log(0.8 * share)}, {"token": " B", "logprob": math.log(0.8 * (1 - share))}]
        choice["logprobs"] = {"content": [{"token": words, "logprob": top[0]["logprob"], "top_logprobs": top}]}
    return {"object": "chat.completion", "choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 1}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        global ACTIVE
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with LOCK:
            ACTIVE += 1
            step = PLAN.pop(0) if PLAN else "good"
            with open(LOG, "a") as log:
                log.write(json.dumps({"path": self.path, "authorization": self.headers.get("Authorization"), "time": time.monotonic(),
                                      "active": ACTIVE, "step": step, "model": body["model"]}) + "\n")
        try:
            self.answer(step, body)
        finally:
            with LOCK:
                ACTIVE -= 1

    def answer(self, step, body):
        status, _, wait = step.partition("@")
        if status.isdigit():
            return self.send(int(status), json.dumps({"error": {"message": f"told to answer {status}"}}), wait)
        if step == "slow":
            ENDED.wait(60)
        if step == "malformed":
            return self.send(200, '{"choices": [')
        if step == "schema":
            return self.send(200, '{"object": "list"}')
        if step.startswith("busy"):  # others arrive meanwhile
            ENDED.wait(0.2)
        return self.send(200, json.dumps(completion(body, step)), "", cut=step == "cut")

    def send(self, status, text, wait="", cut=False):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if wait:
            self.send_header("Retry-After", wait)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.close_connection = True


def main():
    open(LOG, "a").close()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
