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
  std::string user;  // One of these three.
  std::string serial;
  std::string device;
  std::string reason = "unspecified";
  bool yes = false;
  bool json = false;
};

struct DeviceOptions {
  std::string device;
  std::string reason = "privilege-withdrawn";
  bool allow_unknown = false;
  bool yes = false;
  bool json = false;
};

struct ListOptions {
  std::string serial;  // To release.
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
      {"hold", ca::v1::REVOCATION_REASON_CERTIFICATE_HOLD},
      {"privilege-withdrawn", ca::v1::REVOCATION_REASON_PRIVILEGE_WITHDRAWN}};
  return words;
}

std::vector<std::string> RevocationReasons() {
  std::vector<std::string> words;
  for (const auto& [word, number] : ReasonWords()) words.push_back(word);
  return words;
}

bool IsHold(const std::string& reason) { return reason == "hold"; }

// "revoke 2 certificates of ada, which cannot be undone".
std::string Act(const std::string& reason, const std::string& what) {
  std::string act = IsHold(reason) ? fmt::format("put {} on hold, until they are released", what)
                                   : fmt::format("revoke {}, which cannot be undone", what);
  if (reason == "key-compromise") act += ", and block their keys for ever";
  return act;
}

std::string Done(const std::string& reason) { return IsHold(reason) ? "put on hold" : "revoked"; }

// Of certificates that the CA knows by `filter`: what revoking for `reason` would change.
absl::StatusOr<std::string> CountText(AdminClient& client,
                                      const ca::v1::ListCertificatesRequest& filter,
                                      const std::string& reason) {
  DT_ASSIGN_OR_RETURN(const auto certificates, client.ListCertificates(filter));
  const auto changes = [&reason](const ca::v1::CertificateRecord& one) {
    const bool held = one.reason() == ca::v1::REVOCATION_REASON_CERTIFICATE_HOLD;
    return !one.has_revoked_at() || (held && !IsHold(reason));
  };
  const auto count = std::ranges::count_if(certificates, changes);
  return Plural(static_cast<std::size_t>(count), "certificate");
}

int RevokeUser(AdminClient& client, const RevokeOptions& options) {
  const auto user = client.GetUser(options.user);
  if (!user.ok()) return Failed(user.status());
  ca::v1::ListCertificatesRequest filter;
  filter.set_user_id(user->id());
  const auto count = CountText(client, filter, options.reason);
  if (!count.ok()) return Failed(count.status());

  // Also with none left: the call leaves the barrier against enrollments in flight.
  const std::string act = Act(options.reason, fmt::format("{} of {}", *count, PersonText(*user)));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.RevokeForUser(user->id(), ReasonWords().at(options.reason));
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("{} of {} {}.\n",
                           Plural(static_cast<std::size_t>(answer->revoked()), "certificate"),
                           PersonText(*user), Done(options.reason)));
}

int RevokeDevice(AdminClient& client, const RevokeOptions& options) {
  std::string count = "all certificates";  // Of a SID the CA lists none.
  if (!options.device.starts_with("S-1-")) {
    ca::v1::ListCertificatesRequest filter;
    filter.set_device_id(options.device);
    const auto counted = CountText(client, filter, options.reason);
    if (!counted.ok()) return Failed(counted.status());
    count = *counted;
  }
  const std::string computer = "computer " + Printable(options.device);
  const std::string act = Act(options.reason, fmt::format("{} of {}", count, computer));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.RevokeForDevice(options.device, ReasonWords().at(options.reason));
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("{} of {} {}. It may enroll again; `dtctl device block` stops that.\n",
                           Plural(static_cast<std::size_t>(answer->revoked()), "certificate"),
                           computer, Done(options.reason)));
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
  const std::string act = Act(options.reason, fmt::format("certificate {}{}", serial, owner));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.RevokeCertificate(options.serial, ReasonWords().at(options.reason));
  if (!answer.ok()) return Failed(answer.status());
  std::string done = Done(options.reason);
  if (answer->was_already_revoked()) {
    const bool held = IsHold(options.reason) && !certificates->empty() &&
                      certificates->front().reason() == ca::v1::REVOCATION_REASON_CERTIFICATE_HOLD;
    done = held ? "was on hold before" : "was revoked before";
    if (options.reason == "key-compromise") done += "; its key is blocked";
  }
  return Print(options.json, *answer, fmt::format("Certificate {} {}.\n", serial, done));
}

int Release(AdminClient& client, const ListOptions& options) {
  const auto answer = client.ReleaseHold(options.serial);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("Certificate {} {}.\n", Printable(options.serial),
                           answer->was_on_hold() ? "is good again" : "was not on hold"));
}

int Block(AdminClient& client, const DeviceOptions& options) {
  const std::string computer = "computer " + Printable(options.device);
  const std::string act = fmt::format("keep {} from enrolling, and {}", computer,
                                      Act(options.reason, "all its certificates"));
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer =
      client.BlockDevice(options.device, ReasonWords().at(options.reason), options.allow_unknown);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("Computer {} {}; {} {}.\n", answer->device_id(),
                           answer->was_already_blocked() ? "was blocked before" : "is blocked",
                           Plural(static_cast<std::size_t>(answer->revoked()), "certificate"),
                           Done(options.reason)));
}

int Unblock(AdminClient& client, const DeviceOptions& options) {
  const auto answer = client.UnblockDevice(options.device);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer,
               fmt::format("Computer {} {}. Certificates stay as they are: `dtctl certificates "
                           "release` ends a hold.\n",
                           answer->device_id(),
                           answer->was_blocked() ? "may enroll again" : "was not blocked"));
}

