#include "policy-engine/apps/rule_references.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "libs/base/encoding.h"
#include "libs/base/names.h"
#include "libs/rpc/error.h"
#include "policy-engine/users/user_store.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;
using Names = google::protobuf::RepeatedPtrField<std::string>;

constexpr std::size_t kShownBytesMax = 200;  // Of a name, in messages.

// Calls `visit` with each list of names of a rule: its field, whether it names users, the list.
template <typename People, typename Visit>
absl::Status ForEachList(People& people, const Visit& visit) {
  DT_RETURN_IF_ERROR(visit("people.user_ids", true, people.user_ids()));
  DT_RETURN_IF_ERROR(visit("people.groups", false, people.groups()));
  DT_RETURN_IF_ERROR(visit("people.excluded_user_ids", true, people.excluded_user_ids()));
  return visit("people.excluded_groups", false, people.excluded_groups());
}

bool NamesAnybody(const RuleMessages& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const v1::Rule& rule) {
    const v1::PeopleCondition& people = rule.people();
    return people.user_ids_size() + people.groups_size() + people.excluded_user_ids_size() +
               people.excluded_groups_size() >
           0;
  });
}

// What of that which rules name there is, by the name that a rule gives: looked up in one read.
struct Known {
  std::unordered_map<std::string, v1::User> users;
  std::unordered_map<std::string, std::string> groups;  // How people spell them.
};

absl::StatusOr<Known> LookUp(db::Database& database, const RuleMessages& rules) {
  return database.Read([&rules](db::Transaction& txn) -> absl::StatusOr<Known> {
    Known known;
    const auto look = [&](std::string_view, bool users, const Names& names) -> absl::Status {
      for (const std::string& name : names) {
        if (users && !known.users.contains(name)) {
          auto user = FindUserNamed(txn, name);
          if (!user.ok() && !absl::IsNotFound(user.status())) return user.status();
          if (user.ok()) known.users.emplace(name, std::move(user->user));
        } else if (!users && !known.groups.contains(name)) {
          DT_ASSIGN_OR_RETURN(std::string group, FindGroup(txn, name));
          if (!group.empty()) known.groups.emplace(name, std::move(group));
        }
      }
      return absl::OkStatus();
    };
    for (const v1::Rule& rule : rules) DT_RETURN_IF_ERROR(ForEachList(rule.people(), look));
    return known;
  });
}

absl::Status UnknownReference(const v1::Rule& rule, std::string_view field, bool user,
                              const std::string& name, const std::string& app_id,
                              std::string_view more) {
  return rpc::MakeError(
      absl::StatusCode::kInvalidArgument, reason::v1::REASON_RULE_INVALID,
      fmt::format("rule '{}': {}: {} '{}'{}", CutText(rule.name(), kRuleNameBytesMax), field,
                  user ? "the org has no user" : "nobody of the org is in a group",
                  CutText(name, kShownBytesMax), more),
      app_id,
      "Correct the name, or import the people first. With allow_unknown it is saved as it is, and "
      "matches nobody until then.");
}

std::string_view WordOf(v1::LostReference::Problem problem) {
  switch (problem) {
    case v1::LostReference::PROBLEM_DEACTIVATED_USER:
      return "the user is deactivated";
    case v1::LostReference::PROBLEM_EMPTY_GROUP:
      return "nobody of the org is in the group";
    default:
      return "the org has no such user";
  }
}

}  // namespace

absl::StatusOr<RuleMessages> RuleReferences::Resolve(RuleMessages rules, bool allow_unknown,
                                                     const std::string& app_id) const {
  if (!NamesAnybody(rules)) return rules;
  for (v1::Rule& rule : rules) {
    if (!rule.has_people()) continue;
    for (Names* const groups : {rule.mutable_people()->mutable_groups(),
                                rule.mutable_people()->mutable_excluded_groups()}) {
      for (std::string& group : *groups) group = std::string(TrimName(group));
    }
  }
  DT_ASSIGN_OR_RETURN(const Known known, LookUp(parts_.database, rules));
  // The name that stands for `name` from now on; nothing: it is nowhere. `more` says what else.
  using Name = absl::StatusOr<std::optional<std::string>>;
  const auto user_name = [&](const std::string& name) -> Name {
    const auto user = known.users.find(name);
    if (user == known.users.end()) return std::optional<std::string>();
    return std::optional(user->second.id());
  };
  const auto group_name = [&](const std::string& name, std::string& more) -> Name {
    if (const auto group = known.groups.find(name); group != known.groups.end()) {
      return std::optional(group->second);
    }
    const absl::StatusOr<directory::Group> group = parts_.directories.FindGroup(name);
    if (group.ok()) {
      const auto find = [&group](db::Transaction& txn) { return FindGroup(txn, group->name); };
      DT_ASSIGN_OR_RETURN(std::string spelled, parts_.database.Read(find));
      return std::optional(spelled.empty() ? group->name : std::move(spelled));
    }
    const bool asked = absl::IsNotFound(group.status()) && !parts_.directories.domains().empty();
    if (asked) more = ", nor has a directory one";
    if (absl::IsUnavailable(group.status())) more = ", and a directory does not answer";
    return std::optional<std::string>();
  };
  for (v1::Rule& rule : rules) {
    if (!rule.has_people()) continue;
    v1::PeopleCondition resolved = rule.people();
    const auto resolve = [&](std::string_view field, bool users,
                             const Names& names) -> absl::Status {
      Names* const list = field == "people.user_ids" ? resolved.mutable_user_ids()
                          : field == "people.groups" ? resolved.mutable_groups()
                          : field == "people.excluded_user_ids"
                              ? resolved.mutable_excluded_user_ids()
                              : resolved.mutable_excluded_groups();
      for (int i = 0; i < names.size(); ++i) {
        std::string more;
        DT_ASSIGN_OR_RETURN(std::optional<std::string> name,
                            users ? user_name(names[i]) : group_name(names[i], more));
        if (name) {
          (*list)[i] = *std::move(name);
        } else if (!allow_unknown && !names[i].empty()) {  // An empty one has an error of its own.
          return UnknownReference(rule, field, users, names[i], app_id, more);
        }
      }
      return absl::OkStatus();
    };
    DT_RETURN_IF_ERROR(ForEachList(rule.people(), resolve));
    *rule.mutable_people() = std::move(resolved);
  }
  return rules;
}

