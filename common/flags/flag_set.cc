#include "common/flags/flag_set.h"

#include <CLI/CLI.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/text/duration_text.h"

namespace fpo {
namespace {

// A number for which `holds`, else an error that ProgramFlags rewords. CLI11's own checks print the
// limits of a double with 300 digits. `name` is for the help page.
template <typename Predicate>
CLI::Validator NumberThat(Predicate holds, const std::string& range, const std::string& name) {
  const auto check = [holds, range](const std::string& text) -> std::string {
    double value = 0;
    if (absl::SimpleAtod(text, &value) && holds(value)) return "";
    return absl::StrCat("Value ", text, " not in range ", range);
  };
  return CLI::Validator(check, name);
}

CLI::Validator NotNegativeNumber() {
  return NumberThat([](double value) { return value >= 0; }, "0 or more", "NONNEGATIVE");
}

}  // namespace

Flag& Flag::Type(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Flag& Flag::Description(const std::string& text) {
  option_->description(text);
  return *this;
}

Flag& Flag::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Flag& Flag::ShowDefault(const std::string& text) {
  option_->default_str(text);
  return *this;
}

Flag& Flag::Required() {
  option_->required();
  return *this;
}

Flag& Flag::Hidden() {
  option_->group("");
  return *this;
}

Flag& Flag::OnCommandLineOnly() {
  option_->configurable(false);
  return *this;
}

Flag& Flag::OneOf(std::initializer_list<const char*> values) {
  option_->check(CLI::IsMember(std::vector<std::string>(values.begin(), values.end())));
  return *this;
}

Flag& Flag::Between(int64_t least, int64_t most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Flag& Flag::BetweenReal(double least, double most) {
  const auto holds = [least, most](double value) { return least <= value && value <= most; };
  const std::string range = absl::StrCat(least, " to ", most);
  option_->check(NumberThat(holds, range, absl::StrCat("FLOAT in [", least, " - ", most, "]")));
  return *this;
}

Flag& Flag::Positive() {
  option_->check(NumberThat([](double value) { return value > 0; }, "above 0", "POSITIVE"));
  return *this;
}

Flag& Flag::NotNegative() {
  option_->check(NotNegativeNumber());
  return *this;
}

Flag& Flag::Excludes(const std::string& flag) {
  option_->excludes(flag);
  return *this;
}

Flag& Flag::Needs(const Flag& other) {
  option_->needs(other.option_);
  return *this;
}

Flag FlagSet::Add(const std::string& names, std::string* value, const std::string& help) {
  return Flag(app_->add_option(names, *value, help));
}

Flag FlagSet::Add(const std::string& names, int32_t* value, const std::string& help) {
  return Flag(app_->add_option(names, *value, help));
}

Flag FlagSet::Add(const std::string& names, int64_t* value, const std::string& help) {
  return Flag(app_->add_option(names, *value, help));
}

Flag FlagSet::Add(const std::string& names, uint64_t* value, const std::string& help) {
  // Without the check -1 would be taken for 2^64 - 1.
  return Flag(app_->add_option(names, *value, help)->check(NotNegativeNumber()));
}

Flag FlagSet::Add(const std::string& names, double* value, const std::string& help) {
  return Flag(app_->add_option(names, *value, help));
}

Flag FlagSet::Add(const std::string& names, std::optional<int64_t>* value,
                  const std::string& help) {
  return Flag(app_->add_option(names, *value, help));
}

Flag FlagSet::Add(const std::string& names, std::optional<double>* value, const std::string& help) {
  return Flag(app_->add_option(names, *value, help));
}

Flag FlagSet::Add(const std::string& names, std::vector<std::string>* values,
                  const std::string& help) {
  return Flag(app_->add_option(names, *values, help));
}

Flag FlagSet::Add(const std::string& names, bool* value, const std::string& help) {
  return Flag(app_->add_flag(names, *value, help));
}

Flag FlagSet::AddDuration(const std::string& names, absl::Duration* value,
                          const std::string& help) {
  const auto parse = [names, value](const std::string& text) {
    const absl::StatusOr<absl::Duration> duration = ParseDurationText(text);
    if (!duration.ok()) throw CLI::ValidationError(names, std::string(duration.status().message()));
    *value = *duration;
  };
  const bool never = *value == absl::ZeroDuration();
  return Flag(app_->add_option_function<std::string>(names, parse, help)
                  ->type_name("DURATION")
                  ->default_str(never ? "0s" : absl::FormatDuration(*value)));
}

Flag FlagSet::AddMib(const std::string& names, int64_t* bytes, const std::string& help) {
  const auto take = [bytes](int64_t mib) { *bytes = mib << 20; };
  return Flag(app_->add_option_function<int64_t>(names, take, help)
                  ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
                  ->type_name("MIB")
                  ->default_str(absl::StrCat(*bytes >> 20)));
}

void FlagSet::SetFooter(const std::string& text) const { app_->footer(text); }

bool FlagSet::Has(const std::string& flag) const { return app_->get_option(flag)->count() > 0; }

}  // namespace fpo
