#include "libs/admin/issuer_file.h"

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "libs/pki/certificate.h"
#include "libs/pki/csr.h"

namespace devicetrust::admin {
namespace {

// What it does now: a person wants to know which signs, which comes next, which is on its way out.
std::string StateWord(const ca::v1::IssuerRecord& issuer) {
  if (issuer.state() == ca::v1::ISSUER_STATE_ACTIVE) return "active";
  if (issuer.has_activated_at()) return "earlier";
  return "next, from " + FormatTime(issuer.usable_from());
}

std::string KeyWord(const std::string& uri) {
  return uri.empty() ? "in the store" : Printable(uri);
}

}  // namespace

std::string RequestToPem(std::string_view csr_der) {
  return pki::CsrToPem({reinterpret_cast<const std::uint8_t*>(csr_der.data()), csr_der.size()});
}

absl::StatusOr<ca::v1::InstallIssuerRequest> ChainFromPem(const std::string& file,
                                                          std::string_view text) {
  const auto chain = pki::CertificatesFromPem(text);
  if (!chain.ok()) return Annotate(chain.status(), file);
  if (chain->size() != 2) {
    return absl::InvalidArgumentError(
        file + ": it must hold the issuing certificate, then its root, in PEM");
  }
  ca::v1::InstallIssuerRequest request;
  for (const pki::Certificate& one : *chain) request.add_chain_der(ToString(one.der()));
  return request;
}

std::string IssuersText(const ca::v1::ListIssuersResponse& all) {
  std::vector<std::vector<std::string>> issuers;
  for (const auto& one : all.issuers()) {
    issuers.push_back({one.id(), StateWord(one), FormatTime(one.not_after()),
                       FormatTime(one.last_certificate_ends_at()), KeyWord(one.key_uri())});
  }
  std::vector<std::vector<std::string>> roots;
  for (const auto& one : all.roots()) {
    roots.push_back({one.id(), FormatTime(one.not_after()),
                     one.key_is_here() ? "in the store" : "elsewhere",
                     one.key_is_here() ? "made here" : FormatTime(one.crl_ends_at())});
  }
  std::vector<std::vector<std::string>> requests;
  for (const auto& one : all.requests()) {
    requests.push_back(
        {one.key_thumbprint(), FormatTime(one.requested_at()), KeyWord(one.key_uri())});
  }
  std::string text =
      TableText({"ISSUER", "STATE", "ENDS", "ITS LAST CERTIFICATE ENDS", "KEY"}, issuers);
  if (!roots.empty()) text += "\n" + TableText({"ROOT", "ENDS", "KEY", "ITS LIST ENDS"}, roots);
  if (!requests.empty()) text += "\n" + TableText({"REQUEST", "MADE", "KEY"}, requests);
  return text;
}

}  // namespace devicetrust::admin
