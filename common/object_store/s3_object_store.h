#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/backoff.h"
#include "common/object_store/object_store.h"
#include "common/object_store/s3_request.h"
#include "common/object_store/s3_settings.h"

namespace fpo {

// S3, or a server that speaks its protocol. Buckets are named in the path, which every such server
// understands. Thread-safe.
class S3ObjectStore final : public ObjectStore {
 public:
  struct Options {
    S3Settings settings;
    // Larger files are sent in parts, which are retried one by one. At least 5 MiB at AWS.
    int64_t part_bytes = int64_t{64} << 20;
    int tries_max = 6;  // in a row without a byte
    Backoff::Options backoff = {.first = absl::Milliseconds(200), .most = absl::Seconds(10)};
  };

  explicit S3ObjectStore(Options options);

  absl::StatusOr<ObjectInfo> Head(const ObjectName& name) override;
  absl::Status Get(const ObjectName& name, const ObjectRead& read, const Sink& sink) override;
  absl::Status Put(const ObjectName& name, absl::string_view bytes) override;
  absl::StatusOr<Digest> PutFile(const ObjectName& name, const std::string& path,
                                 std::stop_token stop) override;
  absl::StatusOr<std::vector<ObjectInfo>> List(const ObjectName& prefix, size_t most) override;
  absl::Status Delete(const ObjectName& name) override;

 private:
  struct Upload;

  // An answer of 2xx, or the error that it means.
  absl::StatusOr<S3Response> Try(const ObjectName& name, const S3Request& request);
  // Again and again while that can help.
  absl::StatusOr<S3Response> Ask(const ObjectName& name, const S3Request& request);
  absl::Status Pause(Backoff* backoff, std::stop_token stop) const;
  absl::Status PutParts(const Upload& upload, int64_t part_bytes);
  absl::StatusOr<std::string> PutPart(const Upload& upload, const std::string& query,
                                      int64_t offset, int64_t bytes);
  absl::Status Complete(const Upload& upload, const std::string& id,
                        const std::vector<std::string>& etags);

  const Options options_;
  S3Connections connections_;
};

// How S3 wants a key in a path or a query: everything but unreserved characters as %XX, and "/" as
// it is where `keep_slashes`.
std::string S3Encode(absl::string_view text, bool keep_slashes);

}  // namespace fpo
