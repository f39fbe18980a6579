#include "policy-engine/org/org_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <utility>

#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"
#include "policy-engine/org/version_store.h"
#include "policy-engine/rules_wire/rule_messages.h"

namespace devicetrust::policy {
namespace {

namespace v1 = ::devicetrust::org::v1;

template <typename Message>
Bytes Serialize(const Message& message) {
  const std::string text = message.SerializeAsString();
  return {text.begin(), text.end()};
}

template <typename Message>
absl::StatusOr<Message> Parse(const Bytes& blob) {
  Message message;
  if (!message.ParseFromArray(blob.data(), static_cast<int>(blob.size()))) {
    return absl::DataLossError("a stored message of the org does not parse");
  }
  return message;
}

absl::Status MakeOrg(db::Transaction& txn, const OrgDefaults& defaults) {
  DT_RETURN_IF_ERROR(
      txn.Run(
             "INSERT INTO settings (id, version, device_trust_enabled, learn_more_url, changed_by,"
             " changed_at, capability_enabled, read_only, ad_active, ad_domains, disabled_by_force)"
             " VALUES (1, 0, 0, '', '', NULL, $1, 0, $2, $3, 0) ON CONFLICT (id) DO NOTHING",
             {std::int64_t{defaults.capability_enabled}, std::int64_t{!defaults.ad_domains.empty()},
              fmt::format("{}", fmt::join(defaults.ad_domains, " "))})
          .status());
  return txn
      .Run("UPDATE settings SET version = $1 WHERE id = 1 AND version < $1", {defaults.version_min})
      .status();
}

absl::Status LoadSettings(db::Transaction& txn, const std::string& org_id, OrgState& state) {
  DT_ASSIGN_OR_RETURN(
      const auto rows,
      txn.Run("SELECT version, device_trust_enabled, learn_more_url, changed_by, changed_at,"
              " capability_enabled, read_only, ad_active, ad_domains, disabled_by_force,"
              " display_name, session_lifetime, session_idle_timeout, factor_self_enrollment,"
              " name_id_format, iwa_primary_only"
              " FROM settings WHERE id = 1"));
  if (rows.empty()) return absl::DataLossError("the org's settings are missing");
  const db::Row& row = rows.front();
  state.version = db::Int(row[0]);
  v1::OrgSettings& settings = state.settings;
  settings.set_org_id(org_id);
  settings.set_device_trust_enabled(db::Int(row[1]) != 0);
  settings.set_learn_more_url(db::Text(row[2]));
  settings.set_device_trust_changed_by(db::Text(row[3]));
  if (!db::IsNull(row[4])) {
    settings.mutable_device_trust_changed_at()->set_seconds(db::Int(row[4]));
  }
  settings.set_capability_enabled(db::Int(row[5]) != 0);
  settings.set_read_only(db::Int(row[6]) != 0);
  settings.set_ad_integration_active(db::Int(row[7]) != 0);
  std::istringstream domains(db::Text(row[8]));  // No DNS name has a space in it.
  for (std::string domain; domains >> domain;) settings.add_ad_domains(domain);
  state.disabled_by_force = db::Int(row[9]) != 0;
  settings.set_display_name(db::Text(row[10]));
  if (db::Int(row[11]) != 0) settings.mutable_session_lifetime()->set_seconds(db::Int(row[11]));
  if (db::Int(row[12]) != 0) settings.mutable_session_idle_timeout()->set_seconds(db::Int(row[12]));
  settings.set_factor_self_enrollment(db::Int(row[13]) != 0);
  settings.set_default_name_id_format(db::Text(row[14]));
  settings.set_iwa_primary_only(db::Int(row[15]) != 0);
  return absl::OkStatus();
}

absl::Status LoadZones(db::Transaction& txn, std::int64_t revision, OrgState& state) {
  // Revision 0 is before the first zones.
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT revision, zones FROM zone_revisions WHERE revision <= $1"
                              " ORDER BY revision DESC LIMIT 1",
                              {revision}));
  if (rows.empty()) return absl::OkStatus();
  state.zones_revision = db::Int(rows.front()[0]);
  DT_ASSIGN_OR_RETURN(auto stored, Parse<v1::GetZonesResponse>(db::Blob(rows.front()[1])));
  state.zone_messages = std::move(*stored.mutable_zones());
  DT_ASSIGN_OR_RETURN(state.zones, ZonesFromMessages(state.zone_messages));
  return absl::OkStatus();
}

