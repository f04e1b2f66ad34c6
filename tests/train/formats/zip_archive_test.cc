#include "train/formats/zip_archive.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"

namespace fpo::train {
namespace {

// Written by Python's zipfile to a stream that cannot seek: DEFLATE, data descriptor, sizes zero in
// the local header. Content: 400 times "fpo ", name "a.txt".
constexpr char kStreamed[] =
    "UEsDBBQACAAIAAAAIQAAAAAAAAAAAAAAAAAFAAAAYS50eHRLK8hXSBvFo3gUj+JRPIpJxABQSwcISarYHxIAAABABgAA"
    "UEsBAhQDFAAIAAgAAAAhAEmq2B8SAAAAQAYAAAUAAAAAAAAAAAAAAIABAAAAAGEudHh0UEsFBgAAAAABAAEAMwAAAEUA"
    "AAAAAA==";

std::string Streamed() {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(kStreamed, &bytes));
  return bytes;
}

TEST(ZipArchiveTest, ReadsDeflateWithDataDescriptor) {
  ScratchFolder folder;
  const auto zip = ZipArchive::Open(folder.Put("a.zip", Streamed()));
  ASSERT_TRUE(zip.ok()) << zip.status();
  ASSERT_EQ(zip->members().size(), 1u);
  const auto content = zip->Read(zip->members()[0]);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(content->size(), 1600u);
  EXPECT_EQ(content->substr(0, 8), "fpo fpo ");
}

TEST(ZipArchiveTest, ChecksTheCrc) {
  ScratchFolder folder;
  std::string bytes = Streamed();
  // The CRC in the central directory stands 16 bytes behind its signature.
  bytes[bytes.rfind(std::string("PK\x01\x02", 4)) + 16] ^= 1;
  const auto zip = ZipArchive::Open(folder.Put("a.zip", bytes));
  ASSERT_TRUE(zip.ok());
  const auto content = zip->Read(zip->members()[0]);
  EXPECT_TRUE(absl::StrContains(content.status().message(), "CRC")) << content.status();
}

TEST(ZipArchiveTest, AHugeClaimIsNotAllocated) {
  ScratchFolder folder;
  std::string bytes = Streamed();
  bytes.replace(bytes.rfind(std::string("PK\x01\x02", 4)) + 24, 4,
                std::string("\xFE\xFF\xFF\xFF", 4));
  EXPECT_TRUE(absl::IsDataLoss(ZipArchive::Open(folder.Put("a.zip", bytes)).status()));
}

TEST(ZipArchiveTest, NotAZip) {
  ScratchFolder folder;
  EXPECT_TRUE(absl::IsDataLoss(ZipArchive::Open(folder.Put("a.zip", "")).status()));
  EXPECT_TRUE(
      absl::IsDataLoss(ZipArchive::Open(folder.Put("b.zip", std::string(100, 'x'))).status()));
  EXPECT_TRUE(
      absl::IsDataLoss(ZipArchive::Open(folder.Put("c.zip", Streamed().substr(0, 100))).status()));
}

TEST(ZipArchiveTest, SurvivesDamage) {
  ScratchFolder folder;
  FuzzByMutation(Streamed(), 1000, [&](const std::string& bytes) {
    const auto zip = ZipArchive::Open(folder.Put("damaged", bytes));
    if (!zip.ok()) return;
    for (const ZipMember& member : zip->members()) (void)zip->Read(member);
  });
}

}  // namespace
}  // namespace fpo::train
