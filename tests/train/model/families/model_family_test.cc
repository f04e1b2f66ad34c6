#include "train/model/families/model_family.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

TEST(ModelFamily, EveryArchitectureHasItsOwn) {
  std::set<std::string> names;
  for (const Architecture architecture :
       {Architecture::kGemma2, Architecture::kGemma3, Architecture::kLlama, Architecture::kQwen3}) {
    names.insert(FamilyOf(architecture).name);
  }
  EXPECT_EQ(names, (std::set<std::string>{"gemma2", "gemma3", "llama", "qwen3"}));
}

}  // namespace
}  // namespace fpo::train
