#include "worker/core/process/event_reader.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

std::string Progress(int64_t done) {
  TrainEvent event;
  event.kind = EventKind::kProgress;
  event.done = done;
  return EncodeEvent(event) + "\n";
}

class EventReaderTest : public ::testing::Test {
 protected:
  void Feed(const std::string& bytes) {
    reader_.Feed(bytes, [&](const TrainEvent& event, const std::string& json) {
      done_.push_back(event.done);
      EXPECT_EQ(json + "\n", Progress(event.done));
    });
  }
  EventReader reader_;
  std::vector<int64_t> done_;
};

TEST_F(EventReaderTest, ReadsEventsAcrossChunks) {
  const std::string two = Progress(1) + Progress(2);
  for (const char byte : two) Feed(std::string(1, byte));
  EXPECT_EQ(done_, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(reader_.malformed(), 0);
}

TEST_F(EventReaderTest, SkipsWhatIsNoEvent) {
  Feed("not json\n" + Progress(1) + "\n{\"v\":1}\n" + Progress(2));
  EXPECT_EQ(done_, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(reader_.malformed(), 2);
}

TEST_F(EventReaderTest, SkipsAnOverlongLineWithAllItsParts) {
  Feed(std::string(3 * kLineBytesMax + 5, 'x') + "\n" + Progress(7));
  EXPECT_EQ(done_, (std::vector<int64_t>{7}));
  EXPECT_EQ(reader_.malformed(), 1);
}

}  // namespace
}  // namespace fpo::worker
