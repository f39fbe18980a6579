#include "simulator/gateway/config_files.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "libs/base/files.h"
#include "libs/kerberos/environment.h"
#include "libs/service/metrics.h"
#include "simulator/gateway/tickets/ticket_acceptor.h"

namespace devicetrust::gateway {
namespace {

absl::StatusOr<std::string> ReadPem(std::string_view flag, const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(fmt::format("{} is missing: give a PEM file", flag));
  }
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return Annotate(text.status(), flag);
  return text;
}

absl::StatusOr<SiteMark> LoadMark(const std::string& path) {
  if (path.empty()) return SiteMark();
  absl::StatusOr<std::string> bytes = ReadFile(path);
  if (!bytes.ok()) return Annotate(bytes.status(), "--org-mark");
  const bool png = bytes->starts_with("\x89PNG\r\n\x1a\n");
  const bool svg = bytes->find("<svg") != std::string::npos;
  if ((!png && !svg) || bytes->size() > kMarkBytesMax) {
    return absl::InvalidArgumentError(fmt::format(
        "--org-mark: {} is not a PNG or SVG image of at most {} bytes", path, kMarkBytesMax));
  }
  return SiteMark{png ? "image/png" : "image/svg+xml", *std::move(bytes)};
}

absl::StatusOr<pki::Identity> LoadServerIdentity(const std::string& cert_flag,
                                                 const std::string& key_flag,
                                                 const std::string& cert, const std::string& key) {
  DT_ASSIGN_OR_RETURN(const std::string chain, ReadPem(cert_flag, cert));
  DT_ASSIGN_OR_RETURN(const std::string secret, ReadPem(key_flag, key));
  DT_RETURN_IF_ERROR(RefuseIfShared(key));
  absl::StatusOr<pki::Identity> identity = pki::IdentityFromPem(chain, secret);
  if (!identity.ok())
    return Annotate(identity.status(), fmt::format("{} and {}", cert_flag, key_flag));
  return identity;
}

// Whether a certificate's names cover `host`, a leading wildcard label included.
bool Covers(const pki::Certificate& certificate, std::string_view host) {
  const std::vector<std::string> names = certificate.dns_names();
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    if (name == host) return true;
    const std::size_t dot = host.find('.');
    return name.starts_with("*.") && dot != std::string_view::npos &&
           host.substr(dot) == std::string_view(name).substr(1);
  });
}

// What the certificate of an mTLS host must cover, and must not.
absl::Status CheckMtlsNames(const Config& config, const pki::Certificate& certificate,
                            std::string_view host, std::string_view cert_flag,
                            std::string_view host_flag) {
  const bool fresh = config.mtls_names == "fresh";
  if (!Covers(certificate, fresh ? fmt::format("x.{}", host) : std::string(host))) {
    return absl::InvalidArgumentError(
        fmt::format("{} is not a certificate for {}{} ({}, --mtls-names {})", cert_flag,
                    fresh ? "*." : "", host, host_flag, config.mtls_names));
  }
  // Else a browser could reuse its connection to one for the other.
  if (Covers(certificate, config.org_host)) {
    return absl::FailedPreconditionError(
        fmt::format("{} also covers {}; give the mTLS hosts a certificate of their own", cert_flag,
                    config.org_host));
  }
  return absl::OkStatus();
}

// Of --mtls-also.
struct FurtherName {
  std::string host;
  std::string cert;
  std::string key;
};

absl::StatusOr<FurtherName> ParseFurtherName(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::size_t comma = text.rfind(',');
  if (equals == std::string::npos || comma == std::string::npos || comma < equals || equals == 0 ||
      comma == equals + 1 || comma + 1 == text.size()) {
    return absl::InvalidArgumentError(
        fmt::format("--mtls-also: \"{}\" is not NAME=CERT,KEY", text));
  }
  return FurtherName{absl::AsciiStrToLower(text.substr(0, equals)),
                     text.substr(equals + 1, comma - equals - 1), text.substr(comma + 1)};
}

absl::StatusOr<std::vector<FurtherName>> FurtherNames(const Config& config) {
  std::vector<FurtherName> names;
  for (const std::string& text : config.mtls_also) {
    DT_ASSIGN_OR_RETURN(FurtherName name, ParseFurtherName(text));
    if (name.host == config.org_host || name.host == config.mtls_host) {
      return absl::InvalidArgumentError(
          fmt::format("--mtls-also: {} is a host of its own already", name.host));
    }
    names.push_back(std::move(name));
  }
  return names;
}

absl::Status CheckNames(const Config& config, const pki::Identity& org, const pki::Identity& mtls) {
  if (config.mtls_names != "fresh" && config.mtls_names != "fixed") {
    return absl::InvalidArgumentError(
        fmt::format("--mtls-names: \"{}\" is neither fresh nor fixed", config.mtls_names));
  }
  if (!Covers(org.certificate, config.org_host)) {
    return absl::InvalidArgumentError(
        fmt::format("--org-cert is not a certificate for {} (--org-host)", config.org_host));
  }
  return CheckMtlsNames(config, mtls.certificate, config.mtls_host, "--mtls-cert", "--mtls-host");
}

