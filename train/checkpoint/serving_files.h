#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "absl/status/status.h"

namespace fpo::train {

// A folder of templates that are asked for by name; "default" is the one without a name.
inline constexpr char kNamedTemplates[] = "additional_chat_templates";

// What an exported folder needs beside weights, config and tokenizer so that it can be served: how
// to ask, when to stop, and what it is.
struct ServingFiles {
  std::string chat_template = "";                     // Jinja; "": those of the source folder
  std::vector<int64_t> stop_ids = {};                 // besides the ones that the source names
  std::string card = "";                              // README.md; "": none
  std::map<std::string, std::string> tokenizer = {};  // files by name, if the source has none
};

// Writes them into `folder`, which has copies of the source's files:
// - the tokenizer's files that it lacks;
// - chat_template.jinja, removing the other places where transformers looks for the default
//   template;
// - generation_config.json and `config` (not written here) with eos_token_id = the source's ids and
//   the stop ids; a folder without generation_config.json gets one with the ids of `config`;
// - README.md.
// InvalidArgument when a copied file that must be changed is not a JSON object.
absl::Status WriteServingFiles(const ServingFiles& files, const std::string& folder,
                               nlohmann::ordered_json* config);

}  // namespace fpo::train
