#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core/jobs/job.h"
#include "coordinator/core/scheduling/slot_offer.h"

namespace fpo::coordinator {

// Workers by what matters to one job. All functions are pure.

bool HasLabels(const SlotOffer& offer, const std::map<std::string, std::string>& required);

// The offers a job may use: those with its labels, and without workers that failed it repeatedly as
// long as others that are open or were lost a short while ago could hold it. Lost and closed
// workers stay: they may come back; those that are gone do not.
std::vector<SlotOffer> Eligible(const Job& job, const std::vector<SlotOffer>& offers);

// The most slots that workers of one device kind have together: a gang never mixes kinds. Workers
// that are gone count for nothing.
int32_t LargestGroup(const std::vector<SlotOffer>& offers);
// The same of those that are connected, for jobs that ask for these labels.
int32_t LargestLive(const std::map<std::string, std::string>& required,
                    const std::vector<SlotOffer>& offers);

// All slots of the job at once, or nothing. One worker if one has room; else as few workers of one
// device kind as possible. Among equals: workers that did not fail it last, workers in `near` (they
// hold its files), the fullest. `offers` are eligible ones.
std::vector<Member> Place(const Job& job, const std::vector<SlotOffer>& offers,
                          const std::set<std::string>& near);

void Take(const std::vector<Member>& members, std::vector<SlotOffer>* offers);
// Gives slots back, as when an attempt ends.
void Give(const std::vector<Member>& members, std::vector<SlotOffer>* offers);

}  // namespace fpo::coordinator
