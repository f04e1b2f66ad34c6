#include "train/formats/npz/zip_archive.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/npz/npz.h"

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

// A small file must not fill the memory: not by naming one member twice, nor by what it unpacks to.
TEST(ZipArchiveTest, MembersShareNoBytesAndUnpackToALittleMore) {
  ScratchFolder folder;
  ASSERT_TRUE(WriteNpz(folder / "a.npz", {{"a", at::zeros({1 << 18})}}).ok());
  const std::string bytes = Slurp(folder / "a.npz");
  const size_t entry = bytes.rfind(std::string("PK\x01\x02", 4));
  const size_t end = bytes.rfind(std::string("PK\x05\x06", 4));
  ASSERT_TRUE(ZipArchive::Open(folder.Put("whole.zip", bytes)).ok());

  std::string twice = bytes.substr(0, end) + bytes.substr(entry);
  const size_t last = twice.rfind(std::string("PK\x05\x06", 4));
  twice[last + 8] = twice[last + 10] = 2;
  twice[last + 12] = static_cast<char>(2 * (end - entry));
  const absl::Status overlap = ZipArchive::Open(folder.Put("twice.zip", twice)).status();
  EXPECT_TRUE(absl::StrContains(overlap.message(), "overlap")) << overlap;

  std::string grown = bytes;
  grown[entry + 10] = 8;                                             // DEFLATE
  grown.replace(entry + 24, 4, std::string("\x00\x00\x00\x30", 4));  // 768 MiB
  const absl::Status growth = ZipArchive::Open(folder.Put("grown.zip", grown)).status();
  EXPECT_TRUE(absl::StrContains(growth.message(), "which no weights do")) << growth;
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
