#include "train/ops/packed_layout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace fpo::train {

std::shared_ptr<const PackedLayout> PackedLayout::Of(std::vector<PackedGroup> groups,
                                                     at::Device device) {
  auto layout = std::make_shared<PackedLayout>();
  layout->groups = std::move(groups);
  std::vector<int64_t> positions, kept;
  for (const PackedGroup& group : layout->groups) {
    const auto first = static_cast<int64_t>(positions.size());
    layout->first.push_back(first);
    layout->first_kept.push_back(static_cast<int64_t>(kept.size()));
    int64_t rows = group.prompt;
    for (const int64_t response : group.responses) rows += response;
    for (int64_t i = group.prompt - 1; i < rows; ++i) kept.push_back(first + i);
    for (int64_t i = 0; i < group.prompt; ++i) positions.push_back(i);
    layout->longest = std::max(layout->longest, group.prompt);
    for (const int64_t response : group.responses) {
      for (int64_t i = 0; i < response; ++i) positions.push_back(group.prompt + i);
      layout->longest = std::max(layout->longest, group.prompt + response);
    }
  }
  layout->rows = static_cast<int64_t>(positions.size());
  layout->positions = at::tensor(positions, at::kLong).to(device);
  layout->kept_rows = static_cast<int64_t>(kept.size());
  layout->kept = at::tensor(kept, at::kLong).to(device);
  return layout;
}

}  // namespace fpo::train
