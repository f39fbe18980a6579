#include "libs/admin/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "libs/admin/saml_words.h"
#include "libs/admin/times.h"
#include "libs/base/names.h"
#include "libs/base/printable.h"
#include "libs/rpc/enum_name.h"
#include "libs/rpc/error.h"

namespace devicetrust::admin {

namespace v1 = ::devicetrust::org::v1;

namespace {

std::string YesNo(bool yes) { return yes ? "yes" : "no"; }

std::string Or(const std::string& text, std::string_view fallback) {
  return text.empty() ? std::string(fallback) : text;
}

// "ada, grace and 3 more".
template <typename List>
std::string Some(const List& list) {
  constexpr int kShown = 3;
  std::string text;
  for (int i = 0; i < list.size() && i < kShown; ++i) {
    text += (i == 0 ? "" : ", ") + list[i];
  }
  if (list.size() > kShown) text += fmt::format(" and {} more", list.size() - kShown);
  return text;
}

std::string Who(const v1::Event& event) {
  const v1::Actor& actor = event.actor();
  return Or(actor.display_name(), actor.id());
}

// Not who acts, and not the device, which has a place of its own in a line.
std::string What(const v1::Event& event) {
  const auto device = event.debug_data().find("device_id");
  std::vector<std::string> names;
  for (const v1::Target& target : event.targets()) {
    const bool is_device = device != event.debug_data().end() && target.id() == device->second;
    std::string name = Or(target.display_name(), target.id());
    if (!is_device && name != Who(event)) names.push_back(std::move(name));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string PeopleWords(const v1::Rule& rule) {
  const v1::PeopleCondition& people = rule.people();
  std::vector<std::string> parts;
  if (people.everyone() || !rule.has_people()) parts.emplace_back("everyone");
  if (people.user_ids_size() > 0) {
    parts.push_back(Plural(static_cast<std::size_t>(people.user_ids_size()), "user"));
  }
  if (people.groups_size() > 0) parts.push_back("members of " + Some(people.groups()));
  std::string text = fmt::format("{}", fmt::join(parts, ", "));
  if (people.excluded_user_ids_size() > 0) {
    text += ", except " + Plural(static_cast<std::size_t>(people.excluded_user_ids_size()), "user");
  }
  if (people.excluded_groups_size() > 0) text += ", except " + Some(people.excluded_groups());
  return text;
}

std::string LocationWords(const v1::LocationCondition& location) {
  switch (location.kind()) {
    case v1::LocationCondition::KIND_ON_NETWORK:
      return "on network";
    case v1::LocationCondition::KIND_OFF_NETWORK:
      return "off network";
    case v1::LocationCondition::KIND_IN_ZONES:
      return "in " + Some(location.zones());
    case v1::LocationCondition::KIND_NOT_IN_ZONES:
      return "not in " + Some(location.zones());
    default:
      return "";
  }
}

template <typename Enum>
std::string Words(const google::protobuf::RepeatedField<int>& list, std::string (*word)(Enum)) {
  std::vector<std::string> words;
  for (const int value : list) words.push_back(word(static_cast<Enum>(value)));
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string ActionWords(const v1::Action& action) {
  if (action.access() != v1::Action::ACCESS_ALLOWED) return "denied";
  std::string text = "allowed";
  if (action.prompt_for_factor()) text += " with a second factor";
  if (action.has_reauthenticate_after()) {
    text +=
        fmt::format(", password again after {} min", action.reauthenticate_after().seconds() / 60);
  }
  return text;
}

std::string AcsLines(const v1::SamlServiceProvider& saml) {
  std::string text;
  for (const v1::AssertionConsumerService& acs : saml.acs()) {
    text += fmt::format("  {:<17}{}  {}{}\n", text.empty() ? "answers go to" : "", acs.index(),
                        Printable(acs.url()), acs.is_default() ? "  (default)" : "");
  }
  return text;
}

std::string SamlLines(const v1::App& app) {
  const v1::SamlServiceProvider& saml = app.saml();
  std::string out = fmt::format("  {:<17}{}\n", "entity id", Printable(saml.entity_id()));
  out += AcsLines(saml);
  out += fmt::format(
      "  {:<17}{}\n", "requests",
      saml.requests_signed() ? "only signed ones are taken" : "may come without a signature");
  out +=
      fmt::format("  {:<17}{} of the app\n", "certificates", saml.signing_certificates_der_size());
  for (const auto& [name, value] : SamlSettingLines(saml)) {
    out += fmt::format("  {:<17}{}\n", name, value);
  }
  out += fmt::format("  {:<17}{}\n", "sign-on page",
                     fmt::format("/app/{}/sso/saml at the org host", app.id()));
  return out;
}

std::string WsFedLines(const v1::App& app) {
  const v1::WsFedRelyingParty& party = app.ws_fed();
  std::string out = fmt::format("  {:<17}{}\n", "realm", Printable(party.realm()));
  for (int i = 0; i < party.reply_urls_size(); ++i) {
    out += fmt::format("  {:<17}{}{}\n", "tokens go to", Printable(party.reply_urls(i)),
                       i == 0 ? ", the default" : "");
  }
  out += fmt::format(
      "  {:<17}{}\n", "tokens",
      party.token_type() == v1::WsFedRelyingParty::TOKEN_TYPE_SAML_2_0 ? "SAML 2.0" : "SAML 1.1");
  out += fmt::format("  {:<17}{}\n", "claims",
                     party.claims() == v1::WsFedRelyingParty::CLAIMS_OFFICE_365
                         ? "of Office 365: UPN and ImmutableID"
                         : "general");
  out += fmt::format("  {:<17}{}\n", "sign-on page",
                     fmt::format("/app/{}/sso/wsfed at the org host", app.id()));
  return out;
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;  // One shape, whatever the values.
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  return status.ok() ? PrintableJson(out) : "{}";
}

std::string OnOff(bool on) { return on ? "on" : "off"; }

std::string Plural(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string TableText(const std::vector<std::string>& headings,
                      const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  std::vector<std::vector<std::string>> cells = {headings};
  for (const std::vector<std::string>& row : rows) {
    std::vector<std::string>& line = cells.emplace_back();
    for (const std::string& cell : row) line.push_back(Printable(Or(cell, "-")));
  }
  std::vector<std::size_t> widths(headings.size());
  for (const std::vector<std::string>& line : cells) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], CharactersOf(line[i]));
    }
  }
  std::string text;
  for (const std::vector<std::string>& line : cells) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += line[i];
      if (i + 1 < widths.size()) text.append(widths[i] - CharactersOf(line[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string PlatformWord(v1::PlatformKind platform) {
  switch (platform) {
    case v1::PLATFORM_KIND_IOS:
      return "iOS";
    case v1::PLATFORM_KIND_ANDROID:
      return "Android";
    case v1::PLATFORM_KIND_OTHER_MOBILE:
      return "other mobile";
    case v1::PLATFORM_KIND_WINDOWS:
      return "Windows";
    case v1::PLATFORM_KIND_MACOS:
      return "macOS";
    case v1::PLATFORM_KIND_OTHER_DESKTOP:
      return "other desktop";
    default:
      return "unknown platform";
  }
}

std::string ClientWord(v1::ClientKind kind) {
  switch (kind) {
    case v1::CLIENT_KIND_WEB_BROWSER:
      return "web browser";
    case v1::CLIENT_KIND_MODERN_AUTH:
      return "modern authentication";
    case v1::CLIENT_KIND_EXCHANGE_ACTIVESYNC_OR_LEGACY:
      return "Exchange ActiveSync or legacy";
    default:
      return "unknown client";
  }
}

std::string PersonText(const v1::User& user) {
  if (user.display_name().empty()) return Printable(user.principal());
  return Printable(fmt::format("{} ({})", user.display_name(), user.principal()));
}

std::string UserText(const v1::User& user) {
  const bool active = user.status() == v1::USER_STATUS_ACTIVE;
  std::string out = PersonText(user) + "\n";
  const auto fact = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("  {:<15}{}\n", name, Printable(Or(value, "-")));
  };
  fact("status", active                            ? "active"
                 : user.deactivated_by_directory() ? "deactivated, as in the directory"
                                                   : "deactivated: cannot sign in or enroll");
  fact("kept by",
       user.synced_from().empty() ? "imports" : "the directory of " + user.synced_from());
  fact("id", user.id());
  fact("SID", user.sid());
  fact("account name", user.account_name());
  fact("email", user.email());
  fact("given name", user.given_name());
  fact("surname", user.surname());
  fact("groups", fmt::format("{}", fmt::join(user.groups(), ", ")));
  fact("second factor", user.factors().empty() ? "none" : "TOTP");
  return out;
}

std::string UsersTable(const std::vector<v1::User>& users) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::User& user : users) {
    rows.push_back({user.principal(), user.display_name(),
                    user.status() == v1::USER_STATUS_ACTIVE ? "active" : "deactivated",
                    user.factors().empty() ? "-" : "TOTP", Some(user.groups())});
  }
  return TableText({"PRINCIPAL", "NAME", "STATUS", "FACTOR", "GROUPS"}, rows);
}

std::string PeopleSyncText(const v1::PeopleSyncStatus& status) {
  using Status = v1::PeopleSyncStatus;
  std::string out = status.domain() + "\n";
  const auto fact = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("  {:<15}{}\n", name, Printable(value));
  };
  switch (status.state()) {
    case Status::STATE_RUNNING:
      fact("state", "reading");
      break;
    case Status::STATE_FAILED:
      fact("state", "failed, nobody was changed; it is tried again");
      fact("error", status.error());
      break;
    case Status::STATE_STOPPED:
      fact("state", fmt::format("stopped, nobody was changed: {} would be deactivated",
                                status.deactivations()));
      fact("for instance", fmt::format("{}", fmt::join(status.deactivated_examples(), ", ")));
      fact("if that is so", "dtctl people sync --approve " + status.domain());
      break;
    default:
      fact("state", "waits for its turn");
  }
  fact("synced", status.has_synced_at() ? FormatTime(status.synced_at()) : "never yet");
  if (!status.has_synced_at()) return out;
  fact("read whole", FormatTime(status.everybody_at()));
  fact("from", status.domain_controller());
  fact("people", fmt::format("{} active, {} groups", status.people(), status.groups()));
  const v1::PeopleSyncCounts& last = status.last();
  fact("last changes",
       fmt::format("{} added, {} updated, {} activated, {} deactivated", last.added(),
                   last.updated(), last.activated(), last.deactivated()));
  for (const std::string& refused : status.refused()) fact("can't be taken", refused);
  if (!status.shows_deleted()) {
    fact("deleted ones", "are found each hour: the account may not list \"Deleted Objects\"");
  }
  return out;
}

std::string EventLine(const v1::Event& event) {
  std::string line = fmt::format("{}  {:<32} {:<9} {}", FormatTime(event.at()), event.type(),
                                 rpc::EnumName(event.outcome().result()), Who(event));
  if (const std::string what = What(event); !what.empty()) line += " → " + what;
  if (!event.outcome().reason().empty()) line += "  " + event.outcome().reason();
  for (const auto& [key, word] : {std::pair("device_id", "device"), std::pair("code", "code")}) {
    const auto found = event.debug_data().find(key);
    if (found != event.debug_data().end()) line += fmt::format("  {} {}", word, found->second);
  }
  // The org's own need no mention.
  if (!event.writer().empty() && event.writer() != "policy") {
    line += "  written by " + event.writer();
  }
  return Printable(line);
}

std::string SettingsText(const v1::OrgSettings& settings) {
  const bool effective = settings.device_trust_enabled() && settings.capability_enabled();
  std::string out;
  if (!settings.display_name().empty()) {
    out = fmt::format("name          {}\n", Printable(settings.display_name()));
  }
  out += fmt::format("Device Trust  {}", OnOff(settings.device_trust_enabled()));
  if (!settings.device_trust_changed_by().empty()) {
    out += fmt::format(", since {} by {}", FormatTime(settings.device_trust_changed_at()),
                       Printable(settings.device_trust_changed_by()));
  }
  out += fmt::format(
      "\ncapability    {}\nin force      {}\nLearn more    {}\n"
      "read-only     {}\nAD            {}\n",
      OnOff(settings.capability_enabled()), YesNo(effective),
      Printable(Or(settings.learn_more_url(), "not set")),
      settings.read_only() ? "yes: nobody can enroll" : "no",
      settings.ad_integration_active()
          ? fmt::format("{}, active", fmt::join(settings.ad_domains(), ", "))
          : "not active: nobody can enroll");
  const std::int64_t lifetime = settings.session_lifetime().seconds() / 60;
  const std::int64_t idle = settings.session_idle_timeout().seconds() / 60;
  out += fmt::format(
      "sessions      {} min at most, {}\n", lifetime == 0 ? 720 : lifetime,
      idle == 0 ? "however long they are left alone" : fmt::format("{} min without use", idle));
  out += fmt::format("self-enroll   {}\n",
                     settings.factor_self_enrollment()
                         ? "people enroll their first second factor with the password alone"
                         : "no: an administrator gives people their second factor");
  if (settings.iwa_primary_only()) {
    out += "IWAs          primary ones alone: enrollments by a backup are refused\n";
  }
  if (!settings.default_name_id_format().empty()) {
    out += fmt::format("NameID        {}, unless an app says otherwise\n",
                       NameIdWordOf(settings.default_name_id_format()));
  }
  if (settings.disabled_while_in_use()) {
    out +=
        "warning: switched off by force while rules ask for trust. Those rules match nobody, and\n"
        "         refused users see no security message. To undo: dtctl device-trust on\n";
  }
  return out;
}

std::string RuleLine(const v1::Rule& rule) {
  std::vector<std::string> parts = {PeopleWords(rule)};
  if (std::string location = LocationWords(rule.location()); !location.empty()) {
    parts.push_back(std::move(location));
  }
  if (rule.clients_size() > 0) parts.push_back(Words(rule.clients(), ClientWord));
  if (rule.platforms_size() > 0) parts.push_back(Words(rule.platforms(), PlatformWord));
  if (rule.trust() == v1::TRUST_CONDITION_TRUSTED) parts.emplace_back("trusted device");
  if (rule.trust() == v1::TRUST_CONDITION_NOT_TRUSTED) parts.emplace_back("device not trusted");
  const std::string_view mode = rule.active()        ? ""
                                : rule.report_only() ? " (report-only)"
                                                     : " (not active)";
  return Printable(fmt::format("{}{}: {} → {}", rule.name(), mode, fmt::join(parts, "; "),
                               ActionWords(rule.action())));
}

std::string AppText(const v1::App& app) {
  std::string out = fmt::format("{}  {}\n", app.id(), Printable(app.label()));
  out += app.has_ws_fed() ? WsFedLines(app) : SamlLines(app);
  if (app.has_client_conditions()) {
    out += fmt::format("  {:<17}rules tell browsers, modern and legacy clients apart\n", "clients");
  }
  out += "rules, the first that matches decides\n";
  for (int i = 0; i < app.rules_size(); ++i) {
    out += fmt::format("  {}  {}\n", i + 1, RuleLine(app.rules(i)));
  }
  return out;
}

std::string LostReferenceText(const v1::App& app, const v1::LostReference& lost) {
  std::string_view problem = "the org has no user";
  if (lost.problem() == v1::LostReference::PROBLEM_DEACTIVATED_USER)
    problem = "deactivated is user";
  if (lost.problem() == v1::LostReference::PROBLEM_EMPTY_GROUP) {
    problem = "nobody of the org is in group";
  }
  return fmt::format("{}: rule '{}': {}: {} '{}'", app.id(), Printable(lost.rule_name()),
                     lost.field(), problem, Printable(lost.name()));
}

std::string AppsTable(const std::vector<v1::App>& apps) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::App& app : apps) {
    rows.push_back({app.id(), app.label(), app.needs_device_challenge() ? "asked for" : "-",
                    app.has_ws_fed() ? "WS-Federation" : "SAML",
                    app.has_ws_fed() ? app.ws_fed().realm() : app.saml().entity_id()});
  }
  return TableText({"ID", "LABEL", "DEVICE TRUST", "PROTOCOL", "ENTITY ID OR REALM"}, rows);
}

