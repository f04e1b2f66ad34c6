#include "train/prepare/reference_keys.h"

#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/reference/record_key.h"
#include "common/status_macros.h"

namespace fpo::train {

std::vector<ReferenceResponse> ReferenceResponses(const JobTokens& tokens,
                                                  const PairSelection& pairs) {
  std::vector<ReferenceResponse> responses;
  std::set<Digest> seen;
  const auto add = [&](const TokenFile& file, const std::vector<int64_t>& indices) {
    for (const int64_t index : indices) {
      const TokenPairView pair = file.pair(index);
      for (const absl::Span<const int32_t> side : {pair.chosen, pair.rejected}) {
        if (side.empty()) continue;
        const Digest key = RecordKey(pair.prompt, side);
        if (seen.insert(key).second) responses.push_back({key, pair.prompt, side});
      }
    }
  };
  add(tokens.train, pairs.train);
  add(tokens.eval, pairs.eval);
  for (size_t i = 0; i < pairs.more_eval.size(); ++i) {
    add(tokens.more_eval[i].tokens, pairs.more_eval[i]);
  }
  return responses;
}

absl::Status WriteReferencePlan(const std::string& out, const Recipe& recipe,
                                const std::vector<ReferenceResponse>& responses) {
  std::vector<Digest> keys;
  keys.reserve(responses.size());
  for (const ReferenceResponse& response : responses) keys.push_back(response.key);
  FPO_RETURN_IF_ERROR(WriteKeysFile(absl::StrCat(out, "/reference.keys"), keys));
  const nlohmann::ordered_json json = {{"recipe_id", ToHex(RecipeId(recipe))},
                                       {"recipe", CanonicalRecipe(recipe)},
                                       {"count", keys.size()}};
  return WriteFileAtomically(absl::StrCat(out, "/reference.json"), json.dump(2) + "\n");
}

}  // namespace fpo::train
