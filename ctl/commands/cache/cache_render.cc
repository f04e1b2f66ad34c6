#include "ctl/commands/cache/cache_render.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/reference/recipe.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr size_t kShortIdLength = 12;

std::string Bytes(int64_t bytes) { return HumanBytes(static_cast<double>(bytes)); }

std::string ShortId(const std::string& id) {
  return absl::BytesToHexString(id).substr(0, kShortIdLength);
}

std::string Time(const google::protobuf::Timestamp& time, const TextStyle& style) {
  return LocalTime(absl::FromUnixSeconds(time.seconds()), style.zone);
}

std::string Limit(int64_t bytes) { return bytes > 0 ? Bytes(bytes) : "none"; }

// A line of a block whose labels are `width` wide, like those of render_job.cc.
std::string Line(const std::string& label, const std::string& value, int width) {
  return absl::StrCat(PadRight(label, width), OneLine(value), "\n");
}
constexpr int kStatsWidth = 13;
constexpr int kManifestWidth = 10;

std::string PinText(const pb::Manifest& manifest, const TextStyle& style) {
  if (!manifest.has_pinned_until()) return "pinned until it is unpinned";
  return absl::StrCat("pinned until ", Time(manifest.pinned_until(), style));
}

}  // namespace

std::string RenderCacheLimits(const pb::StatsResponse& stats, const TextStyle& style) {
  std::string text = Line(
      "limits",
      absl::StrCat("evict above ", Limit(stats.evict_bytes()), ", refuse above ",
                   Limit(stats.reject_bytes()), "; ", Bytes(stats.free_bytes()), " free on disk"),
      kStatsWidth);
  if (!stats.read_only().empty()) text += Line("read-only", stats.read_only(), kStatsWidth);
  if (stats.saved_seconds() > 0) {
    const std::string flops =
        stats.saved_flops() > 0 ? absl::StrCat(", ", HumanFlops(stats.saved_flops())) : "";
    text += Line("saved",
                 absl::StrCat(HumanDuration(absl::Seconds(stats.saved_seconds())),
                              " of reference computing since start", flops),
                 kStatsWidth);
  }
  text += Line("damaged",
               absl::StrCat(HumanCount(stats.corruptions()), " found since start, ",
                            HumanCount(stats.quarantined()), " out of use"),
               kStatsWidth);
  if (stats.owners().empty()) return text;
  Table table;
  table.header = {"OWNER", "MANIFESTS", "RECORDS", "SIZE", "PINNED"};
  for (const pb::OwnerUse& owner : stats.owners()) {
    table.rows.push_back({owner.owner().empty() ? "-" : owner.owner(),
                          HumanCount(owner.manifests()), HumanCount(owner.records()),
                          Bytes(owner.bytes()), Bytes(owner.pinned_bytes())});
  }
  return absl::StrCat(text, "\n", RenderTable(table, style));
}

std::string RenderKept(const pb::Manifest& manifest, const TextStyle& style) {
  std::string text;
  if (manifest.pinned()) text += Line("kept", PinText(manifest, style), kManifestWidth);
  if (manifest.has_retained_until()) {
    text += Line("in use", absl::StrCat("by a job until ", Time(manifest.retained_until(), style)),
                 kManifestWidth);
  }
  for (const pb::ManifestShare& share : manifest.shares()) {
    if (share.owner().empty()) continue;
    text += Line("shared", absl::StrCat(share.share(), " by ", share.owner()), kManifestWidth);
  }
  return text;
}

std::string RenderPins(const pb::ListManifestsResponse& list, const TextStyle& style) {
  std::string text;
  for (const pb::Manifest& manifest : list.manifests()) {
    if (!manifest.pinned()) continue;
    absl::StrAppend(&text, ShortId(manifest.manifest_id()), " is ", PinText(manifest, style), "\n");
  }
  return text;
}

std::string RenderRecipes(const pb::ListRecipesResponse& list, const TextStyle& style) {
  Table table;
  table.header = {"RECIPE", "MODEL",    "FORWARD",   "DTYPE",        "DEVICE",
                  "SAES",   "FEATURES", "MANIFESTS", "A RECORD TOOK"};
  for (const pb::RecipeInfo& info : list.recipes()) {
    const absl::StatusOr<Recipe> recipe = ParseRecipe(info.recipe());
    if (!recipe.ok()) continue;  // of a newer cache: --json shows it
    const std::string features =
        recipe->sae.empty() ? "-" : absl::StrCat(recipe->features, " ", recipe->values);
    const std::string dtype = recipe->quantization.empty()
                                  ? recipe->dtype
                                  : absl::StrCat(recipe->dtype, " ", recipe->quantization);
    const std::string cost = info.seconds_per_record() > 0
                                 ? absl::StrCat(HumanNumber(info.seconds_per_record()), " s")
                                 : "-";
    table.rows.push_back({ShortId(info.recipe_id()), recipe->model_digest.substr(0, kShortIdLength),
                          recipe->forward, dtype, recipe->device, absl::StrCat(recipe->sae.size()),
                          features, HumanCount(info.manifests()), cost});
  }
  return RenderTable(table, style);
}

std::string RenderGc(const pb::GcResponse& report, const TextStyle& style) {
  Table table;
  table.header = {"MANIFEST", "NAME", "OWNER", "SIZE", report.dry_run() ? "WOULD" : "DID", "WHY"};
  table.shrinkable = {5, 1};
  for (const pb::GcManifest& manifest : report.manifests()) {
    table.rows.push_back({ShortId(manifest.manifest_id()), manifest.name(), manifest.owner(),
                          Bytes(manifest.bytes()), manifest.remove() ? "go" : "stay",
                          manifest.reason()});
  }
  std::string text = report.manifests().empty() ? "" : RenderTable(table, style) + "\n";
  absl::StrAppend(&text, report.dry_run() ? "would remove " : "removed ",
                  HumanCount(report.records_removed()), " records, ",
                  Bytes(report.bytes_removed()));
  if (report.young_orphans() > 0) {
    absl::StrAppend(&text, "; ", HumanCount(report.young_orphans()),
                    " records of no manifest stay until they are a day old");
  }
  return text + "\n";
}

std::string RenderQuarantined(const pb::ListQuarantinedResponse& list, const TextStyle& style) {
  if (list.records().empty()) return "no record is out of use\n";
  Table table;
  table.header = {"RECORD", "RECIPE", "WHEN", "KEPT", "WHY"};
  table.shrinkable = {4};
  for (const pb::QuarantinedRecord& record : list.records()) {
    table.rows.push_back({ShortId(record.key()), ShortId(record.recipe_id()),
                          Time(record.when(), style), Bytes(record.bytes()), record.reason()});
  }
  return RenderTable(table, style);
}

std::string VerifyLine(const pb::VerifyResponse& report) {
  const std::string checked =
      absl::StrCat("checked ", HumanCount(report.records()), " records, ", Bytes(report.bytes()));
  if (report.damaged() == 0 && report.damaged_files().empty()) {
    return checked + ": all intact";
  }
  std::string text = absl::StrCat(checked, ": ", HumanCount(report.damaged()),
                                  " damaged, quarantined, computed again by the next job");
  if (!report.damaged_files().empty()) absl::StrAppend(&text, "; ", report.damaged_files());
  return text;
}

}  // namespace fpo::ctl
