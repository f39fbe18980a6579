#include "ca-service/commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <string_view>

#include "ca-service/authority.h"
#include "ca-service/ca_server.h"
#include "ca-service/migrations.h"
#include "ca-service/root_folder.h"
#include "libs/base/files.h"
#include "libs/base/log.h"
#include "libs/base/printable.h"
#include "libs/base/process.h"
#include "libs/base/utc_time.h"
#include "libs/pki/crl.h"
#include "libs/pki/csr.h"
#include "libs/pki/sealed_file.h"
#include "libs/rpc/caller.h"
#include "libs/service/command_line.h"
#include "libs/service/options.h"
#include "libs/service/program.h"

namespace devicetrust::ca {
namespace {

using service::Need;
using std::chrono::days;

constexpr std::size_t kRootListBytesMax = 256 * 1024;

// Of all commands: each declares those that it has.
struct CommandOptions {
  std::string root;
  std::string org;
  RootKeyOptions key;
  std::string request;
  std::string certificate;
  std::string root_crl;
  std::string config;
  std::string out;
  std::vector<std::string> revoke;
  int valid_days = 0;
};

void DescribeToken(CommandOptions& given, service::Options& options) {
  options.Text("pkcs11-module", given.key.pkcs11.module_path, "FILE",
               "The token's PKCS#11 module, where the URI names none");
  options.Text("pkcs11-pin-file", given.key.pkcs11.pin_file, "FILE",
               "Its PIN, readable by this account alone, where the URI names none");
}

void DescribeRoot(CommandOptions& given, service::Options& options) {
  options.Text("root", given.root, "FOLDER", "Where the root is kept", Need::kRequired);
  options.Text("kek-file", given.key.kek_file, "FILE",
               "Seals the root's key in the folder: 64 hex digits, mode 0600");
  DescribeToken(given, options);
}

void DescribeOut(CommandOptions& given, const char* what, service::Options& options) {
  options.Text("out", given.out, "FILE", what, Need::kRequired);
}

// What a command says when it is done; a line each.
using Outcome = absl::StatusOr<std::string>;

Outcome InitRoot(CommandOptions& given, const Clock& clock, Random& random) {
  if (!rpc::IsName(given.org)) {
    return absl::InvalidArgumentError("--org must be 1 to 64 of a-z 0-9 . _ -, as the services'");
  }
  DT_ASSIGN_OR_RETURN(const RootFolder root,
                      RootFolder::Create(given.root, given.org, given.key, clock, random));
  return fmt::format("The root {} is good until {}. Keep {} and its key apart from the services.\n",
                     AuthorityId(root.certificate()), FormatUtc(root.certificate().not_after()),
                     given.root);
}

Outcome IssueIssuing(CommandOptions& given, const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string pem, ReadFile(given.request));
  const auto der = pki::CsrFromPem(pem);
  if (!der.ok()) return Annotate(der.status(), given.request);
  const auto request = pki::ParseCsr(*der);
  if (!request.ok()) return Annotate(request.status(), given.request);
  DT_ASSIGN_OR_RETURN(RootFolder root, RootFolder::Open(given.root, given.key, clock, random));
  DT_ASSIGN_OR_RETURN(const pki::Certificate issuer,
                      root.Certify(request->public_key, days(given.valid_days)));
  DT_RETURN_IF_ERROR(
      WriteFileAtomically(given.out, pki::CertificatesToPem({issuer, root.certificate()}), 0644));
  return fmt::format("Issuer {} is certified until {}. Bring {} to the CA.\n", AuthorityId(issuer),
                     FormatUtc(issuer.not_after()), given.out);
}

Outcome MakeRootCrl(CommandOptions& given, const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(RootFolder root, RootFolder::Open(given.root, given.key, clock, random));
  for (const std::string& file : given.revoke) {
    DT_ASSIGN_OR_RETURN(const std::string pem, ReadFile(file));
    const auto chain = pki::CertificatesFromPem(pem);  // As issue-issuing wrote it.
    if (!chain.ok()) return Annotate(chain.status(), file);
    const absl::Status revoked = root.Revoke(chain->front());
    if (!revoked.ok()) return Annotate(revoked, file);
  }
  DT_ASSIGN_OR_RETURN(const Bytes list, root.MakeCrl(days(given.valid_days)));
  DT_RETURN_IF_ERROR(WriteFileAtomically(given.out, ToString(list), 0644));
  return fmt::format("The list is good for {} days. Bring {} to the CA: dtctl issuers root-crl\n",
                     given.valid_days, given.out);
}

// The store of the service that `given.config` configures, while that does not run.
struct Store {
  std::unique_ptr<db::Database> database;
  std::unique_ptr<Issuers> issuers;
};
absl::StatusOr<Store> OpenStore(const CommandOptions& given, const Clock& clock, Random& random) {
  Config config;
  DT_RETURN_IF_ERROR(service::ReadServiceConfig(given.config, service::OptionsOf(config)));
  const auto kek = pki::LoadKeyEncryptionKey(config.kek_file);
  if (!kek.ok()) return Annotate(kek.status(), "kek-file");
  Store store;
  DT_ASSIGN_OR_RETURN(store.database, db::Database::Open(config.database, Migrations(), {}));
  DT_ASSIGN_OR_RETURN(store.issuers, Issuers::OpenForSetup(IssuersConfig(config, *kek),
                                                           *store.database, clock, random));
  if (!store.issuers->Current()->all.empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: the CA has issuers. Start it; `dtctl issuers` makes the next one, and takes its root's"
        " list",
        given.config));
  }
  return store;
}

