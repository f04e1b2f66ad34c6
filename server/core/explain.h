#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/core/job.h"
#include "server/core/slot_offer.h"

// Why a job is not running: one first reason with its numbers, as "word: explanation". The words
// are stable. Texts name points in time, not remaining seconds, so that they change only with the
// facts.
namespace fpo::coordinator {

std::string ExplainBackoff(const Job& job, absl::string_view after_what);
std::string ExplainAdmission(const Job& job);   // RESERVED: who has not accepted
std::string ExplainRecovering(const Job& job);  // RECOVERING: who has not stopped
std::string ExplainCancelling(const Job& job);

// Not even all known workers together have enough slots.
std::string ExplainNoFit(int32_t asked, const std::vector<SlotOffer>& offers);
// Enough slots exist, but they are taken or their worker is lost.
std::string ExplainSlots(int32_t needed, const std::vector<SlotOffer>& offers);
// It would fit, but jobs before it in the queue wait for slots too.
std::string ExplainBehind(int64_t jobs_ahead);

}  // namespace fpo::coordinator
