#include "agent/proof.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/remedies.h"
#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/token/bound_request.h"

namespace devicetrust::agent {
namespace {

bool Serves(const IwaEntry& iwa, const std::string& domain) {
  return iwa.domains.empty() ||
         std::find(iwa.domains.begin(), iwa.domains.end(), domain) != iwa.domains.end();
}

}  // namespace

absl::StatusOr<std::vector<const IwaEntry*>> IwasFor(const Discovery& discovery,
                                                     const std::string& domain) {
  std::vector<const IwaEntry*> serving;
  for (const IwaEntry& iwa : discovery.iwas) {
    if (Serves(iwa, domain)) serving.push_back(&iwa);
  }
  if (!serving.empty()) return serving;
  return rpc::MakeError(absl::StatusCode::kFailedPrecondition, reason::v1::REASON_UNTRUSTED_FOREST,
                        fmt::format("No IWA of the org serves {}.", domain), domain,
                        std::string(RemedyFor(reason::v1::REASON_UNTRUSTED_FOREST)));
}

absl::StatusOr<TokenAnswer> Prove(Computer& computer, Services& services,
                                  const Discovery& discovery, const IwaEntry& iwa,
                                  const Proof& proof, std::string* detail) {
  const bool of_computer = proof.account == Account::kComputer;
  const token::BoundRequest bound{of_computer ? "IssueDeviceToken" : "IssueUserToken", iwa.name,
                                  proof.key_thumbprint, proof.device_token};
  auto negotiation = computer.Negotiate(proof.account, iwa.spn, token::BindingsOf(bound));
  if (!negotiation.ok()) return FromKerberos(negotiation.status(), proof.account);

  absl::StatusOr<TokenAnswer> answer =
      of_computer
          ? services.IssueDeviceToken(discovery, iwa, (*negotiation)->token(), proof.key_thumbprint)
          : services.IssueUserToken(discovery, iwa, (*negotiation)->token(), proof.key_thumbprint,
                                    proof.device_token);
  if (!answer.ok()) return answer;
  if (const absl::Status proved = (*negotiation)->Finish(answer->spnego_reply); !proved.ok()) {
    return rpc::MakeError(absl::StatusCode::kUnauthenticated, reason::v1::REASON_TICKET_INVALID,
                          std::string(proved.message()), iwa.name,
                          "Something between this computer and the IWA answers in its name.");
  }
  if (detail != nullptr) {
    *detail = fmt::format("{} at {}\n{}\n{}", iwa.name, iwa.address, (*negotiation)->Describe(),
                          ClaimsForPeople(answer->token));
  }
  return answer;
}

std::string ClaimsForPeople(const std::string& token) {
  const std::size_t first = token.find('.');
  const std::size_t second = token.find('.', first + 1);
  if (first == std::string::npos || second == std::string::npos) return "not a token";
  const auto payload =
      Base64UrlDecode(std::string_view(token).substr(first + 1, second - first - 1));
  return payload.ok() ? ToString(*payload) : "not a token";
}

}  // namespace devicetrust::agent
