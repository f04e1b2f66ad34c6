#!/usr/bin/env python3
"""s3_server.py PLAN: the part of S3's interface that the programs use, for tests; prints its port.

It knows one key, "test-key" with "test-secret", checks every signature by AWS's description of Version 4, and the digest of each body. PLAN:
what becomes of the first requests, separated by commas: ok, an HTTP status, or cut:N, which sends N bytes of the answer and closes.
GET /_requests: "METHOD PATH?QUERY RANGE" of all requests so far, one a line. The bucket "bucket" exists; lists have two objects a page.
"""
import hashlib
import hmac
import html
import http.server
import sys
import threading
import urllib.parse

KEY, SECRET, TOKEN = "test-key", "test-secret", "test-token"
PAGE = 2
lock = threading.Lock()
objects = {}  # key: (bytes, etag, sha256)
uploads = {}  # id: {number: bytes}, with the digest under "sha256"
requests = []
plan = []


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def error(code, message):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message><StringToSign>{SECRET}</StringToSign></Error>".encode()


def etag_of(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def is_signed(self, body):
        given = dict(part.strip().split("=", 1) for part in self.headers.get("Authorization", "=").split(" ", 1)[1].split(","))
        who, date, region, service, _ = given["Credential"].split("/")
        if who != KEY or service != "s3":
            return error("InvalidAccessKeyId", "no such key")
        if self.headers.get("x-amz-security-token", TOKEN) != TOKEN:
            return error("InvalidToken", "no such token")
        names = given["SignedHeaders"].split(";")
        missing = [name.lower() for name in self.headers if name.lower().startswith("x-amz-") and name.lower() not in names]
        if missing or names != sorted(names) or "host" not in names:
            return error("SignatureDoesNotMatch", f"not signed: {missing}")
        url = urllib.parse.urlsplit(self.path)
        query = "&".join(sorted(part if "=" in part else part + "=" for part in url.query.split("&") if part))
        headers = "".join(f"{name}:{' '.join(self.headers[name].split())}\n" for name in names)
        digest = self.headers["x-amz-content-sha256"]
        request = "\n".join([self.command, url.path, query, headers, given["SignedHeaders"], digest])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", self.headers["x-amz-date"], f"{date}/{region}/s3/aws4_request",
                             hashlib.sha256(request.encode()).hexdigest()])
        key = f"AWS4{SECRET}".encode()
        for part in (date, region, "s3", "aws4_request"):
            key = sign(key, part)
        if sign(key, to_sign).hex() != given["Signature"]:
            return error("SignatureDoesNotMatch", "another signature")
        if digest != hashlib.sha256(body).hexdigest():
            return error("XAmzContentSHA256Mismatch", "another body")
        return None

    def answer(self, status, body=b"", **headers):
        cut = None
        with lock:
            if self.fate.startswith("cut:"):
                cut = int(self.fate[4:])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def handle_request(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.path == "/_requests":
            self.fate = "ok"
            return self.answer(200, "".join(line + "\n" for line in requests).encode())
        with lock:
            requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
            self.fate = plan.pop(0) if plan else "ok"
        if self.fate.isdigit():
            return self.answer(int(self.fate), error("AccessDenied" if self.fate == "403" else "InternalError", "as planned"))
        wrong = self.is_signed(body)
        if wrong:
            return self.answer(403, wrong)
        url = urllib.parse.urlsplit(self.path)
        bucket, _, key = urllib.parse.unquote(url.path)[1:].partition("/")
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if bucket != "bucket":
            return self.answer(404, error("NoSuchBucket", "The specified bucket does not exist"))
        with lock:
            return getattr(self, "on_" + self.command.lower())(key, query, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

    def answer_unlocked(self, *args, **headers):
        lock.release()
        try:
            self.answer(*args, **headers)
        finally:
            lock.acquire()

    def on_get(self, key, query, _):
        if "list-type" in query:
            return self.answer_unlocked(200, self.list(query))
        if key not in objects:
            return self.answer_unlocked(404, error("NoSuchKey", "The specified key does not exist."))
        data, etag, sha256 = objects[key]
        if self.headers.get("If-Match", etag) != etag:
            return self.answer_unlocked(412, error("PreconditionFailed", "another etag"))
        more = {"ETag": etag}
        if sha256:
            more["x_amz_meta_fpo_sha256"] = sha256
        if self.command == "HEAD":
            return self.answer_unlocked(200, Content_Length=str(len(data)), **more)
        span = self.headers.get("Range", "")
        if not span:
            return self.answer_unlocked(200, data, **more)
        begin, _, end = span.removeprefix("bytes=").partition("-")
        begin, end = int(begin), min(int(end or len(data) - 1), len(data) - 1)
        if begin >= len(data):
            return self.answer_unlocked(416, error("InvalidRange", "behind the end"))
        return self.answer_unlocked(206, data[begin:end + 1], Content_Range=f"bytes {begin}-{end}/{len(data)}", **more)

    on_head = on_get

    def list(self, query):
        keys = sorted(key for key in objects if key.startswith(query["prefix"]) and key > query.get("continuation-token", ""))
        page = keys[:PAGE]
        entries = "".join(f"<Contents><Key>{urllib.parse.quote(key)}</Key><ETag>{objects[key][1].replace(chr(34), '&quot;')}</ETag>"
                          f"<Size>{len(objects[key][0])}</Size></Contents>" for key in page)
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{html.escape(page[-1])}</NextContinuationToken>" if len(keys) > PAGE else ""
        return f"<?xml version='1.0'?><ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{entries}{more}</ListBucketResult>".encode()

    def on_put(self, key, query, body):
        if "uploadId" in query:
            uploads[query["uploadId"]][int(query["partNumber"])] = body
        else:
            objects[key] = (body, etag_of(body), self.headers.get("x-amz-meta-fpo-sha256", ""))
        self.answer_unlocked(200, ETag=etag_of(body))

    def on_post(self, key, query, _):
        if "uploads" in query:
            name = f"upload/{len(uploads)}+"
            uploads[name] = {"sha256": self.headers.get("x-amz-meta-fpo-sha256", "")}
            return self.answer_unlocked(200, f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>".encode())
        if query["uploadId"] not in uploads:
            return self.answer_unlocked(404, error("NoSuchUpload", "no such upload"))
        parts = uploads.pop(query["uploadId"])
        sha256 = parts.pop("sha256")
        data = b"".join(parts[number] for number in sorted(parts))
        objects[key] = (data, f'"{hashlib.md5(data).hexdigest()}-{len(parts)}"', sha256)
        return self.answer_unlocked(200, b"<CompleteMultipartUploadResult/>")

    def on_delete(self, key, query, _):
        if "uploadId" in query:
            uploads.pop(query["uploadId"], None)
        else:
            objects.pop(key, None)
        self.answer_unlocked(204)


if __name__ == "__main__":
    plan.extend(word for word in sys.argv[1].split(",") if word)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
