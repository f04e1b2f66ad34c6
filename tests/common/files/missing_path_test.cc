#include "common/files/missing_path.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MissingPathTest : public ::testing::Test {
 protected:
  std::string Missing(const std::string& given, PathWanted kind) const {
    return MissingPathProblem({folder_ / given, given}, kind);
  }
  const train::ScratchFolder folder_;
};

TEST_F(MissingPathTest, NamesTheNearestFolderAndTheClosestName) {
  folder_.Put("data/ultrafeedback/train.jsonl", "");
  const std::string data = folder_ / "data";
  EXPECT_EQ(
      Missing("data/ultrafeedbak/train.jsonl", PathWanted::kFile),
      absl::StrCat("there is no file ", data, "/ultrafeedbak/train.jsonl: ", data, " exists, ",
                   data, "/ultrafeedbak does not; did you mean ", data, "/ultrafeedback?"));
  EXPECT_EQ(Missing("data/ultrafeedback/tran.jsonl", PathWanted::kFile),
            absl::StrCat("there is no file ", data, "/ultrafeedback/tran.jsonl; did you mean ",
                         data, "/ultrafeedback/train.jsonl?"));
  EXPECT_EQ(Missing("data/ultrafeedback/train.jsonl", PathWanted::kFile), "");
}

TEST_F(MissingPathTest, NamesTheWrongKind) {
  folder_.Put("data/train.jsonl", "");
  EXPECT_THAT(Missing("data", PathWanted::kFile), HasSubstr("is a folder; name the files in it"));
  EXPECT_THAT(Missing("data/train.jsonl", PathWanted::kFolder), HasSubstr("is a file"));
  EXPECT_EQ(Missing("data", PathWanted::kFileOrFolder), "");
}

TEST_F(MissingPathTest, RecognisesNamesOfTheHub) {
  const std::string model = Missing("google/gemma-3-270m", PathWanted::kFolder);
  EXPECT_THAT(model, HasSubstr(absl::StrCat("huggingface-cli download google/gemma-3-270m "
                                            "--local-dir ",
                                            folder_ / "google/gemma-3-270m")));
  EXPECT_THAT(Missing("google/gemma-scope-2b-pt-res/layer_25/width_16k/params.npz",
                      PathWanted::kFileOrFolder),
              HasSubstr(absl::StrCat("huggingface-cli download google/gemma-scope-2b-pt-res "
                                     "layer_25/width_16k/params.npz --local-dir ",
                                     folder_ / "google/gemma-scope-2b-pt-res")));
  EXPECT_THAT(Missing("trl-lib/ultrafeedback_binarized", PathWanted::kFile),
              HasSubstr("huggingface-cli download --repo-type dataset trl-lib/"));
  folder_.Put("models/other/config.json", "");
  for (const char* given : {"models/gemma", "../x/gemma", "a/b/c", "x", "data/train.jsonl"}) {
    const PathWanted kind =
        std::string(given) == "data/train.jsonl" ? PathWanted::kFile : PathWanted::kFolder;
    EXPECT_THAT(Missing(given, kind), Not(HasSubstr("huggingface-cli"))) << given;
  }
  EXPECT_THAT(Missing("https://example.org/google/gemma-3-270m", PathWanted::kFolder),
              HasSubstr("is a URL"));
}

TEST_F(MissingPathTest, StandInsOfTheTemplatesAreNamedAsSuch) {
  EXPECT_THAT(MissingPathProblem({"/path/to/model", "/path/to/model"}, PathWanted::kFolder),
              HasSubstr("the example's placeholder"));
}

TEST_F(MissingPathTest, AModelFolderComesBeforeWhatIsInIt) {
  const auto problem = [&] { return ModelFolderProblem({folder_ / "m", "m"}, true); };
  EXPECT_THAT(problem(), HasSubstr("there is no folder"));
  EXPECT_THAT(problem(), Not(HasSubstr("tokenizer.model")));
  folder_.Put("m/x", "");
  EXPECT_THAT(problem(), HasSubstr("no config.json"));
  folder_.Put("m/config.json", "{}");
  EXPECT_THAT(problem(), HasSubstr("no tokenizer.model"));
  EXPECT_EQ(ModelFolderProblem({folder_ / "m", "m"}, false), "");
  folder_.Put("m/tokenizer.model", "");
  EXPECT_EQ(problem(), "");
}

}  // namespace
}  // namespace fpo
