// The people and groups that sign-on rules name: found when rules are saved, and looked for again
// later. A rule that names nobody matches nobody, and a denial that matches nobody lets everybody
// in.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/clock.h"
#include "libs/base/mutex.h"
#include "libs/base/status.h"
#include "libs/db/database.h"
#include "libs/directory/registry.h"
#include "policy-engine/log/events.h"
#include "policy-engine/org/org_state.h"

namespace devicetrust::policy {

using LostReferences = google::protobuf::RepeatedPtrField<org::v1::LostReference>;

// Thread-safe. Zones are not its business: a rule does not compile without its zone.
class RuleReferences {
 public:
  // All references must outlive this.
  struct Parts {
    db::Database& database;
    const directory::Registry& directories;  // May be empty.
    EventSink& events;
    const Clock& clock;
  };
  explicit RuleReferences(const Parts& parts) : parts_(parts) {}

  // The rules with each user by the org's id, whether named by id, SID or principal, in whatever
  // case, and each group as the people of the org have it. A group may also be one that a directory
  // has, by name or SID, though nobody of the org is in it yet. With `allow_unknown`, what is
  // nowhere stays as it is. kInvalidArgument, RULE_INVALID, about `app_id`: names rule, field and
  // what is not known.
  absl::StatusOr<RuleMessages> Resolve(RuleMessages rules, bool allow_unknown,
                                       const std::string& app_id) const;

  // The rules with each user by the principal, for people to read and Resolve() to find again; by
  // id whom the org does not know.
  absl::StatusOr<RuleMessages> WithPrincipals(RuleMessages rules) const;

  // What `rules` name and is not there now: users whom the org does not know, or who are
  // deactivated, and groups that nobody is in. A look into an index for each, however many people
  // there are.
  absl::StatusOr<LostReferences> FindLost(const RuleMessages& rules) const;

  // Writes an event for each reference of the org's rules that was lost since the last call, and at
  // the first call for each that is lost. Costs nothing while neither `state` nor `people_version`,
  // which grows when people change, is another. Now and then.
  absl::Status ReportLost(const OrgState& state, std::int64_t people_version);

 private:
  const Parts parts_;
  Mutex mutex_;
  std::int64_t org_version_ ABSL_GUARDED_BY(mutex_) = -1;
  std::int64_t people_version_ ABSL_GUARDED_BY(mutex_) = -1;
  std::set<std::string> reported_ ABSL_GUARDED_BY(mutex_);  // App, rule, field and name.
};

}  // namespace devicetrust::policy
