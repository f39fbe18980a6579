#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <vector>

#include "libs/admin/issuer_file.h"
#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "tools/dtctl/verbs.h"

namespace devicetrust::ctl {
namespace {

using admin::AdminClient;

constexpr std::size_t kRootCrlBytesMax = 256 * 1024;

struct IssuerOptions {
  std::string id;
  std::string key;
  std::string file;
  bool force = false;
  bool yes = false;
  bool json = false;
};

// The one issuer whose id begins with what was typed.
absl::StatusOr<std::string> IdOf(AdminClient& client, const std::string& typed) {
  const auto all = client.ListIssuers();
  if (!all.ok()) return all.status();
  std::vector<std::string> found;
  for (const auto& issuer : all->issuers()) {
    if (issuer.id().starts_with(typed)) found.push_back(issuer.id());
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) return typed;  // The CA says that there is none.
  return absl::InvalidArgumentError(
      fmt::format("{} issuers' ids begin with {}", found.size(), Printable(typed)));
}

int ListIssuers(AdminClient& client, const IssuerOptions& options) {
  const auto all = client.ListIssuers();
  if (!all.ok()) return Failed(all.status());
  return Print(options.json, *all, admin::IssuersText(*all));
}

// `answer` names the issuer, and from when on it may sign.
template <typename Answer>
int Published(const absl::StatusOr<Answer>& answer, bool json) {
  if (!answer.ok()) return Failed(answer.status());
  return Print(json, *answer,
               fmt::format("Issuer {} is published. From {} on: dtctl issuers activate {}\n",
                           answer->id(), admin::FormatTime(answer->usable_from()), answer->id()));
}

int RequestIssuer(AdminClient& client, const IssuerOptions& options) {
  const auto answer = client.RequestIssuer(options.key);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer, admin::RequestToPem(answer->csr_der()));
}

int InstallIssuer(AdminClient& client, const IssuerOptions& options) {
  const auto text = ReadInput(options.file);
  if (!text.ok()) return Failed(text.status());
  const auto request = admin::ChainFromPem(InputName(options.file), *text);
  if (!request.ok()) return Failed(request.status());
  return Published(client.InstallIssuer(*request), options.json);
}

int ActivateIssuer(AdminClient& client, const IssuerOptions& options) {
  const auto id = IdOf(client, options.id);
  if (!id.ok()) return Failed(id.status());
  const auto answer = client.ActivateIssuer(*id, options.force);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer, fmt::format("Issuer {} signs new certificates.\n", *id));
}

int RetireIssuer(AdminClient& client, const IssuerOptions& options) {
  const auto id = IdOf(client, options.id);
  if (!id.ok()) return Failed(id.status());
  const std::string act =
      options.force ? fmt::format(
                          "retire issuer {} and refuse every certificate of it from now on,"
                          " which cannot be undone",
                          *id)
                    : fmt::format("retire issuer {}, which cannot be undone", *id);
  if (const int code = Confirm(act, options.yes); code != kDone) return code;
  const auto answer = client.RetireIssuer(*id, options.force);
  if (!answer.ok()) return Failed(answer.status());
  return Print(options.json, *answer, fmt::format("Issuer {} is retired.\n", *id));
}

int InstallRootCrl(AdminClient& client, const IssuerOptions& options) {
  const auto der = ReadInput(options.file, kRootCrlBytesMax);
  if (!der.ok()) return Failed(der.status());
  const auto answer = client.InstallRootCrl(*der);
  if (!answer.ok()) return Failed(answer.status());
  std::string text = "The root's list is published.\n";
  for (const std::string& id : answer->taken_back_ids()) {
    text += fmt::format(
        "It takes issuer {} back, which is accepted still: dtctl issuers retire {}"
        " --force\n",
        id, id);
  }
  return Print(options.json, *answer, text);
}

using Verb = int (*)(AdminClient&, const IssuerOptions&);

CLI::App* AddVerb(CLI::App& app, const std::string& name, const std::string& about,
                  const std::shared_ptr<IssuerOptions>& options, Action& chosen, Verb verb) {
  CLI::App* const word = app.add_subcommand(name, about);
  word->add_flag("--json", options->json, "Print the answer as JSON");
  word->callback([options, verb, &chosen] {
    chosen = [options, verb](AdminClient& client) { return verb(client, *options); };
  });
  return word;
}

}  // namespace

void AddIssuerVerbs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<IssuerOptions>();
  CLI::App* const issuers =
      app.add_subcommand("issuers", "The CA's issuers, and how one follows the other");
  issuers->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& about, Verb verb) {
    return AddVerb(*issuers, name, about, options, chosen, verb);
  };
  const auto with_key = [&](CLI::App* verb) {
    verb->add_option("--key", options->key,
                     "Its key in a PKCS#11 token, as in pkcs11:token=ca;id=%02 (default: made, and"
                     " sealed in the CA's store)")
        ->type_name("URI");
  };
  const auto with_id = [&](CLI::App* verb) {
    verb->add_option("id", options->id, "The issuer's id, or its first digits")->required();
  };
  add("list", "Issuers, roots, and requests that wait for their certificate", ListIssuers);
  with_key(add("add", "Publish a new issuer below the root in the CA's store",
               [](AdminClient& client, const IssuerOptions& given) {
                 return Published(client.AddIssuer(given.key), given.json);
               }));
  with_key(add("request", "Print a request for a new issuer, for a root that is kept offline",
               RequestIssuer));
  add("install", "Publish an issuer that the offline root has certified", InstallIssuer)
      ->add_option("file", options->file, "What dt-ca issue-issuing wrote; - is standard input")
      ->required();
  CLI::App* const activate =
      add("activate", "Let an issuer sign new certificates from now on", ActivateIssuer);
  with_id(activate);
  activate->add_flag("--force", options->force, "Although gateways may not have heard of it yet");
  CLI::App* const retire =
      add("retire", "Let an issuer go before it does so by itself", RetireIssuer);
  with_id(retire);
  retire->add_flag("--force", options->force, "Although certificates of it are good still");
  retire->add_flag("--yes", options->yes, "Don't ask first");
  add("root-crl", "Publish the list of a root that is kept offline", InstallRootCrl)
      ->add_option("file", options->file, "What dt-ca root-crl wrote; - is standard input")
      ->required();
  issuers->footer(
      "Examples:\n"
      "  dtctl issuers list\n"
      "  dtctl issuers add                       ten minutes later: issuers activate ID\n"
      "  dtctl issuers request > issuer.csr      to the root: dt-ca issue-issuing\n"
      "  dtctl issuers install issuer.pem        back from it\n"
      "  dtctl issuers retire 3f9a --force       its key was stolen\n"
      "An earlier issuer signs its revocation list until its last certificate has ended.");
}

}  // namespace devicetrust::ctl
