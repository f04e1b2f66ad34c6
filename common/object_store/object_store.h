#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/object_store/object_url.h"
#include "common/values/digest.h"

namespace fpo {

// One object as its store describes it.
struct ObjectInfo {
  std::string key;
  int64_t bytes = 0;
  std::string etag;  // another one after every change of the content; opaque
  // As whoever put the object there stated it (PutFile does). Lists do not say it.
  std::optional<Digest> sha256 = {};
};

// Where a read begins, and of which version of the object.
struct ObjectRead {
  int64_t offset = 0;
  std::string etag = {};  // the object must still have this one; empty: any
  std::stop_token stop = {};
};

// Objects by bucket and key. Every call may be repeated, and is tried again by the store itself
// while that can help. Errors name the object as s3://BUCKET/KEY: NotFound (the bucket or the
// object), PermissionDenied (there are no credentials, they are wrong, or do not allow it),
// FailedPrecondition (the object has another ETag by now), InvalidArgument (the region, a name that
// the store refuses), Unavailable, Cancelled (`stop`). None contains a credential. Thread-safe.
class ObjectStore {
 public:
  using Sink = std::function<absl::Status(absl::string_view bytes)>;

  virtual ~ObjectStore() = default;

  virtual absl::StatusOr<ObjectInfo> Head(const ObjectName& name) = 0;
  // Gives the bytes from the offset to the end of the object, in pieces and in order; an error of
  // `sink` ends the call with that error.
  virtual absl::Status Get(const ObjectName& name, const ObjectRead& read, const Sink& sink) = 0;
  // The whole object, at most `bytes_max` (ResourceExhausted).
  absl::StatusOr<std::string> GetBytes(const ObjectName& name, int64_t bytes_max);
  // Replaces the object in one step: readers see the old bytes or the new ones.
  virtual absl::Status Put(const ObjectName& name, absl::string_view bytes) = 0;
  // The same with a file of any length, as long as it is now; its digest, which is stated with the
  // object. NotFound: there is no such file; DataLoss: it became shorter meanwhile.
  virtual absl::StatusOr<Digest> PutFile(const ObjectName& name, const std::string& path,
                                         std::stop_token stop) = 0;
  // All objects whose keys begin with the key of `prefix`, by key. ResourceExhausted: more than
  // `most`.
  virtual absl::StatusOr<std::vector<ObjectInfo>> List(const ObjectName& prefix, size_t most) = 0;
  virtual absl::Status Delete(const ObjectName& name) = 0;  // OK when there is none
};

inline absl::StatusOr<std::string> ObjectStore::GetBytes(const ObjectName& name,
                                                         int64_t bytes_max) {
  std::string bytes;
  absl::Status status = Get(name, {}, [&](absl::string_view piece) {
    if (static_cast<int64_t>(bytes.size() + piece.size()) > bytes_max) {
      return absl::ResourceExhaustedError(name.Url() + " is longer than " +
                                          std::to_string(bytes_max) + " bytes");
    }
    bytes.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return bytes;
}

}  // namespace fpo
