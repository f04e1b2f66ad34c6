// What each key of a job file does to the identity of reference records. A key that is not in this
// table fails the test until its role is decided.
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/job/job_fields.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

enum class Role {
  kRecipe,  // can change a record's value: part of the recipe, by itself or through a digest
  kKeys,    // changes which token ids are asked for: another key, the same recipe
  kNone,    // changes neither: a hit whatever it is
};

const std::map<std::string, Role>& Roles() {
  static const std::map<std::string, Role> roles = {
      {"name", Role::kNone},
      {"kind", Role::kNone},
      {"labels", Role::kNone},
      {"output", Role::kNone},
      // The digest of weights and configuration stands for the path; a reference of its own may
      // differ from the model.
      {"model.path", Role::kRecipe},
      {"model.dtype", Role::kRecipe},
      // The reference beside qlora is the quantised base.
      {"adapter.kind", Role::kRecipe},
      {"adapter.double_quantization", Role::kRecipe},
      {"adapter.rank", Role::kNone},
      {"adapter.alpha", Role::kNone},
      {"adapter.targets", Role::kNone},
      {"adapter.dropout", Role::kNone},
      {"adapter.path", Role::kNone},
      {"reference.path", Role::kRecipe},
      {"reference.features", Role::kRecipe},
      {"reference.features_top", Role::kRecipe},
      {"reference.values", Role::kRecipe},
      {"reference.share", Role::kNone},
      {"reference.source", Role::kNone},
      {"reference.probe_pairs", Role::kNone},
      // The tokenizer in model.path turns these into token ids, and ids are the keys.
      {"data.train", Role::kKeys},
      {"data.eval", Role::kKeys},
      {"data.format", Role::kKeys},
      {"data.template", Role::kKeys},
      {"data.columns", Role::kKeys},
      {"data.train_on", Role::kKeys},  // which tokens of a response of several turns are context
      {"data.max_length", Role::kKeys},
      {"data.max_prompt_length", Role::kKeys},
      {"data.max_pairs", Role::kKeys},
      {"data.max_bad_fraction", Role::kNone},
      {"data.shuffle", Role::kNone},
      // SAE or pooled hidden vectors: the recipe's list of places and digests.
      {"sae.path", Role::kRecipe},
      {"sae.layer", Role::kRecipe},
      {"sae.site", Role::kRecipe},
      {"sae.normalization", Role::kRecipe},  // through the SAE's digest
      {"method.features", Role::kRecipe},
      // Whether the record has features at all; its margin-only form is shared.
      {"method.name", Role::kRecipe},
      {"method.beta", Role::kNone},
      {"method.alpha", Role::kNone},
      {"method.gamma", Role::kNone},
      {"method.top_k", Role::kNone},
      {"method.feature_selection", Role::kNone},
      {"method.feature_weights", Role::kNone},
      {"method.stop_gradient", Role::kNone},
      {"method.label_smoothing", Role::kNone},
      {"method.loss", Role::kNone},
      {"method.constraint", Role::kRecipe},  // as method.name
      {"method.sft_weight", Role::kNone},
      {"method.desirable_weight", Role::kNone},
      {"method.undesirable_weight", Role::kNone},
      {"epochs", Role::kNone},
      {"max_steps", Role::kNone},
      {"seed", Role::kNone},
      {"activation_checkpointing", Role::kNone},
      {"activation_checkpointing_layers", Role::kNone},
  };
  return roles;
}

// Sections none of whose keys the reference model's forward pass or the token ids see.
const std::set<std::string>& ForeignSections() {
  static const std::set<std::string> sections = {
      "sae_training", "generate",   "judge",    "constraint", "optimizer", "schedule", "batch",
      "parallel",     "checkpoint", "evaluate", "features",   "resources", "retry"};
  return sections;
}

std::set<std::string> AllKeys() {
  JobConfig config;
  std::set<std::string> keys;
  for (const JobEntry& entry : JobEntries(&config)) {
    switch (entry.kind) {
      case JobEntry::Kind::kField:
      case JobEntry::Kind::kLabels:
        keys.insert(entry.name);
        break;
      case JobEntry::Kind::kSection:
        for (const JobField& field : entry.fields) {
          if (ForeignSections().contains(entry.name)) continue;
          keys.insert(absl::StrCat(entry.name, ".", field.name));
        }
        break;
      case JobEntry::Kind::kSaeList: {
        SaeSection sae;
        for (const JobField& field : SaeFields(&sae)) {
          keys.insert(absl::StrCat("sae.", field.name));
        }
        break;
      }
    }
  }
  return keys;
}

TEST(RecipeRoles, EveryKeyOfAJobFileHasOne) {
  for (const std::string& key : AllKeys()) {
    EXPECT_TRUE(Roles().contains(key))
        << key << ": can it change a reference record's value, or which records are asked for?";
  }
}

TEST(RecipeRoles, NoneIsOfAKeyThatIsGone) {
  const std::set<std::string> keys = AllKeys();
  for (const auto& [key, role] : Roles()) EXPECT_TRUE(keys.contains(key)) << key;
}

}  // namespace
}  // namespace fpo
