#include "common/object_store/s3_object_store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/object_store/s3_error.h"
#include "common/object_store/s3_xml.h"
#include "common/status_macros.h"
#include "common/waits/stop_wait.h"

namespace fpo {
namespace {

constexpr char kSha256Header[] = "x-amz-meta-fpo-sha256";
constexpr int64_t kPartsMax = 10'000;
constexpr size_t kPageMax = 1000;

std::string PathOf(const ObjectName& name) {
  return absl::StrCat("/", name.bucket, "/", S3Encode(name.key, /*keep_slashes=*/true));
}

const std::string& HashOfNothing() {
  static const std::string hash = ToHex(Sha256Of(""));
  return hash;
}

S3Request RequestOf(const std::string& method, const ObjectName& name) {
  S3Request request;
  request.method = method;
  request.path = PathOf(name);
  request.body_sha256 = HashOfNothing();
  return request;
}

std::string HeaderOf(const S3Response& response, const std::string& name) {
  const auto it = response.headers.find(name);
  return it == response.headers.end() ? "" : it->second;
}

absl::StatusOr<Digest> Sha256OfPart(int file, int64_t offset, int64_t bytes) {
  Sha256 sha;
  std::string buffer(1 << 20, '\0');
  for (int64_t done = 0; done < bytes;) {
    const auto wanted = std::min<int64_t>(bytes - done, static_cast<int64_t>(buffer.size()));
    const ssize_t got = pread(file, buffer.data(), static_cast<size_t>(wanted), offset + done);
    if (got < 0) return absl::DataLossError("the file cannot be read");
    if (got == 0) return absl::DataLossError("the file became shorter while it was sent");
    sha.Update(absl::string_view(buffer.data(), static_cast<size_t>(got)));
    done += got;
  }
  return sha.Finish();
}

// "%2F" to "/"; lists are asked for in this form, since XML cannot carry every key.
std::string DecodeKey(absl::string_view text) {
  std::string key;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() &&
                           absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) &&
                           absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]));
    if (is_escape) {
      key += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      key += text[i] == '+' ? ' ' : text[i];
    }
  }
  return key;
}

absl::Status AddPage(const S3Element& page, std::vector<ObjectInfo>* all) {
  for (const S3Element& element : page.children) {
    if (element.name != "Contents") continue;
    ObjectInfo info;
    info.key = DecodeKey(element.TextOf("Key"));
    info.etag = element.TextOf("ETag");
    if (info.key.empty() || !absl::SimpleAtoi(element.TextOf("Size"), &info.bytes)) {
      return absl::DataLossError("the list of objects has an entry without a key or a size");
    }
    all->push_back(std::move(info));
  }
  return absl::OkStatus();
}

}  // namespace