// An app as it is stored: with its rules.
v1::App StoredApp(v1::App app, const RuleMessages& rules) {
  *app.mutable_rules() = rules;
  return app;
}

absl::StatusOr<AppState> LoadApp(const Bytes& stored, std::int64_t revision,
                                 const std::vector<Zone>& zones) {
  DT_ASSIGN_OR_RETURN(v1::App app, Parse<v1::App>(stored));
  RuleMessages rules;
  rules.Swap(app.mutable_rules());
  DT_ASSIGN_OR_RETURN(AppState state, CompileApp(std::move(app), std::move(rules), zones));
  state.bytes = stored.size();
  state.revision = revision;
  return state;
}

// What the app's protocol knows it by. Two apps of one name could not be told apart.
std::string ProtocolName(const v1::App& app) {
  switch (app.protocol_settings_case()) {
    case v1::App::kSaml:
      return "saml:" + app.saml().entity_id();
    case v1::App::kWsFed:
      return "ws-fed:" + app.ws_fed().realm();
    case v1::App::PROTOCOL_SETTINGS_NOT_SET:
      break;
  }
  return "none:" + app.id();
}

absl::Status LoadApps(db::Transaction& txn, OrgState& state) {
  DT_ASSIGN_OR_RETURN(const auto rows,
                      txn.Run("SELECT a.id, a.revision, r.app FROM apps a JOIN app_revisions r"
                              " ON r.app_id = a.id AND r.revision = a.revision"));
  for (const db::Row& row : rows) {
    DT_ASSIGN_OR_RETURN(AppState loaded, LoadApp(db::Blob(row[2]), db::Int(row[1]), state.zones));
    state.apps.emplace(db::Text(row[0]), std::move(loaded));
  }
  return absl::OkStatus();
}

absl::Status WriteSettings(db::Transaction& txn, const OrgEdit::Settings& edit,
                           std::int64_t number) {
  const v1::OrgSettings& settings = edit.settings;
  db::Row changed_at = {nullptr};
  if (settings.has_device_trust_changed_at()) {
    changed_at[0] = std::int64_t{settings.device_trust_changed_at().seconds()};
  }
  DT_RETURN_IF_ERROR(
      txn.Run(
             "UPDATE settings SET device_trust_enabled = $1, learn_more_url = $2, changed_by = $3,"
             " changed_at = $4, capability_enabled = $5, read_only = $6, ad_active = $7,"
             " ad_domains = $8, disabled_by_force = $9, display_name = $10, session_lifetime = $11,"
             " session_idle_timeout = $12, factor_self_enrollment = $13,"
             " name_id_format = $14, iwa_primary_only = $15 WHERE id = 1",
             {std::int64_t{settings.device_trust_enabled()}, settings.learn_more_url(),
              settings.device_trust_changed_by(), changed_at[0],
              std::int64_t{settings.capability_enabled()}, std::int64_t{settings.read_only()},
              std::int64_t{settings.ad_integration_active()},
              fmt::format("{}", fmt::join(settings.ad_domains(), " ")),
              std::int64_t{edit.disabled_by_force}, settings.display_name(),
              std::int64_t{settings.session_lifetime().seconds()},
              std::int64_t{settings.session_idle_timeout().seconds()},
              std::int64_t{settings.factor_self_enrollment()}, settings.default_name_id_format(),
              std::int64_t{settings.iwa_primary_only()}})
          .status());
  return WriteSettingsRevision(txn, number, settings);
}

absl::Status WriteZones(db::Transaction& txn, const ZoneMessages& zones, std::int64_t number) {
  v1::GetZonesResponse stored;
  *stored.mutable_zones() = zones;
  return txn
      .Run("INSERT INTO zone_revisions (revision, zones) VALUES ($1, $2)",
           {number, Serialize(stored)})
      .status();
}

