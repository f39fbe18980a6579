#include "simulator/scenario/file/scenario_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "simulator/report/format.h"
#include "simulator/scenario/file/scenario_apps.h"
#include "simulator/scenario/file/scenario_forests.h"
#include "simulator/scenario/file/section.h"

namespace devicetrust::simulator {
namespace {

using std::chrono::nanoseconds;

// The whole file; each Read…() fills its part of the spec.
class ScenarioReader {
 public:
  explicit ScenarioReader(const std::string& file) : file_(file) { spec_.file = file; }

  absl::StatusOr<ScenarioSpec> Read(std::string_view text) {
    DT_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(file_, text));
    DT_RETURN_IF_ERROR(CheckVersion(root));
    DT_ASSIGN_OR_RETURN(const Section file, Section::Of(file_, root, kFileSection));
    DT_RETURN_IF_ERROR(file.Text("title", spec_.title));
    DT_RETURN_IF_ERROR(file.Text("story", spec_.story));
    while (spec_.story.ends_with('\n')) spec_.story.pop_back();
    DT_RETURN_IF_ERROR(file.Bool("narrate", spec_.narrate));
    DT_RETURN_IF_ERROR(file.Whole("seed", spec_.seed, 0, 999'999'999'999'999'999));
    if (const YamlNode* const fleet = file.Find("fleet")) DT_RETURN_IF_ERROR(ReadFleet(*fleet));
    DT_RETURN_IF_ERROR(ReadApps(file_, file, spec_));
    DT_RETURN_IF_ERROR(ForEach(file, "phases", &ScenarioReader::ReadPhase));
    DT_RETURN_IF_ERROR(ForEach(file, "faults", &ScenarioReader::ReadFault));
    DT_RETURN_IF_ERROR(ForEach(file, "expect", &ScenarioReader::ReadExpect));
    DT_RETURN_IF_ERROR(ForEach(file, "thresholds", &ScenarioReader::ReadThreshold));
    return std::move(spec_);
  }

 private:
  static constexpr std::size_t kListMax = 100;

  // First, since what another version has is unknown here.
  absl::Status CheckVersion(const YamlNode& root) const {
    const YamlNode* const version = root.Find("version");
    if (root.kind != YamlNode::Kind::kMap || version == nullptr || version->text == "1") {
      return absl::OkStatus();
    }
    return ErrorAt(
        file_, version->place, fmt::format("this is a scenario of version \"{}\"", version->text),
        fmt::format("This dt-sim reads version {}: take another dt-sim, or bring the file "
                    "to that version.",
                    kScenarioFileVersion));
  }

  absl::Status ForEach(const Section& file, std::string_view key,
                       absl::Status (ScenarioReader::*read)(const YamlNode&)) {
    const YamlNode* const list = file.Find(key);
    if (list == nullptr) return absl::OkStatus();
    if (list->kind != YamlNode::Kind::kList || list->items.size() > kListMax) {
      return ErrorAt(file_, list->place, fmt::format("{} is a list of at most {}", key, kListMax),
                     "Begin each element with a dash.");
    }
    if (list->items.empty() && key == "phases") {
      return ErrorAt(file_, list->place, "there is no phase",
                     "Something must happen: - do: enroll");
    }
    for (const YamlNode& item : list->items) DT_RETURN_IF_ERROR((this->*read)(item));
    return absl::OkStatus();
  }

  absl::Status ReadFleet(const YamlNode& node) {
    DT_ASSIGN_OR_RETURN(const Section fleet, Section::Of(file_, node, kFleetSection));
    FleetMix& mix = spec_.fleet;
    DT_RETURN_IF_ERROR(fleet.Whole("devices", mix.devices, 1, 50'000));
    DT_RETURN_IF_ERROR(fleet.Percent("domain-joined", mix.domain_joined));
    DT_RETURN_IF_ERROR(fleet.Percent("unmanaged", mix.unmanaged));
    if (mix.domain_joined + mix.unmanaged > 100) {
      return ErrorAt(file_, node.place, "domain-joined and unmanaged are more than 100% together",
                     "What is left of 100% are phones and Macs.");
    }
    return ReadForests(file_, fleet, mix);
  }

  absl::Status ReadPhase(const YamlNode& node) {
    DT_ASSIGN_OR_RETURN(const Section section, Section::Of(file_, node, kPhaseSection));
    PhaseSpec phase;
    phase.place = node.place;
    std::string what;
    DT_RETURN_IF_ERROR(section.Word("do", {"enroll", "open", "renew", "wait"}, what));
    phase.kind = what == "enroll"  ? PhaseSpec::Kind::kEnroll
                 : what == "open"  ? PhaseSpec::Kind::kOpen
                 : what == "renew" ? PhaseSpec::Kind::kRenew
                                   : PhaseSpec::Kind::kWait;
    phase.name = what;
    DT_RETURN_IF_ERROR(section.Text("name", phase.name));
    for (const PhaseSpec& other : spec_.phases) {
      if (other.name != phase.name) continue;
      return ErrorAt(
          file_, node.place, fmt::format("a phase \"{}\" is there already", phase.name),
          fmt::format("It is in line {}; give this one a name: of its own.", other.place.line));
    }
    DT_RETURN_IF_ERROR(CheckFits(section, phase.kind));
    DT_RETURN_IF_ERROR(section.Bool("together", phase.together));
    DT_RETURN_IF_ERROR(section.Percent("share", phase.share));
    DT_RETURN_IF_ERROR(section.Length("for", phase.length));
    DT_RETURN_IF_ERROR(section.Text("proxy", phase.proxy));
    if (phase.kind == PhaseSpec::Kind::kOpen) DT_RETURN_IF_ERROR(ReadPhaseApps(section, phase));
    if (phase.kind == PhaseSpec::Kind::kWait && phase.length.count() == 0) {
      return ErrorAt(file_, node.place, "wait needs \"for\"", "for: 5s");
    }
    if (const YamlNode* const arrivals = section.Find("arrivals")) {
      DT_RETURN_IF_ERROR(ReadArrivals(*arrivals, phase.arrivals));
    }
    spec_.phases.push_back(std::move(phase));
    return absl::OkStatus();
  }

  // A key that means nothing there is a misunderstanding.
  absl::Status CheckFits(const Section& section, PhaseSpec::Kind kind) const {
    const bool opens = kind == PhaseSpec::Kind::kOpen;
    const bool waits = kind == PhaseSpec::Kind::kWait;
    const std::pair<const char*, bool> fits[] = {{"apps", opens},
                                                 {"together", opens},
                                                 {"share", !waits},
                                                 {"arrivals", !waits},
                                                 {"for", waits}};
    for (const auto& [key, fit] : fits) {
      const YamlNode* const node = section.Find(key);
      if (node == nullptr || fit) continue;
      return ErrorAt(
          file_, node->place,
          fmt::format("\"{}\" means nothing where do is {}", key, section.Find("do")->text),
          "Take it away.");
    }
    return absl::OkStatus();
  }

  absl::Status ReadPhaseApps(const Section& section, PhaseSpec& phase) {
    const YamlNode* const apps = section.Find("apps");
    if (apps == nullptr || apps->text == "all") {
      for (std::size_t app = 0; app < spec_.apps.size(); ++app) phase.apps.push_back(app);
      return absl::OkStatus();
    }
    std::vector<std::string> names;
    for (const org::v1::App& app : spec_.apps) names.push_back(app.id());
    if (apps->kind != YamlNode::Kind::kList || apps->items.empty()) {
      return ErrorAt(file_, apps->place, "apps is all, or a list of names",
                     fmt::format("There are: {}.", fmt::join(names, ", ")));
    }
    for (const YamlNode& item : apps->items) {
      const auto found = std::ranges::find(names, item.text);
      if (found == names.end()) {
        return ErrorAt(
            file_, item.place,
            fmt::format("there is no app \"{}\"{}", item.text, DidYouMean(item.text, names)),
            fmt::format("There are: {}.", fmt::join(names, ", ")));
      }
      const auto app = static_cast<std::size_t>(found - names.begin());
      if (std::ranges::find(phase.apps, app) != phase.apps.end()) {
        return ErrorAt(file_, item.place, fmt::format("the app {} is there twice", item.text),
                       "A phase opens each app once.");
      }
      phase.apps.push_back(app);
    }
    return absl::OkStatus();
  }

  absl::Status ReadArrivals(const YamlNode& node, ArrivalSpec& arrivals) {
    DT_ASSIGN_OR_RETURN(const Section section, Section::Of(file_, node, kArrivalsSection));
    const YamlNode* const at_once = section.Find("at-once");
    const YamlNode* const rate = section.Find("rate");
    const YamlNode* const curve = section.Find("curve");
    const int ways =
        (at_once != nullptr ? 1 : 0) + (rate != nullptr ? 1 : 0) + (curve != nullptr ? 1 : 0);
    if (ways != 1) {
      return ErrorAt(
          file_, node.place, "arrivals are one of at-once, rate and curve",
          "at-once is a closed loop, the others go on whatever becomes of the sessions.");
    }
    for (const char* const key : {"ramp", "poisson"}) {
      const YamlNode* const extra = section.Find(key);
      const bool fits = rate != nullptr || (curve != nullptr && std::string_view(key) == "poisson");
      if (extra == nullptr || fits) continue;
      return ErrorAt(file_, extra->place, fmt::format("{} means nothing here", key),
                     "It goes with rate.");
    }
    DT_RETURN_IF_ERROR(section.Whole("at-once", arrivals.at_once, 1, 2'000));
    DT_RETURN_IF_ERROR(section.Length("ramp", arrivals.ramp));
    DT_RETURN_IF_ERROR(section.Bool("poisson", arrivals.poisson));
    if (rate != nullptr) {
      arrivals.kind = ArrivalSpec::Kind::kRate;
      return section.Rate(*rate, "rate", /*zero=*/false, arrivals.per_second);
    }
    return curve == nullptr ? absl::OkStatus() : ReadCurve(section, *curve, arrivals);
  }

  absl::Status ReadCurve(const Section& section, const YamlNode& curve, ArrivalSpec& arrivals) {
    arrivals.kind = ArrivalSpec::Kind::kCurve;
    if (curve.members.size() < 2) {
      return ErrorAt(file_, curve.place, "a curve has two points or more",
                     "{0s: 5, 10s: 80, 20s: 10}");
    }
    for (const auto& [key, value] : curve.members) {
      const absl::StatusOr<nanoseconds> at = ParseLength(key.text);
      if (!at.ok()) return ErrorAt(file_, key.place, std::string(at.status().message()), "");
      const bool first = arrivals.curve.empty();
      if (first ? at->count() != 0 : *at <= arrivals.curve.back().at) {
        return ErrorAt(file_, key.place, "the points of a curve begin at 0s and come in order", "");
      }
      ArrivalSpec::Point point{*at, 0};
      DT_RETURN_IF_ERROR(section.Rate(value, "curve", /*zero=*/true, point.per_second));
      arrivals.curve.push_back(point);
    }
    if (arrivals.curve.back().per_second > 0) return absl::OkStatus();
    return ErrorAt(file_, curve.members.back().second.place,
                   "the last rate of a curve stays, and with 0 the rest would never come",
                   "End with a small one.");
  }

  absl::Status ReadFault(const YamlNode& node) {
    DT_ASSIGN_OR_RETURN(const Section section, Section::Of(file_, node, kFaultSection));
    FaultSpec fault;
    fault.place = node.place;
    DT_RETURN_IF_ERROR(ReadFaultKind(section, fault));
    DT_RETURN_IF_ERROR(section.Text("name", fault.name));
    DT_RETURN_IF_ERROR(ReadPhaseName(section, fault.phase));
    if (const YamlNode* const at = section.Find("at")) {
      fault.at_percent = Section::PercentOf(*at);
      if (!fault.at_percent.has_value()) DT_RETURN_IF_ERROR(section.Length("at", fault.at));
      const bool waits = spec_.phases[fault.phase].kind == PhaseSpec::Kind::kWait;
      if (fault.at_percent.has_value() && waits) {
        return ErrorAt(file_, at->place, "a phase that waits has no sessions to count",
                       "Write at: 1s, say.");
      }
    }
    if (const YamlNode* const length = section.Find("for")) {
      DT_RETURN_IF_ERROR(section.Length("for", fault.length.emplace()));
      if (fault.length->count() == 0) {
        return ErrorAt(file_, length->place, "for is more than nothing", "for: 5s");
      }
    }
    DT_RETURN_IF_ERROR(CheckEnds(section, fault));
    spec_.faults.push_back(std::move(fault));
    return absl::OkStatus();
  }

  // What is a state of things must end; what is done is done.
  absl::Status CheckEnds(const Section& section, const FaultSpec& fault) const {
    using Kind = FaultSpec::Kind;
    const bool may_stay = fault.kind == Kind::kRules || fault.kind == Kind::kRevoke ||
                          fault.kind == Kind::kDeactivate || fault.kind == Kind::kDeviceTrust ||
                          fault.kind == Kind::kReadOnly;
    if (!fault.length.has_value() && !may_stay) {
      return ErrorAt(file_, fault.place, fmt::format("\"{}\" never ends", fault.name),
                     "Say how long it lasts: for: 5s");
    }
    if (fault.length.has_value() && fault.kind == Kind::kRevoke) {
      return ErrorAt(file_, section.Find("for")->place, "a revocation is for good",
                     "Take for: away.");
    }
    return absl::OkStatus();
  }

  absl::Status ReadFaultKind(const Section& section, FaultSpec& fault) {
    using Kind = FaultSpec::Kind;
    static constexpr std::pair<const char*, Kind> kKinds[] = {{"stop", Kind::kStop},
                                                              {"pause", Kind::kPause},
                                                              {"slow", Kind::kSlow},
                                                              {"cut", Kind::kCut},
                                                              {"clock", Kind::kClock},
                                                              {"read-only", Kind::kReadOnly},
                                                              {"device-trust", Kind::kDeviceTrust},
                                                              {"rules", Kind::kRules},
                                                              {"revoke", Kind::kRevoke},
                                                              {"deactivate", Kind::kDeactivate}};
    const char* kind = nullptr;
    for (const auto& [name, value] : kKinds) {
      if (section.Find(name) == nullptr) continue;
      if (kind != nullptr) {
        return ErrorAt(file_, section.Find(name)->place,
                       fmt::format("this fault is both {} and {}", kind, name),
                       "Make two of it, each with its dash.");
      }
      kind = name;
      fault.kind = value;
    }
    if (kind == nullptr) {
      std::vector<std::string> names;
      for (const auto& [name, value] : kKinds) names.emplace_back(name);
      return ErrorAt(file_, section.place(), "nothing goes wrong here",
                     fmt::format("Add one of: {}.", fmt::join(names, ", ")));
    }
    const bool timed = fault.kind == Kind::kSlow || fault.kind == Kind::kClock;
    if (timed != (section.Find("by") != nullptr)) {
      return ErrorAt(
          file_, section.place(),
          timed ? fmt::format("{} needs \"by\"", kind) : fmt::format("{} takes no \"by\"", kind),
          timed ? "by: 200ms" : "It goes with slow and clock.");
    }
    fault.name = kind;
    switch (fault.kind) {
      case Kind::kStop:
      case Kind::kPause:
        DT_RETURN_IF_ERROR(
            section.Word(kind, {"kdc", "iwa", "ca", "policy", "gateway"}, fault.target));
        break;
      case Kind::kSlow:
      case Kind::kCut:
        DT_RETURN_IF_ERROR(section.Word(kind, {"directory", "policy", "ca"}, fault.target));
        break;
      case Kind::kClock:
        DT_RETURN_IF_ERROR(section.Word(kind, {"iwa", "ca", "policy", "gateway"}, fault.target));
        break;
      case Kind::kReadOnly: {
        std::string word;
        DT_RETURN_IF_ERROR(section.Word(kind, {"true"}, word));
        return absl::OkStatus();
      }
      case Kind::kDeviceTrust: {
        std::string word;
        DT_RETURN_IF_ERROR(section.Word(kind, {"off"}, word));
        fault.name = "device-trust off";
        return absl::OkStatus();
      }
      case Kind::kRules:
        fault.name = "other rules";
        return ReadRules(file_, *section.Find(kind), fault.rules);
      case Kind::kRevoke:
        return ReadCount(section, kind, fault);
      case Kind::kDeactivate:
        DT_RETURN_IF_ERROR(section.Text(kind, fault.target));
        break;
    }
    fault.name = fmt::format("{} {}", kind, fault.target);
    return timed ? ReadBy(section, fault) : absl::OkStatus();
  }

  absl::Status ReadBy(const Section& section, FaultSpec& fault) const {
    const YamlNode& node = *section.Find("by");
    const bool back = node.text.starts_with('-') && fault.kind == FaultSpec::Kind::kClock;
    const absl::StatusOr<nanoseconds> by =
        ParseLength(std::string_view(node.text).substr(back ? 1 : 0));
    if (!by.ok()) return ErrorAt(file_, node.place, std::string(by.status().message()), "");
    fault.by = back ? -*by : *by;
    fault.name += fmt::format(" by {}", node.text);
    return absl::OkStatus();
  }

  absl::Status ReadCount(const Section& section, std::string_view key, FaultSpec& fault) const {
    const YamlNode& node = *section.Find(key);
    fault.name = fmt::format("{} {}", key, node.text);
    if (const std::optional<double> percent = Section::PercentOf(node); percent && *percent > 0) {
      fault.percent = *percent;
      return absl::OkStatus();
    }
    return section.Whole(key, fault.count, 1, 50'000);
  }

  absl::Status ReadPhaseName(const Section& section, std::size_t& phase) const {
    const YamlNode* const node = section.Find("during");
    if (node == nullptr) return absl::OkStatus();
    std::vector<std::string> names;
    for (const PhaseSpec& one : spec_.phases) names.push_back(one.name);
    const auto found = std::ranges::find(names, node->text);
    if (found == names.end()) {
      return ErrorAt(
          file_, node->place,
          fmt::format("there is no phase \"{}\"{}", node->text, DidYouMean(node->text, names)),
          fmt::format("There are: {}.", fmt::join(names, ", ")));
    }
    phase = static_cast<std::size_t>(found - names.begin());
    return absl::OkStatus();
  }

  absl::Status ReadExpect(const YamlNode& node) {
    using Device = ExpectSpec::Device;
    using Outcome = ExpectSpec::Outcome;
    DT_ASSIGN_OR_RETURN(const Section section, Section::Of(file_, node, kExpectSection));
    static const std::vector<std::string> kDevices = {"any",   "domain-joined", "unmanaged",
                                                      "other", "revoked",       "deactivated"};
    static const std::vector<std::string> kOutcomes = {"allowed", "denied", "failed", "any"};
    std::string device = "any";
    std::string outcome;
    DT_RETURN_IF_ERROR(section.Word("device", kDevices, device));
    DT_RETURN_IF_ERROR(section.Word("outcome", kOutcomes, outcome));
    ExpectSpec expect;
    expect.place = node.place;
    expect.device = static_cast<Device>(std::ranges::find(kDevices, device) - kDevices.begin());
    expect.outcome =
        static_cast<Outcome>(std::ranges::find(kOutcomes, outcome) - kOutcomes.begin());
    if (section.Find("during") != nullptr) {
      DT_RETURN_IF_ERROR(ReadPhaseName(section, expect.phase.emplace()));
    }
    if (const YamlNode* const name = section.Find("while")) {
      std::vector<std::string> names;
      for (const FaultSpec& fault : spec_.faults) names.push_back(fault.name);
      std::string fault;
      DT_RETURN_IF_ERROR(section.Word("while", names, fault));
      expect.fault = static_cast<std::size_t>(std::ranges::find(names, fault) - names.begin());
    }
    spec_.expect.push_back(expect);
    return absl::OkStatus();
  }

  absl::Status ReadThreshold(const YamlNode& node) {
    const YamlNode* that = &node;
    bool abort = false;
    if (node.kind == YamlNode::Kind::kMap) {
      DT_ASSIGN_OR_RETURN(const Section section, Section::Of(file_, node, kThresholdSection));
      DT_RETURN_IF_ERROR(section.Bool("abort", abort));
      that = section.Find("that");
    }
    absl::StatusOr<Threshold> threshold = ParseThreshold(that->text);
    if (!threshold.ok()) {
      return ErrorAt(file_, that->place, std::string(threshold.status().message()),
                     "dt-sim scenarios --metrics lists all metrics.");
    }
    threshold->abort = abort;
    spec_.thresholds.push_back(*std::move(threshold));
    return absl::OkStatus();
  }

  const std::string file_;
  ScenarioSpec spec_;
};

}  // namespace

absl::StatusOr<ScenarioSpec> ParseScenario(const std::string& file, std::string_view text) {
  return ScenarioReader(file).Read(text);
}

std::string ScenarioText(const ScenarioSpec& spec) {
  std::vector<std::string> phases;
  for (const PhaseSpec& phase : spec.phases) phases.push_back(phase.name);
  std::string text = fmt::format("{}, {}; {}", Plural(spec.fleet.devices, "device"),
                                 Plural(spec.apps.size(), "app"), fmt::join(phases, ", "));
  if (!spec.faults.empty()) text += "; " + Plural(spec.faults.size(), "fault");
  if (!spec.thresholds.empty()) text += "; " + Plural(spec.thresholds.size(), "threshold");
  return text;
}

}  // namespace devicetrust::simulator
