#include "ctl/init/model_facts.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/inputs/model_home.h"
#include "common/status_macros.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kConfigBytesMax = 16 << 20;

bool HasChatTemplate(const std::string& folder) {
  std::error_code error;
  if (fs::exists(folder + "/chat_template.jinja", error)) return true;
  const auto text = ReadFile(folder + "/tokenizer_config.json", kConfigBytesMax);
  if (!text.ok()) return false;
  const auto config = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  return config.is_object() && config.contains("chat_template");
}

}  // namespace

absl::StatusOr<ModelFacts> ReadModelFacts(const WantedPath& wanted) {
  const std::string& folder = wanted.path;
  std::error_code error;
  const std::string problem = ModelFolderProblem(wanted, true);
  if (!problem.empty()) {
    return fs::exists(folder, error) ? absl::InvalidArgumentError(problem)
                                     : absl::NotFoundError(problem);
  }
  FPO_ASSIGN_OR_RETURN(const ModelShape shape, ReadModelShape(folder));
  FPO_ASSIGN_OR_RETURN(const std::string home, ModelHome(folder));
  return ModelFacts{shape, HasChatTemplate(home)};
}

}  // namespace fpo::ctl
