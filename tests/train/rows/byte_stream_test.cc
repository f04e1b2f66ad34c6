#include "train/rows/byte_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Everything, or "error: ...".
std::string All(const std::string& path, size_t step = 1000) {
  auto stream = ByteStream::Open(path);
  if (!stream.ok()) return absl::StrCat("error: ", stream.status().message());
  std::string all, some(step, '\0');
  while (true) {
    const auto got = (*stream)->Read(some.data(), step);
    if (!got.ok()) return absl::StrCat("error: ", got.status().message());
    if (*got == 0) return all;
    all.append(some, 0, *got);
  }
}

std::string Gzip(const std::string& text) {
  std::string out(compressBound(text.size()) + 100, '\0');
  z_stream zlib{};
  deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = static_cast<uInt>(text.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  deflate(&zlib, Z_FINISH);
  out.resize(zlib.total_out);
  deflateEnd(&zlib);
  return out;
}

std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string Text() {
  std::string text;
  for (int i = 0; i < 200000; ++i) absl::StrAppend(&text, i * 7919, "\n");
  return text;
}

TEST(ByteStreamTest, UnpacksByTheFirstBytes) {
  const ScratchFolder folder;
  const std::string text = Text();
  EXPECT_EQ(All(folder.Put("a", text)), text);
  EXPECT_EQ(All(folder.Put("a", "")), "");
  for (const auto pack : {Gzip, Zstd}) {
    EXPECT_EQ(All(folder.Put("a", pack(text))), text);
    EXPECT_EQ(All(folder.Put("a", pack(text)), 1 << 20), text);
    EXPECT_EQ(All(folder.Put("a", pack("x") + pack("") + pack(text))), "x" + text) << "members";
    EXPECT_EQ(All(folder.Put("a", pack(""))), "");
  }
}

// pzstd writes them in front of each frame, the seekable format behind all of them.
TEST(ByteStreamTest, SkippableFramesOfZstandard) {
  const ScratchFolder folder;
  const std::string skippable("\x5F\x2A\x4D\x18\x04\0\0\0size", 12);
  const std::string text = Text();
  EXPECT_EQ(All(folder.Put("a", skippable + Zstd("x") + skippable + Zstd(text) + skippable)),
            "x" + text);
  EXPECT_EQ(All(folder.Put("a", skippable)), "");
  EXPECT_THAT(All(folder.Put("a", skippable.substr(0, 10))), HasSubstr("ends early"));
  EXPECT_EQ(All(folder.Put("a", "P*M")), "P*M");
}

TEST(ByteStreamTest, NamesWhereAStreamBreaks) {
  const ScratchFolder folder;
  for (const auto pack : {Gzip, Zstd}) {
    const std::string packed = pack(Text());
    for (const size_t size : {packed.size() / 2, packed.size() - 1, size_t{5}}) {
      EXPECT_THAT(All(folder.Put("a", packed.substr(0, size))),
                  AllOf(HasSubstr("ends early"), HasSubstr(absl::StrCat("at byte ", size))));
    }
    std::string damaged = packed;
    for (size_t i = packed.size() / 2; i < packed.size() / 2 + 50; ++i) damaged[i] ^= 0x5A;
    EXPECT_THAT(All(folder.Put("a", damaged)), HasSubstr("error: "));
    EXPECT_THAT(All(folder.Put("a", packed + "rest")), HasSubstr("error: "));
  }
}

TEST(ByteStreamTest, OtherKindsAreNamed) {
  const ScratchFolder folder;
  EXPECT_THAT(All(folder.Put("x", "PAR1....")),
              HasSubstr("is a Parquet file; let its name end in .parquet"));
  EXPECT_THAT(All(folder.Put("x", std::string("{\0\"\0", 4))), HasSubstr("is UTF-16"));
  EXPECT_THAT(All(folder.Put("x", "version https://git-lfs.github.com/spec/v1\n")),
              HasSubstr("git lfs pull"));
  EXPECT_TRUE(absl::IsNotFound(ByteStream::Open(folder / "none").status()));
}

TEST(ByteStreamTest, SurvivesDamage) {
  const ScratchFolder folder;
  for (const auto pack : {Gzip, Zstd}) {
    FuzzByMutation(pack("[{\"a\": \"x\"}, {\"b\": [1, 2]}]"), 700,
                   [&](const std::string& bytes) { All(folder.Put("a", bytes)); });
  }
}

}  // namespace
}  // namespace fpo::train
