#include "policy-engine/org/version_store.h"

#include <fmt/format.h>

#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/log/system_log.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kAppPrefix = "app/";

std::string ObjectKey(const v1::ObjectName& object) {
  switch (object.kind()) {
    case v1::OBJECT_KIND_SETTINGS:
      return "settings";
    case v1::OBJECT_KIND_ZONES:
      return "zones";
    default:
      return fmt::format("{}{}", kAppPrefix, object.app_id());
  }
}

v1::ObjectName ObjectOfKey(std::string_view key) {
  if (key == "settings") return SettingsObject();
  if (key == "zones") return ZonesObject();
  return AppObject(std::string(key.substr(kAppPrefix.size())));
}

absl::Status UnknownVersion(const v1::ObjectName& object, std::int64_t number) {
  const std::string which = number == 0 ? "version" : fmt::format("version {}", number);
  return rpc::MakeError(absl::StatusCode::kNotFound, reason::v1::REASON_VERSION_UNKNOWN,
                        fmt::format("there is no {} of {}", which, ObjectText(object)),
                        ObjectText(object), "List its versions: dtctl history.");
}

constexpr std::string_view kVersionColumns =
    "SELECT v.object, v.number, v.org_version, v.at_ms, v.changed_by, v.message, v.event_id,"
    " v.removed, (SELECT MAX(n.number) FROM versions n WHERE n.object = v.object)"
    " FROM versions v";

v1::ObjectVersion VersionOf(const db::Row& row) {
  v1::ObjectVersion version;
  *version.mutable_object() = ObjectOfKey(db::Text(row[0]));
  version.set_number(db::Int(row[1]));
  version.set_org_version(db::Int(row[2]));
  if (db::Int(row[3]) > 0) *version.mutable_at() = rpc::ToTimestamp(AtUnixMillis(db::Int(row[3])));
  version.set_changed_by(db::Text(row[4]));
  version.set_message(db::Text(row[5]));
  version.set_event_id(db::Text(row[6]));
  version.set_removed(db::Int(row[7]) != 0);
  version.set_newest(db::Int(row[8]) == version.number());
  return version;
}

// As the System Log shows it: with who wrote it.
std::string EventIdOf(const v1::Event& event) {
  return event.id().empty() ? "" : fmt::format("{}/{}", TheOrg().name, event.id());
}

absl::Status ForgetOldVersions(db::Transaction& txn, const v1::ObjectName& object,
                               std::int64_t newest, WallTime now) {
  const std::string key = ObjectKey(object);
  // The newest that is neither among the last nor young: those before it had successors by then.
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT MAX(number) FROM versions WHERE object = $1 AND number <= $2 AND at_ms < $3",
              {key, newest - kVersionsKept, UnixMillis(now - kVersionKeptFor)}));
  if (rows.empty() || db::IsNull(rows[0][0])) return absl::OkStatus();
  const std::int64_t first_kept = db::Int(rows[0][0]);
  DT_RETURN_IF_ERROR(
      txn.Run("DELETE FROM versions WHERE object = $1 AND number < $2", {key, first_kept})
          .status());
  switch (object.kind()) {
    case v1::OBJECT_KIND_SETTINGS:
      return txn.Run("DELETE FROM settings_revisions WHERE revision < $1", {first_kept}).status();
    case v1::OBJECT_KIND_ZONES:
      return txn.Run("DELETE FROM zone_revisions WHERE revision < $1", {first_kept}).status();
    default:
      return txn
          .Run("DELETE FROM app_revisions WHERE app_id = $1 AND revision < $2",
               {object.app_id(), first_kept})
          .status();
  }
}

absl::Status ForgetRemovedApps(db::Transaction& txn, WallTime now) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT v.object FROM versions v WHERE v.removed = 1 AND v.at_ms < $1 AND v.number ="
              " (SELECT MAX(n.number) FROM versions n WHERE n.object = v.object)",
              {UnixMillis(now - kRemovedAppKeptFor)}));
  for (const db::Row& row : rows) {
    const std::string& key = db::Text(row[0]);
    DT_RETURN_IF_ERROR(txn.Run("DELETE FROM versions WHERE object = $1", {key}).status());
    DT_RETURN_IF_ERROR(
        txn.Run("DELETE FROM app_revisions WHERE app_id = $1", {ObjectOfKey(key).app_id()})
            .status());
  }
  return absl::OkStatus();
}

template <typename Message>
absl::StatusOr<Message> ParseRevision(const std::vector<db::Row>& rows,
                                      const v1::ObjectVersion& version) {
  if (rows.empty()) return UnknownVersion(version.object(), version.number());
  const Bytes& blob = db::Blob(rows.front()[0]);
  Message message;
  if (!message.ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
    return absl::DataLossError("a stored version of the org does not parse");
  }
  return message;
}

