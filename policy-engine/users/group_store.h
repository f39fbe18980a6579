// The groups that users of the org are in, and how many are: what a rule names is found by one look
// into an index, however many people there are. Functions on a transaction, as in user_store.h.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "libs/base/status.h"
#include "libs/db/connection.h"

namespace devicetrust::policy {

// Calls `visit` with each group of `joined`, which is how users are stored: one a line.
template <typename Visit>
void ForEachGroup(std::string_view joined, const Visit& visit) {
  for (std::size_t begin = 0; begin < joined.size();) {
    const std::size_t end = std::min(joined.find('\n', begin), joined.size());
    visit(joined.substr(begin, end - begin));
    begin = end + 1;
  }
}

// How the people of the org spell the group of that name (libs/base/names.h), at first; "": nobody
// is in it.
absl::StatusOr<std::string> FindGroup(db::Transaction& txn, std::string_view name);

// Who joins which group and who leaves: one statement a group, however many people do.
class GroupChanges {
 public:
  // A user is no longer in the groups of `before` but in those of `after`, each one a line.
  void Move(std::string_view before, std::string_view after);

  absl::Status Write(db::Transaction& txn) const;

 private:
  struct Change {
    std::string name;
    std::int64_t members = 0;  // More than before.
  };
  std::map<std::string, Change> changes_;  // By the name as it compares.
};

// Counts whom an earlier release stored. Once, at the start.
absl::Status FillGroups(db::Transaction& txn);

}  // namespace devicetrust::policy
