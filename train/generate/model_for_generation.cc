#include "train/generate/model_for_generation.h"

#include <algorithm>
#include <utility>

#include "common/inputs/model_home.h"
#include "common/status_macros.h"
#include "train/formats/safetensors_directory.h"
#include "train/loop/model_loader.h"
#include "train/prepare/model_tokenizer.h"

namespace fpo::train {
namespace {

// Whether every weight of the folder is bfloat16.
absl::StatusOr<bool> IsAllBFloat16(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory files, SafetensorsDirectory::Open(folder));
  for (const std::string& name : files.Names()) {
    FPO_ASSIGN_OR_RETURN(const at::Tensor tensor, files.Tensor(name));
    if (tensor.is_floating_point() && tensor.scalar_type() != at::kBFloat16) return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<GenerationModel>> GenerationModel::Open(const Source& source) {
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(source.folder));
  FPO_ASSIGN_OR_RETURN(Tokenizer tokenizer, OpenModelTokenizer(source.folder));
  std::unique_ptr<GenerationModel> made(new GenerationModel(source, std::move(tokenizer)));
  FPO_ASSIGN_OR_RETURN(ChatTemplate chat,
                       ChatTemplate::Create(source.template_name, made->tokenizer_, home));
  made->chat_template_ = std::make_unique<const ChatTemplate>(std::move(chat));
  FPO_ASSIGN_OR_RETURN(made->defaults_, ReadGenerationDefaults(home));
  FPO_ASSIGN_OR_RETURN(const ModelIdentity identity, IdentifyModel(source.folder));
  made->digest_ = identity.digest;
  made->vocabulary_ = identity.config.vocab_size;
  return made;
}

absl::Status GenerationModel::Load(const std::function<void(const std::string&)>& warn) {
  ModelRequest request{source_.folder, source_.dtype, source_.device, false, warn};
  if (source_.device.is_cpu() && source_.dtype == "float32") {
    FPO_ASSIGN_OR_RETURN(const bool small, IsAllBFloat16(source_.folder));
    if (small) request.dtype = "bfloat16";
  }
  FPO_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(request));
  Decoder::Options options;
  FPO_ASSIGN_OR_RETURN(options.dtype, ParseDtype(source_.dtype));
  decoder_ = Decoder::Create(loaded.model, options);
  return absl::OkStatus();
}

int64_t GenerationModel::choices() const {
  return tokenizer_.present().ok() ? std::min<int64_t>(tokenizer_.id_limit(), vocabulary_)
                                   : vocabulary_;
}

std::vector<int32_t> GenerationModel::Stops(bool turns) const {
  std::vector<int32_t> stops = defaults_.stops;
  if (tokenizer_.eos() >= 0) stops.push_back(tokenizer_.eos());
  if (turns) {
    const std::vector<int32_t> ends = chat_template_->TurnEnds();
    stops.insert(stops.end(), ends.begin(), ends.end());
  }
  std::sort(stops.begin(), stops.end());
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
  return stops;
}

absl::StatusOr<std::string> GenerationModel::TextOf(const std::vector<int32_t>& ids) const {
  std::vector<int32_t> text;
  for (const int32_t id : ids) {
    if (!tokenizer_.IsSpecial(id)) text.push_back(id);
  }
  return tokenizer_.Decode(text);
}

}  // namespace fpo::train
