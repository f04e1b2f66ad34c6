#include "train/data/pair_identity.h"

#include <algorithm>
#include <initializer_list>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "common/hash.h"

namespace fpo::train {
namespace {

constexpr size_t kSharedExamplesMax = 5, kContradictionsMax = 20;

absl::string_view BytesOfIds(absl::Span<const int32_t> ids) {
  return {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(int32_t)};
}

Digest DigestOfIds(absl::Span<const int32_t> ids) { return Sha256Of(BytesOfIds(ids)); }

// Each list goes in by its own digest, so that none can borrow ids of its neighbour.
Digest DigestOfParts(std::initializer_list<Digest> parts) {
  std::string bytes;
  for (const Digest& part : parts) bytes += ToBytes(part);
  return Sha256Of(bytes);
}

// The first pair of each identity, by which side is chosen; -1: none.
struct Seen {
  int64_t same = -1, swapped = -1;
  int64_t& Side(bool is_swapped) { return is_swapped ? swapped : same; }
};

}  // namespace

PairIdentity IdentityOf(const TokenPairView& pair) {
  PairIdentity identity;
  identity.prompt = DigestOfIds(pair.prompt);
  const Digest chosen = DigestOfIds(pair.chosen), rejected = DigestOfIds(pair.rejected);
  identity.is_swapped = rejected < chosen;
  identity.pair =
      DigestOfParts({identity.prompt, std::min(chosen, rejected), std::max(chosen, rejected)});
  return identity;
}

std::vector<PairIdentity> IdentitiesOf(const TokenFile& pairs) {
  std::vector<PairIdentity> identities;
  identities.reserve(static_cast<size_t>(pairs.size()));
  for (int64_t i = 0; i < pairs.size(); ++i) identities.push_back(IdentityOf(pairs.pair(i)));
  return identities;
}

std::string PairName(const TokenPairView& pair) {
  return ToHex(DigestOfParts({DigestOfIds(pair.prompt), DigestOfIds(pair.chosen),
                              DigestOfIds(pair.rejected)}))
      .substr(0, 16);
}

SharedPairs FindSharedPairs(absl::Span<const PairIdentity> train,
                            absl::Span<const PairIdentity> eval) {
  absl::flat_hash_map<Digest, Seen> of_pair;
  absl::flat_hash_set<Digest> prompts;
  // Tables of the evaluation data, which is the smaller one: training data only passes by.
  for (const PairIdentity& identity : eval) {
    of_pair.try_emplace(identity.pair);
    prompts.insert(identity.prompt);
  }
  absl::flat_hash_set<Digest> trained;
  for (size_t i = 0; i < train.size(); ++i) {
    if (prompts.contains(train[i].prompt)) trained.insert(train[i].prompt);
    const auto found = of_pair.find(train[i].pair);
    if (found == of_pair.end()) continue;
    int64_t& first = found->second.Side(train[i].is_swapped);
    if (first < 0) first = static_cast<int64_t>(i);
  }
  SharedPairs shared;
  for (size_t i = 0; i < eval.size(); ++i) {
    if (trained.contains(eval[i].prompt)) ++shared.prompts;
    Seen seen = of_pair.at(eval[i].pair);
    const int64_t same = seen.Side(eval[i].is_swapped), other = seen.Side(!eval[i].is_swapped);
    if (same < 0 && other < 0) continue;
    ++shared.pairs;
    if (same < 0) ++shared.swapped;
    if (shared.examples.size() < kSharedExamplesMax) {
      shared.examples.push_back({static_cast<int64_t>(i), same < 0 ? other : same});
    }
  }
  return shared;
}

RepeatedPairs FindRepeatedPairs(absl::Span<const PairIdentity> pairs) {
  absl::flat_hash_map<Digest, Seen> of_pair;
  absl::flat_hash_set<Digest> prompts;
  RepeatedPairs result;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (!prompts.insert(pairs[i].prompt).second) ++result.repeated_prompts;
    Seen& seen = of_pair[pairs[i].pair];
    if (seen.same >= 0 || seen.swapped >= 0) ++result.repeated;
    int64_t& side = seen.Side(pairs[i].is_swapped);
    if (side < 0) side = static_cast<int64_t>(i);
  }
  for (size_t i = 0; i < pairs.size(); ++i) {
    const Seen& seen = of_pair.at(pairs[i].pair);
    if (seen.same < 0 || seen.swapped < 0) continue;
    ++result.contradictions;
    const auto [first, later] = std::minmax(seen.same, seen.swapped);
    if (static_cast<int64_t>(i) == later && result.examples.size() < kContradictionsMax) {
      result.examples.push_back({later, first});
    }
  }
  return result;
}

}  // namespace fpo::train
