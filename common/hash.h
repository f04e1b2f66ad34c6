#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/values/digest.h"

namespace fpo {

// Streaming SHA-256. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void Update(absl::string_view bytes);
  Digest Finish();  // once; the object is empty afterwards

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest Sha256Of(absl::string_view bytes);
absl::StatusOr<Digest> Sha256OfFile(const std::string& path);  // NotFound, Unavailable

std::string ToHex(const Digest& digest);                          // 64 lower-case characters
absl::StatusOr<Digest> DigestFromHex(absl::string_view hex);      // InvalidArgument
std::string ToBytes(const Digest& digest);                        // 32 raw bytes
absl::StatusOr<Digest> DigestFromBytes(absl::string_view bytes);  // InvalidArgument

std::string RandomId(int bytes);  // hex of that many random bytes, from the system's generator

}  // namespace fpo
