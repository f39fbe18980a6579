#include "simulator/scenario/file/scenario_keys.h"

#include <array>
#include <nlohmann/json.hpp>

#include "libs/admin/policy_file.h"

namespace devicetrust::simulator {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kText = R"({"type": "string"})";
constexpr const char* kName = R"({"type": "string", "minLength": 1, "maxLength": 60})";
constexpr const char* kLength = R"({"type": "string", "pattern": "^[0-9.]+(ms|s|m|h)$"})";
constexpr const char* kPercent =
    R"({"type": "string", "pattern": "^[0-9.]+%$", "examples": ["80%"]})";
constexpr const char* kRate = R"({"type": "number", "exclusiveMinimum": 0, "maximum": 100000})";
constexpr const char* kRules = R"({"type": "array", "items": {"$ref": "#/$defs/Rule"}})";
constexpr const char* kComponents = R"({"enum": ["kdc", "iwa", "ca", "policy", "gateway"]})";
constexpr const char* kClocks = R"({"enum": ["iwa", "ca", "policy", "gateway"]})";
constexpr const char* kLinks = R"({"enum": ["directory", "policy", "ca"]})";
constexpr const char* kCountOrPercent =
    R"({"oneOf": [{"type": "integer", "minimum": 1, "maximum": 50000},
                  {"type": "string", "pattern": "^[0-9.]+%$"}]})";

constexpr std::array kFileKeys = {
    ScenarioKey{"$schema", kText, "Where this schema lies, for editors."},
    ScenarioKey{"version", R"({"enum": [1]})", "Of this form of files: 1.", true},
    ScenarioKey{"title", kName, "A few words, for lists and summaries.", true},
    ScenarioKey{"story", kText, "What one sees and learns, in a few sentences."},
    ScenarioKey{"narrate", R"({"type": "boolean"})",
                "Begin with the story of the first device, step by step, and of one that is "
                "refused."},
    ScenarioKey{"seed", R"({"type": "integer", "minimum": 0, "maximum": 999999999999999999})",
                "Names, mix, secrets and arrivals follow from it."},
    ScenarioKey{"fleet", R"({"$ref": "#/$defs/fleet"})", "Who and what is simulated."},
    ScenarioKey{"apps",
                R"({"type": "array", "minItems": 1, "maxItems": 50, "items": {"type": "string",
                    "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"}})",
                "Names of apps, each with `rules`; the alternative is `policy`."},
    ScenarioKey{"rules", kRules, "Of every app of `apps`, as dtctl rules get writes them."},
    ScenarioKey{"policy", R"({"oneOf": [{"type": "string"}, {"$ref": "#/$defs/policy"}]})",
                "Apps, rules and zones as dtctl policy export writes them, or the name of such a "
                "file."},
    ScenarioKey{"phases",
                R"({"type": "array", "minItems": 1, "maxItems": 50,
                    "items": {"$ref": "#/$defs/phase"}})",
                "What happens, one after the other.", true},
    ScenarioKey{"faults",
                R"({"type": "array", "maxItems": 50, "items": {"$ref": "#/$defs/fault"}})",
                "What goes wrong meanwhile, or what administrators do."},
    ScenarioKey{"expect",
                R"({"type": "array", "maxItems": 50, "items": {"$ref": "#/$defs/expect"}})",
                "What must come of each visit; the first that matches counts."},
    ScenarioKey{"thresholds",
                R"({"type": "array", "maxItems": 100, "items": {"oneOf": [{"type": "string"},
                    {"$ref": "#/$defs/threshold"}]}})",
                "What the figures must hold: \"signin.p99 < 500ms\"."},
};

constexpr std::array kFleetKeys = {
    ScenarioKey{"devices", R"({"type": "integer", "minimum": 1, "maximum": 50000})",
                "How many; everybody has one."},
    ScenarioKey{"domain-joined", kPercent, "Windows computers of the domain: 80%."},
    ScenarioKey{"unmanaged", kPercent,
                "Windows computers of nobody: 8%. The rest are phones and Macs."},
    ScenarioKey{"forests",
                R"({"type": "array", "minItems": 1, "maxItems": 8, "items": {"type": "array",
                    "minItems": 1, "maxItems": 8, "items": {"type": "string",
                    "pattern": "^[a-z0-9-]+(\\.[a-z0-9-]+)+$"}}})",
                "The domains of each forest, its root first: [[corp.test], [west.test]]."},
    ScenarioKey{"trusts",
                R"({"type": "array", "maxItems": 56, "items": {"type": "array", "minItems": 2,
                    "maxItems": 2, "items": {"type": "string"}}})",
                "Who lets in whom: with [[corp.test, west.test]] corp.test trusts west.test. Roots "
                "stand for their forests."},
};

constexpr std::array kPhaseKeys = {
    ScenarioKey{"do", R"({"enum": ["enroll", "open", "renew", "wait"]})",
                "enroll: computers get certificates; open: people open apps; renew: computers get "
                "new certificates; wait.",
                true},
    ScenarioKey{"name", kName, "For faults, expectations and the summary."},
    ScenarioKey{"apps",
                R"({"oneOf": [{"enum": ["all"]}, {"type": "array", "minItems": 1,
                    "items": {"type": "string"}}]})",
                "Which, in their order; all of them when this is not there."},
    ScenarioKey{"together", R"({"type": "boolean"})", "The apps at once rather than in turn."},
    ScenarioKey{"share", kPercent, "How many of those who could, 100% when this is not there."},
    ScenarioKey{"arrivals", R"({"$ref": "#/$defs/arrivals"})", "When they begin."},
    ScenarioKey{"proxy", R"({"type": "string", "pattern": "^http://"})",
                "Of enroll and renew: the agents go through it."},
    ScenarioKey{"for", kLength, "Of wait: how long."},
};

