#include "common/hash.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_descriptor.h"
#include "common/files/posix_status.h"
#include "common/observe/work.h"

namespace fpo {

namespace {

// Looked up once: EVP_sha256() makes every hash search the providers again, which costs more than
// hashing a small record.
const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return algorithm;
}

}  // namespace

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context, Sha256Algorithm(), nullptr); }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(absl::string_view bytes) {
  EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  Digest digest{};
  EVP_DigestFinal_ex(state_->context, digest.data(), nullptr);
  state_.reset();
  return digest;
}

Digest Sha256Of(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

absl::StatusOr<Digest> Sha256OfFile(const std::string& path) {
  const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return PosixError(errno, "open", path);
  struct stat info {};
  const int64_t size = fstat(file.get(), &info) == 0 ? info.st_size : 0;
  Work work(absl::StrCat("hashing ", path.substr(path.rfind('/') + 1)), size, "bytes");
  Sha256 hash;
  std::vector<char> buffer(size_t{1} << 20);
  while (true) {
    const ssize_t n = read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return PosixError(errno, "read", path);
    if (n == 0) break;
    hash.Update(absl::string_view(buffer.data(), static_cast<size_t>(n)));
    work.Advance(n);
  }
  return hash.Finish();
}

std::string ToHex(const Digest& digest) { return absl::BytesToHexString(ToBytes(digest)); }

absl::StatusOr<Digest> DigestFromHex(absl::string_view hex) {
  const bool lower_hex = std::all_of(hex.begin(), hex.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (hex.size() != 2 * std::tuple_size_v<Digest> || !lower_hex) {
    return absl::InvalidArgumentError(
        absl::StrCat("a SHA-256 is 64 lower-case hex characters, got ", hex.size(),
                     " characters: '", absl::CHexEscape(hex.substr(0, 80)), "'"));
  }
  return DigestFromBytes(absl::HexStringToBytes(hex));
}

std::string ToBytes(const Digest& digest) { return std::string(digest.begin(), digest.end()); }

absl::StatusOr<Digest> DigestFromBytes(absl::string_view bytes) {
  Digest digest{};
  if (bytes.size() != digest.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a SHA-256 is 32 bytes, got ", bytes.size(), " bytes"));
  }
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

std::string RandomId(int bytes) {
  constexpr size_t kPerCall = 256;  // getentropy's limit per call
  std::string random(static_cast<size_t>(bytes), '\0');
  for (size_t at = 0; at < random.size(); at += kPerCall) {
    // getentropy fails only on systems without the call: no id is better than a guessable one.
    if (getentropy(&random[at], std::min(kPerCall, random.size() - at)) != 0) {
      throw std::system_error(errno, std::generic_category(), "getentropy");
    }
  }
  return absl::BytesToHexString(random);
}

}  // namespace fpo
