#include "common/features/feature_report.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "common/text/json.h"

namespace fpo {
namespace {

using Ordered = nlohmann::ordered_json;

constexpr int64_t kReportVersion = 1;
constexpr int64_t kReportBytesMax = int64_t{64} << 20;
constexpr size_t kSaesMax = 64, kFeaturesMax = 20000, kSpansMax = 100, kTokensMax = 1024;

// Seven digits say what float32 sums hold and keep the file short.
Ordered Rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  return std::strtod(absl::StrFormat("%.7g", value).c_str(), nullptr);
}

Ordered Rounded(const std::optional<double>& value) {
  return value ? Rounded(*value) : Ordered(nullptr);
}

Ordered RoundedAll(const std::vector<std::optional<double>>& values) {
  Ordered list = Ordered::array();
  for (const std::optional<double>& value : values) list.push_back(Rounded(value));
  return list;
}

Ordered JsonOf(const std::optional<FeatureSide>& side) {
  if (!side) return nullptr;
  return {{"before", Rounded(side->before)},
          {"after", Rounded(side->after)},
          {"moved", Rounded(side->moved)},
          {"share", Rounded(side->share)},
          {"active_before", Rounded(side->active_before)},
          {"active_after", Rounded(side->active_after)}};
}

Ordered JsonOf(const FeatureSpan& span) {
  Ordered json = {{"pair", span.pair},
                  {"row", span.row},
                  {"id", span.id},
                  {"side", span.side},
                  {"position", span.position},
                  {"strongest", span.strongest},
                  {"tokens", span.tokens},
                  {"after", RoundedAll(span.after)}};
  if (!span.before.empty()) json["before"] = RoundedAll(span.before);
  return json;
}

Ordered JsonOf(const std::vector<MovedFeature>& features, bool with_spans) {
  Ordered list = Ordered::array();
  for (const MovedFeature& feature : features) {
    Ordered json = {{"index", feature.index},
                    {"label", feature.label},
                    {"chosen", JsonOf(feature.chosen)},
                    {"rejected", JsonOf(feature.rejected)}};
    if (with_spans) {
      json["spans"] = Ordered::array();
      for (const FeatureSpan& span : feature.spans) json["spans"].push_back(JsonOf(span));
    }
    list.push_back(std::move(json));
  }
  return list;
}

Ordered JsonOf(const std::optional<SaeFit>& fit) {
  if (!fit) return nullptr;
  return {{"tokens", fit->tokens},
          {"l0", Rounded(fit->l0)},
          {"fvu", Rounded(fit->fvu)},
          {"ce", Rounded(fit->ce)},
          {"ce_sae", Rounded(fit->ce_sae)},
          {"ce_zero", Rounded(fit->ce_zero)},
          {"loss_recovered", Rounded(fit->loss_recovered)}};
}

Ordered JsonOf(const SaeMovement& sae) {
  return {
      {"path", sae.path},
      {"digest", sae.digest},
      {"layer", sae.layer},
      {"site", sae.site},
      {"features", sae.features},
      {"labels", sae.labels},
      {"fit",
       {{"pairs", sae.fit_pairs}, {"before", JsonOf(sae.before)}, {"after", JsonOf(sae.after)}}},
      {"most_moved", {{"chosen", sae.chosen}, {"rejected", sae.rejected}}},
      {"moved", JsonOf(sae.moved, true)},
      {"others", JsonOf(sae.others, false)},
      {"floor", Rounded(sae.floor)}};
}

// Reading. nlohmann's own exceptions name the member; ParseFeatureReport turns them into a Status.

std::optional<double> Maybe(const nlohmann::json& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

const nlohmann::json& List(const nlohmann::json& object, const char* key, size_t most) {
  const nlohmann::json& list = object.at(key);
  if (!list.is_array() || list.size() > most) {
    throw nlohmann::json::other_error::create(
        500, absl::StrCat(key, " is not a list of at most ", most), &list);
  }
  return list;
}

std::vector<std::optional<double>> MaybeNumbers(const nlohmann::json& list) {
  std::vector<std::optional<double>> values;
  for (const nlohmann::json& value : list) values.push_back(Maybe(value));
  return values;
}

std::optional<FeatureSide> SideOf(const nlohmann::json& json) {
  if (json.is_null()) return std::nullopt;
  FeatureSide side;
  json.at("before").get_to(side.before);
  json.at("after").get_to(side.after);
  json.at("moved").get_to(side.moved);
  json.at("share").get_to(side.share);
  json.at("active_before").get_to(side.active_before);
  json.at("active_after").get_to(side.active_after);
  return side;
}

FeatureSpan SpanOf(const nlohmann::json& json) {
  FeatureSpan span;
  json.at("pair").get_to(span.pair);
  json.at("row").get_to(span.row);
  json.at("id").get_to(span.id);
  json.at("side").get_to(span.side);
  json.at("position").get_to(span.position);
  json.at("strongest").get_to(span.strongest);
  List(json, "tokens", kTokensMax).get_to(span.tokens);
  span.after = MaybeNumbers(List(json, "after", kTokensMax));
  if (json.contains("before")) span.before = MaybeNumbers(List(json, "before", kTokensMax));
  const size_t tokens = span.tokens.size();
  const bool fits = span.after.size() == tokens &&
                    (span.before.empty() || span.before.size() == tokens) && span.strongest >= 0 &&
                    span.strongest < static_cast<int64_t>(tokens);
  if (!fits) {
    throw nlohmann::json::other_error::create(
        500, "a span has other numbers of codes than of tokens", &json);
  }
  return span;
}

std::vector<MovedFeature> FeaturesOf(const nlohmann::json& sae, const char* key) {
  std::vector<MovedFeature> features;
  for (const nlohmann::json& json : List(sae, key, kFeaturesMax)) {
    MovedFeature& feature = features.emplace_back();
    json.at("index").get_to(feature.index);
    json.at("label").get_to(feature.label);
    feature.chosen = SideOf(json.at("chosen"));
    feature.rejected = SideOf(json.at("rejected"));
    if (!json.contains("spans")) continue;
    for (const nlohmann::json& span : List(json, "spans", kSpansMax)) {
      feature.spans.push_back(SpanOf(span));
    }
  }
  std::sort(features.begin(), features.end(),
            [](const MovedFeature& a, const MovedFeature& b) { return a.index < b.index; });
  return features;
}

std::optional<SaeFit> FitOf(const nlohmann::json& json) {
  if (json.is_null()) return std::nullopt;
  SaeFit fit;
  json.at("tokens").get_to(fit.tokens);
  json.at("l0").get_to(fit.l0);
  fit.fvu = Maybe(json.at("fvu"));
  fit.ce = Maybe(json.at("ce"));
  fit.ce_sae = Maybe(json.at("ce_sae"));
  fit.ce_zero = Maybe(json.at("ce_zero"));
  fit.loss_recovered = Maybe(json.at("loss_recovered"));
  return fit;
}

SaeMovement SaeOf(const nlohmann::json& json) {
  SaeMovement sae;
  json.at("path").get_to(sae.path);
  json.at("digest").get_to(sae.digest);
  json.at("layer").get_to(sae.layer);
  json.at("site").get_to(sae.site);
  json.at("features").get_to(sae.features);
  json.at("labels").get_to(sae.labels);
  json.at("fit").at("pairs").get_to(sae.fit_pairs);
  sae.before = FitOf(json.at("fit").at("before"));
  sae.after = FitOf(json.at("fit").at("after"));
  List(json.at("most_moved"), "chosen", kFeaturesMax).get_to(sae.chosen);
  List(json.at("most_moved"), "rejected", kFeaturesMax).get_to(sae.rejected);
  sae.moved = FeaturesOf(json, "moved");
  sae.others = FeaturesOf(json, "others");
  json.at("floor").get_to(sae.floor);
  return sae;
}

FeatureReport ReportOf(const nlohmann::json& json) {
  FeatureReport report;
  json.at("job").get_to(report.job);
  json.at("method").get_to(report.method);
  json.at("policy").at("path").get_to(report.policy);
  json.at("policy").at("digest").get_to(report.policy_digest);
  const nlohmann::json& reference = json.at("reference");
  reference.at("path").get_to(report.reference);
  reference.at("digest").get_to(report.reference_digest);
  reference.at("codes").get_to(report.reference_codes);
  const nlohmann::json& pairs = json.at("pairs");
  pairs.at("used").get_to(report.pairs);
  pairs.at("asked").get_to(report.pairs_asked);
  pairs.at("there").get_to(report.pairs_there);
  pairs.at("digest").get_to(report.data_digest);
  List(pairs, "files", kFeaturesMax).get_to(report.files);
  List(json, "missing", kFeaturesMax).get_to(report.missing);
  json.at("seconds").get_to(report.seconds);
  for (const nlohmann::json& sae : List(json, "saes", kSaesMax)) report.saes.push_back(SaeOf(sae));
  return report;
}

bool SameIdentity(const SaeMovement& a, const SaeMovement& b) {
  return a.digest == b.digest && a.layer == b.layer && a.site == b.site;
}

const SaeMovement* FindSae(const FeatureReport& report, const SaeMovement& like) {
  const auto it = std::find_if(report.saes.begin(), report.saes.end(),
                               [&](const SaeMovement& sae) { return SameIdentity(sae, like); });
  return it == report.saes.end() ? nullptr : &*it;
}

}  // namespace

const MovedFeature* SaeMovement::Find(int64_t index) const {
  for (const std::vector<MovedFeature>* list : {&moved, &others}) {
    const auto it = std::lower_bound(list->begin(), list->end(), index,
                                     [](const MovedFeature& f, int64_t i) { return f.index < i; });
    if (it != list->end() && it->index == index) return &*it;
  }
  return nullptr;
}

std::string FeatureReportJson(const FeatureReport& report) {
  Ordered json = {{"version", kReportVersion},
                  {"job", report.job},
                  {"method", report.method},
                  {"policy", {{"path", report.policy}, {"digest", report.policy_digest}}},
                  {"reference",
                   {{"path", report.reference},
                    {"digest", report.reference_digest},
                    {"codes", report.reference_codes}}},
                  {"pairs",
                   {{"used", report.pairs},
                    {"asked", report.pairs_asked},
                    {"there", report.pairs_there},
                    {"digest", report.data_digest},
                    {"files", report.files}}},
                  {"missing", report.missing},
                  {"seconds", Rounded(report.seconds)}};
  json["saes"] = Ordered::array();
  for (const SaeMovement& sae : report.saes) json["saes"].push_back(JsonOf(sae));
  return json.dump(-1, ' ', false, Ordered::error_handler_t::replace) + "\n";
}

absl::StatusOr<FeatureReport> ParseFeatureReport(absl::string_view text) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  try {
    const auto version = json.at("version").get<int64_t>();
    if (version != kReportVersion) {
      return absl::InvalidArgumentError(
          absl::StrCat("it has version ", version, ", this program reads ", kReportVersion));
    }
    return ReportOf(json);
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("it is not a features.json: ", error.what()));
  }
}

