#include "libs/rpc/grant.h"

#include <algorithm>
#include <utility>

#include "libs/base/bytes.h"
#include "libs/pki/certificate_validator.h"
#include "libs/pki/digest.h"
#include "libs/rpc/caller.h"
#include "libs/rpc/error.h"
#include "libs/rpc/timestamps.h"

namespace devicetrust::rpc {
namespace {

// Nothing else that this key signs begins so.
constexpr std::string_view kContext("devicetrust admin grant 1\0", 26);
constexpr std::size_t kGrantBytesMax = 16 * 1024;
constexpr int kChainMax = 8;
constexpr std::string_view kSignerRole = "policy";
constexpr std::chrono::seconds kSkewOfServices{30};

absl::Status NoGrant(reason::v1::Reason reason, std::string message) {
  return MakeError(absl::StatusCode::kUnauthenticated, reason, std::move(message), {},
                   "Ask the org for a grant for this very call.");
}

Bytes SignedOctets(std::string_view grant) {
  Bytes octets(kContext.begin(), kContext.end());
  octets.insert(octets.end(), grant.begin(), grant.end());
  return octets;
}

bool IsValidAt(const pki::Certificate& certificate, WallTime now) {
  return certificate.not_before() <= now && now <= certificate.not_after();
}

absl::StatusOr<std::vector<pki::Certificate>> ParseChain(const access::v1::SignedGrant& message) {
  std::vector<pki::Certificate> chain;
  if (message.chain_der_size() == 0 || message.chain_der_size() > kChainMax) {
    return absl::InvalidArgumentError("no certificate of the signer, or too many");
  }
  for (const std::string& der : message.chain_der()) {
    DT_ASSIGN_OR_RETURN(pki::Certificate one, pki::Certificate::FromDer(AsBytes(der)));
    chain.push_back(std::move(one));
  }
  return chain;
}

}  // namespace

const access::v1::Access* ConsoleAccess(const google::protobuf::MethodDescriptor& method) {
  const google::protobuf::MethodOptions& options = method.options();
  if (!options.HasExtension(access::v1::access)) return nullptr;
  return &options.GetExtension(access::v1::access);
}

bool MayCall(const access::v1::Access& access, access::v1::Role role) {
  switch (role) {
    case access::v1::ROLE_SUPER_ADMIN:
      return true;
    case access::v1::ROLE_READ_ONLY:
    case access::v1::ROLE_HELP_DESK:
    case access::v1::ROLE_APP_ADMIN:
      return std::ranges::any_of(access.roles(), [role](int one) {
        return one == role || one == access::v1::ROLE_READ_ONLY;
      });
    default:
      return false;
  }
}

std::uint64_t ProtectedUser(std::string_view user_id) {
  const pki::Sha256Digest digest = pki::Sha256(user_id);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(number); ++i) number = number << 8 | digest[i];
  return number;
}

const google::protobuf::MethodDescriptor* FindMethod(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (!path.starts_with('/') || slash == 0 || path.size() > 256) return nullptr;
  std::string name(path.substr(1));
  name[slash - 1] = '.';
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
}

absl::StatusOr<GrantSigner> GrantSigner::Create(const Identity& identity) {
  DT_ASSIGN_OR_RETURN(pki::Identity parsed,
                      pki::IdentityFromPem(identity.certificate_pem, identity.key_pem));
  return GrantSigner(std::move(parsed));
}

absl::StatusOr<std::string> GrantSigner::Sign(const access::v1::Grant& grant) const {
  access::v1::SignedGrant message;
  message.set_grant(grant.SerializeAsString());
  DT_ASSIGN_OR_RETURN(const Bytes signature, identity_.key.Sign(SignedOctets(message.grant())));
  message.set_signature(ToString(signature));
  message.add_chain_der(ToString(identity_.certificate.der()));
  for (const pki::Certificate& one : identity_.intermediates) {
    message.add_chain_der(ToString(one.der()));
  }
  return message.SerializeAsString();
}

absl::StatusOr<std::shared_ptr<const GrantVerifier>> GrantVerifier::Create(
    std::string org, std::string_view deployment_ca_pem, const Clock& clock) {
  DT_ASSIGN_OR_RETURN(auto cas, pki::CertificatesFromPem(deployment_ca_pem));
  return std::shared_ptr<const GrantVerifier>(
      new GrantVerifier(std::move(org), std::move(cas), clock));
}

// As mutual TLS would: up to a CA of the deployment, all in date, and the leaf names the org.
absl::Status GrantVerifier::CheckSigner(const std::vector<pki::Certificate>& chain) const {
  const WallTime now = clock_.Now();
  const std::vector<std::string> names = chain.front().uris();
  const auto who = names.size() == 1 ? ParseCaller(names.front()) : absl::UnauthenticatedError("");
  if (!who.ok() || who->kind != Caller::Kind::kComponent || who->role != kSignerRole ||
      who->org != org_) {
    return NoGrant(reason::v1::REASON_TOKEN_WRONG_ISSUER, "the grant is not signed by the org");
  }
  for (std::size_t at = 0; at < chain.size(); ++at) {
    if (!IsValidAt(chain[at], now) || (at > 0 && !chain[at].is_ca())) break;
    for (const pki::Certificate& ca : cas_) {
      if (ca.is_ca() && IsValidAt(ca, now) && pki::IsIssuedBy(chain[at], ca)) {
        return absl::OkStatus();
      }
    }
    if (at + 1 == chain.size() || !pki::IsIssuedBy(chain[at], chain[at + 1])) break;
  }
  return NoGrant(reason::v1::REASON_TOKEN_WRONG_ISSUER,
                 "the grant's certificate is not of the deployment");
}

absl::StatusOr<access::v1::Grant> GrantVerifier::Check(std::string_view signed_grant,
                                                       std::string_view method) const {
  const absl::Status malformed =
      NoGrant(reason::v1::REASON_TOKEN_MALFORMED, "the grant cannot be read");
  access::v1::SignedGrant message;
  if (signed_grant.size() > kGrantBytesMax ||
      !message.ParseFromArray(signed_grant.data(), static_cast<int>(signed_grant.size()))) {
    return malformed;
  }
  const auto chain = ParseChain(message);
  if (!chain.ok()) return malformed;
  DT_RETURN_IF_ERROR(CheckSigner(*chain));
  const auto key = chain->front().public_key();
  if (!key.ok() || !key->Verify(SignedOctets(message.grant()), AsBytes(message.signature()))) {
    return NoGrant(reason::v1::REASON_TOKEN_SIGNATURE_INVALID, "the grant's signature is wrong");
  }
  access::v1::Grant grant;
  if (!grant.ParseFromString(message.grant()) || grant.principal().empty()) return malformed;
  if (grant.org() != org_ || grant.method() != method) {
    return NoGrant(reason::v1::REASON_TOKEN_WRONG_AUDIENCE, "the grant is for another call");
  }
  const WallTime now = clock_.Now();
  const WallTime ends = FromTimestamp(grant.expires_at());
  if (now >= ends || ends > now + kGrantLifetime + kSkewOfServices) {
    return NoGrant(reason::v1::REASON_TOKEN_EXPIRED, "the grant is over, or the clocks differ");
  }
  return grant;
}

}  // namespace devicetrust::rpc
