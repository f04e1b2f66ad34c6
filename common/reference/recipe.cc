#include "common/reference/recipe.h"

#include <algorithm>
#include <initializer_list>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("reference recipe: ", what));
}

absl::Status CheckWord(absl::string_view name, absl::string_view word,
                       std::initializer_list<absl::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return absl::OkStatus();
  return Invalid(
      absl::StrCat(name, " is ", JsonQuote(word), ", allowed: ", absl::StrJoin(allowed, ", ")));
}

absl::Status CheckDigest(absl::string_view name, absl::string_view hex) {
  const absl::Status status = DigestFromHex(hex).status();
  return status.ok() ? status : Invalid(absl::StrCat(name, ": ", status.message()));
}

absl::Status CheckFeatures(const Recipe& recipe) {
  if (recipe.features == "all") return absl::OkStatus();
  if (recipe.sae.empty()) return Invalid("a recipe without an SAE keeps features \"all\"");
  int64_t most = 0;
  absl::string_view number = recipe.features;
  number.remove_prefix(std::min<size_t>(4, number.size()));
  if (!absl::StartsWith(recipe.features, "top:") || !absl::SimpleAtoi(number, &most) || most < 1 ||
      absl::StrCat("top:", most) != recipe.features) {
    return Invalid(absl::StrCat("features is ", JsonQuote(recipe.features),
                                ", allowed: all, top:M with M from 1"));
  }
  return absl::OkStatus();
}

absl::Status CheckValues(const Recipe& recipe) {
  if (recipe.values == "float32") return absl::OkStatus();
  if (recipe.sae.empty()) return Invalid("a recipe without an SAE keeps values \"float32\"");
  return CheckWord("values", recipe.values, {"float32", "float16"});
}

absl::Status Check(const Recipe& recipe) {
  FPO_RETURN_IF_ERROR(CheckDigest("model_digest", recipe.model_digest));
  if (recipe.forward.empty()) return Invalid("forward is empty");
  FPO_RETURN_IF_ERROR(CheckWord("dtype", recipe.dtype, {"bfloat16", "float32"}));
  FPO_RETURN_IF_ERROR(CheckWord("device", recipe.device, {"cpu", "cuda"}));
  for (const SaeRecipe& sae : recipe.sae) {
    FPO_RETURN_IF_ERROR(CheckDigest("sae digest", sae.digest));
    FPO_RETURN_IF_ERROR(CheckWord("site", sae.site, {"resid_post", "mlp_out", "attn_z"}));
    FPO_RETURN_IF_ERROR(CheckWord("precision", sae.precision, {"bfloat16", "float32"}));
    if (sae.k < 0) return Invalid(absl::StrCat("k is ", sae.k));
    if (sae.layer < 0) return Invalid(absl::StrCat("layer is ", sae.layer));
    if (sae.pooling.empty()) return Invalid("pooling is empty");
  }
  FPO_RETURN_IF_ERROR(CheckValues(recipe));
  if (!recipe.quantization.empty()) {
    FPO_RETURN_IF_ERROR(CheckWord("quantization", recipe.quantization, {"nf4", "nf4-double"}));
  }
  return CheckFeatures(recipe);
}

std::string CanonicalSae(const SaeRecipe& sae) {
  JsonObject object;
  object.Add("digest", sae.digest);
  if (sae.k != 0) object.Add("k", sae.k);
  object.Add("layer", sae.layer);
  object.Add("pooling", sae.pooling);
  object.Add("precision", sae.precision);
  object.Add("site", sae.site);
  return object.Text();
}

absl::StatusOr<SaeRecipe> ReadSae(const nlohmann::json& object) {
  SaeRecipe sae;
  FPO_RETURN_IF_ERROR(ReadMember(object, "digest", &sae.digest));
  FPO_RETURN_IF_ERROR(ReadMember(object, "k", &sae.k));
  FPO_RETURN_IF_ERROR(ReadMember(object, "layer", &sae.layer));
  FPO_RETURN_IF_ERROR(ReadMember(object, "pooling", &sae.pooling));
  FPO_RETURN_IF_ERROR(ReadMember(object, "precision", &sae.precision));
  FPO_RETURN_IF_ERROR(ReadMember(object, "site", &sae.site));
  return sae;
}

absl::StatusOr<Recipe> ReadRecipe(const nlohmann::json& object) {
  Recipe recipe;
  FPO_RETURN_IF_ERROR(ReadMember(object, "device", &recipe.device));
  FPO_RETURN_IF_ERROR(ReadMember(object, "dtype", &recipe.dtype));
  FPO_RETURN_IF_ERROR(ReadMember(object, "features", &recipe.features));
  FPO_RETURN_IF_ERROR(ReadMember(object, "forward", &recipe.forward));
  FPO_RETURN_IF_ERROR(ReadMember(object, "model_digest", &recipe.model_digest));
  FPO_RETURN_IF_ERROR(ReadMember(object, "quantization", &recipe.quantization));
  FPO_RETURN_IF_ERROR(ReadMember(object, "values", &recipe.values));
  const nlohmann::json* sae = FindMember(object, "sae");
  if (sae == nullptr || !sae->is_array()) return recipe;
  for (const nlohmann::json& item : *sae) {
    FPO_ASSIGN_OR_RETURN(recipe.sae.emplace_back(), ReadSae(item));
  }
  return recipe;
}

}  // namespace

std::string CanonicalRecipe(const Recipe& recipe) {
  std::vector<std::string> sae;
  for (const SaeRecipe& one : recipe.sae) sae.push_back(CanonicalSae(one));
  JsonObject object;
  object.Add("device", recipe.device);
  object.Add("dtype", recipe.dtype);
  object.Add("features", recipe.features);
  object.Add("forward", recipe.forward);
  object.Add("model_digest", recipe.model_digest);
  if (!recipe.quantization.empty()) object.Add("quantization", recipe.quantization);
  object.AddRaw("sae", JsonArray(sae));
  if (recipe.values != "float32") object.Add("values", recipe.values);
  return object.Text();
}

absl::StatusOr<Recipe> ParseRecipe(absl::string_view canonical) {
  constexpr size_t kBytesMax = size_t{64} << 10;
  if (canonical.size() > kBytesMax) {
    return Invalid(absl::StrCat(canonical.size(), " bytes, the limit is ", kBytesMax));
  }
  const absl::StatusOr<nlohmann::json> object = ParseJson(canonical);
  if (!object.ok()) return Invalid(object.status().message());
  const absl::StatusOr<Recipe> recipe = ReadRecipe(*object);
  if (!recipe.ok()) return Invalid(recipe.status().message());
  FPO_RETURN_IF_ERROR(Check(*recipe));
  // The id is a digest of these bytes: another order, a space, a missing or an extra member would
  // give another id to the same recipe.
  if (CanonicalRecipe(*recipe) != canonical) {
    return Invalid(
        "not in canonical form: these members, each once, sorted, without spaces: device "
        "dtype features forward model_digest sae[digest layer pooling precision site], an SAE's k "
        "when it is not 0, quantization when there is one, and values when it is not float32");
  }
  return recipe;
}

Digest RecipeId(const Recipe& recipe) { return Sha256Of(CanonicalRecipe(recipe)); }

Recipe MarginRecipe(const Recipe& recipe) {
  Recipe margin = recipe;
  margin.sae.clear();
  margin.features = "all";
  margin.values = "float32";
  return margin;
}

}  // namespace fpo