absl::StatusOr<std::unique_ptr<const TicketSignIn>> LoadTickets(const Config& config) {
  if (config.ticket_keytab.empty()) return nullptr;
  DT_RETURN_IF_ERROR(RefuseIfShared(config.ticket_keytab));
  if (!config.krb5_config.empty()) DT_RETURN_IF_ERROR(kerberos::UseConfig(config.krb5_config));
  auto tickets = std::make_unique<TicketSignIn>();
  DT_ASSIGN_OR_RETURN(tickets->networks,
                      http::Networks::Parse(config.ticket_from, "--ticket-from"));
  auto check = NewTicketCheck({config.ticket_keytab, config.ticket_replay_cache, config.org_host});
  if (!check.ok()) return Annotate(check.status(), "--ticket-keytab");
  tickets->check = *std::move(check);
  return tickets;
}

void NoteEnd(std::string_view option, const pki::Certificate& certificate) {
  const std::int64_t ends = UnixSeconds(certificate.not_after());
  service::kCertificateExpiry.With({option}).Set(static_cast<double>(ends));
}

}  // namespace

absl::StatusOr<Shown> LoadShown(const Config& config) {
  DT_ASSIGN_OR_RETURN(pki::Identity org, LoadServerIdentity("--org-cert", "--org-key",
                                                            config.org_cert, config.org_key));
  DT_ASSIGN_OR_RETURN(pki::Identity mtls, LoadServerIdentity("--mtls-cert", "--mtls-key",
                                                             config.mtls_cert, config.mtls_key));
  DT_RETURN_IF_ERROR(CheckNames(config, org, mtls));
  DT_ASSIGN_OR_RETURN(const std::vector<FurtherName> names, FurtherNames(config));
  std::vector<pki::Identity> also;
  for (const FurtherName& name : names) {
    const std::string flag = fmt::format("--mtls-also {}", name.host);
    DT_ASSIGN_OR_RETURN(pki::Identity identity,
                        LoadServerIdentity(flag + ": CERT", "KEY", name.cert, name.key));
    DT_RETURN_IF_ERROR(
        CheckMtlsNames(config, identity.certificate, name.host, flag + ": CERT", "--mtls-also"));
    also.push_back(std::move(identity));
  }
  DT_ASSIGN_OR_RETURN(std::string bundle, ReadPem("--edge-ca-bundle", config.edge_ca_bundle));
  return Shown{std::move(org), std::move(mtls), std::move(also), std::move(bundle)};
}

absl::StatusOr<Files> LoadFiles(const Config& config) {
  DT_ASSIGN_OR_RETURN(Shown shown, LoadShown(config));
  DT_ASSIGN_OR_RETURN(http::Networks proxies,
                      http::Networks::Parse(config.proxy_protocol_from, "--proxy-protocol-from"));
  DT_ASSIGN_OR_RETURN(http::Networks header_proxies,
                      http::Networks::Parse(config.client_address_from, "--client-address-from"));
  DT_ASSIGN_OR_RETURN(auto tickets, LoadTickets(config));
  DT_ASSIGN_OR_RETURN(http::Networks mail_hosts,
                      http::Networks::Parse(config.mail_hosts_from, "--mail-hosts-from"));
  DT_ASSIGN_OR_RETURN(SiteMark mark, LoadMark(config.org_mark));
  DT_ASSIGN_OR_RETURN(service::Component component, service::Component::Load(config, "gateway"));
  return Files{.shown = std::move(shown),
               .mark = std::move(mark),
               .proxies = std::move(proxies),
               .header_proxies = std::move(header_proxies),
               .mail_hosts = std::move(mail_hosts),
               .tickets = std::move(tickets),
               .component = std::move(component)};
}

std::string StampOf(const Config& config) {
  std::string stamp;
  std::vector<std::string> paths = {
      config.org_cert,       config.org_key,       config.mtls_cert,    config.mtls_key,
      config.edge_ca_bundle, config.internal_cert, config.internal_key, config.deployment_ca};
  for (const std::string& text : config.mtls_also) {
    const auto name = ParseFurtherName(text);
    if (name.ok()) paths.insert(paths.end(), {name->cert, name->key});
  }
  for (const std::string& path : paths) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) status = {};
    stamp += fmt::format("{} {} {} {}.{};", status.st_dev, status.st_ino, status.st_size,
                         status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return stamp;
}

std::vector<std::string> FurtherHosts(const Config& config) {
  std::vector<std::string> hosts;
  for (const std::string& text : config.mtls_also) {
    const auto name = ParseFurtherName(text);
    if (name.ok()) hosts.push_back(name->host);
  }
  return hosts;
}

void NoteExpiry(const Shown& shown) {
  NoteEnd("org-cert", shown.org.certificate);
  NoteEnd("mtls-cert", shown.mtls.certificate);
  const auto first = std::ranges::min_element(
      shown.mtls_also, {}, [](const pki::Identity& one) { return one.certificate.not_after(); });
  if (first != shown.mtls_also.end()) NoteEnd("mtls-also", first->certificate);
}

}  // namespace devicetrust::gateway
