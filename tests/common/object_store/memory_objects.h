#pragma once

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/hash.h"
#include "common/object_store/object_store.h"

namespace fpo::testing {

// An object store in memory, of one bucket "bucket", with switches for what can go wrong.
// Thread-safe.
class MemoryObjects final : public ObjectStore {
 public:
  // Switches; set before use.
  int64_t break_after = -1;                        // the next read ends after so many bytes
  std::function<void()> before_read;               // called once, before the next read
  absl::Status put_failure;                        // of every Put and PutFile
  std::function<void(const std::string&)> on_put;  // before each, with the key

  // As somebody else puts it there.
  void Set(const std::string& key, const std::string& bytes, bool states_digest = false) {
    absl::MutexLock lock(&mutex_);
    Object& object = objects_[key];
    object.bytes = bytes;
    object.etag = absl::StrCat("\"", ++version_, "\"");
    object.sha256 = states_digest ? std::optional(Sha256Of(bytes)) : std::nullopt;
  }
  void State(const std::string& key, const Digest& sha256) {
    absl::MutexLock lock(&mutex_);
    objects_[key].sha256 = sha256;
  }
  std::string Bytes(const std::string& key) const {
    absl::MutexLock lock(&mutex_);
    const auto it = objects_.find(key);
    return it == objects_.end() ? "" : it->second.bytes;
  }
  std::vector<std::string> Keys() const {
    absl::MutexLock lock(&mutex_);
    std::vector<std::string> keys;
    for (const auto& [key, object] : objects_) keys.push_back(key);
    return keys;
  }
  // Keys in the order in which they were put or deleted ("-key").
  std::vector<std::string> changes() const {
    absl::MutexLock lock(&mutex_);
    return changes_;
  }
  int64_t bytes_read() const {
    absl::MutexLock lock(&mutex_);
    return bytes_read_;
  }

  absl::StatusOr<ObjectInfo> Head(const ObjectName& name) override {
    absl::MutexLock lock(&mutex_);
    const auto it = objects_.find(name.key);
    if (name.bucket != "bucket" || it == objects_.end()) return Missing(name);
    return InfoOf(*it, true);
  }
  absl::Status Get(const ObjectName& name, const ObjectRead& read, const Sink& sink) override {
    if (const auto act = std::exchange(before_read, nullptr)) act();
    std::string bytes;
    bool breaks = false;
    {
      absl::MutexLock lock(&mutex_);
      const auto it = objects_.find(name.key);
      if (name.bucket != "bucket" || it == objects_.end()) return Missing(name);
      if (!read.etag.empty() && read.etag != it->second.etag) {
        return absl::FailedPreconditionError(name.Url() + ": the object changed");
      }
      bytes = it->second.bytes.substr(static_cast<size_t>(read.offset));
      if (const int64_t most = std::exchange(break_after, -1); most >= 0) {
        breaks = true;
        bytes.resize(std::min(bytes.size(), static_cast<size_t>(most)));
      }
      bytes_read_ += static_cast<int64_t>(bytes.size());
    }
    for (size_t at = 0; at < bytes.size(); at += 3) {
      const absl::Status status = sink(absl::string_view(bytes).substr(at, 3));
      if (!status.ok()) return status;
    }
    return breaks ? absl::UnavailableError(name.Url() + ": the connection broke")
                  : absl::OkStatus();
  }
  absl::Status Put(const ObjectName& name, absl::string_view bytes) override {
    if (on_put) on_put(name.key);
    if (!put_failure.ok()) return put_failure;
    if (name.bucket != "bucket") return Missing(name);
    Set(name.key, std::string(bytes), /*states_digest=*/true);
    absl::MutexLock lock(&mutex_);
    changes_.push_back(name.key);
    return absl::OkStatus();
  }
  absl::StatusOr<Digest> PutFile(const ObjectName& name, const std::string& path,
                                 std::stop_token) override {
    std::ifstream in(path, std::ios::binary);
    if (!in) return absl::NotFoundError(path);
    std::ostringstream text;
    text << in.rdbuf();
    absl::Status status = Put(name, text.str());
    if (!status.ok()) return status;
    return Sha256Of(text.str());
  }
  absl::StatusOr<std::vector<ObjectInfo>> List(const ObjectName& prefix, size_t most) override {
    absl::MutexLock lock(&mutex_);
    if (prefix.bucket != "bucket") return Missing(prefix);
    std::vector<ObjectInfo> all;
    for (const auto& each : objects_) {
      if (absl::StartsWith(each.first, prefix.key)) all.push_back(InfoOf(each, false));
    }
    if (all.size() > most) return absl::ResourceExhaustedError("too many");
    return all;
  }
  absl::Status Delete(const ObjectName& name) override {
    absl::MutexLock lock(&mutex_);
    if (objects_.erase(name.key) > 0) changes_.push_back("-" + name.key);
    return absl::OkStatus();
  }

 private:
  struct Object {
    std::string bytes;
    std::string etag;
    std::optional<Digest> sha256;
  };

  static absl::Status Missing(const ObjectName& name) {
    return absl::NotFoundError(name.Url() + ": there is none");
  }
  static ObjectInfo InfoOf(const std::pair<const std::string, Object>& entry, bool with_digest) {
    const Object& object = entry.second;
    return {entry.first, static_cast<int64_t>(object.bytes.size()), object.etag,
            with_digest ? object.sha256 : std::nullopt};
  }

  mutable absl::Mutex mutex_;
  std::map<std::string, Object> objects_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> changes_ ABSL_GUARDED_BY(mutex_);
  int64_t bytes_read_ ABSL_GUARDED_BY(mutex_) = 0;
  int version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fpo::testing
