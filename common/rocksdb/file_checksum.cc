#include "common/rocksdb/file_checksum.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string>

namespace fpo {
namespace {

constexpr char kXxh3Name[] = "FpoFileChecksumXxh3";

struct FreeXxh3State {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

class Xxh3Generator final : public rocksdb::FileChecksumGenerator {
 public:
  Xxh3Generator() : state_(XXH3_createState()) { XXH3_64bits_reset(state_.get()); }

  void Update(const char* data, size_t n) override { XXH3_64bits_update(state_.get(), data, n); }
  void Finalize() override {
    const uint64_t sum = XXH3_64bits_digest(state_.get());
    for (int shift = 56; shift >= 0; shift -= 8) {
      checksum_.push_back(static_cast<char>(sum >> shift));
    }
  }
  std::string GetChecksum() const override { return checksum_; }
  const char* Name() const override { return kXxh3Name; }

 private:
  const std::unique_ptr<XXH3_state_t, FreeXxh3State> state_;  // aligned: not a member itself
  std::string checksum_;
};

class ChecksumFactory final : public rocksdb::FileChecksumGenFactory {
 public:
  std::unique_ptr<rocksdb::FileChecksumGenerator> CreateFileChecksumGenerator(
      const rocksdb::FileChecksumGenContext& context) override {
    const std::string& name = context.requested_checksum_func_name;
    if (name.empty() || name == kXxh3Name) return std::make_unique<Xxh3Generator>();
    return crc32c_->CreateFileChecksumGenerator(context);  // null for a name it does not know
  }
  const char* Name() const override { return "FpoFileChecksumFactory"; }

 private:
  const std::shared_ptr<rocksdb::FileChecksumGenFactory> crc32c_ =
      rocksdb::GetFileChecksumGenCrc32cFactory();
};

}  // namespace

std::shared_ptr<rocksdb::FileChecksumGenFactory> MakeFileChecksumFactory() {
  return std::make_shared<ChecksumFactory>();
}

}  // namespace fpo
