#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "agent/linux/browser_setup.h"
#include "agent/program/commands.h"
#include "agent/program/session.h"
#include "agent/proof.h"
#include "agent/renewal.h"
#include "libs/base/files.h"
#include "libs/base/utc_time.h"
#include "libs/http/url.h"
#include "libs/kerberos/credentials.h"
#include "libs/rpc/error.h"

namespace devicetrust::agent {
namespace {

using nlohmann::ordered_json;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

ordered_json Describe(const PersonalCertificate& one) {
  const WallTime renew_at = std::max(one.renew_at.value_or(RenewalMoment(one.certificate)),
                                     RenewableFrom(one.certificate));
  return {{"serial", one.certificate.serial_hex()},
          {"issuer", one.certificate.issuer_common_name()},
          {"not_after", FormatUtc(one.certificate.not_after())},
          {"renew_at", FormatUtc(renew_at)},
          {"has_key", one.has_key}};
}

ordered_json Collect(Session& at) {
  ordered_json report = {{"version", kThisVersion.Text()},
                         {"org_url", at.install.options().org_url},
                         {"installed_at", at.install.Value("InstalledAt").value_or("")},
                         {"computer", at.computer->name()},
                         {"domain", at.computer->domain()},
                         {"user", at.computer->logged_on_user().value_or("")},
                         {"store", at.store->Places()},
                         {"certificates", ordered_json::array()}};
  const auto all = at.store->Certificates();
  if (!all.ok()) report["store_error"] = Text(all.status());
  if (!all.ok()) return report;
  for (const PersonalCertificate& one : *all) {
    if (one.certificate.issuer_common_name() == kIssuerCommonName) {
      report["certificates"].push_back(Describe(one));
    }
  }
  return report;
}

// One line of the doctor's report; counts what is not well.
class Findings {
 public:
  void Add(const char* what, const absl::Status& status, const std::string& well) {
    const auto detail = rpc::DetailOf(status);
    fmt::print("{} {:<10} {}\n", status.ok() ? "ok  " : "FAIL", what,
               status.ok() ? well : Text(status));
    if (!status.ok() && detail && !detail->remedy().empty()) {
      fmt::print("                {}\n", detail->remedy());
    }
    if (!status.ok()) ++failed_;
  }
  int failed() const { return failed_; }

 private:
  int failed_ = 0;
};

void LookAtDomain(Session& at, Findings& findings) {
  if (at.asks_device_task) {
    findings.Add("computer",
                 ::access(at.paths.device_task_socket().c_str(), R_OK | W_OK) == 0
                     ? absl::OkStatus()
                     : absl::UnavailableError(at.paths.device_task_socket() +
                                              ": the device task does not listen there"),
                 "its device task listens");
  } else {
    const auto principal = kerberos::ComputerOf(at.computer->keytab());
    absl::Status status = principal.status();
    if (principal.ok()) {
      status = kerberos::Credentials::FromKeytab(at.computer->keytab(), *principal).status();
    }
    findings.Add("computer", status, principal.ok() ? *principal + " logs on" : "");
  }
  const auto credentials = kerberos::Credentials::FromCache(at.ticket_cache);
  findings.Add("user", credentials.status(),
               credentials.ok() ? credentials->principal() + " is logged on" : "");
}

void LookAtStore(Session& at, Findings& findings) {
  const auto all = at.store->Certificates();
  std::string well;
  absl::Status status = all.status();
  if (all.ok()) {
    for (const PersonalCertificate& one : *all) {
      if (one.certificate.issuer_common_name() != kIssuerCommonName) continue;
      well += fmt::format("{}certificate {} until {}", well.empty() ? "" : ", ",
                          one.certificate.serial_hex(), FormatUtc(one.certificate.not_after()));
      if (!one.has_key) {
        status =
            rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_UNSPECIFIED,
                           "the certificate has no key", {}, "dt-agent run --user --forceRenewal");
      }
    }
  }
  findings.Add("store", status, well.empty() ? "no certificate yet" : well);
}

}  // namespace

int ShowStatus(const Paths& paths, bool json) {
  auto session = Session::Open(Task::kUser, paths);
  if (absl::IsNotFound(session.status()) &&
      Text(session.status()).find("not installed") != std::string::npos) {
    if (json) fmt::print("{{\"version\":null}}\n");
    if (!json) fmt::print("{}\n", Text(session.status()));
    return kExitNotInstalled;
  }
  if (!session.ok()) {
    fmt::print(stderr, "dt-agent: {}\n", Text(session.status()));
    return kExitFailed;
  }
  const ordered_json report = Collect(**session);
  if (json) {
    fmt::print("{}\n", report.dump(2, ' ', false, ordered_json::error_handler_t::replace));
    return 0;
  }
  for (const auto& [name, value] : report.items()) {
    if (value.is_string()) fmt::print("{:<14}{}\n", name, value.get<std::string>());
  }
  for (const ordered_json& place : report["store"]) {
    fmt::print("{:<14}{}\n", "store", place.get<std::string>());
  }
  for (const ordered_json& one : report["certificates"]) {
    fmt::print("certificate   {} until {}, renewed from {}{}\n", one["serial"].get<std::string>(),
               one["not_after"].get<std::string>(), one["renew_at"].get<std::string>(),
               one["has_key"].get<bool>() ? "" : "; ITS KEY IS LOST");
  }
  return 0;
}

int Doctor(const Paths& paths) {
  Findings findings;
  auto session = Session::Open(Task::kUser, paths);
  findings.Add("installed", session.status(), session.ok() ? kThisVersion.Text() : "");
  if (!session.ok()) return kExitFailed;
  Session& at = **session;
  const std::string& org_url = at.install.options().org_url;
  const auto discovery = at.services->Discover(org_url);
  findings.Add("org", discovery.status(), org_url);
  LookAtDomain(at, findings);
  if (discovery.ok()) {
    const auto serving = IwasFor(**discovery, at.computer->domain());
    findings.Add("iwa", serving.status(),
                 serving.ok() ? serving->front()->name + " serves this domain" : "");
  }
  LookAtStore(at, findings);
  for (const std::string& file : PolicyFiles(paths)) {
    if (at.install.options().skip_browser_setup || at.browsers == nullptr) break;
    fmt::print("     browsers  {} {}\n", file,
               ::access(file.c_str(), R_OK) == 0 ? "is there" : "is not there yet");
  }
  const auto url = http::ParseUrl(org_url);
  fmt::print("Proxies and endpoint protection must let through, without inspecting TLS:\n");
  if (url.ok()) fmt::print("  {}\n", url->host);
  if (discovery.ok() && !(*discovery)->mtls_host.empty()) {
    fmt::print("  {}\n  *.{}\n", (*discovery)->mtls_host, (*discovery)->mtls_host);
  }
  if (discovery.ok()) fmt::print("  {}\n", (*discovery)->ca_address);
  return findings.failed() == 0 ? 0 : kExitFailed;
}

}  // namespace devicetrust::agent
