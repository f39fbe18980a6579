#include "iwa/token_issuer.h"

#include <fmt/format.h>

#include "iwa/refusals.h"
#include "libs/base/encoding.h"
#include "libs/rpc/error.h"
#include "libs/token/names.h"

namespace devicetrust::iwa {
namespace {

using absl::StatusCode;

constexpr std::size_t kIssuedTokensKept = 4096;  // About 3 MiB.

absl::Status Malformed(std::string message) {
  return rpc::MakeError(StatusCode::kInvalidArgument, reason::v1::REASON_MALFORMED_REQUEST,
                        std::move(message));
}

absl::Status Denied(reason::v1::Reason reason, std::string message,
                    const kerberos::Identity& identity, std::string remedy) {
  return rpc::MakeError(StatusCode::kPermissionDenied, reason, std::move(message),
                        identity.principal, std::move(remedy));
}

absl::Status CheckInput(std::span<const std::uint8_t> spnego, std::string_view key_thumbprint) {
  if (spnego.empty()) return Malformed("spnego_token is empty");
  if (spnego.size() > kerberos::kSpnegoBytesMax) {
    return rpc::MakeError(StatusCode::kInvalidArgument, reason::v1::REASON_REQUEST_TOO_LARGE,
                          "spnego_token is longer than 48 KiB", {},
                          "Make the account a member of fewer groups.");
  }
  const bool whole = key_thumbprint.size() == kThumbprintChars;
  if (!whole || !Base64UrlDecode(key_thumbprint).ok()) {
    return Malformed("key_thumbprint is not an RFC 7638 SHA-256 thumbprint (43 characters)");
  }
  return absl::OkStatus();
}

// The PAC is of the domain whose realm vouches for the ticket: a PAC of one domain with an account
// of another in it was not made by that account's domain controller.
absl::Status CheckDomain(const kerberos::Identity& identity, const directory::Domain& domain) {
  if (identity.domain_sid == domain.sid && identity.account_sid.starts_with(domain.sid + "-")) {
    return absl::OkStatus();
  }
  return rpc::MakeError(
      StatusCode::kUnauthenticated, reason::v1::REASON_TICKET_INVALID,
      fmt::format("the ticket's SID {} is none of its realm's domain", identity.account_sid),
      identity.principal, "Check the SID that the IWA's configuration gives the domain.");
}

// A ticket may be older than what has become of its account since.
absl::Status CheckStillGood(const directory::Account& account, const std::string& principal,
                            reason::v1::Reason disabled, WallTime now) {
  const auto denied = [&principal](reason::v1::Reason reason, std::string message,
                                   std::string remedy) {
    return rpc::MakeError(StatusCode::kPermissionDenied, reason, std::move(message), principal,
                          std::move(remedy));
  };
  if (!account.enabled) {
    return denied(disabled, "the account is disabled", "Enable the account in Active Directory.");
  }
  if (account.HasExpired(now)) {
    return denied(reason::v1::REASON_ACCOUNT_EXPIRED, "the account has expired",
                  "Prolong the account in Active Directory.");
  }
  if (account.locked) {
    return denied(reason::v1::REASON_ACCOUNT_LOCKED, "the account is locked",
                  "Wait until the lock ends, or unlock the account in Active Directory.");
  }
  return absl::OkStatus();
}

// "PC0042$@CORP.TEST", of the directory's name: the ticket's is what somebody typed.
std::string PrincipalOf(const directory::Account& account, const kerberos::Identity& identity) {
  return fmt::format("{}@{}", account.account_name, identity.realm);
}

}  // namespace

TokenIssuer::TokenIssuer(IssuerConfig config, const SigningKeys& keys, TicketAcceptor& tickets,
                         const directory::Registry& domains, const ForestTrusts& trusts,
                         const Clock& clock, Random& random)
    : config_(std::move(config)),
      urn_(token::IwaUrn(config_.org, config_.name)),
      keys_(keys),
      limiter_(config_.account_calls_per_minute),
      examinations_(config_.account_calls_per_minute),
      issued_(kIssuedTokensKept),
      tickets_(tickets),
      domains_(domains),
      trusts_(trusts),
      clock_(clock),
      random_(random) {}

absl::StatusOr<IssuedToken> TokenIssuer::IssueDeviceToken(std::span<const std::uint8_t> spnego,
                                                          std::string_view key_thumbprint) {
  DT_RETURN_IF_ERROR(CheckInput(spnego, key_thumbprint));
  DT_ASSIGN_OR_RETURN(const auto ring, keys_.ToSign());
  DT_ASSIGN_OR_RETURN(kerberos::Accepted accepted,
                      Authenticate(spnego, {"IssueDeviceToken", config_.name, key_thumbprint, {}}));
  const kerberos::Identity& identity = accepted.identity;
  DT_ASSIGN_OR_RETURN(const directory::Computer computer, CheckComputer(identity));

  DT_ASSIGN_OR_RETURN(token::Envelope envelope, NewEnvelope(urn_, token::kDeviceTokenLifetime));
  const WallTime expires_at = envelope.expires_at;
  envelope.key_id = ring->signer().kid;
  const token::DeviceToken claims{std::move(envelope), computer.sid, computer.account_name,
                                  identity.realm, std::string(key_thumbprint)};
  DT_ASSIGN_OR_RETURN(std::string token, token::Sign(claims, ring->signer()));
  issued_.Remember(token, claims);
  return IssuedToken{std::move(token), std::move(accepted.reply), expires_at,
                     PrincipalOf(computer, identity)};
}

absl::StatusOr<IssuedToken> TokenIssuer::IssueUserToken(std::span<const std::uint8_t> spnego,
                                                        std::string_view key_thumbprint,
                                                        std::string_view device_token) {
  DT_RETURN_IF_ERROR(CheckInput(spnego, key_thumbprint));
  DT_ASSIGN_OR_RETURN(const auto ring, keys_.ToSign());
  DT_ASSIGN_OR_RETURN(const token::DeviceToken device,
                      CheckDeviceToken(device_token, key_thumbprint));
  DT_ASSIGN_OR_RETURN(
      kerberos::Accepted accepted,
      Authenticate(spnego, {"IssueUserToken", config_.name, key_thumbprint, device_token}));
  DT_ASSIGN_OR_RETURN(const directory::User user, CheckUser(accepted.identity));
  const std::string principal = PrincipalOf(user, accepted.identity);

  DT_ASSIGN_OR_RETURN(token::Envelope envelope,
                      NewEnvelope(token::CaUrn(config_.org), token::kUserTokenLifetime));
  const WallTime expires_at = envelope.expires_at;
  DT_ASSIGN_OR_RETURN(
      std::string token,
      token::Sign(token::UserToken{std::move(envelope), user.sid, principal, device.computer_sid,
                                   device.computer_name, device.realm, std::string(key_thumbprint)},
                  ring->signer()));
  return IssuedToken{std::move(token), std::move(accepted.reply), expires_at, principal};
}

absl::StatusOr<kerberos::Accepted> TokenIssuer::Authenticate(std::span<const std::uint8_t> spnego,
                                                             const token::BoundRequest& request) {
  absl::StatusOr<kerberos::Accepted> accepted = tickets_.Accept(spnego, token::BindingsOf(request));
  if (!accepted.ok()) return TicketRefusal(accepted.status());
  DT_RETURN_IF_ERROR(CheckIdentity(accepted->identity, limiter_));
  return accepted;
}

absl::Status TokenIssuer::CheckIdentity(const kerberos::Identity& identity, CallLimiter& limiter) {
  const absl::StatusOr<const directory::Domain*> domain = domains_.FindByRealm(identity.realm);
  if (!domain.ok()) {
    return Denied(reason::v1::REASON_UNTRUSTED_FOREST,
                  fmt::format("this IWA does not serve the realm {}", identity.realm), identity,
                  "Enroll through an IWA of the account's own forest.");
  }
  DT_RETURN_IF_ERROR(CheckDomain(identity, **domain));
  DT_RETURN_IF_ERROR(trusts_.Check(**domain, identity.service_realm));
  const std::chrono::seconds wait =
      limiter.Count(identity.account_sid, std::chrono::steady_clock::now());
  if (wait > std::chrono::seconds(0)) {
    return rpc::MakeError(StatusCode::kResourceExhausted, reason::v1::REASON_TOO_MANY_REQUESTS,
                          "the account asked for too many tokens", identity.principal,
                          "Wait; if it repeats, look for an agent that runs in a loop.", wait);
  }
  return absl::OkStatus();
}

TicketReport TokenIssuer::Examine(const kerberos::Identity& identity) {
  TicketReport report{identity, identity.principal, CheckIdentity(identity, examinations_)};
  const auto take = [&](const auto& account) {
    report.may_enroll = account.status();
    if (account.ok()) report.principal = PrincipalOf(*account, identity);
  };
  if (report.may_enroll.ok()) {
    if (identity.is_computer) {
      take(CheckComputer(identity));
    } else {
      take(CheckUser(identity));
    }
  }
  if (report.may_enroll.ok()) report.may_enroll = keys_.ToSign().status();
  return report;
}

absl::StatusOr<token::DeviceToken> TokenIssuer::CheckDeviceToken(
    std::string_view device_token, std::string_view key_thumbprint) const {
  const WallTime now = clock_.Now();
  const std::optional<token::DeviceToken> known = issued_.Find(device_token, now);
  absl::StatusOr<token::DeviceToken> device =
      known ? *known : token::VerifyDeviceToken(device_token, keys_.ring()->verifiers, urn_, now);
  if (!device.ok()) return TokenRefusal(device.status());
  if (device->key_thumbprint != key_thumbprint) {
    return rpc::MakeError(StatusCode::kUnauthenticated, reason::v1::REASON_TOKEN_WRONG_KEY,
                          "the device token is good for another key", device->computer_name,
                          "Get both tokens for the same key.");
  }
  if (!domains_.FindByRealm(device->realm).ok()) {
    return rpc::MakeError(StatusCode::kPermissionDenied, reason::v1::REASON_UNTRUSTED_FOREST,
                          fmt::format("this IWA no longer serves the realm {}", device->realm),
                          device->computer_name,
                          "Enroll through an IWA of the computer's own forest.");
  }
  return device;
}

absl::StatusOr<directory::Computer> TokenIssuer::CheckComputer(const kerberos::Identity& identity) {
  if (!identity.is_computer) {
    return Denied(reason::v1::REASON_NOT_A_COMPUTER, "the ticket is not of a computer account",
                  identity,
                  "Run the device task as the network service, so that it uses the computer's "
                  "own account.");
  }
  absl::StatusOr<directory::Computer> account = domains_.FindComputer(identity.account_sid);
  if (absl::IsNotFound(account.status())) {
    return Denied(reason::v1::REASON_NOT_DOMAIN_JOINED, "the domain has no such computer", identity,
                  "Join the computer to the domain again.");
  }
  if (!account.ok()) return DirectoryRefusal(account.status());
  DT_RETURN_IF_ERROR(CheckStillGood(*account, PrincipalOf(*account, identity),
                                    reason::v1::REASON_COMPUTER_DISABLED, clock_.Now()));
  return account;
}

absl::StatusOr<directory::User> TokenIssuer::CheckUser(const kerberos::Identity& identity) {
  if (identity.is_computer) {
    return Denied(reason::v1::REASON_NOT_A_USER, "the ticket is of a computer account", identity,
                  "Run the user task as the logged-on user.");
  }
  absl::StatusOr<directory::User> account = domains_.FindUser(identity.account_sid);
  if (absl::IsNotFound(account.status())) {
    return Denied(reason::v1::REASON_USER_NOT_IN_DOMAIN, "the domain has no such user", identity,
                  "Log on with an account of the domain.");
  }
  if (!account.ok()) return DirectoryRefusal(account.status());
  DT_RETURN_IF_ERROR(CheckStillGood(*account, PrincipalOf(*account, identity),
                                    reason::v1::REASON_USER_DISABLED, clock_.Now()));
  return account;
}

absl::StatusOr<token::Envelope> TokenIssuer::NewEnvelope(std::string audience,
                                                         std::chrono::seconds lifetime) {
  const WallTime now = AtUnixSeconds(UnixSeconds(clock_.Now()));
  DT_ASSIGN_OR_RETURN(std::string id, token::NewTokenId(clock_.Now(), random_));
  return token::Envelope{urn_, std::move(audience), std::move(id), now, now + lifetime};
}

}  // namespace devicetrust::iwa
