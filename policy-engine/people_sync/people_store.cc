#include "policy-engine/people_sync/people_store.h"

#include <utility>

#include "libs/base/bytes.h"

namespace devicetrust::policy {
namespace {

constexpr std::size_t kNumberBytes = 4;

Bytes Packed(const std::vector<GroupNumber>& numbers) {
  Bytes bytes;
  bytes.reserve(numbers.size() * kNumberBytes);
  for (const GroupNumber number : numbers) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<std::uint8_t>((number >> shift) & 0xffU));
    }
  }
  return bytes;
}

std::vector<GroupNumber> Unpacked(const Bytes& bytes) {
  std::vector<GroupNumber> numbers(bytes.size() / kNumberBytes);
  for (std::size_t i = 0; i < numbers.size() * kNumberBytes; ++i) {
    numbers[i / kNumberBytes] |= GroupNumber{bytes[i]} << (i % kNumberBytes * 8);
  }
  return numbers;
}

Bytes BytesOf(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

absl::StatusOr<std::optional<SyncPosition>> FindPosition(db::Transaction& txn,
                                                         const std::string& domain) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT scope, invocation_id, usn, everybody_at, synced_at"
                              " FROM people_sync WHERE domain = $1",
                              {domain}));
  if (rows.empty()) return std::optional<SyncPosition>();
  const db::Row& row = rows.front();
  return std::optional<SyncPosition>({db::Text(row[0]), ToString(db::Blob(row[1])),
                                      static_cast<std::uint64_t>(db::Int(row[2])), db::Int(row[3]),
                                      db::Int(row[4])});
}

absl::Status StorePosition(db::Transaction& txn, const std::string& domain,
                           const SyncPosition& position) {
  return txn
      .Run(
          "INSERT INTO people_sync (domain, scope, invocation_id, usn, everybody_at, synced_at)"
          " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (domain) DO UPDATE SET"
          " scope = excluded.scope, invocation_id = excluded.invocation_id, usn = excluded.usn,"
          " everybody_at = excluded.everybody_at, synced_at = excluded.synced_at",
          {domain, position.scope, BytesOf(position.invocation_id),
           static_cast<std::int64_t>(position.usn), position.everybody_at, position.synced_at})
      .status();
}

absl::StatusOr<std::vector<std::string>> SyncedDomains(db::Transaction& txn) {
  DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT domain FROM people_sync"));
  std::vector<std::string> domains;
  for (const db::Row& row : rows) domains.push_back(db::Text(row[0]));
  return domains;
}

absl::Status ReleaseDomain(db::Transaction& txn, const std::string& domain) {
  for (const std::string_view sql :
       {"DELETE FROM people_sync WHERE domain = $1", "DELETE FROM synced_people WHERE domain = $1",
        "DELETE FROM synced_groups WHERE domain = $1",
        "UPDATE users SET synced_from = '' WHERE synced_from = $1"}) {
    DT_RETURN_IF_ERROR(txn.Run(sql, {domain}).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<Picture> LoadPicture(db::Transaction& txn, const std::string& domain) {
  Picture picture;
  DT_ASSIGN_OR_RETURN(const auto groups,
                      txn.Run("SELECT number, guid, sid, name, dn, counts, parents"
                              " FROM synced_groups WHERE domain = $1",
                              {domain}));
  for (const db::Row& row : groups) {
    picture.AddGroup({static_cast<GroupNumber>(db::Int(row[0])), ToString(db::Blob(row[1])),
                      db::Text(row[2]), db::Text(row[3]), db::Text(row[4]), db::Int(row[5]) != 0,
                      Unpacked(db::Blob(row[6]))});
  }
  DT_ASSIGN_OR_RETURN(const auto people,
                      txn.Run("SELECT guid, sid, profile, enabled, expires_at, primary_group,"
                              " direct_groups, applied FROM synced_people WHERE domain = $1",
                              {domain}));
  for (const db::Row& row : people) {
    PicturedPerson person;
    person.sid = db::Text(row[1]);
    person.profile = ToString(db::Blob(row[2]));
    person.enabled = db::Int(row[3]) != 0;
    person.expires_at = db::Int(row[4]);
    person.primary = static_cast<GroupNumber>(db::Int(row[5]));
    person.groups = Unpacked(db::Blob(row[6]));
    person.applied = static_cast<Applied>(db::Int(row[7]));
    // A pass that ended early has given numbers to groups that are not stored yet.
    if (!person.groups.empty()) picture.ReserveNumbers(person.groups.back() + 1);
    picture.ReserveNumbers(person.primary + 1);
    picture.Put(ToString(db::Blob(row[0])), std::move(person));
  }
  picture.Settle();
  return picture;
}

absl::Status StorePerson(db::Transaction& txn, const std::string& domain, const std::string& guid,
                         const PicturedPerson* person) {
  if (person == nullptr) {
    return txn
        .Run("DELETE FROM synced_people WHERE domain = $1 AND guid = $2", {domain, BytesOf(guid)})
        .status();
  }
  return txn
      .Run(
          "INSERT INTO synced_people (domain, guid, sid, profile, enabled, expires_at,"
          " primary_group, direct_groups, applied) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
          " ON CONFLICT (domain, guid) DO UPDATE SET sid = excluded.sid,"
          " profile = excluded.profile, enabled = excluded.enabled,"
          " expires_at = excluded.expires_at, primary_group = excluded.primary_group,"
          " direct_groups = excluded.direct_groups, applied = excluded.applied",
          {domain, BytesOf(guid), person->sid, BytesOf(person->profile),
           std::int64_t{person->enabled}, person->expires_at, std::int64_t{person->primary},
           Packed(person->groups), static_cast<std::int64_t>(person->applied)})
      .status();
}

absl::Status StoreGroups(db::Transaction& txn, const std::string& domain, const Picture& before,
                         const Picture& after) {
  for (const auto& [number, group] : before.groups()) {
    if (after.FindGroup(number) != nullptr) continue;
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM synced_groups WHERE domain = $1 AND number = $2",
                               {domain, std::int64_t{number}})
                           .status());
  }
  for (const auto& [number, group] : after.groups()) {
    const PicturedGroup* const known = before.FindGroup(number);
    if (known != nullptr && *known == group) continue;
    DT_RETURN_IF_ERROR(
        txn.Run("INSERT INTO synced_groups (domain, number, guid, sid, name, dn, counts, parents)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                " ON CONFLICT (domain, number) DO UPDATE SET guid = excluded.guid,"
                " sid = excluded.sid, name = excluded.name, dn = excluded.dn,"
                " counts = excluded.counts, parents = excluded.parents",
                {domain, std::int64_t{number}, BytesOf(group.guid), group.sid, group.name, group.dn,
                 std::int64_t{group.counts}, Packed(group.parents)})
            .status());
  }
  return absl::OkStatus();
}

}  // namespace devicetrust::policy
