#include "train/verdicts/verdict_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

std::string Key(const std::string& question) { return VerdictKey("{}", {question, "a", "b"}); }

Verdict Saying(double first) {
  Verdict verdict;
  verdict.first = first;
  return verdict;
}

class VerdictStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<VerdictStore> Open() {
    auto store = VerdictStore::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  std::string File() const { return path_ + "/verdicts.jsonl"; }

  ScratchFolder folder_;
  const std::string path_ = folder_ / "deep/verdicts";
};

TEST_F(VerdictStoreTest, KeepsWhatWasAdded) {
  auto store = Open();
  EXPECT_EQ(store->Find(Key("q")), nullptr);
  ASSERT_TRUE(store->Add(Key("q"), "{}", Saying(0.75)).ok());
  EXPECT_EQ(store->Find(Key("q"))->first, 0.75);
  EXPECT_EQ(Open()->Find(Key("q"))->first, 0.75);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);  // answers may be private
}

TEST_F(VerdictStoreTest, TheFirstVerdictStays) {
  auto first = Open(), second = Open();
  ASSERT_TRUE(first->Add(Key("q"), "{}", Saying(1)).ok());
  ASSERT_TRUE(first->Add(Key("q"), "{}", Saying(0)).ok());
  ASSERT_TRUE(second->Add(Key("q"), "{}", Saying(0)).ok());  // it has not seen the other's
  EXPECT_EQ(Open()->Find(Key("q"))->first, 1);
  EXPECT_EQ(Open()->size(), 1);
}

TEST_F(VerdictStoreTest, SeveralWritersAddWholeLines) {
  auto first = Open(), second = Open();
  for (int i = 0; i < 20; ++i) {
    const auto& store = i % 2 ? first : second;
    ASSERT_TRUE(store->Add(Key(std::to_string(i)), "{}", Saying(1)).ok());
  }
  EXPECT_EQ(Open()->size(), 20);
  EXPECT_EQ(Open()->damaged_lines(), 0);
}

TEST_F(VerdictStoreTest, ATornLineIsLeftOutAndTheNextOneStandsAlone) {
  ASSERT_TRUE(Open()->Add(Key("q"), "{}", Saying(1)).ok());
  ASSERT_TRUE(Open()->Add(Key("r"), "{}", Saying(1)).ok());
  const std::string text = Slurp(File());
  std::ofstream(File(), std::ios::trunc) << text.substr(0, text.size() - 30);
  auto store = Open();
  EXPECT_EQ(store->size(), 1);
  EXPECT_EQ(store->damaged_lines(), 1);
  ASSERT_TRUE(store->Add(Key("r"), "{}", Saying(0)).ok());
  EXPECT_EQ(Open()->size(), 2);
  EXPECT_EQ(Open()->Find(Key("r"))->first, 0);
}

TEST_F(VerdictStoreTest, AFolderThatCannotBeIsAnError) {
  folder_.Put("file", "");
  EXPECT_FALSE(VerdictStore::Open(folder_ / "file/verdicts").ok());
}

}  // namespace
}  // namespace fpo::train