absl::Status ReadContent(db::Transaction& txn, v1::GetVersionResponse& response) {
  const v1::ObjectVersion& version = response.version();
  if (version.removed()) return absl::OkStatus();
  switch (version.object().kind()) {
    case v1::OBJECT_KIND_SETTINGS: {
      DT_ASSIGN_OR_RETURN(const auto rows,
                          txn.Run("SELECT settings FROM settings_revisions WHERE revision = $1",
                                  {version.number()}));
      DT_ASSIGN_OR_RETURN(*response.mutable_settings(),
                          ParseRevision<v1::OrgSettings>(rows, version));
      return absl::OkStatus();
    }
    case v1::OBJECT_KIND_ZONES: {
      DT_ASSIGN_OR_RETURN(
          const auto rows,
          txn.Run("SELECT zones FROM zone_revisions WHERE revision = $1", {version.number()}));
      DT_ASSIGN_OR_RETURN(v1::GetZonesResponse stored,
                          ParseRevision<v1::GetZonesResponse>(rows, version));
      response.mutable_zones()->mutable_zones()->Swap(stored.mutable_zones());
      return absl::OkStatus();
    }
    default: {
      DT_ASSIGN_OR_RETURN(const auto rows, txn.Run("SELECT app FROM app_revisions WHERE app_id = $1"
                                                   " AND revision = $2",
                                                   {version.object().app_id(), version.number()}));
      DT_ASSIGN_OR_RETURN(*response.mutable_app(), ParseRevision<v1::App>(rows, version));
      return absl::OkStatus();
    }
  }
}

}  // namespace

v1::ObjectName SettingsObject() {
  v1::ObjectName object;
  object.set_kind(v1::OBJECT_KIND_SETTINGS);
  return object;
}

v1::ObjectName ZonesObject() {
  v1::ObjectName object;
  object.set_kind(v1::OBJECT_KIND_ZONES);
  return object;
}

v1::ObjectName AppObject(std::string app_id) {
  v1::ObjectName object;
  object.set_kind(v1::OBJECT_KIND_APP);
  object.set_app_id(std::move(app_id));
  return object;
}

std::string ObjectText(const v1::ObjectName& object) {
  switch (object.kind()) {
    case v1::OBJECT_KIND_SETTINGS:
      return "settings";
    case v1::OBJECT_KIND_ZONES:
      return "zones";
    default:
      return "app " + object.app_id();
  }
}

absl::StatusOr<std::int64_t> NextVersionNumber(db::Transaction& txn, const v1::ObjectName& object) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT COALESCE(MAX(number), 0) FROM versions WHERE object = $1",
                              {ObjectKey(object)}));
  return db::Int(rows.front()[0]) + 1;
}

absl::Status WriteVersion(db::Transaction& txn, const NewVersion& version, const v1::Event& event) {
  const WallTime now = rpc::FromTimestamp(event.at());
  DT_RETURN_IF_ERROR(
      txn.Run("INSERT INTO versions (object, number, org_version, at_ms, changed_by, message,"
              " event_id, removed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
              {ObjectKey(version.object), version.number, version.org_version, UnixMillis(now),
               event.actor().display_name(), event.display_message(), EventIdOf(event),
               std::int64_t{version.removed}})
          .status());
  if (version.removed) DT_RETURN_IF_ERROR(ForgetRemovedApps(txn, now));
  return ForgetOldVersions(txn, version.object, version.number, now);
}

absl::Status WriteSettingsRevision(db::Transaction& txn, std::int64_t number,
                                   const v1::OrgSettings& settings) {
  const std::string text = settings.SerializeAsString();
  return txn
      .Run("INSERT INTO settings_revisions (revision, settings) VALUES ($1, $2)",
           {number, Bytes(text.begin(), text.end())})
      .status();
}

absl::StatusOr<std::vector<v1::ObjectVersion>> ListVersions(
    db::Transaction& txn, const std::optional<v1::ObjectName>& object, int count_max,
    VersionCursor& cursor) {
  // Of one object the numbers say which is newer, whatever a clock did meanwhile.
  static const std::string kOfOne = fmt::format(
      "{} WHERE v.object = $1 AND v.number < $2 ORDER BY v.number DESC LIMIT $3", kVersionColumns);
  static const std::string kOfAll = fmt::format(
      "{} WHERE (v.at_ms, v.object, v.number) < ($1, $2, $3)"
      " ORDER BY v.at_ms DESC, v.object DESC, v.number DESC LIMIT $4",
      kVersionColumns);
  const std::int64_t count = count_max;
  const bool begins = cursor.at_ms == INT64_MAX;
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      object ? txn.Run(kOfOne, {ObjectKey(*object), begins ? INT64_MAX : cursor.number, count})
             : txn.Run(kOfAll, {cursor.at_ms, cursor.object, cursor.number, count}));
  std::vector<v1::ObjectVersion> versions;
  for (const db::Row& row : rows) versions.push_back(VersionOf(row));
  if (!rows.empty()) {
    cursor = {db::Int(rows.back()[3]), db::Text(rows.back()[0]), db::Int(rows.back()[1])};
  }
  return versions;
}

absl::StatusOr<v1::GetVersionResponse> FindVersion(db::Transaction& txn,
                                                   const v1::ObjectName& object,
                                                   std::int64_t number) {
  static const std::string kOne =
      fmt::format("{} WHERE v.object = $1 AND v.number = $2", kVersionColumns);
  static const std::string kNewest =
      fmt::format("{} WHERE v.object = $1 ORDER BY v.number DESC LIMIT 1", kVersionColumns);
  DT_ASSIGN_OR_RETURN(const auto rows, number == 0 ? txn.Run(kNewest, {ObjectKey(object)})
                                                   : txn.Run(kOne, {ObjectKey(object), number}));
  if (rows.empty()) return UnknownVersion(object, number);
  v1::GetVersionResponse response;
  *response.mutable_version() = VersionOf(rows.front());
  DT_RETURN_IF_ERROR(ReadContent(txn, response));
  return response;
}

}  // namespace devicetrust::policy
