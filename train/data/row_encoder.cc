#include "train/data/row_encoder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <ATen/Parallel.h>

#include "absl/synchronization/blocking_counter.h"
#include "common/status_macros.h"

namespace fpo::train {

namespace {

struct RenderedExamples {
  std::vector<PreferenceRow> examples;
  std::vector<std::vector<RenderedRow>> texts;  // of each example's Renderings
};

// All rows in one call of the template's helper process; empty for a template without one.
absl::StatusOr<std::vector<RenderedExamples>> RenderAll(const Admission& admission,
                                                        const std::vector<PreferenceRow>& rows) {
  std::vector<RenderedExamples> out;
  if (!admission.chat_template().IsBatched()) return out;
  std::vector<PreferenceRow> all;
  for (const PreferenceRow& row : rows) {
    out.push_back({admission.Examples(row), {}});
    for (const PreferenceRow& example : out.back().examples) {
      const std::vector<PreferenceRow> some = Admission::Renderings(example);
      all.insert(all.end(), some.begin(), some.end());
      out.back().texts.emplace_back(some.size());
    }
  }
  FPO_ASSIGN_OR_RETURN(std::vector<RenderedRow> texts, admission.chat_template().Render(all));
  size_t next = 0;
  for (RenderedExamples& row : out) {
    for (std::vector<RenderedRow>& example : row.texts) {
      for (RenderedRow& text : example) text = std::move(texts[next++]);
    }
  }
  return out;
}

absl::StatusOr<std::vector<AdmissionCandidate>> EncodeRendered(const Admission& admission,
                                                               const RenderedExamples& row) {
  std::vector<AdmissionCandidate> candidates;
  for (size_t i = 0; i < row.examples.size(); ++i) {
    FPO_ASSIGN_OR_RETURN(candidates.emplace_back(),
                         admission.Encode(row.examples[i], row.texts[i]));
  }
  return candidates;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<AdmissionCandidate>>> EncodeRows(
    const Admission& admission, const std::vector<PreferenceRow>& rows) {
  std::vector<std::optional<absl::StatusOr<std::vector<AdmissionCandidate>>>> done(rows.size());
  FPO_ASSIGN_OR_RETURN(const std::vector<RenderedExamples> rendered, RenderAll(admission, rows));
  const auto encode = [&](size_t first, size_t stride) {
    for (size_t i = first; i < rows.size(); i += stride) {
      done[i].emplace(rendered.empty() ? admission.Encode(rows[i])
                                       : EncodeRendered(admission, rendered[i]));
    }
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