constexpr std::array kArrivalsKeys = {
    ScenarioKey{"at-once", R"({"type": "integer", "minimum": 1, "maximum": 2000})",
                "A closed loop: so many are under way, the next begins when one ends."},
    ScenarioKey{"rate", kRate,
                "An open load: so many begin each second, whatever becomes of them."},
    ScenarioKey{"ramp", kLength, "With rate: it rises from zero in this time."},
    ScenarioKey{"poisson", R"({"type": "boolean"})", "With rate or curve: at random, not evenly."},
    ScenarioKey{"curve",
                R"({"type": "object", "minProperties": 2, "additionalProperties":
                    {"type": "number", "minimum": 0, "maximum": 100000}})",
                "An open load whose rate changes in straight lines: {0s: 5, 10s: 80, 20s: 10}."},
};

constexpr std::array kFaultKeys = {
    ScenarioKey{"name", kName, "For the summary."},
    ScenarioKey{"during", kName, "The phase in which it begins; the first when this is not there."},
    ScenarioKey{"at", R"({"type": "string", "pattern": "^[0-9.]+(ms|s|m|h|%)$"})",
                "Since that phase began: 5s; or when so much of it is done: 50%."},
    ScenarioKey{"for", kLength, "How long it lasts."},
    ScenarioKey{"stop", kComponents, "It is gone, and comes back on the same port."},
    ScenarioKey{"pause", kComponents, "It is there and does not answer."},
    ScenarioKey{"slow", kLinks, "Each answer from there comes later, by as much as `by` says."},
    ScenarioKey{"cut", kLinks, "Connections to there break, and none comes through."},
    ScenarioKey{"clock", kClocks, "Its clock is wrong, by as much as `by` says."},
    ScenarioKey{"by", R"({"type": "string", "pattern": "^-?[0-9.]+(ms|s|m|h)$"})",
                "Of slow and clock."},
    ScenarioKey{"read-only", R"({"enum": [true]})", "The org gives out no certificates."},
    ScenarioKey{"device-trust", R"({"enum": ["off"]})", "Off in the org's settings."},
    ScenarioKey{"rules", kRules, "Every app has these instead."},
    ScenarioKey{"revoke", kCountOrPercent,
                "So many device certificates are revoked, for good; their people wait for it in "
                "the middle of their visits."},
    ScenarioKey{"deactivate", kText, "The people of this group are deactivated in the org."},
};

constexpr std::array kExpectKeys = {
    ScenarioKey{"device",
                R"({"enum": ["any", "domain-joined", "unmanaged", "other", "revoked",
                    "deactivated"]})",
                "Whose visits: by the kind of device; revoked: since its certificate was; "
                "deactivated: since its person was."},
    ScenarioKey{"during", kName, "In this phase alone; what computers do is judged by such alone."},
    ScenarioKey{"while", kName,
                "While the fault of this name is in force; what meets a fault is judged by such "
                "expectations alone."},
    ScenarioKey{"outcome", R"({"enum": ["allowed", "denied", "failed", "any"]})",
                "denied: by a rule, with a code; failed: anything else but allowed.", true},
};

constexpr std::array kThresholdKeys = {
    ScenarioKey{"that", kText, "\"METRIC < VALUE\", also <=, > and >=.", true},
    ScenarioKey{"abort", R"({"type": "boolean"})", "End the run as soon as it does not hold."},
};

Json SectionSchema(const ScenarioSection& section) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const ScenarioKey& key : section.keys) {
    Json schema = Json::parse(key.schema);
    schema["description"] = key.help;
    properties[key.name] = std::move(schema);
    if (key.required) required.push_back(key.name);
  }
  Json object{{"type", "object"}, {"additionalProperties", false}};
  if (!required.empty()) object["required"] = std::move(required);
  object["properties"] = std::move(properties);
  return object;
}

}  // namespace

const ScenarioSection kFileSection{"", "a scenario", kFileKeys};
const ScenarioSection kFleetSection{"fleet", "the fleet", kFleetKeys};
const ScenarioSection kPhaseSection{"phase", "a phase", kPhaseKeys};
const ScenarioSection kArrivalsSection{"arrivals", "arrivals", kArrivalsKeys};
const ScenarioSection kFaultSection{"fault", "a fault", kFaultKeys};
const ScenarioSection kExpectSection{"expect", "an expectation", kExpectKeys};
const ScenarioSection kThresholdSection{"threshold", "a threshold", kThresholdKeys};

std::string ScenarioSchema() {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "Scenario of dt-sim"}};
  schema.update(SectionSchema(kFileSection));
  Json definitions = Json::object();
  for (const ScenarioSection* const section :
       {&kFleetSection, &kPhaseSection, &kArrivalsSection, &kFaultSection, &kExpectSection,
        &kThresholdSection}) {
    definitions[section->name] = SectionSchema(*section);
  }
  Json policy = Json::parse(admin::PolicySchema());
  const Json shared = policy["$defs"];
  for (const char* const member : {"$defs", "$schema", "title"}) policy.erase(member);
  definitions["policy"] = std::move(policy);
  definitions.update(shared);
  schema["$defs"] = std::move(definitions);
  return schema.dump(2) + "\n";
}

}  // namespace devicetrust::simulator
