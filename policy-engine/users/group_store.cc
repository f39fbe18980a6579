#include "policy-engine/users/group_store.h"

#include "libs/base/names.h"

namespace devicetrust::policy {
namespace {

// By the name as it compares; a group that is named twice counts once.
std::map<std::string, std::string_view> GroupsByKey(std::string_view joined) {
  std::map<std::string, std::string_view> groups;
  ForEachGroup(joined,
               [&groups](std::string_view group) { groups.emplace(FoldName(group), group); });
  return groups;
}

}  // namespace

absl::StatusOr<std::string> FindGroup(db::Transaction& txn, std::string_view name) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT name FROM user_groups WHERE group_key = $1",
                                               {FoldName(name)}));
  return rows.empty() ? std::string() : db::Text(rows.front()[0]);
}

void GroupChanges::Move(std::string_view before, std::string_view after) {
  if (before == after) return;
  const std::map<std::string, std::string_view> left = GroupsByKey(before);
  const std::map<std::string, std::string_view> joined = GroupsByKey(after);
  for (const auto& [key, name] : joined) {
    if (left.contains(key)) continue;
    Change& change = changes_[key];
    if (change.name.empty()) change.name = name;
    ++change.members;
  }
  for (const auto& [key, name] : left) {
    if (!joined.contains(key)) --changes_[key].members;
  }
}

absl::Status GroupChanges::Write(db::Transaction& txn) const {
  for (const auto& [key, change] : changes_) {
    if (change.members > 0) {
      DT_RETURN_IF_ERROR(
          txn.Run("INSERT INTO user_groups (group_key, name, members) VALUES ($1, $2, $3)"
                  " ON CONFLICT (group_key) DO UPDATE SET"
                  " members = user_groups.members + excluded.members",
                  {key, change.name, change.members})
              .status());
    } else if (change.members < 0) {
      DT_RETURN_IF_ERROR(
          txn.Run("UPDATE user_groups SET members = members + $2 WHERE group_key = $1",
                  {key, change.members})
              .status());
      DT_RETURN_IF_ERROR(
          txn.Run("DELETE FROM user_groups WHERE group_key = $1 AND members <= 0", {key}).status());
    }
  }
  return absl::OkStatus();
}

absl::Status FillGroups(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto counted, txn.Run("SELECT 1 FROM user_groups LIMIT 1"));
  if (!counted.empty()) return absl::OkStatus();
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT group_names FROM users WHERE group_names <> ''"));
  GroupChanges changes;
  for (const db::Row& row : rows) changes.Move("", db::Text(row[0]));
  return changes.Write(txn);
}

}  // namespace devicetrust::policy