int ListBlockedDevices(AdminClient& client, const DeviceOptions& options) {
  const auto devices = client.ListBlockedDevices();
  if (!devices.ok()) return Failed(devices.status());
  if (devices->empty() && !options.json) return Nothing("no computer is blocked");
  ca::v1::ListBlockedDevicesResponse all;
  std::vector<std::vector<std::string>> rows;
  for (const ca::v1::BlockedDevice& one : *devices) {
    *all.add_devices() = one;
    rows.push_back({one.device_id(), one.computer_sid(), admin::FormatTime(one.blocked_at()),
                    one.requested_by()});
  }
  return Print(options.json, all, admin::TableText({"DEVICE", "COMPUTER", "BLOCKED", "BY"}, rows));
}

int ListBlockedKeys(AdminClient& client, const DeviceOptions& options) {
  const auto keys = client.ListBlockedKeys();
  if (!keys.ok()) return Failed(keys.status());
  if (keys->empty() && !options.json) return Nothing("no key is blocked");
  ca::v1::ListBlockedKeysResponse all;
  std::vector<std::vector<std::string>> rows;
  for (const ca::v1::BlockedKey& one : *keys) {
    *all.add_keys() = one;
    rows.push_back(
        {one.thumbprint(), one.serial(), admin::FormatTime(one.blocked_at()), one.requested_by()});
  }
  return Print(options.json, all, admin::TableText({"KEY", "CERTIFICATE", "BLOCKED", "BY"}, rows));
}

int Revoke(AdminClient& client, const RevokeOptions& options) {
  if (!options.device.empty()) return RevokeDevice(client, options);
  return options.user.empty() ? RevokeSerial(client, options) : RevokeUser(client, options);
}

// The CA knows people by id alone; so it stays for one whom the org does not know.
std::string PrincipalOf(AdminClient& client, const std::string& user_id) {
  const auto user = client.GetUser(user_id);
  return user.ok() ? user->principal() : user_id;
}

std::string StateOf(const ca::v1::CertificateRecord& one) {
  if (!one.has_revoked_at()) return "good";
  return one.reason() == ca::v1::REVOCATION_REASON_CERTIFICATE_HOLD ? "on hold" : "revoked";
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
    rows.push_back({one.serial(), StateOf(one), principal, one.device_id(),
                    admin::FormatTime(one.issued_at()), admin::FormatTime(one.not_after())});
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
  which
      ->add_option("--device", options->device,
                   "All certificates of this computer: device id, or SID in the directory")
      ->type_name("ID");
  CLI::Option* const reason =
      verb->add_option("--reason", options->reason,
                       "Why, for the CRL and the System Log; hold is for a while, key-compromise"
                       " blocks the keys too");
  reason->capture_default_str();
  service::MustBeOneOf(*reason, RevocationReasons());
  verb->add_flag("--yes", options->yes, "Don't ask first");
  verb->add_flag("--json", options->json, "Print the answer as JSON");
  verb->footer(
      "Examples:\n"
      "  dtctl revoke --user ada@corp.test                     a lost computer\n"
      "  dtctl revoke --serial 4a1f03 --reason key-compromise  one certificate\n"
      "  dtctl revoke --serial 4a1f03 --reason hold            until `certificates release "
      "4a1f03`\n"
      "  dtctl revoke --user ada@corp.test --yes --json        from a script\n"
      "The files stay on the computers: remove them there before enrolling again.");
  verb->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return Revoke(client, *options); };
  });
}

void AddDevice(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<DeviceOptions>();
  CLI::App* const verb = app.add_subcommand("device", "Computers that may not enroll");
  verb->require_subcommand(1);
  const auto add = [&](const char* name, const char* about, auto act) {
    CLI::App* const word = verb->add_subcommand(name, about);
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, act, &chosen] {
      chosen = [options, act](AdminClient& client) { return act(client, *options); };
    });
    return word;
  };
  CLI::App* const block =
      add("block", "Keep a computer from enrolling, and revoke its certificates", &Block);
  CLI::App* const unblock = add("unblock", "Let a computer enroll again", &Unblock);
  for (CLI::App* const one : {block, unblock}) {
    one->add_option("device", options->device, "Device id, or SID of the computer")->required();
  }
  CLI::Option* const reason = block->add_option(
      "--reason", options->reason, "Why, for its certificates; hold puts them on hold");
  reason->capture_default_str();
  service::MustBeOneOf(*reason, RevocationReasons());
  block->add_flag("--allow-unknown", options->allow_unknown,
                  "Take the SID of a computer that has never enrolled");
  block->add_flag("--yes", options->yes, "Don't ask first");
  add("blocked", "List them", &ListBlockedDevices);
  add("blocked-keys", "List keys that get no certificate: reported as compromised",
      &ListBlockedKeys);
  verb->footer(
      "Examples:\n"
      "  dtctl device block 5e0c… --reason hold     while somebody looks into it\n"
      "  dtctl device block S-1-5-21-1-2-3-2001     a computer that was stolen\n"
      "  dtctl device unblock 5e0c…");
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
      "  dtctl certificates --json | jq -r '.certificates[].serial'\n"
      "  dtctl certificates release 4a1f03");
  list->callback([options, list, &chosen] {
    if (!list->get_subcommands().empty()) return;
    chosen = [options](AdminClient& client) { return ListCertificates(client, *options); };
  });
  CLI::App* const release =
      list->add_subcommand("release", "End a hold: the certificate is good again");
  release->add_option("serial", options->serial, "In hex, as openssl prints it")->required();
  release->add_flag("--json", options->json, "Print the answer as JSON");
  release->callback([options, &chosen] {
    chosen = [options](AdminClient& client) { return Release(client, *options); };
  });
  AddRevoke(app, chosen);
  AddDevice(app, chosen);
}

}  // namespace devicetrust::ctl
