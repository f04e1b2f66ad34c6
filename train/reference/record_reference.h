#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/reference/record_file.h"
#include "train/prepare/reference_keys.h"
#include "train/reference/reference_source.h"

namespace fpo::train {

// The reference from a .fpr file.
class RecordReference final : public ReferenceSource {
 public:
  struct Options {
    std::string path;
    Recipe recipe;                  // what the job needs
    std::vector<int64_t> features;  // width of each SAE, in recipe order; empty: log-probs only
    at::Device device = at::kCPU;
  };
  // The file's recipe must be the job's, or contain it when the job needs no features; otherwise
  // fails with the exit code for a foreign cache and shows both.
  static absl::StatusOr<std::unique_ptr<RecordReference>> Open(Options options);

  // InvalidArgument, with the number missing, unless every response has a record.
  absl::Status Require(const std::vector<ReferenceResponse>& responses) const;
  // FailedPrecondition for distributions: a record holds sums. NotFound names the key of a response
  // without a record.
  absl::StatusOr<ReferenceValues> Values(const std::vector<Sequence>& sequences,
                                         ReferenceDetail detail) override;
  const RecordFile& file() const { return *file_; }

 private:
  RecordReference(std::unique_ptr<RecordFile> file, Options options);
  absl::Status Fill(const Record& record, int64_t row, const std::vector<at::Tensor>& pooled) const;
  std::unique_ptr<RecordFile> file_;
  Options options_;
};

}  // namespace fpo::train
