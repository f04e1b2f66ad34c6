#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/hash.h"

namespace fpo {

// What a caller may do; each role includes those before it.
enum class Role {
  kReader,  // read
  kUser,    // submit jobs and change their own
  kWorker,  // an agent: run jobs, compute and store records for any owner
  kAdmin,   // change what belongs to others, administer the services
};

absl::string_view RoleName(Role role);                   // "reader"
absl::StatusOr<Role> ParseRole(absl::string_view word);  // InvalidArgument lists the words

// A caller known to the services. Owners of jobs and records are such names.
struct Principal {
  std::string name;
  Role role = Role::kReader;
  std::vector<std::string> groups = {};
  // Of role worker: names, or beginnings with a "*" at the end, of the workers it may be; empty:
  // its own name alone.
  std::vector<std::string> workers = {};

  bool MayBeWorker(absl::string_view worker_id) const;
  bool InGroup(absl::string_view group) const;
  bool operator==(const Principal&) const = default;
};

// Whether it says with whom something is shared: "public", "private" (its owner) or "group:NAME".
bool IsShare(absl::string_view word);
// Whether `reader` may see a thing of `owner` that is shared like this.
bool Reaches(absl::string_view share, absl::string_view owner, const Principal& reader);

// A credential: a token, of which only the SHA-256 is kept, or a client certificate with this name.
struct AccessEntry {
  Principal principal;
  std::optional<Digest> token_sha256 = {};
  std::string certificate = {};  // common name or DNS name of the subject
  absl::Time expires = absl::InfiniteFuture();
};

// Who may call a service: the file of --access. A value.
class AccessList {
 public:
  // {"principals":[{"name":"ana","role":"user","groups":["align"],"token_sha256":"<64 hex>",
  //                 "expires":"2027-01-31T00:00:00Z"},
  //                {"name":"host-1","role":"worker","certificate":"host-1.example"}]}
  // InvalidArgument says which entry and what is wrong with it; unknown keys are refused.
  static absl::StatusOr<AccessList> Parse(absl::string_view json);
  std::string ToJson() const;  // Parse reads it back; one entry per line

  // Unauthenticated: unknown, or expired. The time to compare does not depend on the token.
  absl::StatusOr<Principal> OfToken(absl::string_view token, absl::Time now) const;
  absl::StatusOr<Principal> OfCertificate(const std::vector<std::string>& names,
                                          absl::Time now) const;

  const std::vector<AccessEntry>& entries() const { return entries_; }
  std::vector<AccessEntry>& mutable_entries() { return entries_; }

 private:
  std::vector<AccessEntry> entries_;
};

// A new token: "fpo_" and 256 random bits in hex.
std::string NewToken();
// The first line of a file that only its owner can read. InvalidArgument otherwise, with a remedy
// and never with the token.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);

}  // namespace fpo
