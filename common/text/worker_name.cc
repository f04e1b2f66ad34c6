#include "common/text/worker_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace fpo {

bool IsWorkerName(absl::string_view name) {
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

}  // namespace fpo
