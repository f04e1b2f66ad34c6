#include "train/loop/id_range.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/loop/model_loader.h"

namespace fpo::train {

absl::Status CheckIdsFit(const TokenFile& tokens, const std::string& model_folder) {
  FPO_ASSIGN_OR_RETURN(const GemmaConfig config, ReadModelConfig(model_folder));
  if (tokens.greatest_id() < config.vocab_size) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the prepared data hold token id ", tokens.greatest_id(), ", but vocab_size of ",
                   model_folder, " is ", config.vocab_size,
                   "; they were prepared for another model: prepare them again with this one"));
}

}  // namespace fpo::train
