#include "train/data/row_encoder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <ATen/Parallel.h>

#include "absl/synchronization/blocking_counter.h"
#include "common/status_macros.h"

namespace fpo::train {

absl::StatusOr<std::vector<std::vector<AdmissionCandidate>>> EncodeRows(
    const Admission& admission, const std::vector<PreferenceRow>& rows) {
  std::vector<std::optional<absl::StatusOr<std::vector<AdmissionCandidate>>>> done(rows.size());
  const auto encode = [&](size_t first, size_t stride) {
    for (size_t i = first; i < rows.size(); i += stride) done[i].emplace(admission.Encode(rows[i]));
  };
  const size_t cores = std::max<size_t>(1, at::get_num_interop_threads());
  const size_t workers = std::min(rows.size(), cores);
  if (workers <= 1) {
    encode(0, 1);
  } else {
    absl::BlockingCounter left(static_cast<int>(workers));
    for (size_t w = 0; w < workers; ++w) {
      at::launch([&encode, &left, w, workers] {
        encode(w, workers);
        left.DecrementCount();
      });
    }
    left.Wait();
  }
  std::vector<std::vector<AdmissionCandidate>> out(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    FPO_ASSIGN_OR_RETURN(out[i], *std::move(done[i]));
  }
  return out;
}

}  // namespace fpo::train