absl::StatusOr<RuleMessages> RuleReferences::WithPrincipals(RuleMessages rules) const {
  if (!NamesAnybody(rules)) return rules;
  DT_ASSIGN_OR_RETURN(const Known known, LookUp(parts_.database, rules));
  for (v1::Rule& rule : rules) {
    if (!rule.has_people()) continue;
    for (Names* const users : {rule.mutable_people()->mutable_user_ids(),
                               rule.mutable_people()->mutable_excluded_user_ids()}) {
      for (std::string& name : *users) {
        const auto user = known.users.find(name);
        if (user != known.users.end()) name = user->second.principal();
      }
    }
  }
  return rules;
}

absl::StatusOr<LostReferences> RuleReferences::FindLost(const RuleMessages& rules) const {
  LostReferences lost;
  if (!NamesAnybody(rules)) return lost;
  DT_ASSIGN_OR_RETURN(const Known known, LookUp(parts_.database, rules));
  for (const v1::Rule& rule : rules) {
    const auto look = [&](std::string_view field, bool users, const Names& names) {
      for (const std::string& name : names) {
        v1::LostReference::Problem problem = v1::LostReference::PROBLEM_UNSPECIFIED;
        if (!users) {
          if (!known.groups.contains(name)) problem = v1::LostReference::PROBLEM_EMPTY_GROUP;
        } else if (const auto user = known.users.find(name);
                   user == known.users.end() || user->second.id() != name) {
          problem =
              v1::LostReference::PROBLEM_UNKNOWN_USER;  // Or saved by another name than its id.
        } else if (user->second.status() != v1::USER_STATUS_ACTIVE) {
          problem = v1::LostReference::PROBLEM_DEACTIVATED_USER;
        }
        if (problem == v1::LostReference::PROBLEM_UNSPECIFIED) continue;
        v1::LostReference& one = *lost.Add();
        one.set_rule_name(rule.name());
        one.set_field(std::string(field));
        one.set_name(name);
        one.set_problem(problem);
      }
      return absl::OkStatus();
    };
    DT_RETURN_IF_ERROR(ForEachList(rule.people(), look));
  }
  return lost;
}

absl::Status RuleReferences::ReportLost(const OrgState& state, std::int64_t people_version) {
  const MutexLock lock(mutex_);
  if (org_version_ == state.version && people_version_ == people_version) return absl::OkStatus();
  std::set<std::string> lost_now;
  std::vector<v1::Event> events;
  for (const auto& [id, app] : state.apps) {
    DT_ASSIGN_OR_RETURN(const LostReferences lost, FindLost(app.rules));
    for (const v1::LostReference& one : lost) {
      std::string key = fmt::format("{}\n{}\n{}\n{}", id, one.rule_name(), one.field(), one.name());
      const bool fresh = !reported_.contains(key);
      if (!lost_now.insert(std::move(key)).second || !fresh) continue;
      v1::Event& event = events.emplace_back(
          EventBuilder("policy.rules.reference_lost", "A sign-on rule names what is not there",
                       parts_.clock.Now())
              .Target("AppInstance", id, app.app.label())
              .Outcome(v1::EventOutcome::RESULT_FAILURE, reason::v1::REASON_RULE_INVALID)
              .Debug("rule", one.rule_name())
              .Debug(one.field(), CutText(one.name(), kShownBytesMax))
              .Debug("problem", std::string(WordOf(one.problem())))
              .Take());
      DT_RETURN_IF_ERROR(parts_.events.Identify(event));
    }
  }
  const auto append = [&](db::Transaction& txn) -> absl::Status {
    for (const v1::Event& event : events) DT_RETURN_IF_ERROR(parts_.events.Append(txn, event));
    return absl::OkStatus();
  };
  if (!events.empty()) DT_RETURN_IF_ERROR(parts_.database.Write(append));
  reported_ = std::move(lost_now);
  org_version_ = state.version;
  people_version_ = people_version;
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
