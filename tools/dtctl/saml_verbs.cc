#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "libs/admin/saml_words.h"
#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

struct KeyOptions {
  std::string kid;
  std::string kind = "rsa";
  double use_after_hours = 24 * 7;
  double retire_after_hours = 24 * 7;
  bool yes = false;
  bool json = false;
};

int ListKeys(AdminClient& client, const KeyOptions& options) {
  const auto list = client.ListSamlKeys();
  if (!list.ok()) return Failed(list.status());
  return Print(options.json, *list,
               admin::SamlKeysTable({list->keys().begin(), list->keys().end()}));
}

int RotateKey(AdminClient& client, const KeyOptions& options) {
  constexpr double kSecondsPerHour = 3600;
  org::v1::RotateSamlKeyRequest request;
  request.set_kind(
      static_cast<org::v1::SamlKeyKind>(admin::MeaningOf(admin::SamlKeyWords(), options.kind)));
  request.mutable_use_after()->set_seconds(
      static_cast<std::int64_t>(options.use_after_hours * kSecondsPerHour));
  request.mutable_retire_after()->set_seconds(
      static_cast<std::int64_t>(options.retire_after_hours * kSecondsPerHour));
  const auto key = client.RotateSamlKey(request);
  if (!key.ok()) return Failed(key.status());
  return Print(options.json, *key,
               fmt::format("Key {} is published in the metadata and signs from {} on.\n"
                           "Apps that don't read the metadata by themselves need it by then.\n",
                           key->key().kid(), admin::FormatTime(key->key().signs_from())));
}

int ActivateKey(AdminClient& client, const KeyOptions& options) {
  const auto key = client.ActivateSamlKey(options.kid);
  if (!key.ok()) return Failed(key.status());
  return Print(options.json, *key,
               fmt::format("Key {} signs; gateways follow within ten seconds.\n", options.kid));
}

int RetireKey(AdminClient& client, const KeyOptions& options) {
  const std::string act = fmt::format(
      "delete the SAML key {}; what it has signed is refused where the metadata is read",
      options.kid);
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const absl::Status status = client.RetireSamlKey(options.kid);
  if (!status.ok()) return Failed(status);
  return Print(options.json, org::v1::RetireSamlKeyResponse(),
               fmt::format("Key {} is gone.\n", options.kid));
}

using Verb = int (*)(AdminClient&, const KeyOptions&);

}  // namespace

void AddSamlVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<KeyOptions>();
  CLI::App* const keys = app.add_subcommand(
      "saml-key", "The keys that SAML answers are signed with, and how one follows the other");
  keys->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& about, Verb verb) {
    CLI::App* const word = keys->add_subcommand(name, about);
    word->add_flag("--json", options->json, "Print the answer as JSON");
    word->callback([options, verb, &chosen] {
      chosen = [options, verb](AdminClient& client) { return verb(client, *options); };
    });
    return word;
  };
  add("list", "Who signs, who will and who did", ListKeys);
  CLI::App* const rotate =
      add("rotate", "Publish a new key; it signs later, and the one before it goes", RotateKey);
  rotate->add_option("--kind", options->kind, "rsa, or ecdsa for apps that are set so")
      ->check(CLI::IsMember(admin::NamesOf(admin::SamlKeyWords())))
      ->capture_default_str();
  constexpr double kHoursMax = 24 * 365;
  rotate
      ->add_option("--use-after", options->use_after_hours,
                   "Hours until it signs: apps read the metadata in that time")
      ->check(CLI::Range(0.0, kHoursMax))
      ->capture_default_str();
  rotate
      ->add_option("--retire-after", options->retire_after_hours,
                   "Hours after that until the one before it leaves the metadata")
      ->check(CLI::Range(0.0, kHoursMax))
      ->capture_default_str();
  CLI::App* const activate = add("activate", "Let a published key sign now", ActivateKey);
  CLI::App* const retire = add("retire", "Delete a key that does not sign", RetireKey);
  for (CLI::App* const one : {activate, retire}) {
    one->add_option("key", options->kid, "Its name, as `saml-key list` shows it")->required();
  }
  retire->add_flag("--yes", options->yes, "Don't ask first");
  keys->footer(
      "Examples:\n"
      "  dtctl saml-key list\n"
      "  dtctl saml-key rotate                                     a week from now\n"
      "  dtctl saml-key rotate --use-after 0 --retire-after 0      its key was stolen");
}

}  // namespace devicetrust::ctl
