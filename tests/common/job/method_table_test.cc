#include "common/job/method_table.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/job/job_fields.h"
#include "common/job/job_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(MethodTable, HasTheMethodsAndKeysOfTheFieldTable) {
  JobConfig config;
  std::vector<std::string> names, keys;
  for (const JobEntry& entry : JobEntries(&config)) {
    if (std::string(entry.name) != "method") continue;
    names.assign(entry.fields[0].words.begin(), entry.fields[0].words.end());
    for (const JobField& field : entry.fields) keys.emplace_back(field.name);
  }
  ASSERT_EQ(names.size(), Methods().size());
  for (const std::string& name : names) {
    const MethodInfo* method = FindMethod(name);
    ASSERT_NE(method, nullptr) << name;
    for (const char* key : method->keys) EXPECT_THAT(keys, ::testing::Contains(key)) << name;
    EXPECT_EQ(MethodReads(*method, "beta"), method->beta > 0) << name;
  }
  EXPECT_EQ(FindMethod("ppo"), nullptr);
}

TEST(MethodTable, DefaultsLieInTheUsualRange) {
  for (const MethodInfo& method : Methods()) {
    if (method.beta == 0) continue;
    EXPECT_GE(method.beta, method.beta_low) << method.name;
    EXPECT_LE(method.beta, method.beta_high) << method.name;
  }
  EXPECT_EQ(BetaDefaults(),
            "2 for ln_dpo, simpo, simpo_kl, fpo; 0.1 for dpo, tdpo1, tdpo2, orpo, kto");
}

TEST(MethodTable, TheConstraintDecidesWhatElseIsRead) {
  MethodSection dpo;
  dpo.name = "dpo";
  EXPECT_EQ(ConstraintOf(dpo), "none");
  EXPECT_FALSE(ComparesFeatures(dpo));
  EXPECT_FALSE(MethodReads(dpo, "alpha"));
  dpo.constraint = "features";
  EXPECT_TRUE(ComparesFeatures(dpo));
  for (const char* key :
       {"alpha", "top_k", "feature_selection", "stop_gradient", "features", "feature_weights"}) {
    EXPECT_TRUE(MethodReads(dpo, key)) << key;
  }
  EXPECT_FALSE(MethodReads(dpo, "gamma"));
  MethodSection fpo;
  EXPECT_EQ(ConstraintOf(fpo), "features");
  fpo.name = "tdpo2";
  EXPECT_EQ(ConstraintOf(fpo), "kl");
  EXPECT_FALSE(ComparesFeatures(fpo));
}

// Features need a reference where the margin has none.
TEST(MethodTable, ReferencesOfMethodAndConstraint) {
  MethodSection method;
  const auto source = [&](const char* name, const char* constraint) {
    method.name = name;
    method.constraint = constraint;
    return std::string(DefaultReferenceSource(method));
  };
  EXPECT_EQ(source("simpo", ""), "none");
  EXPECT_EQ(source("simpo", "features"), "cached");
  EXPECT_EQ(source("dpo", "features"), "cached");
  EXPECT_EQ(source("tdpo1", "kl"), "online");
  EXPECT_EQ(source("orpo", ""), "none");
  EXPECT_EQ(source("ppo", ""), "none");
}

TEST(MethodTable, TheSchemaSaysTheDefaultsOfBeta) {
  EXPECT_THAT(JobSchema(), HasSubstr(BetaDefaults()));
}

// docs/methods.md has a row a method: name, default, usual range, the paper's beta and alpha.
TEST(MethodTable, DocumentationHasTheSameNumbers) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  std::ifstream in(absl::StrCat(root, "/docs/methods.md"));
  std::ostringstream text;
  text << in.rdbuf();
  for (const MethodInfo& method : Methods()) {
    if (method.beta == 0) continue;
    const std::string row =
        absl::StrCat("| `", method.name, "` | ", method.beta, " | ", BetaRange(method), " | ",
                     method.beta_paper, " | ", method.alpha_paper, " |\n");
    EXPECT_NE(text.str().find(row), std::string::npos) << "docs/methods.md lacks " << row;
  }
}

}  // namespace
}  // namespace fpo
