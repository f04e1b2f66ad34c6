#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/cache/cache_manifest.h"
#include "ctl/commands/cache/cache_render.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::Status NoSuchManifest(const std::string& prefix, absl::string_view what) {
  return WithErrorInfo(
      absl::NotFoundError(absl::StrCat(what, " begins with '", prefix, "'")),
      {.reason = ErrorReason::kManifestNotFound, .hint = "fpoctl cache ls", .ids = {prefix}});
}

}  // namespace

absl::StatusOr<Digest> FindManifest(ReferenceCacheClient& cache, const std::string& given) {
  const std::string prefix = absl::AsciiStrToLower(given);
  FPO_ASSIGN_OR_RETURN(const pb::ListManifestsResponse list, cache.ListManifests());
  std::string found;
  for (const pb::Manifest& manifest : list.manifests()) {
    const std::string hex = absl::BytesToHexString(manifest.manifest_id());
    if (!absl::StartsWith(hex, prefix)) continue;
    if (!found.empty()) return NoSuchManifest(prefix, "more than one manifest's id");
    found = manifest.manifest_id();
  }
  if (found.empty()) return NoSuchManifest(prefix, "no manifest's id");
  return DigestFromBytes(found);
}

namespace {

absl::StatusOr<ExitCode> ShowStats(Session& session, ReferenceCacheClient& cache) {
  FPO_ASSIGN_OR_RETURN(const pb::StatsResponse stats, cache.Stats());
  session.out << (session.settings().json ? WireJson(stats) + "\n"
                                          : RenderCacheStats(stats, session.style()) +
                                                RenderCacheLimits(stats, session.style()));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheList(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const pb::ListManifestsResponse answer, cache.ListManifests());
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::Manifest& manifest : answer.manifests()) {
      session.out << absl::BytesToHexString(manifest.manifest_id()) << "\n";
    }
    return ExitCode::kOk;
  }
  session.out << RenderManifests({answer.manifests().begin(), answer.manifests().end()},
                                 absl::Now(), session.style());
  session.out << RenderPins(answer, session.style());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheRecipes(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  FPO_ASSIGN_OR_RETURN(const pb::ListRecipesResponse answer, cache.ListRecipes());
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::RecipeInfo& recipe : answer.recipes()) {
      session.out << absl::BytesToHexString(recipe.recipe_id()) << "\n";
    }
    return ExitCode::kOk;
  }
  session.out << RenderRecipes(answer, session.style());
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCacheInfo(Session& session) {
  FPO_ASSIGN_OR_RETURN(ReferenceCacheClient cache, ConnectCache(session));
  const std::string prefix = session.invocation.Get("MANIFEST");
  if (prefix.empty()) return ShowStats(session, cache);
  FPO_ASSIGN_OR_RETURN(const Digest manifest_id, FindManifest(cache, prefix));
  FPO_ASSIGN_OR_RETURN(const pb::GetManifestResponse answer, cache.GetManifest(manifest_id));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << absl::BytesToHexString(answer.manifest().manifest_id()) << "\n";
  } else {
    session.out << RenderManifest(answer.manifest(), session.style())
                << RenderKept(answer.manifest(), session.style());
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec CacheListCommand() {
  CommandSpec c{"cache ls", "cache", "list the datasets whose reference records are kept"};
  c.examples = {{"fpoctl cache ls", "each manifest, how complete it is, its size, what keeps it"},
                {"fpoctl cache ls -q", "full manifest ids"}};
  c.json = {"ListManifestsResponse"};
  c.run = RunCacheList;
  return c;
}

CommandSpec CacheRecipesCommand() {
  CommandSpec c{"cache recipes", "cache", "list what the records were computed with"};
  c.details =
      "A recipe is everything besides the tokens that can change a record: the model's weights, "
      "its "
      "dtype, the device, the SAE with layer and site, and how features are kept.";
  c.examples = {{"fpoctl cache recipes", ""},
                {"fpoctl cache recipes --json", "with the whole canonical recipes"}};
  c.json = {"ListRecipesResponse"};
  c.run = RunCacheRecipes;
  return c;
}

CommandSpec CacheInfoCommand() {
  CommandSpec c{"cache info", "cache", "show one manifest, or the whole cache's numbers"};
  c.arguments = {ManifestArgument(false)};
  c.examples = {{"fpoctl cache info", "size, limits, owners, hits since start and what they saved"},
                {"fpoctl cache info 3fa9c1", "one manifest with its recipe"}};
  c.json = {"StatsResponse", "GetManifestResponse"};
  c.run = RunCacheInfo;
  return c;
}

}  // namespace fpo::ctl
