#include "ctl/command_line/settings.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "ctl/command_line/context_file.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/command_line/hint.h"

namespace fpo::ctl {
namespace {

// A setting and its possible sources.
struct Place {
  const char* option;
  const std::string* environment;
  std::string* value;
};

std::string Given(const GivenOptions& given, const std::string& name) {
  const auto found = given.find(name);
  return found == given.end() ? "" : found->second;
}

void Fill(const Place& place, const GivenOptions& given, Context* context, Settings* settings) {
  const std::string field = absl::StrReplaceAll(place.option, {{"-", "_"}});
  const std::string option = Given(given, place.option);
  std::string& source = settings->sources[field];
  if (!option.empty()) {
    *place.value = option;
    source = absl::StrCat("--", place.option);
  } else if (!place.environment->empty()) {
    *place.value = *place.environment;
    source = "environment";
  } else if (!FieldOf(field, context)->empty()) {
    *place.value = *FieldOf(field, context);
    source = absl::StrCat("context ", settings->context);
  } else {
    source = "default";
  }
}

// Rejects an unusable address, naming its source. The command line was checked before.
absl::Status CheckServer(const char* option, const char* variable, const std::string& address,
                         const Settings& settings) {
  const bool is_cache = absl::string_view(option) != "server";
  const absl::Status status = is_cache ? CheckPeerAddress(address) : CheckPeerAddresses(address);
  if (status.ok()) return status;
  const std::string example = is_cache ? "127.0.0.1:7080" : "127.0.0.1:7070";
  const std::string field = absl::StrReplaceAll(option, {{"-", "_"}});
  const std::string source = settings.sources.at(field);
  if (source == "environment") {
    return UsageError(absl::StrCat(variable, ": ", status.message()),
                      absl::StrCat("export ", variable, "=", example, ", or unset it"));
  }
  return UsageError(
      absl::StrCat(field, " of ", source, ": ", status.message()),
      CommandLineOf({"context", "set", settings.context, absl::StrCat("--", option), example}));
}

}  // namespace

absl::Status ResolveSettings(const GivenOptions& given, const Environment& environment,
                             Settings* settings) {
  FPO_ASSIGN_OR_RETURN(ContextFile file, ReadContexts(environment.config_path));
  std::string& name = settings->context;
  name = Given(given, "context");
  if (name.empty()) name = environment.context;
  if (!name.empty() && file.contexts.count(name) == 0) {
    return UsageError(
        absl::StrCat("there is no context \"", name, "\" in ", environment.config_path),
        "fpoctl context list");
  }
  if (name.empty()) name = file.current;
  Context context = name.empty() ? Context() : file.contexts.at(name);
  for (const Place& place :
       {Place{"server", &environment.server, &settings->server},
        Place{"cache-server", &environment.cache_server, &settings->cache_server},
        Place{"tls-ca", &environment.tls_ca, &settings->tls.ca},
        Place{"tls-cert", &environment.tls_cert, &settings->tls.cert},
        Place{"tls-key", &environment.tls_key, &settings->tls.key},
        Place{"token-file", &environment.token_file, &settings->token_file}}) {
    Fill(place, given, &context, settings);
  }
  FPO_RETURN_IF_ERROR(CheckServer("server", "FPO_SERVER", settings->server, *settings));
  return CheckServer("cache-server", "FPO_CACHE_SERVER", settings->cache_server, *settings);
}

}  // namespace fpo::ctl
