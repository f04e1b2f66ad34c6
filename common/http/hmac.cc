#include "common/http/hmac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace fpo {

Digest HmacSha256(absl::string_view key, absl::string_view message) {
  Digest digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest.data(),
       &size);
  return digest;
}

}  // namespace fpo
