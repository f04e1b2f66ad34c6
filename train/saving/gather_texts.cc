#include "train/saving/gather_texts.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr size_t kTextBytesMax = size_t{1} << 20;

}  // namespace

// All ranks must gather the same length: first the lengths, then texts filled up to the longest.
absl::StatusOr<std::vector<std::string>> GatherTexts(const std::string& own, ProcessGroup& group) {
  std::string text = own.substr(0, kTextBytesMax);
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> lengths,
                       group.AllGather(absl::StrFormat("%08d", text.size())));
  std::vector<size_t> sizes;
  for (const std::string& length : lengths) {
    uint64_t size = 0;
    if (!absl::SimpleAtoi(length, &size) || size > kTextBytesMax) {
      return absl::InternalError(absl::StrCat("a rank announces a text of '", length, "' bytes"));
    }
    sizes.push_back(size);
  }
  text.resize(*std::max_element(sizes.begin(), sizes.end()));
  if (text.empty()) return std::vector<std::string>(lengths.size());
  FPO_ASSIGN_OR_RETURN(std::vector<std::string> texts, group.AllGather(text));
  for (size_t rank = 0; rank < texts.size(); ++rank) texts[rank].resize(sizes[rank]);
  return texts;
}

}  // namespace fpo::train
