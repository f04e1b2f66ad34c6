#include <cstdlib>
#include <fstream>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "tests/train/support/scratch_folder.h"
#include "train/formats/sae_files.h"
#include "train/sae/sparse_autoencoder.h"

namespace fpo::train {
namespace {

using nlohmann::json;

at::Tensor Matrix(const json& rows) {
  const auto count = static_cast<int64_t>(rows.size());
  at::Tensor matrix = at::empty({count, static_cast<int64_t>(rows[0].size())}, at::kDouble);
  for (int64_t i = 0; i < count; ++i) {
    matrix[i] = at::tensor(rows[static_cast<size_t>(i)].get<std::vector<double>>(), at::kDouble);
  }
  return matrix;
}

void PutFiles(const json& line, const ScratchFolder& folder) {
  for (const auto& [name, base64] : line["files"].items()) {
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(base64.get<std::string>(), &bytes));
    folder.Put(name, bytes);
  }
}

absl::StatusOr<SaeParameters> Load(const json& line, const ScratchFolder& folder) {
  const bool give = line.value("give_place", false);
  return LoadSaeFile(folder / line["path"].get<std::string>(),
                     give ? std::optional<int64_t>(1) : std::nullopt, give ? "resid_post" : "",
                     line.value("normalization", ""));
}

// "" when the features are those of the library that wrote the folder.
std::string Difference(const json& line, const SaeParameters& file) {
  if (file.layer != line["layer"] || file.site != line["site"]) {
    return file.site + " of layer " + std::to_string(file.layer);
  }
  const auto sae = SparseAutoencoder::Create({file.w_enc, file.b_enc, file.threshold, file.w_dec,
                                              file.b_dec, file.apply_b_dec_to_input, file.top_k});
  if (!sae.ok()) return std::string(sae.status().message());
  const at::Tensor expected = Matrix(line["features"]);
  const at::Tensor codes = sae->Encode(Matrix(line["rows"])).to(at::kDouble);
  if (codes.sizes() != expected.sizes()) return "another number of features";
  // Float32 sums of six terms; those libraries compute in the stored type.
  const bool narrow = absl::StrContains(line["name"].get<std::string>(), "in bfloat16") ||
                      absl::StrContains(line["name"].get<std::string>(), "in float16");
  const double error = (codes - expected).abs().max().item<double>();
  const bool same_set = at::equal(codes.gt(0), expected.gt(0));
  if (error < (narrow ? 3e-2 : 2e-6) && same_set) return "";
  return absl::StrCat("off by ", error, same_set ? "" : ", other active features");
}

// Folders that SAELens, sparsify, dictionary_learning and numpy wrote: make_sae_goldens.py.
TEST(SaeGoldenTest, FeaturesAreThoseOfTheLibraryThatWroteTheFolder) {
  const char* source = std::getenv("FPO_SOURCE_DIR");
  std::ifstream file(std::string(source ? source : ".") + "/tests/golden/sae_folders.jsonl");
  ASSERT_TRUE(file.good());
  std::string text;
  int compared = 0, refused = 0;
  while (std::getline(file, text)) {
    const json line = json::parse(text);
    const ScratchFolder folder;
    PutFiles(line, folder);
    const auto sae = Load(line, folder);
    if (line.contains("refused")) {
      EXPECT_TRUE(absl::StrContains(sae.status().message(), line["refused"].get<std::string>()))
          << line["name"] << ": " << sae.status();
      ++refused;
      continue;
    }
    ASSERT_TRUE(sae.ok()) << line["name"] << ": " << sae.status();
    EXPECT_EQ(Difference(line, *sae), "") << line["name"];
    ++compared;
  }
  EXPECT_GT(compared, 38);
  EXPECT_GT(refused, 5);
}

}  // namespace
}  // namespace fpo::train
