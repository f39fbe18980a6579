#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "libs/service/command_line.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;
using admin::PersonText;
using admin::Plural;

struct RevokeOptions {
  std::string user;    // Either this one
  std::string serial;  // or that one.
  std::string reason = "unspecified";
  bool yes = false;
  bool json = false;
};

struct ListOptions {
  std::string user;
  std::string device;
  bool json = false;
};

const std::map<std::string, ca::v1::RevocationReason>& ReasonWords() {
  static const std::map<std::string, ca::v1::RevocationReason> words = {
      {"unspecified", ca::v1::REVOCATION_REASON_UNSPECIFIED},
      {"key-compromise", ca::v1::REVOCATION_REASON_KEY_COMPROMISE},
      {"affiliation-changed", ca::v1::REVOCATION_REASON_AFFILIATION_CHANGED},
      {"superseded", ca::v1::REVOCATION_REASON_SUPERSEDED},
      {"cessation-of-operation", ca::v1::REVOCATION_REASON_CESSATION_OF_OPERATION},
      {"privilege-withdrawn", ca::v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN}};
  return words;
}

std::vector<std::string> RevocationReasons() {
  std::vector<std::string> words;
  for (const auto& [word, number] : ReasonWords()) words.push_back(word);
  return words;
}

int RevokeUser(AdminClient& client, const RevokeOptions& options) {
  const auto user = client.GetUser(options.user);
  if (!user.ok()) return Failed(user.status());
  ca::v1::ListCertificatesRequest filter;
  filter.set_user_id(user->id());
  const auto certificates = client.ListCertificates(filter);
  if (!certificates.ok()) return Failed(certificates.status());
  const auto live = std::count_if(certificates->begin(), certificates->end(),
                                  [](const auto& c) { return !c.has_revoked_at(); });

  // Also with none left: the call leaves the barrier against enrollments in flight.
  const std::string act =
      fmt::format("revoke {} of {}, which cannot be undone",
                  Plural(static_cast<std::size_t>(live), "certificate"), PersonText(*user));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.RevokeForUser(user->id(), ReasonWords().at(options.reason));
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("{} of {} revoked.\n",
                           Plural(static_cast<std::size_t>(answer->revoked()), "certificate"),
                           PersonText(*user)));
}

int RevokeSerial(AdminClient& client, const RevokeOptions& options) {
  ca::v1::ListCertificatesRequest filter;
  filter.set_serial(options.serial);  // The CA reads it however tools print one.
  const auto certificates = client.ListCertificates(filter);
  if (!certificates.ok()) return Failed(certificates.status());
  std::string owner;
  std::string serial = Printable(options.serial);
  if (!certificates->empty()) {
    serial = certificates->front().serial();
    const auto user = client.GetUser(certificates->front().user_id());
    owner = " of " + (user.ok() ? PersonText(*user) : "a user that the org does not know");
  }
  const std::string act =
      fmt::format("revoke certificate {}{}, which cannot be undone", serial, owner);
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.RevokeCertificate(options.serial, ReasonWords().at(options.reason));
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("Certificate {} {}.\n", serial,
                           answer->was_already_revoked() ? "was revoked before" : "revoked"));
}

int Revoke(AdminClient& client, const RevokeOptions& options) {
  return options.user.empty() ? RevokeSerial(client, options) : RevokeUser(client, options);
}

// The CA knows people by id alone; so it stays for one whom the org does not know.
std::string PrincipalOf(AdminClient& client, const std::string& user_id) {
  const auto user = client.GetUser(user_id);
  return user.ok() ? user->principal() : user_id;
}

int ListCertificates(AdminClient& client, const ListOptions& options) {
  ca::v1::ListCertificatesRequest filter;
  filter.set_device_id(options.device);
  if (!options.user.empty()) {
    const auto user = client.GetUser(options.user);
    if (!user.ok()) return Failed(user.status());
    filter.set_user_id(user->id());
  }
  const auto certificates = client.ListCertificates(filter);
  if (!certificates.ok()) return Failed(certificates.status());
  ca::v1::ListCertificatesResponse all;
  std::vector<std::vector<std::string>> rows;
  std::map<std::string, std::string> principals;  // By the user's id.
  for (const ca::v1::CertificateRecord& one : *certificates) {
    *all.add_certificates() = one;
    if (options.json) continue;
    std::string& principal = principals[one.user_id()];
    if (principal.empty()) principal = PrincipalOf(client, one.user_id());
    rows.push_back({one.serial(), one.has_revoked_at() ? "revoked" : "good", principal,
                    one.device_id(), admin::FormatTime(one.issued_at()),
                    admin::FormatTime(one.not_after())});
  }
  if (rows.empty() && !options.json) return Nothing("no certificate matches");
  return Print(options.json, all,
               admin::TableText({"SERIAL", "STATE", "USER", "DEVICE", "ISSUED", "EXPIRES"}, rows));
}

void AddRevoke(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<RevokeOptions>();
  CLI::App* const verb = app.add_subcommand(
      "revoke", "Revoke device certificates; every gateway knows within a second");
  auto* const which = verb->add_option_group("What to revoke")->require_option(1);
  which
      ->add_option("--user", options->user, "All certificates of this person: principal, SID or id")
      ->type_name("WHO");
  which
      ->add_option("--serial", options->serial,
                   "The certificate of this serial, in hex, as openssl prints it")
      ->type_name("HEX");
  CLI::Option* const reason =
      verb->add_option("--reason", options->reason, "Why, for the CRL and the System Log");
  reason->capture_default_str();
  service::MustBeOneOf(*reason, RevocationReasons());
  verb->add_flag("--yes", options->yes, "Don't ask first");
  verb->add_flag("--json", options->json, "Print the answer as JSON");
  verb->footer(
      "Examples:\n"
      "  dtctl revoke --user ada@corp.test                     a lost computer\n"
      "  dtctl revoke --serial 4a1f03 --reason key-compromise  one certificate\n"
      "  dtctl revoke --user ada@corp.test --yes --json        from a script\n"
      "The files stay on the computers: remove them there before enrolling again.");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return Revoke(client, *options); };
  });
}

}  // namespace

void AddCertificateVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<ListOptions>();
  CLI::App* const list =
      app.add_subcommand("certificates", "List device certificates, newest first");
  list->add_option("--user", options->user, "Only of this person: principal, SID or id")
      ->type_name("WHO");
  list->add_option("--device", options->device, "Only of this device id")->type_name("ID");
  list->add_flag("--json", options->json, "Print them as JSON, with the certificates themselves");
  list->footer(
      "Examples:\n"
      "  dtctl certificates --user ada@corp.test\n"
      "  dtctl certificates --json | jq -r '.certificates[].serial'");
  list->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return ListCertificates(client, *options); };
  });
  AddRevoke(app, chosen);
}

}  // namespace devicetrust::ctl