Outcome RequestIssuer(CommandOptions& given, const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(const Store store, OpenStore(given, clock, random));
  DT_ASSIGN_OR_RETURN(const Bytes request, store.issuers->Request(given.key.key_uri));
  DT_RETURN_IF_ERROR(WriteFileAtomically(given.out, pki::CsrToPem(request), 0644));
  return fmt::format("Certify {} at the root: dt-ca issue-issuing\n", given.out);
}

Outcome InstallIssuer(CommandOptions& given, const Clock& clock, Random& random) {
  DT_ASSIGN_OR_RETURN(const std::string pem, ReadFile(given.certificate));
  const auto chain = pki::CertificatesFromPem(pem);
  if (!chain.ok()) return Annotate(chain.status(), given.certificate);
  std::string list;
  if (!given.root_crl.empty()) {
    DT_ASSIGN_OR_RETURN(list, ReadFile(given.root_crl, kRootListBytesMax));
  }
  if (!list.empty()) {  // Before the issuer is there, which would refuse a second try.
    const auto crl = pki::ParseCrl(AsBytes(list), chain->back());
    const absl::Status fit = crl.ok() ? CheckRootCrl(*crl, clock.Now()) : crl.status();
    if (!fit.ok()) {
      return Annotate(fit, fmt::format("{}: no list of the root in {}, nothing was installed",
                                       given.root_crl, given.certificate));
    }
  }
  DT_ASSIGN_OR_RETURN(const Store store, OpenStore(given, clock, random));
  const auto id = store.issuers->Install(*chain);
  if (!id.ok()) return Annotate(id.status(), given.certificate);
  if (!list.empty()) {
    const auto published = store.issuers->InstallRootCrl(AsBytes(list));
    if (!published.ok()) return Annotate(published.status(), given.root_crl);
  }
  return fmt::format("Issuer {} is active: start dt-ca.\n", *id);
}

struct Command {
  const char* name;
  const char* about;
  const char* example;
  std::function<void(CommandOptions&, service::Options&)> describe;
  std::function<Outcome(CommandOptions&, const Clock&, Random&)> run;
};

