#include "common/text/label.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace fpo {

bool IsLabelName(absl::string_view name) {
  return !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
           c == '/';
  });
}

bool IsLabelValue(absl::string_view value) {
  return value.size() <= 255 && std::none_of(value.begin(), value.end(), [](char c) {
           return absl::ascii_iscntrl(static_cast<unsigned char>(c));
         });
}

}  // namespace fpo
