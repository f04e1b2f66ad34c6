#include "train/judge/calibration_pairs.h"

#include <array>
#include <map>
#include <optional>
#include <utility>

namespace fpo::train {
namespace {

using PairTexts = std::array<std::string, 3>;

PairTexts TextsOf(const Annotation& annotation) {
  return {annotation.instruction, annotation.baseline_output, annotation.model_output};
}

void AddNames(const Annotation& annotation, JudgedNames* names) {
  ++(annotation.preference ? names->pairs : names->unclear);
  const auto add = [](const std::string& name, std::set<std::string>* all) {
    if (!name.empty()) all->insert(name);
  };
  add(annotation.annotator, &names->annotators);
  add(annotation.baseline, &names->baselines);
  add(annotation.model, &names->models);
}

// The mean truth of each pair.
class Truths {
 public:
  Truths(const std::vector<Annotation>& truth, JudgedNames* names) {
    for (const Annotation& annotation : truth) {
      AddNames(annotation, names);
      if (!annotation.preference) continue;
      auto& [sum, count] = sums_[TextsOf(annotation)];
      sum += *annotation.preference;
      ++count;
    }
  }
  std::optional<double> Of(const PairTexts& texts) const {
    const auto found = sums_.find(texts);
    if (found == sums_.end()) return std::nullopt;
    return found->second.first / static_cast<double>(found->second.second);
  }
  int64_t size() const { return static_cast<int64_t>(sums_.size()); }

 private:
  std::map<PairTexts, std::pair<double, int64_t>> sums_;
};

class PairMaker {
 public:
  PairMaker(const std::vector<Annotation>& truth, const std::vector<Annotation>& evaluated)
      : truths_(truth, &pairs_.truth) {
    for (const Annotation& annotation : evaluated) evaluated_.insert(TextsOf(annotation));
  }

  void AddJudged(const Annotation& annotation) {
    const std::optional<double> truth = truths_.Of(TextsOf(annotation));
    const bool counts = truth || evaluated_.count(TextsOf(annotation)) != 0;
    pairs_.without_truth += counts ? 0 : 1;
    if (!truth) return;
    AddNames(annotation, &pairs_.calibration);
    AddBoth(annotation, *truth);
  }
  void AddEvaluated(const Annotation& annotation) {
    AddNames(annotation, &pairs_.evaluated);
    if (!annotation.preference) return;
    pairs_.evaluated_preferences.push_back(*annotation.preference);
    if (const std::optional<double> truth = truths_.Of(TextsOf(annotation))) {
      if (sampled_.insert(TextsOf(annotation)).second) {
        pairs_.sampled.push_back({*truth, *annotation.preference, QuestionOf(annotation)});
      }
      return AddBoth(annotation, *truth);
    }
    pairs_.judged.push_back({*annotation.preference, QuestionOf(annotation)});
  }
  CalibrationPairs Finish() {
    pairs_.without_judge = truths_.size() - static_cast<int64_t>(taken_.size());
    std::set<int64_t> questions, shared;
    for (const JudgedTwice& pair : pairs_.both) questions.insert(pair.question);
    for (const JudgedOnce& pair : pairs_.judged) {
      if (questions.count(pair.question) != 0) shared.insert(pair.question);
    }
    pairs_.questions = static_cast<int64_t>(questions.size());
    pairs_.shared_questions = static_cast<int64_t>(shared.size());
    return std::move(pairs_);
  }

 private:
  void AddBoth(const Annotation& annotation, double truth) {
    if (!annotation.preference || !taken_.insert(TextsOf(annotation)).second) return;
    pairs_.both.push_back({truth, *annotation.preference, QuestionOf(annotation)});
  }
  int64_t QuestionOf(const Annotation& annotation) {
    return questions_.emplace(annotation.instruction, static_cast<int64_t>(questions_.size()))
        .first->second;
  }

  CalibrationPairs pairs_;
  const Truths truths_;
  std::set<PairTexts> evaluated_;
  std::set<PairTexts> taken_, sampled_;
  std::map<std::string, int64_t> questions_;
};

}  // namespace

CalibrationPairs PairUp(const std::vector<Annotation>& judged, const std::vector<Annotation>& truth,
                        const std::vector<Annotation>& evaluated) {
  PairMaker maker(truth, evaluated);
  for (const Annotation& annotation : judged) maker.AddJudged(annotation);
  for (const Annotation& annotation : evaluated) maker.AddEvaluated(annotation);
  return maker.Finish();
}

}  // namespace fpo::train