std::string IwasTable(const std::vector<v1::Iwa>& iwas) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::Iwa& iwa : iwas) {
    rows.push_back({iwa.name(), iwa.enabled() ? "enabled" : "disabled",
                    iwa.primary() ? "primary" : (iwa.withheld() ? "backup (not used)" : "backup"),
                    iwa.version() + (iwa.device_trust_capable() ? "" : " (too old)"), iwa.address(),
                    fmt::format("{}", fmt::join(iwa.domains(), ", ")),
                    iwa.granted_domains().empty()
                        ? "nobody"
                        : fmt::format("{}", fmt::join(iwa.granted_domains(), ", ")),
                    iwa.has_last_heartbeat() ? FormatTime(iwa.last_heartbeat()) : "never",
                    !iwa.online() ? "offline" : (iwa.problem().empty() ? "good" : iwa.problem())});
  }
  return TableText({"NAME", "STATUS", "ROLE", "VERSION", "ADDRESS", "DOMAINS", "MAY VOUCH FOR",
                    "LAST HEARTBEAT", "HEALTH"},
                   rows);
}

std::string ZonesTable(const std::vector<v1::Zone>& zones) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::Zone& zone : zones) {
    rows.push_back({zone.name(), fmt::format("{}", fmt::join(zone.cidr(), ", "))});
  }
  return TableText({"NAME", "RANGES"}, rows);
}

std::string OneLine(const absl::Status& status) {
  std::string line(status.message());
  if (const auto detail = rpc::DetailOf(status)) {
    const std::string reason = rpc::ReasonName(detail->reason());
    if (!reason.empty()) line += fmt::format(" [{}]", reason);
    if (!detail->remedy().empty()) line += ". " + detail->remedy();
  }
  std::replace(line.begin(), line.end(), '\n', ' ');
  return Printable(std::move(line));
}

std::string ErrorText(const std::string& program, const absl::Status& status) {
  std::string out = fmt::format("{}: {}", program, std::string(status.message()));
  const auto detail = rpc::DetailOf(status);
  if (!detail.has_value()) return Printable(out) + "\n";
  if (const std::string reason = rpc::ReasonName(detail->reason()); !reason.empty()) {
    out += fmt::format("  [{}]", reason);
  }
  const std::string indent(program.size() + 2, ' ');
  out = Printable(out) + "\n";
  if (!detail->remedy().empty()) out += indent + Printable(detail->remedy()) + "\n";
  if (detail->has_retry_after()) {
    out += fmt::format("{}Try again in {} s.\n", indent, detail->retry_after().seconds());
  }
  return out;
}

}  // namespace devicetrust::admin
