#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/jobs/job.h"
#include "coordinator/core/scheduling/slot_offer.h"

namespace fpo::coordinator {

// Chooses workers for one job. All functions are pure.

bool HasLabels(const SlotOffer& offer, const std::map<std::string, std::string>& required);

// The offers a job may use: those with its labels, without workers that failed it repeatedly as
// long as others that are open or were lost recently could hold it. Lost and closed workers are
// included, since they may come back; those that are gone are not.
std::vector<SlotOffer> Eligible(const Job& job, const std::vector<SlotOffer>& offers);
// The same for a job that makes do with so many slots.
std::vector<SlotOffer> Eligible(const Job& job, const std::vector<SlotOffer>& offers,
                                int32_t slots);

// The most slots that workers of one device kind have together: a gang never mixes kinds. Workers
// that are gone do not count.
int32_t LargestGroup(const std::vector<SlotOffer>& offers);
// The same for connected workers, for jobs that require these labels.
int32_t LargestLive(const std::map<std::string, std::string>& required,
                    const std::vector<SlotOffer>& offers);

// All slots of the job at once, or nothing. One worker if one has room; else as few workers of one
// device kind as possible. Among equals: workers that did not fail it last, workers in `near` (they
// hold its files), the fullest. `offers` must be eligible.
std::vector<Member> Place(const Job& job, const std::vector<SlotOffer>& offers,
                          const std::set<std::string>& near);
// The same for so many slots.
std::vector<Member> Place(const Job& job, const std::vector<SlotOffer>& offers,
                          const std::set<std::string>& near, int32_t slots);

void Take(const std::vector<Member>& members, std::vector<SlotOffer>* offers);
// Returns slots, as when an attempt ends.
void Give(const std::vector<Member>& members, std::vector<SlotOffer>* offers);

}  // namespace fpo::coordinator