std::string S3Encode(absl::string_view text, bool keep_slashes) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' ||
                       c == '_' || c == '~' || (c == '/' && keep_slashes);
    if (plain) {
      encoded += c;
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

struct S3ObjectStore::Upload {
  ObjectName name;
  int file = -1;
  int64_t bytes = 0;
  std::string sha256;
  std::stop_token stop;
};

S3ObjectStore::S3ObjectStore(Options options)
    : options_(std::move(options)),
      connections_({.endpoint = options_.settings.endpoint,
                    .region = options_.settings.region,
                    .ca_file = options_.settings.ca_file}) {}

absl::StatusOr<S3Response> S3ObjectStore::Try(const ObjectName& name, const S3Request& request) {
  FPO_ASSIGN_OR_RETURN(const S3Credentials credentials, CredentialsOf(options_.settings));
  absl::StatusOr<S3Response> response = connections_.Call(request, credentials);
  if (!response.ok()) {
    return absl::Status(response.status().code(),
                        absl::StrCat(name.Url(), ": ", response.status().message()));
  }
  if (response->status >= 200 && response->status < 300) return response;
  return S3Error(name, *response, options_.settings);
}

absl::Status S3ObjectStore::Pause(Backoff* backoff, std::stop_token stop) const {
  if (WaitUnlessStopped(stop, backoff->Next())) return absl::OkStatus();
  return absl::CancelledError("stopped");
}

absl::StatusOr<S3Response> S3ObjectStore::Ask(const ObjectName& name, const S3Request& request) {
  Backoff backoff(options_.backoff);
  for (int tries = 1;; ++tries) {
    absl::StatusOr<S3Response> response = Try(name, request);
    if (!absl::IsUnavailable(response.status()) || tries == options_.tries_max) return response;
    FPO_RETURN_IF_ERROR(Pause(&backoff, request.stop));
  }
}

absl::StatusOr<ObjectInfo> S3ObjectStore::Head(const ObjectName& name) {
  absl::StatusOr<S3Response> response = Ask(name, RequestOf("HEAD", name));
  if (absl::IsUnavailable(response.status())) return response.status();
  if (!response.ok()) {
    // An answer to HEAD has no body that says why.
    S3Request again = RequestOf("GET", name);
    again.headers = {"Range: bytes=0-0"};
    const absl::Status why = Ask(name, again).status();
    return why.ok() ? response.status() : why;
  }
  ObjectInfo info;
  info.key = name.key;
  info.etag = HeaderOf(*response, "etag");
  if (!absl::SimpleAtoi(HeaderOf(*response, "content-length"), &info.bytes)) {
    return absl::DataLossError(absl::StrCat(name.Url(), ": the answer states no length"));
  }
  const absl::StatusOr<Digest> sha256 = DigestFromHex(HeaderOf(*response, kSha256Header));
  if (sha256.ok()) info.sha256 = *sha256;
  return info;
}

absl::Status S3ObjectStore::Get(const ObjectName& name, const ObjectRead& read, const Sink& sink) {
  Backoff backoff(options_.backoff);
  int64_t offset = read.offset;
  absl::Status of_sink;
  for (int tries = 1;; ++tries) {
    S3Request request = RequestOf("GET", name);
    request.stop = read.stop;
    if (offset > 0) request.headers.push_back(absl::StrCat("Range: bytes=", offset, "-"));
    if (!read.etag.empty()) request.headers.push_back(absl::StrCat("If-Match: ", read.etag));
    const int64_t before = offset;
    request.sink = [&](absl::string_view piece) {
      of_sink = sink(piece);
      if (of_sink.ok()) offset += static_cast<int64_t>(piece.size());
      return of_sink;
    };
    const absl::StatusOr<S3Response> response = Try(name, request);
    if (!of_sink.ok()) return of_sink;
    if (response.ok() && before > 0 && response->status != 206) {
      return absl::DataLossError(absl::StrCat(
          name.Url(), ": the server does not give parts of objects, so nothing can be resumed"));
    }
    // Without an ETag nothing says that the rest would be of the same object.
    const bool again =
        absl::IsUnavailable(response.status()) && (offset == read.offset || !read.etag.empty());
    if (offset > before) {
      backoff.Reset();
      tries = 1;
    }
    if (!again || tries == options_.tries_max) return response.status();
    FPO_RETURN_IF_ERROR(Pause(&backoff, read.stop));
  }
}

absl::Status S3ObjectStore::Put(const ObjectName& name, absl::string_view bytes) {
  S3Request request = RequestOf("PUT", name);
  request.body = bytes;
  request.body_sha256 = ToHex(Sha256Of(bytes));
  request.headers = {absl::StrCat(kSha256Header, ": ", request.body_sha256)};
  return Ask(name, request).status();
}

absl::StatusOr<Digest> S3ObjectStore::PutFile(const ObjectName& name, const std::string& path,
                                              std::stop_token stop) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) return PosixError(errno, "open", path);
  struct stat info = {};
  if (fstat(file.get(), &info) != 0) return PosixError(errno, "stat", path);
  Upload upload{name, file.get(), info.st_size, "", stop};
  FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfPart(upload.file, 0, upload.bytes));
  upload.sha256 = ToHex(digest);
  if (upload.bytes > options_.part_bytes) {
    const int64_t least = (upload.bytes + kPartsMax - 1) / kPartsMax;
    FPO_RETURN_IF_ERROR(PutParts(upload, std::max(options_.part_bytes, least)));
    return digest;
  }
  S3Request request = RequestOf("PUT", name);
  request.file = upload.file;
  request.file_bytes = upload.bytes;
  request.body_sha256 = upload.sha256;
  request.headers = {absl::StrCat(kSha256Header, ": ", upload.sha256)};
  request.stop = stop;
  FPO_RETURN_IF_ERROR(Ask(name, request).status());
  return digest;
}

absl::StatusOr<std::string> S3ObjectStore::PutPart(const Upload& upload, const std::string& query,
                                                   int64_t offset, int64_t bytes) {
  S3Request request = RequestOf("PUT", upload.name);
  request.query = query;
  request.file = upload.file;
  request.file_offset = offset;
  request.file_bytes = bytes;
  request.stop = upload.stop;
  FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfPart(upload.file, offset, bytes));
  request.body_sha256 = ToHex(digest);
  FPO_ASSIGN_OR_RETURN(const S3Response response, Ask(upload.name, request));
  return HeaderOf(response, "etag");
}