const std::vector<Command>& Commands() {
  static const std::vector<Command> commands = {
      {"root-init", "Makes a root CA in a folder, for a machine that is kept offline",
       "dt-ca root-init --org acme --root root --kek-file root.kek",
       [](CommandOptions& given, service::Options& options) {
         options.Text("org", given.org, "NAME", "Id of the org", Need::kRequired);
         DescribeRoot(given, options);
         options.Text("key", given.key.key_uri, "URI",
                      "Its key in a PKCS#11 token, instead of one that is sealed in the folder");
       },
       &InitRoot},
      {"issue-issuing", "Certifies the request of an issuing CA at the root",
       "dt-ca issue-issuing --root root --kek-file root.kek --request issuer.csr --out issuer.pem",
       [](CommandOptions& given, service::Options& options) {
         given.valid_days = static_cast<int>(kIssuerValidity.count());
         DescribeRoot(given, options);
         options.Text("request", given.request, "FILE", "What the CA wrote", Need::kRequired);
         options.Number("days", given.valid_days, 1, 7300, "How long the issuer is good");
         DescribeOut(given, "The certificate, with the root behind it", options);
       },
       &IssueIssuing},
      {"root-crl", "Signs the root's list of issuers that were taken back",
       "dt-ca root-crl --root root --kek-file root.kek --out root.crl",
       [](CommandOptions& given, service::Options& options) {
         given.valid_days = 180;
         DescribeRoot(given, options);
         options.Texts("revoke", given.revoke, "FILE",
                       "Take this issuer back, from now on: what issue-issuing wrote");
         options.Number("days", given.valid_days, 1, 3650, "How long the list is good");
         DescribeOut(given, "The list, DER", options);
       },
       &MakeRootCrl},
      {"issuer-request",
       "Makes the key of the first issuer in the CA's store, and a request for it",
       "dt-ca issuer-request --config ca.toml --out issuer.csr",
       [](CommandOptions& given, service::Options& options) {
         options.Text("config", given.config, "FILE", "Of the service, which must not run yet",
                      Need::kRequired);
         options.Text("key", given.key.key_uri, "URI",
                      "Its key in a PKCS#11 token, instead of one that is sealed in the store");
         DescribeOut(given, "The request, PEM", options);
       },
       &RequestIssuer},
      {"issuer-install", "Brings the certificate of the first issuer into the CA's store",
       "dt-ca issuer-install --config ca.toml --certificate issuer.pem --root-crl root.crl",
       [](CommandOptions& given, service::Options& options) {
         options.Text("config", given.config, "FILE", "Of the service, which must not run yet",
                      Need::kRequired);
         options.Text("certificate", given.certificate, "FILE", "What issue-issuing wrote",
                      Need::kRequired);
         options.Text("root-crl", given.root_crl, "FILE", "What root-crl wrote");
       },
       &InstallIssuer}};
  return commands;
}

int Run(const Command& command, int argc, const char* const* argv) {
  PrepareProcess();
  CommandOptions given;
  service::Options options;
  command.describe(given, options);
  CLI::App app(command.about, std::string("dt-ca ") + command.name);
  service::SetHelpForm(app);
  const service::Flags flags(app, options);
  app.footer(
      fmt::format("Example:\n  {}\nExit codes: 0 done, 1 failure, 2 bad usage.", command.example));
  if (const auto code = service::ParseCommandLine(app, argc - 1, argv + 1)) return *code;
  absl::Status status = flags.Set(options);
  if (status.ok()) status = options.CheckRequired();
  if (!status.ok()) return service::RefuseCommandLine(app, status);
  static_cast<void>(SetLogLevel("off"));  // What it has to say it prints.
  const SystemClock clock;
  SystemRandom random;
  const Outcome outcome = command.run(given, clock, random);
  if (!outcome.ok()) {
    std::fprintf(stderr, "dt-ca %s: %s\n", command.name,
                 PrintableLines(std::string(outcome.status().message())).c_str());
    return 1;
  }
  std::fputs(PrintableLines(*outcome).c_str(), stdout);
  return 0;
}

}  // namespace

std::optional<int> RunCommand(int argc, const char* const* argv) {
  if (argc < 2) return std::nullopt;
  for (const Command& command : Commands()) {
    if (std::string_view(argv[1]) == command.name) return Run(command, argc, argv);
    for (int i = 2; i < argc; ++i) {  // Behind an option it may be that one's value.
      if (std::string_view(argv[i]) != command.name || argv[i - 1][0] == '-') continue;
      std::fprintf(stderr, "dt-ca: %s comes before its options: %s\n", command.name,
                   command.example);
      return service::kUsageError;
    }
  }
  return std::nullopt;
}

std::vector<std::string> CommandExamples() {
  std::vector<std::string> examples;
  for (const Command& command : Commands()) examples.emplace_back(command.example);
  return examples;
}

}  // namespace devicetrust::ca
