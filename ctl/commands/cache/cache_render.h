#pragma once

#include <string>

#include "ctl/show/text_layout.h"
#include "proto/fpo/v1/cache.pb.h"

namespace fpo::ctl {

// Responses about the cache's upkeep as people read them.
std::string RenderCacheLimits(const fpo::v1::StatsResponse& stats, const TextStyle& style);
std::string RenderKept(const fpo::v1::Manifest& manifest, const TextStyle& style);
// One line about the pinned ones; empty without any.
std::string RenderPins(const fpo::v1::ListManifestsResponse& list, const TextStyle& style);
std::string RenderRecipes(const fpo::v1::ListRecipesResponse& list, const TextStyle& style);
std::string RenderGc(const fpo::v1::GcResponse& report, const TextStyle& style);
std::string RenderQuarantined(const fpo::v1::ListQuarantinedResponse& list, const TextStyle& style);
// "checked 2,400 records, 1.2 GiB: all intact"
std::string VerifyLine(const fpo::v1::VerifyResponse& report);

}  // namespace fpo::ctl