absl::Status S3ObjectStore::PutParts(const Upload& upload, int64_t part_bytes) {
  S3Request begin = RequestOf("POST", upload.name);
  begin.query = "uploads=";
  begin.headers = {absl::StrCat(kSha256Header, ": ", upload.sha256)};
  begin.stop = upload.stop;
  FPO_ASSIGN_OR_RETURN(const S3Response begun, Ask(upload.name, begin));
  FPO_ASSIGN_OR_RETURN(const S3Element answer, ParseS3Xml(begun.body));
  const std::string id = S3Encode(answer.TextOf("UploadId"), /*keep_slashes=*/false);
  if (id.empty()) {
    return absl::DataLossError(absl::StrCat(upload.name.Url(), ": the upload got no id"));
  }
  std::vector<std::string> etags;
  absl::Status status;
  for (int64_t offset = 0; status.ok() && offset < upload.bytes; offset += part_bytes) {
    const std::string query = absl::StrCat("partNumber=", etags.size() + 1, "&uploadId=", id);
    const auto etag = PutPart(upload, query, offset, std::min(part_bytes, upload.bytes - offset));
    status = etag.status();
    if (etag.ok()) etags.push_back(*etag);
  }
  if (status.ok()) status = Complete(upload, id, etags);
  if (status.ok()) return status;
  // Parts that no object uses would be paid for.
  S3Request abandon = RequestOf("DELETE", upload.name);
  abandon.query = absl::StrCat("uploadId=", id);
  Try(upload.name, abandon).IgnoreError();
  return status;
}

absl::Status S3ObjectStore::Complete(const Upload& upload, const std::string& id,
                                     const std::vector<std::string>& etags) {
  std::string body = "<CompleteMultipartUpload>";
  for (size_t i = 0; i < etags.size(); ++i) {
    absl::StrAppend(&body, "<Part><PartNumber>", i + 1, "</PartNumber><ETag>", etags[i],
                    "</ETag></Part>");
  }
  body += "</CompleteMultipartUpload>";
  S3Request request = RequestOf("POST", upload.name);
  request.query = absl::StrCat("uploadId=", id);
  request.body = body;
  request.body_sha256 = ToHex(Sha256Of(body));
  request.stop = upload.stop;
  const absl::StatusOr<S3Response> response = Ask(upload.name, request);
  if (absl::IsNotFound(response.status())) {
    // A try whose answer was lost may have completed it; then the object is what was sent.
    const absl::StatusOr<ObjectInfo> info = Head(upload.name);
    const bool is_there = info.ok() && info->sha256 && ToHex(*info->sha256) == upload.sha256;
    return is_there ? absl::OkStatus() : response.status();
  }
  FPO_RETURN_IF_ERROR(response.status());
  // A failure after the first byte of the answer comes with status 200.
  FPO_ASSIGN_OR_RETURN(const S3Element answer, ParseS3Xml(response->body));
  if (answer.name == "Error") return S3Error(upload.name, *response, options_.settings);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ObjectInfo>> S3ObjectStore::List(const ObjectName& prefix, size_t most) {
  std::vector<ObjectInfo> all;
  std::string next;
  do {
    S3Request request = RequestOf("GET", {prefix.bucket, ""});
    request.query = absl::StrCat(
        next.empty() ? "" : absl::StrCat("continuation-token=", S3Encode(next, false), "&"),
        "encoding-type=url&list-type=2&max-keys=", kPageMax,
        "&prefix=", S3Encode(prefix.key, false));
    FPO_ASSIGN_OR_RETURN(const S3Response response, Ask(prefix, request));
    FPO_ASSIGN_OR_RETURN(const S3Element page, ParseS3Xml(response.body));
    FPO_RETURN_IF_ERROR(AddPage(page, &all));
    next = page.TextOf("IsTruncated") == "true" ? page.TextOf("NextContinuationToken") : "";
    if (all.size() > most || (all.size() == most && !next.empty())) {
      return absl::ResourceExhaustedError(
          absl::StrCat(prefix.Url(), ": there are more than ", most, " objects below it"));
    }
  } while (!next.empty());
  return all;
}

absl::Status S3ObjectStore::Delete(const ObjectName& name) {
  const absl::Status status = Ask(name, RequestOf("DELETE", name)).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace fpo
