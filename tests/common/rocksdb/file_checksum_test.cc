#include "common/rocksdb/file_checksum.h"

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

std::string ChecksumOf(const std::string& function, std::vector<std::string> parts) {
  rocksdb::FileChecksumGenContext context;
  context.requested_checksum_func_name = function;
  const auto generator = MakeFileChecksumFactory()->CreateFileChecksumGenerator(context);
  if (!generator) return "none";
  for (const std::string& part : parts) generator->Update(part.data(), part.size());
  generator->Finalize();
  return absl::BytesToHexString(generator->GetChecksum());
}

// Published test values of XXH3-64 with seed 0 (xxHash's own checks) and of CRC-32C (RFC 3720).
TEST(FileChecksum, IsXxh3OfAllThatWasWritten) {
  EXPECT_EQ(ChecksumOf("", {}), "2d06800538d394c2");
  EXPECT_EQ(ChecksumOf("", {"fea", "ture"}), ChecksumOf("FpoFileChecksumXxh3", {"feature"}));
  EXPECT_NE(ChecksumOf("", {"feature"}), ChecksumOf("", {"featurE"}));
}

TEST(FileChecksum, OfOlderFilesIsCrc32c) {
  EXPECT_EQ(ChecksumOf("FileChecksumCrc32c", {std::string(32, '\0')}), "8a9136aa");
  EXPECT_EQ(ChecksumOf("SomethingElse", {"x"}), "none");
}

}  // namespace
}  // namespace fpo
