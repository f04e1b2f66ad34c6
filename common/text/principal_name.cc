#include "common/text/principal_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace fpo {

bool IsPrincipalName(absl::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ||
           c == '@';
  });
}

}  // namespace fpo