absl::StatusOr<FeatureReport> ReadFeatureReport(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kReportBytesMax));
  absl::StatusOr<FeatureReport> report = ParseFeatureReport(text);
  if (report.ok()) return report;
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", report.status().message()));
}

absl::StatusOr<std::vector<size_t>> SharedSaes(const std::vector<FeatureReport>& reports) {
  std::vector<size_t> shared;
  for (size_t i = 0; !reports.empty() && i < reports.front().saes.size(); ++i) {
    const SaeMovement& sae = reports.front().saes[i];
    const bool everywhere =
        std::all_of(reports.begin(), reports.end(),
                    [&](const FeatureReport& report) { return FindSae(report, sae) != nullptr; });
    if (everywhere) shared.push_back(i);
  }
  if (!shared.empty()) return shared;
  std::vector<std::string> saes;
  for (const FeatureReport& report : reports) {
    for (const SaeMovement& sae : report.saes) {
      saes.push_back(absl::StrCat(report.job, " has ", sae.path, " (digest ",
                                  sae.digest.substr(0, 12), ", layer ", sae.layer, " ", sae.site,
                                  ")"));
    }
  }
  return absl::FailedPreconditionError(
      absl::StrCat("their features are not the same things, as no SAE is in all of them: ",
                   absl::StrJoin(saes, ", ")));
}

const SaeMovement& SameSae(const FeatureReport& report, const SaeMovement& like) {
  const SaeMovement* const sae = FindSae(report, like);
  return sae == nullptr ? report.saes.front() : *sae;
}

std::vector<std::string> ComparisonDoubts(const std::vector<FeatureReport>& reports) {
  std::vector<std::string> doubts;
  for (const FeatureReport& report : reports) {
    const FeatureReport& first = reports.front();
    if (report.data_digest != first.data_digest || report.pairs != first.pairs) {
      doubts.push_back(absl::StrCat(report.job, " was measured on other pairs than ", first.job,
                                    " (", report.pairs, " and ", first.pairs, ", digests ",
                                    report.data_digest.substr(0, 12), " and ",
                                    first.data_digest.substr(0, 12), ")"));
    }
    if (report.reference_digest != first.reference_digest) {
      doubts.push_back(absl::StrCat(report.job, " has another reference than ", first.job, " (",
                                    report.reference, " and ", first.reference,
                                    "), so another \"before\""));
    }
  }
  return doubts;
}

}  // namespace fpo