absl::Status WriteApp(db::Transaction& txn, const v1::App& app, const RuleMessages& rules,
                      std::int64_t number) {
  const std::string name = ProtocolName(app);
  DT_ASSIGN_OR_RETURN(
      const auto others,
      txn.Run("SELECT id FROM apps WHERE protocol_name = $1 AND id <> $2", {name, app.id()}));
  if (!others.empty()) {
    return rpc::MakeError(absl::StatusCode::kAlreadyExists, reason::v1::REASON_ALREADY_EXISTS,
                          fmt::format("the app '{}' has this {}", db::Text(others[0][0]),
                                      app.has_ws_fed() ? "realm" : "entity id"),
                          app.has_ws_fed() ? app.ws_fed().realm() : app.saml().entity_id(),
                          fmt::format("Change that app, or give this one another {}.",
                                      app.has_ws_fed() ? "realm" : "entity id"));
  }
  DT_RETURN_IF_ERROR(
      txn.Run("INSERT INTO apps (id, protocol_name, revision) VALUES ($1, $2, $3) ON CONFLICT (id)"
              " DO UPDATE SET protocol_name = excluded.protocol_name,"
              " revision = excluded.revision",
              {app.id(), name, number})
          .status());
  return txn
      .Run("INSERT INTO app_revisions (app_id, revision, app) VALUES ($1, $2, $3)",
           {app.id(), number, Serialize(StoredApp(app, rules))})
      .status();
}

// One transaction's part of a change: each object with its version.
class EditWriter {
 public:
  EditWriter(db::Transaction& txn, const v1::Event& event, std::int64_t org_version)
      : txn_(txn), event_(event), org_version_(org_version) {}

