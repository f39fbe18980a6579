// Which people a reading changes, and how many of them it would shut out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "policy-engine/people_sync/people_reading.h"

namespace devicetrust::policy {

struct PersonChange {
  std::string guid;
  std::string sid;
  const PicturedPerson* after = nullptr;  // Of the new picture; null: gone.
  // Present in the scope, enabled and not expired: one of the org's people.
  bool wanted = false;
  Applied before = Applied::kNothing;
  const PersonProfile* profile = nullptr;  // Null: the names are as before.
  std::string groups;                      // One a line; of who is wanted.
  bool of_user = false;                    // Else of the picture alone.
};

struct PeoplePlan {
  std::vector<PersonChange> changes;  // Those who leave come first: their principals become free.
  std::size_t active = 0;             // People before.
  // Wanted, but without a profile: by GUID, their SIDs. To be read before the plan is made anew.
  std::unordered_map<std::string, std::string> without_profile;
};

// Refers to `reading`. `groups_before`: the picture's before it. `everybody`: who was refused is
// tried again.
PeoplePlan PlanPeople(const Picture& groups_before, const PeopleReading& reading,
                      const PeopleScope& scope, const PicturedGroup* group_of_scope, bool everybody,
                      WallTime now);

}  // namespace devicetrust::policy
