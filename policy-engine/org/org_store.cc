#include "policy-engine/org/org_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <utility>

#include "libs/rpc/error.h"
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
              " capability_enabled, read_only, ad_active, ad_domains, disabled_by_force"
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

absl::StatusOr<AppState> CompileApp(const Bytes& stored, std::int64_t revision,
                                    const std::vector<Zone>& zones) {
  AppState state;
  state.bytes = stored.size();
  state.revision = revision;
  DT_ASSIGN_OR_RETURN(state.app, Parse<v1::App>(stored));
  state.rules.Swap(state.app.mutable_rules());
  DT_ASSIGN_OR_RETURN(auto rules, RulesFromMessages(state.rules));
  DT_ASSIGN_OR_RETURN(state.policy,
                      CompiledPolicy::Compile(std::move(rules), KindOf(state.app), zones));
  return state;
}

// What the app's protocol knows it by. Two apps of one name could not be told apart.
std::string ProtocolName(const v1::App& app) {
  switch (app.protocol_settings_case()) {
    case v1::App::kSaml:
      return "saml:" + app.saml().entity_id();
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
    DT_ASSIGN_OR_RETURN(AppState loaded,
                        CompileApp(db::Blob(row[2]), db::Int(row[1]), state.zones));
    state.apps.emplace(db::Text(row[0]), std::move(loaded));
  }
  return absl::OkStatus();
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
  DT_RETURN_IF_ERROR(database.Write([&](db::Transaction& txn) { return MakeOrg(txn, defaults); }));
  DT_RETURN_IF_ERROR(store->Reload());
  return store;
}

absl::StatusOr<OrgStore::Effect> OrgStore::Change(v1::Event event, const ChangeFn& change) {
  DT_RETURN_IF_ERROR(events_.Identify(event));
  const MutexLock lock(change_mutex_);
  const std::shared_ptr<const OrgState> before = state();
  const auto run = [&](db::Transaction& txn) -> absl::StatusOr<Effect> {
    DT_ASSIGN_OR_RETURN(Effect effect, change(txn, *before));
    if (!effect.changed) return effect;
    DT_RETURN_IF_ERROR(txn.Run("UPDATE settings SET version = version + 1 WHERE id = 1").status());
    v1::Event told = event;
    for (const v1::Target& target : effect.targets) *told.add_targets() = target;
    DT_RETURN_IF_ERROR(events_.Append(txn, told));
    return effect;
  };
  DT_ASSIGN_OR_RETURN(Effect effect, database_.Write(run));
  if (effect.changed) DT_RETURN_IF_ERROR(Reload());
  return effect;
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
    return CompileApp(db::Blob(rows.front()[0]), revision, then.zones);
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

absl::Status WriteSettings(db::Transaction& txn, const v1::OrgSettings& settings,
                           bool disabled_by_force) {
  db::Row changed_at = {nullptr};
  if (settings.has_device_trust_changed_at()) {
    changed_at[0] = std::int64_t{settings.device_trust_changed_at().seconds()};
  }
  return txn
      .Run(
          "UPDATE settings SET device_trust_enabled = $1, learn_more_url = $2, changed_by = $3,"
          " changed_at = $4, capability_enabled = $5, read_only = $6, ad_active = $7,"
          " ad_domains = $8, disabled_by_force = $9 WHERE id = 1",
          {std::int64_t{settings.device_trust_enabled()}, settings.learn_more_url(),
           settings.device_trust_changed_by(), changed_at[0],
           std::int64_t{settings.capability_enabled()}, std::int64_t{settings.read_only()},
           std::int64_t{settings.ad_integration_active()},
           fmt::format("{}", fmt::join(settings.ad_domains(), " ")),
           std::int64_t{disabled_by_force}})
      .status();
}

absl::Status WriteApp(db::Transaction& txn, const v1::App& app, const RuleMessages& rules) {
  const std::string name = ProtocolName(app);
  DT_ASSIGN_OR_RETURN(
      const auto others,
      txn.Run("SELECT id FROM apps WHERE protocol_name = $1 AND id <> $2", {name, app.id()}));
  if (!others.empty()) {
    return rpc::MakeError(absl::StatusCode::kAlreadyExists, reason::v1::REASON_ALREADY_EXISTS,
                          fmt::format("the app '{}' has this entity id", db::Text(others[0][0])),
                          app.saml().entity_id(),
                          "Change that app, or give this one another entity id.");
  }
  // Also after the app was removed: a revision is never given twice.
  DT_ASSIGN_OR_RETURN(
      const auto last,
      txn.Run("SELECT MAX(revision) FROM app_revisions WHERE app_id = $1", {app.id()}));
  const bool first = last.empty() || db::IsNull(last[0][0]);
  const std::int64_t revision = first ? 1 : db::Int(last[0][0]) + 1;
  DT_RETURN_IF_ERROR(
      txn.Run("INSERT INTO apps (id, protocol_name, revision) VALUES ($1, $2, $3) ON CONFLICT (id)"
              " DO UPDATE SET protocol_name = excluded.protocol_name,"
              " revision = excluded.revision",
              {app.id(), name, revision})
          .status());
  return txn
      .Run("INSERT INTO app_revisions (app_id, revision, app) VALUES ($1, $2, $3)",
           {app.id(), revision, Serialize(StoredApp(app, rules))})
      .status();
}

absl::Status DeleteApp(db::Transaction& txn, const std::string& app_id) {
  return txn.Run("DELETE FROM apps WHERE id = $1", {app_id}).status();
}

std::size_t StoredBytes(const v1::App& app, const RuleMessages& rules) {
  return StoredApp(app, rules).ByteSizeLong();
}

absl::Status WriteZones(db::Transaction& txn, const ZoneMessages& zones, std::int64_t revision) {
  v1::GetZonesResponse stored;
  *stored.mutable_zones() = zones;
  return txn
      .Run("INSERT INTO zone_revisions (revision, zones) VALUES ($1, $2)",
           {revision, Serialize(stored)})
      .status();
}

}  // namespace devicetrust::policy