  absl::Status Write(const OrgEdit& edit) {
    if (edit.settings) {
      const v1::ObjectName object = SettingsObject();
      DT_ASSIGN_OR_RETURN(const std::int64_t number, NextVersionNumber(txn_, object));
      DT_RETURN_IF_ERROR(WriteSettings(txn_, *edit.settings, number));
      DT_RETURN_IF_ERROR(WriteVersion(txn_, {object, number, org_version_}, event_));
    }
    if (edit.zones) {
      const v1::ObjectName object = ZonesObject();
      DT_ASSIGN_OR_RETURN(const std::int64_t number, NextVersionNumber(txn_, object));
      DT_RETURN_IF_ERROR(WriteZones(txn_, *edit.zones, number));
      DT_RETURN_IF_ERROR(WriteVersion(txn_, {object, number, org_version_}, event_));
    }
    // Entity ids may pass from one app to another, in whatever order.
    for (const auto& [id, app] : edit.apps) {
      if (app && edit.apps.size() > 1) DT_RETURN_IF_ERROR(FreeProtocolName(id));
    }
    for (const bool removing : {true, false}) {
      for (const auto& [id, app] : edit.apps) {
        if (removing != app.has_value()) DT_RETURN_IF_ERROR(WriteApps(id, app));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status FreeProtocolName(const std::string& id) {
    return txn_.Run("UPDATE apps SET protocol_name = $2 WHERE id = $1", {id, "changing:" + id})
        .status();
  }

  absl::Status WriteApps(const std::string& id, const std::optional<OrgEdit::App>& app) {
    const v1::ObjectName object = AppObject(id);
    DT_ASSIGN_OR_RETURN(const std::int64_t number, NextVersionNumber(txn_, object));
    // The revisions of an app that goes stay, for AppAt().
    DT_RETURN_IF_ERROR(app ? WriteApp(txn_, app->app, app->rules, number) : RemoveApp(id));
    return WriteVersion(txn_, {object, number, org_version_, !app.has_value()}, event_);
  }

  // Another app of this id, later, begins without the logo.
  absl::Status RemoveApp(const std::string& id) {
    DT_RETURN_IF_ERROR(txn_.Run("DELETE FROM app_logos WHERE app_id = $1", {id}).status());
    return txn_.Run("DELETE FROM apps WHERE id = $1", {id}).status();
  }

  db::Transaction& txn_;
  const v1::Event& event_;
  const std::int64_t org_version_;
};

// Of an org that an earlier release kept, or that is new: what it finds is the first version.
absl::Status BeginSettingsHistory(db::Transaction& txn, const std::string& org_id, WallTime now) {
  DT_ASSIGN_OR_RETURN(const std::int64_t number, NextVersionNumber(txn, SettingsObject()));
  if (number > 1) return absl::OkStatus();
  OrgState found;
  DT_RETURN_IF_ERROR(LoadSettings(txn, org_id, found));
  DT_RETURN_IF_ERROR(WriteSettingsRevision(txn, number, found.settings));
  v1::Event event;  // Not for the log: nothing has changed.
  *event.mutable_at() = rpc::ToTimestamp(now);
  event.set_display_message("Settings as they were when their history began");
  return WriteVersion(txn, {SettingsObject(), number, found.version}, event);
}

constexpr std::int64_t kNewest = INT64_MAX;

}  // namespace

std::vector<std::string> OrgState::RulesNamingTrust() const {
  std::vector<std::string> found;
  for (const auto& [id, app] : apps) {
    for (const Rule& rule : app.policy->rules()) {
      if (!rule.active || !NamesTrust(rule)) continue;
      found.push_back(fmt::format("app '{}', rule '{}'", id, rule.name));
    }
  }
  return found;
}

absl::StatusOr<std::unique_ptr<OrgStore>> OrgStore::Create(db::Database& database,
                                                           EventSink& events,
                                                           const OrgDefaults& defaults) {
  std::unique_ptr<OrgStore> store(new OrgStore(database, events, defaults.org_id));
  const auto make = [&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(MakeOrg(txn, defaults));
    return BeginSettingsHistory(txn, defaults.org_id, defaults.now);
  };
  DT_RETURN_IF_ERROR(database.Write(make));
  DT_RETURN_IF_ERROR(store->Reload());
  return store;
}

absl::StatusOr<OrgStore::Effect> OrgStore::Change(v1::Event event, const ChangeFn& change) {
  DT_RETURN_IF_ERROR(events_.Identify(event));
  const MutexLock lock(change_mutex_);
  const std::shared_ptr<const OrgState> before = state();
  OrgEdit edit;
  DT_RETURN_IF_ERROR(change(*before, edit));
  if (edit.empty()) return Effect{false, before->version, std::move(edit.warnings)};
  for (const v1::Target& target : edit.targets) *event.add_targets() = target;
  for (auto& [key, value] : edit.debug) (*event.mutable_debug_data())[key] = value;
  const auto write = [&](db::Transaction& txn) -> absl::Status {
    DT_RETURN_IF_ERROR(txn.Run("UPDATE settings SET version = version + 1 WHERE id = 1").status());
    DT_RETURN_IF_ERROR(EditWriter(txn, event, before->version + 1).Write(edit));
    return events_.Append(txn, event);
  };
  DT_RETURN_IF_ERROR(database_.Write(write));
  DT_RETURN_IF_ERROR(Reload());
  return Effect{true, state()->version, std::move(edit.warnings)};
}

absl::StatusOr<AppState> OrgStore::AppAt(const std::string& app_id, std::int64_t revision,
                                         std::int64_t zones_revision) const {
  return database_.Read([&](db::Transaction& txn) -> absl::StatusOr<AppState> {
    OrgState then;
    DT_RETURN_IF_ERROR(LoadZones(txn, zones_revision, then));
    DT_ASSIGN_OR_RETURN(const auto rows,
                        txn.Run("SELECT app FROM app_revisions WHERE app_id = $1 AND revision = $2",
                                {app_id, revision}));
    if (rows.empty()) return absl::NotFoundError("there was no such revision of the app");
    return LoadApp(db::Blob(rows.front()[0]), revision, then.zones);
  });
}

absl::StatusOr<std::shared_ptr<const OrgState>> OrgStore::Load() {
  return database_.Read(
      [&](db::Transaction& txn) -> absl::StatusOr<std::shared_ptr<const OrgState>> {
        auto loaded = std::make_shared<OrgState>();
        DT_RETURN_IF_ERROR(LoadSettings(txn, org_id_, *loaded));
        DT_RETURN_IF_ERROR(LoadZones(txn, kNewest, *loaded));
        DT_RETURN_IF_ERROR(LoadApps(txn, *loaded));
        loaded->settings.set_disabled_while_in_use(loaded->disabled_by_force &&
                                                   !loaded->RulesNamingTrust().empty());
        return std::shared_ptr<const OrgState>(std::move(loaded));
      });
}

absl::Status OrgStore::Reload() {
  DT_ASSIGN_OR_RETURN(auto loaded, Load());
  state_.Set(std::move(loaded));
  return absl::OkStatus();
}

std::size_t StoredBytes(const v1::App& app, const RuleMessages& rules) {
  return StoredApp(app, rules).ByteSizeLong();
}

absl::StatusOr<AppState> CompileApp(v1::App app, RuleMessages rules,
                                    const std::vector<Zone>& zones) {
  AppState state;
  state.app = std::move(app);
  state.rules = std::move(rules);
  DT_ASSIGN_OR_RETURN(auto parsed, RulesFromMessages(state.rules));
  DT_ASSIGN_OR_RETURN(state.policy,
                      CompiledPolicy::Compile(std::move(parsed), KindOf(state.app), zones));
  return state;
}

}  // namespace devicetrust::policy
