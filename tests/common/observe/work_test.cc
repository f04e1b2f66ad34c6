#include "common/observe/work.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

using ::testing::ElementsAre;

class Texts final : public WorkListener {
 public:
  Texts() : before_(ListenToWork(this)) {}
  ~Texts() override { ListenToWork(before_); }
  void OnWork(const std::vector<WorkState>& pieces) override { texts.push_back(WorkText(pieces)); }
  std::vector<std::string> texts;

 private:
  WorkListener* const before_;
};

TEST(Work, PiecesNestAndEndWithTheirScope) {
  Texts heard;
  Work steps({"train", "", 3, 10, "steps"});
  {
    Work batches("step 4", 2, "micro-batches");
    {
      Work forward("forward", 18, "layers");
      AdvanceWork();
      AdvanceWork(2);
    }
    batches.Advance();
  }
  steps.SetDone(4);
  EXPECT_THAT(heard.texts,
              ElementsAre("3 of 10 steps, step 4: 0 of 2 micro-batches, forward: 1 of 18 layers",
                          "3 of 10 steps, step 4: 0 of 2 micro-batches, forward: 3 of 18 layers",
                          "3 of 10 steps, step 4: 1 of 2 micro-batches", "4 of 10 steps"));
}

TEST(Work, BeginningAndEndingIsNoWorkDone) {
  Texts heard;
  { Work idle("hashing", 10, "bytes"); }
  AdvanceWork();  // nothing is under way
  EXPECT_TRUE(heard.texts.empty());
}

TEST(Work, AnyThreadMayAdvanceTheInnermost) {
  Texts heard;
  Work backward("backward", 2, "layers");
  std::thread([] { AdvanceWork(); }).join();
  EXPECT_THAT(heard.texts, ElementsAre("backward: 1 of 2 layers"));
}

// A thread that works beside the others is no piece of what they do.
TEST(Work, OfABackgroundThreadIsOnlyCounted) {
  Texts heard;
  Work steps({"train", "", 3, 10, "steps"});
  std::atomic<int64_t> done = 0;
  std::thread([&] {
    const BackgroundWork background(&done);
    Work writing("writing", 100, "bytes");
    writing.Advance(50);
    AdvanceWork(7);
    SetWorkDone(9);
  }).join();
  EXPECT_EQ(done, 3);
  EXPECT_TRUE(heard.texts.empty());
  steps.Advance();
  EXPECT_THAT(heard.texts, ElementsAre("4 of 10 steps"));
}

TEST(Work, NobodyNeedsToListen) {
  Work work("reading", 0, "rows");
  work.Advance(5);
  EXPECT_EQ(WorkText({{"", "reading", 5, 0, "rows"}}), "reading: 5 rows");
}

TEST(Work, BytesAreInOneUnit) {
  EXPECT_EQ(WorkText({{"", "hashing", 512 << 20, int64_t{5} << 30, "bytes"}}),
            "hashing: 0.5 of 5.0 GiB");
  EXPECT_EQ(WorkText({{"", "writing", 1536, 0, "bytes"}}), "writing: 1.5 KiB");
  EXPECT_EQ(WorkText({{"", "writing", 0, int64_t{1} << 20, "bytes"}}), "writing: 0.0 of 1.0 MiB");
}

TEST(Work, APieceWithoutNumbersIsItsName) {
  EXPECT_EQ(WorkText({{"", "starting", 0, 0, ""}, {"", "", 0, 0, ""}}), "starting");
}

}  // namespace
}  // namespace fpo
