#include "train/formats/digest_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <utime.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

// Files are stamped by the kernel: the cache's clock runs ahead of it, or not.
struct ShiftedClock final : public Clock {
  absl::Time Now() const override { return absl::Now() + ahead; }
  absl::Duration ahead = absl::Hours(1);
};

class DigestCacheTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_ / name; }
  struct stat Stat(const std::string& name) const {
    struct stat info = {};
    EXPECT_EQ(stat(Path(name).c_str(), &info), 0);
    return info;
  }
  // The kernel's times have steps of some milliseconds.
  void Write(const std::string& name, const std::string& bytes) {
    struct stat before = {};
    const bool there = stat(Path(name).c_str(), &before) == 0;
    do {
      std::ofstream(Path(name), std::ios::binary) << bytes;
    } while (there && Stat(name).st_ctim.tv_nsec == before.st_ctim.tv_nsec);
  }
  void SetModified(const std::string& name, absl::Time time) {
    const utimbuf times = {absl::ToTimeT(time), absl::ToTimeT(time)};
    ASSERT_EQ(utime(Path(name).c_str(), &times), 0);
  }
  Digest Of(const std::vector<std::string>& names) {
    std::vector<std::string> files;
    for (const std::string& name : names) files.push_back(Path(name));
    const auto digest = cache_.Of("weights", files, [&] {
      ++computed_;
      std::string bytes;
      for (const std::string& file : files) bytes += Slurp(file);
      return absl::StatusOr<Digest>(Sha256Of(bytes));
    });
    EXPECT_TRUE(digest.ok()) << digest.status();
    return *digest;
  }
  const ScratchFolder folder_;
  ShiftedClock clock_;
  const DigestCache cache_{folder_ / "cache", clock_};
  int computed_ = 0;
};

TEST_F(DigestCacheTest, SettledFilesAreReadOnce) {
  Write("a", "one");
  Write("b", "two");
  EXPECT_EQ(Of({"a", "b"}), Sha256Of("onetwo"));
  EXPECT_EQ(Of({"a", "b"}), Sha256Of("onetwo"));
  EXPECT_EQ(computed_, 1);
  EXPECT_EQ(Of({"a"}), Sha256Of("one"));
  EXPECT_EQ(computed_, 2) << "another list of files";
}

TEST_F(DigestCacheTest, AFileChangedWithTheSameSizeIsReadAgain) {
  Write("a", "one");
  Of({"a"});
  Write("a", "uno");
  EXPECT_EQ(Of({"a"}), Sha256Of("uno"));
}

// The time of change, which no program can set, tells.
TEST_F(DigestCacheTest, ATimeOfModificationThatIsSetBackDeceivesNobody) {
  Write("a", "one");
  SetModified("a", absl::Now() - absl::Hours(9));
  const struct stat before = Stat("a");
  Of({"a"});
  Write("a", "uno");
  SetModified("a", absl::FromTimeT(before.st_mtime));
  ASSERT_EQ(Stat("a").st_mtime, before.st_mtime);
  ASSERT_EQ(Stat("a").st_size, before.st_size);
  ASSERT_EQ(Stat("a").st_ino, before.st_ino);
  EXPECT_EQ(Of({"a"}), Sha256Of("uno"));
}

TEST_F(DigestCacheTest, AnotherFileUnderTheNameIsReadAgain) {
  Write("a", "one");
  Write("b", "uno");
  Of({"a"});
  fs::rename(Path("b"), Path("a"));
  EXPECT_EQ(Of({"a"}), Sha256Of("uno"));
}

// It could change again within the clock's step, without a trace.
TEST_F(DigestCacheTest, AFileThatHasJustChangedIsNotKept) {
  clock_.ahead = absl::ZeroDuration();
  Write("a", "one");
  Of({"a"});
  Of({"a"});
  EXPECT_EQ(computed_, 2);
  EXPECT_FALSE(fs::exists(Path("cache")));
  clock_.ahead = DigestCache::kSettled * 2;
  Of({"a"});
  Of({"a"});
  EXPECT_EQ(computed_, 3);
}

