// The status page in a real browser, of real programs: what a person sees, and does, there. With
// FPO_SCREENSHOT=/tmp/page every test leaves pictures, /tmp/page-NAME.png.

#include <filesystem>
#include <fstream>

#include "common/access_list.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/local_service.h"
#include "tests/support/web/live_browser.h"

namespace fpo::testing {
namespace {

using nlohmann::json;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

// Of a page's button by its words, inside an element.
std::string ButtonIn(const std::string& parent, const std::string& words) {
  return "[...document.querySelectorAll('" + parent + " button')].find(b => b.textContent === '" +
         words + "')";
}

class StatusPageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!LiveBrowser::IsInstalled()) GTEST_SKIP() << "no /usr/bin/chromium";
  }
  void StartService(std::vector<std::string> coordinator_flags = {}) {
    service_ = std::make_unique<LocalService>(LocalService::Settings{
        .trainer = "fake", .coordinator_flags = std::move(coordinator_flags)});
    browser_ = std::make_unique<LiveBrowser>(service_->Path(""));
  }
  std::string Submit(const std::string& name, const std::string& how,
                     const std::vector<std::string>& more = {}) {
    std::vector<std::string> words = {"submit", service_->WriteFakeJob(name, how), "-q"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = service_->Ctl(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  std::string State(const std::string& job) { return service_->Describe(job).value("state", ""); }
  bool Reaches(const std::string& job, const std::string& state) {
    return service_->Until(job, [&](const json& j) { return j.value("state", "") == state; })
        .has_value();
  }
  void Open(const std::string& hash) {
    browser_->Open("http://" + service_->HttpAddress("coordinator") + "/" + hash);
    EXPECT_THAT(Await("document.getElementById('age').textContent"), HasSubstr("as of "));
  }
  std::string Await(const std::string& expression) { return browser_->Await(expression); }
  std::string Eval(const std::string& expression) { return browser_->Eval(expression); }
  std::string TextOf(const std::string& id) {
    return Eval("document.getElementById('" + id + "').innerText");
  }
  void Click(const std::string& element) {
    EXPECT_EQ(Await("!!(" + element + ")"), "true") << element;
    Eval("(" + element + ").click()");
  }
  // Presses a job's button and says yes; what the page then says.
  std::string Do(const std::string& word, const std::string& parent = "#run-actions") {
    Click(ButtonIn(parent, word));
    EXPECT_EQ(Await("document.getElementById('confirm').open"), "true");
    question_ = TextOf("confirm");
    Eval("document.getElementById('said').replaceChildren()");
    Click("document.getElementById('confirm-yes')");
    return Await("document.getElementById('said').innerText");
  }
  void Picture(const std::string& name) {
    const char* keep = getenv("FPO_SCREENSHOT");
    if (keep != nullptr) browser_->Picture(std::string(keep) + "-" + name + ".png");
  }
  // At desktop and phone width, light and dark: nothing is wider than the screen.
  void LookAt(const std::string& name) {
    for (const int width : {1100, 360}) {
      for (const bool dark : {false, true}) {
        browser_->Look({.width = width, .height = 1200, .dark = dark});
        const std::string wide = std::to_string(width);  // charts follow a moment later
        EXPECT_EQ(Await("document.documentElement.scrollWidth === " + wide + " && '" + wide + "'"),
                  wide)
            << name;
        Picture(name + (width < 600 ? "-phone" : "") + (dark ? "-dark" : ""));
      }
    }
    browser_->Look({});
  }

  std::unique_ptr<LocalService> service_;
  std::unique_ptr<LiveBrowser> browser_;
  std::string question_;
};

TEST_F(StatusPageTest, ShowsWorkersQueueJobsAndCurves) {
  StartService();
  service_->StartAll();
  const std::string id = Submit("runs", "steps-4000-10-0");
  const std::string waits = Submit("waits", "steps-4000-10-0");
  ASSERT_TRUE(service_->Until("runs", [](const json& job) {
    return std::stoll(job["progress"].value("step", "0")) >= 30;
  }));
  Open("");
  EXPECT_THAT(TextOf("workers"), HasSubstr("w1"));
  EXPECT_EQ(TextOf("slots"), "0 of 1 slots free");
  EXPECT_THAT(TextOf("queue"), HasSubstr("waiting-for-slots: needs 1, 0 free"));
  EXPECT_EQ(Eval("document.querySelector('#jobs td.RUNNING').textContent"), "RUNNING");
  LookAt("all");
  Open("#" + id);
  EXPECT_THAT(TextOf("run-title"), MatchesRegex(id + " +runs +RUNNING +[0-9]+ / 4000"));
  EXPECT_EQ(Await("!!document.querySelector('figure canvas')"), "true");
  EXPECT_THAT(TextOf("curves"), HasSubstr("Loss, nats"));
  // It grows, and the chart is the same element: a reader's zoom and hidden curves stay.
  Eval("window.plot = document.querySelector('.plot'); window.step = " +
       std::string("document.getElementById('run-title').textContent"));
  EXPECT_EQ(Await("document.getElementById('run-title').textContent !== window.step"), "true");
  EXPECT_EQ(Eval("document.querySelector('.plot') === window.plot"), "true");
  Open("#nobody");
  EXPECT_THAT(TextOf("run-title"), HasSubstr("nobody"));
  EXPECT_EQ(TextOf("curves"), "");
  EXPECT_THAT(browser_->TakeFaults(), Each(HasSubstr("404")));
  EXPECT_EQ(State(waits), "QUEUED") << "looking changes nothing";
}

TEST_F(StatusPageTest, ComparesJobs) {
  StartService();
  service_->StartAll();
  const std::string one = Submit("one", "steps-60-2-0");
  const std::string two = Submit("two", "steps-60-2-0", {"--set", "optimizer.lr=3e-5"});
  ASSERT_TRUE(Reaches(two, "SUCCEEDED"));
  const std::string three = Submit("three", "steps-4000-10-0");
  ASSERT_TRUE(service_->Until(
      three, [](const json& job) { return std::stoll(job["progress"].value("step", "0")) >= 30; }));
  Open("");
  for (const char* name : {"one", "two", "three"}) {
    Click("document.querySelector('input[aria-label=\"Select " + std::string(name) + "\"]')");
  }
  EXPECT_THAT(TextOf("selection"), HasSubstr("3 selected"));
  Picture("selection");
  Click(ButtonIn("#selection", "Compare"));
  EXPECT_EQ(Await("document.querySelectorAll('figure canvas').length > 3"), "true");
  EXPECT_EQ(Eval("location.hash"), "#compare=" + three + "," + two + "," + one)
      << "its address can be given to others";
  EXPECT_THAT(TextOf("run-title"), HasSubstr("Comparison of 3 jobs"));
  const std::string parts = TextOf("run-parts");
  EXPECT_THAT(parts, HasSubstr("Final values"));
  EXPECT_THAT(parts, HasSubstr("optimizer.lr"));
  EXPECT_THAT(parts, HasSubstr("3e-05"));
  // One colour for a job in tables, switches and legends.
  EXPECT_EQ(Eval("['#run-parts thead th:nth-child(3) i', '#controls label:nth-of-type(2) i', "
                 "'.readings button:nth-child(2) i'].map(s => getComputedStyle("
                 "document.querySelector(s)).backgroundColor).every((c, i, all) => c === all[0])"),
            "true");
  EXPECT_THAT(TextOf("controls"), HasSubstr("log scale"));
  Click(
      "[...document.querySelectorAll('#controls label')].find(l => l.textContent === "
      "'log scale').querySelector('input')");
  Eval(
      "{ const s = document.querySelector('#controls select'); s.value = 'seconds'; "
      "s.dispatchEvent(new Event('change')); }");
  EXPECT_EQ(Eval("document.querySelector('.dygraph-xlabel').textContent"), "time in training");
  Click("document.querySelector('#controls input')");
  EXPECT_EQ(Eval("document.querySelector('.readings button').hidden"), "true") << "one is hidden";
  Click("document.querySelector('#controls input')");
  // The one that runs grows.
  Eval("window.before = document.querySelector('.readings').innerText");
  EXPECT_EQ(Await("document.querySelector('.readings').innerText !== window.before"), "true");
  LookAt("compare");
  Open("#compare=one,two");
  EXPECT_THAT(TextOf("run-title"), HasSubstr("Comparison of 2 jobs"));
  EXPECT_THAT(browser_->TakeFaults(), IsEmpty());
}

TEST_F(StatusPageTest, HoldsReleasesCancelsAndRetries) {
  StartService();
  service_->StartAll();
  const std::string runs = Submit("runs", "steps-4000-10-0");
  const std::string waits = Submit("waits", "steps-20-1-0");
  Open("#" + waits);
  EXPECT_THAT(Do("Hold"), HasSubstr(waits + " (waits): held, now HELD"));
  EXPECT_THAT(question_, HasSubstr("Hold job " + waits + "?"));
  EXPECT_THAT(question_, HasSubstr("waits QUEUED"));
  EXPECT_EQ(State(waits), "HELD");
  EXPECT_THAT(Do("Release"), HasSubstr("released, now QUEUED"));
  EXPECT_EQ(State(waits), "QUEUED");
  // By keyboard: Escape and Back change nothing, the focus is on Back.
  Eval(ButtonIn("#run-actions", "Cancel") + ".focus()");
  browser_->Press("Enter");
  EXPECT_EQ(Await("document.activeElement.id"), "confirm-no");
  Picture("confirm");
  browser_->Press("Escape");
  EXPECT_EQ(Await("!document.getElementById('confirm').open"), "true");
  Eval(ButtonIn("#run-actions", "Cancel") + ".focus()");
  browser_->Press(" ");
  EXPECT_EQ(Await("document.activeElement.id"), "confirm-no");
  browser_->Press("Enter");
  EXPECT_EQ(Await("!document.getElementById('confirm').open"), "true");
  EXPECT_EQ(State(waits), "QUEUED");
  // Several at once, of which each can be cancelled and one held.
  Open("");
  Click("document.querySelector('input[aria-label=\"Select runs\"]')");
  Click("document.querySelector('input[aria-label=\"Select waits\"]')");
  EXPECT_EQ(Await("!!(" + ButtonIn("#selection", "Hold 1") + ")"), "true");
  EXPECT_THAT(Do("Cancel 2", "#selection"), HasSubstr("cancelled"));
  EXPECT_TRUE(Reaches(runs, "CANCELLED"));
  EXPECT_TRUE(Reaches(waits, "CANCELLED"));
  EXPECT_THAT(Await("document.getElementById('said').children.length === 2 && "
                    "document.getElementById('said').innerText"),
              HasSubstr(waits));
  Picture("said");
  Open("#" + waits);
  const std::string said = Do("Retry");
  EXPECT_THAT(said, HasSubstr("retried as j-"));
  const std::string again = said.substr(said.find("retried as ") + 11, waits.size());
  EXPECT_TRUE(Reaches(again, "SUCCEEDED"));
  EXPECT_EQ(service_->Describe(again).value("retry_of", ""), waits);
  EXPECT_THAT(browser_->TakeFaults(), IsEmpty());
}

TEST_F(StatusPageTest, ATokenIsNeededWhereThereIsAList) {
  const std::string list = "/tmp/fpo-page-access-" + std::to_string(getpid()) + ".json";
  AccessList people;
  const std::pair<const char*, Role> all[] = {{"ana", Role::kUser}, {"bob", Role::kUser}};
  for (const auto& [name, role] : all) {
    people.mutable_entries().push_back(
        {.principal = {name, role}, .token_sha256 = Sha256Of(std::string("token-of-") + name)});
  }
  std::ofstream(list) << people.ToJson();
  StartService({"--access", list});
  service_->Start("cache");
  service_->Start("coordinator");
  const std::string token = service_->Path("token");
  std::ofstream(token) << "token-of-ana\n";
  std::filesystem::permissions(token, std::filesystem::perms::owner_read);
  const std::string id = Submit("tiny", "steps-20-1-0", {"--token-file", token});
  const auto enter = [&](const std::string& text) {
    Eval("document.getElementById('token').focus()");
    browser_->Type(text);
    browser_->Press("Enter");
    EXPECT_EQ(Await("document.getElementById('token').value === '' && 'in'"), "in");
  };
  const auto state = [&] {
    return json::parse(service_->Http("coordinator", "/api/job?id=" + id))["job"].value("state",
                                                                                        "");
  };
  Open("#" + id);
  EXPECT_THAT(Await("document.getElementById('no-changes').textContent"),
              HasSubstr("Read-only until you enter your token"));
  EXPECT_EQ(Eval("document.querySelectorAll('#run-actions button').length"), "0");
  LookAt("token");
  enter("token-of-mallory");
  EXPECT_THAT(Do("Hold"), HasSubstr("was not held: the token is not known to this server"));
  enter("token-of-bob");
  EXPECT_THAT(Do("Hold"), HasSubstr("belongs to ana; you are bob"));
  EXPECT_EQ(state(), "QUEUED");
  Picture("refused");
  enter("token-of-ana");
  EXPECT_THAT(Do("Hold"), HasSubstr("held, now HELD"));
  EXPECT_EQ(state(), "HELD");
  // It is in this tab alone: in no address, no store that outlives the tab, no cookie and no log.
  EXPECT_THAT(Eval("location.href + JSON.stringify(localStorage) + document.cookie"),
              Not(HasSubstr("token-of")));
  EXPECT_THAT(service_->Log("coordinator"), Not(HasSubstr("token-of")));
  Open("#cache");
  EXPECT_THAT(Await("document.getElementById('cache-parts').innerText"), HasSubstr("Records"))
      << "the cache has no list: it takes whoever asks";
  Click("document.getElementById('forget-token')");
  EXPECT_THAT(Await("document.getElementById('no-changes').textContent"), HasSubstr("Read-only"));
  EXPECT_THAT(Await("document.getElementById('cache-parts').innerText.includes('token') && "
                    "document.getElementById('cache-parts').innerText"),
              HasSubstr("shown to those with a token"));
  EXPECT_THAT(browser_->TakeFaults(), Each(::testing::AnyOf(HasSubstr("401"), HasSubstr("403"))));
  std::filesystem::remove(list);
}

TEST_F(StatusPageTest, APageOfAnotherSiteChangesNothing) {
  StartService();
  service_->Start("cache");
  service_->Start("coordinator");
  const std::string id = Submit("tiny", "steps-20-1-0");
  const std::string target = "http://" + service_->HttpAddress("coordinator") + "/api/cancel";
  const std::string body = "'{\"job_id\":\"" + id + "\"}'";
  // Another port is another origin.
  browser_->Open("http://" + service_->HttpAddress("cache") + "/healthz");
  const auto send = [&](const std::string& options) {
    return Eval("fetch('" + target + "', {method: 'POST', body: " + body + ", " + options +
                "}).then(a => a.type + ' ' + a.status, e => 'refused: ' + e)");
  };
  EXPECT_EQ(send("mode: 'no-cors'"), "opaque 0") << "sent, and answered with 403";
  EXPECT_THAT(send("headers: {'Content-Type': 'application/json', 'X-FPO-Page': '1'}"),
              HasSubstr("refused"));
  EXPECT_THAT(send("credentials: 'include', headers: {'Content-Type': 'application/json'}"),
              HasSubstr("refused"));
  // A form needs no script.
  Eval(
      "{ const sink = document.createElement('iframe'); sink.name = 'sink'; "
      "document.body.append(sink); sink.onload = () => { window.sent = 'yes'; }; "
      "const f = document.createElement('form'); f.method = 'POST'; f.action = '" +
      target +
      "'; f.target = 'sink'; f.enctype = 'text/plain'; "
      "const i = document.createElement('input'); i.name = " +
      body + "; f.append(i); document.body.append(f); f.submit(); }");
  EXPECT_EQ(Await("window.sent"), "yes");
  EXPECT_EQ(State(id), "QUEUED");
  // Nor is the page shown inside of theirs, where its buttons could be covered.
  browser_->Open("http://" + service_->HttpAddress("cache") + "/healthz");
  Eval("{ const f = document.createElement('iframe'); f.src = 'http://" +
       service_->HttpAddress("coordinator") +
       "/'; f.onload = () => { window.framed = 'yes'; }; "
       "document.body.append(f); }");
  EXPECT_EQ(Await("window.framed"), "yes");
  const auto faults = browser_->TakeFaults();
  EXPECT_THAT(faults, ::testing::Contains(HasSubstr("frame-ancestors")));
}

TEST_F(StatusPageTest, ShowsTheCache) {
  StartService();
  service_->StartAll();
  const auto submit = [&](const std::string& name) {
    std::filesystem::create_directories(service_->Path("model"));
    std::ofstream(service_->Path("train.jsonl")) << "{}\n";
    const std::string file = service_->Path(name + ".yaml");
    std::ofstream(file) << "name: " << name << "\nmodel: {path: model}\n"
                        << "data: {train: [train.jsonl]}\nmethod: {name: dpo}\n"
                        << "reference: {source: cached}\noutput: runs/" << name
                        << "\nlabels: {keys: \"40\"}\n";
    const Outcome outcome = service_->Ctl({"submit", file, "-q", "--wait"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find('\n'));
  };
  const std::string first = submit("first");
  const std::string second = submit("second");
  Open("#cache");
  const std::string text = Await(
      "document.querySelectorAll('#cache-parts table').length === 2 && "
      "document.getElementById('cache-parts').innerText");
  EXPECT_THAT(text, HasSubstr("40 / 40"));
  EXPECT_THAT(text, HasSubstr("2 jobs"));
  EXPECT_THAT(text, HasSubstr("40 of 80 since its start")) << "the second one found all";
  EXPECT_THAT(text, HasSubstr("1 manifest, 1 recipe"));
  Click("document.querySelector('#cache-parts summary')");
  EXPECT_THAT(TextOf("cache-parts"), HasSubstr("second: 40 found, 0 computed"));
  EXPECT_THAT(TextOf("cache-parts"), HasSubstr("first: 0 found, 40 computed"));
  LookAt("cache");
  Click("document.querySelector('#cache-parts li a')");
  EXPECT_THAT(Await("document.getElementById('run-title').textContent"), HasSubstr(second));
  service_->Kill("cache");
  Open("#cache");
  EXPECT_THAT(Await("document.getElementById('cache-parts').innerText"),
              HasSubstr("is not reachable"));
  EXPECT_THAT(TextOf("cache-parts"), Not(HasSubstr("Records"))) << "nothing is shown as zero";
}

}  // namespace
}  // namespace fpo::testing