TEST_F(DigestCacheTest, AFileFromTheFutureIsNotKept) {
  Write("a", "one");
  SetModified("a", absl::Now() + absl::Hours(2));
  Of({"a"});
  Of({"a"});
  EXPECT_EQ(computed_, 2);
}

TEST_F(DigestCacheTest, AChangeWhileItIsReadIsNotKept) {
  Write("a", "one");
  const auto change = [&]() -> absl::StatusOr<Digest> {
    Write("a", "two");
    return Sha256Of("one");
  };
  ASSERT_TRUE(cache_.Of("weights", {Path("a")}, change).ok());
  EXPECT_EQ(Of({"a"}), Sha256Of("two"));
}

TEST_F(DigestCacheTest, DamagedEntriesAndFoldersCostAComputation) {
  Write("a", "one");
  Of({"a"});
  for (const auto& entry : fs::directory_iterator(Path("cache"))) {
    std::ofstream(entry.path()) << "{\"version\": 1, \"stamps\": 3";
  }
  EXPECT_EQ(Of({"a"}), Sha256Of("one"));
  EXPECT_EQ(computed_, 2);
  fs::remove_all(Path("cache"));
  std::ofstream(Path("cache")) << "a file where the folder should be";
  EXPECT_EQ(Of({"a"}), Sha256Of("one"));
  EXPECT_EQ(computed_, 3);
}

TEST_F(DigestCacheTest, ErrorsAreNotKept) {
  Write("a", "one");
  const auto fails = [] { return absl::StatusOr<Digest>(absl::DataLossError("torn")); };
  EXPECT_TRUE(absl::IsDataLoss(cache_.Of("weights", {Path("a")}, fails).status()));
  EXPECT_EQ(Of({"a"}), Sha256Of("one"));
}

TEST_F(DigestCacheTest, ItIsBoundedAndTheOldestGo) {
  fs::create_directory(Path("cache"));
  for (size_t i = 0; i < DigestCache::kEntriesMax + 5; ++i) {
    const std::string name = absl::StrCat("cache/", i, ".json");
    Write(name, "{}");
    SetModified(name, absl::Now() - absl::Hours(1000) + absl::Seconds(static_cast<int64_t>(i)));
  }
  Write("a", "one");
  Of({"a"});
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(Path("cache"))) count += entry.exists() ? 1 : 0;
  EXPECT_EQ(count, DigestCache::kEntriesMax);
  EXPECT_FALSE(fs::exists(Path("cache/5.json")));
  EXPECT_TRUE(fs::exists(Path("cache/6.json")));
  Of({"a"});
  EXPECT_EQ(computed_, 1);
}

TEST_F(DigestCacheTest, ManyWritersLeaveWholeEntries) {
  Write("a", "one");
  std::vector<std::thread> writers;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        // Now and then the entry is gone, so that several write it at once.
        std::error_code error;
        if (i == 0 && round % 2 == 0) fs::remove_all(Path("cache"), error);
        const auto digest = cache_.Of("weights", {Path("a")},
                                      [&] { return absl::StatusOr<Digest>(Sha256Of("one")); });
        if (!digest.ok() || *digest != Sha256Of("one")) ++wrong;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(wrong, 0);
  Of({"a"});
  EXPECT_EQ(Of({"a"}), Sha256Of("one"));
  EXPECT_LE(computed_, 1);
}

TEST_F(DigestCacheTest, WithoutAFolderEveryCallComputes) {
  const DigestCache none("");
  int calls = 0;
  const auto compute = [&] {
    ++calls;
    return absl::StatusOr<Digest>(Sha256Of("x"));
  };
  ASSERT_TRUE(none.Of("weights", {"/nowhere"}, compute).ok());
  ASSERT_TRUE(none.Of("weights", {"/nowhere"}, compute).ok());
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace fpo::train
